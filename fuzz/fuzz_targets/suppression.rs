//! Any VEX document, file of what to ignore, or table of sources: read, and asked about a finding.
#![no_main]

use icecore::vuln::{Finding, Suppressions, fetch, suppression::Place};
use libfuzzer_sys::fuzz_target;

const DIGEST: &str = "sha256:4b825dc642cb6eb9a060e54bf8d69288fbee49044b825dc642cb6eb9a060e54b";

fuzz_target!(|data: &[u8]| {
    let mut all = Suppressions::default();
    // A refusal is an answer.
    let _ = all.add_vex("vex.json", data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = all.add_ignored("ignore.toml", text, "2024-06-15");
        if let Ok(sources) = fetch::table(Some(text)) {
            sources.iter().for_each(|source| drop(source.jobs(2024)));
        }
    }
    let finding: Finding = serde_json::from_value(serde_json::json!({
        "id": "CVE-2024-1", "aliases": [], "records": [], "package": "pkg:deb/debian/curl@7.88.1?arch=amd64",
        "severity": "high", "cvss": [], "status": "affected", "fixed_in": [], "fix": "not_available", "why": [],
    }))
    .expect("a finding");
    let image = Place { digests: vec![DIGEST], references: vec!["registry.example/web:1.0"], ..Place::default() };
    for place in [image, Place::default()] {
        all.of(&finding, &place);
    }
});
