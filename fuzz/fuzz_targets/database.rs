//! Any bytes as a database: opened or refused, read or refused.
#![no_main]

use std::sync::Arc;

use icecore::{
    block::Memory,
    vuln::{Database, query::Query},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(database) = Database::open(Arc::new(Memory::new(data))) else { return };
    let _ = database.verify();
    for line in ["PyPI\trequests\t2.30.0", "Debian:12\tglibc\t2.36-9", "npm\tws\t8.0.0"] {
        let query = Query::parse(line).expect("a query");
        let _ = query.matches(&database);
    }
});
