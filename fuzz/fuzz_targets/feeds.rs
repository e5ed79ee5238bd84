//! Any file of any feed: read, built into a database and asked again.
#![no_main]

use std::sync::Arc;

use icecore::{
    block::Memory,
    vuln::{
        Database,
        database::Builder,
        feeds::{FEEDS, File, Output},
        query::Query,
    },
};
use libfuzzer_sys::fuzz_target;

/// Some feeds' files tell a form or a release by their names.
const NAMES: [&str; 6] = [
    "gems/name/CVE-1.json",
    "azurelinux-3.0-oval.xml",
    "cve_data_photon4.0.json",
    "distro-info/debian.csv",
    "v3.20/main.yaml",
    "active/CVE-1",
];

fuzz_target!(|data: &[u8]| {
    // The first byte chooses the feed, the second the file's name: most refuse most files at once.
    let [choice, name, bytes @ ..] = data else { return };
    let feed = &FEEDS[usize::from(*choice) % FEEDS.len()];
    let mut output = Output::default();
    // A refusal is an answer.
    let _ = feed.read(File { name: NAMES[usize::from(*name) % NAMES.len()], bytes }, &mut output);
    let claims: Vec<_> = output.advisories.iter().flat_map(|advisory| advisory.claims.clone()).take(8).collect();
    let mut builder = Builder::default();
    builder.add(feed, output).expect("few releases");
    let Ok(built) = builder.finish() else { return };
    let database = Database::open(Arc::new(Memory::new(built))).expect("what was built opens");
    database.verify().expect("what was built is whole");
    for claim in claims {
        let versions = claim.statement.versions.iter().map(String::as_str).chain(["0", "1.0"]);
        for version in versions.take(4) {
            if let Some(query) = Query::parse(&format!("{}\t{}\t{version}", claim.ecosystem, claim.name)) {
                query.matches(&database).expect("what was built answers");
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Query::document(text);
    }
});
