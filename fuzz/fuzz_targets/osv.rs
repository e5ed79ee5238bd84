//! Any record, in JSON or YAML, any catalogue, any scores: read, built into a database and asked again.
#![no_main]

use std::sync::Arc;

use icecore::{
    block::Memory,
    vuln::{
        Database,
        database::Builder,
        feeds::FEEDS,
        osv::Record,
        query::Query,
    },
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for feed in FEEDS {
        let mut builder = Builder::default();
        // A refusal is an answer.
        let _ = feed.read(&mut builder, data);
        let Ok(bytes) = builder.finish() else { continue };
        let database = Database::open(Arc::new(Memory::new(bytes))).expect("what was built opens");
        database.verify().expect("what was built is whole");
        let Ok(record) = serde_json::from_slice::<Record>(data) else { continue };
        for affected in record.affected.iter().take(4) {
            let Some(package) = &affected.package else { continue };
            let versions = affected.versions.iter().map(String::as_str).chain(["0", "1.0"]);
            for version in versions.take(4) {
                let line = format!("{}\t{}\t{version}", package.ecosystem, package.name);
                if let Some(query) = Query::parse(&line) {
                    query.matches(&database).expect("what was built answers");
                }
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Query::parse_all(text);
    }
});
