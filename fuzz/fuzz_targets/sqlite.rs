#![no_main]

use icecore::database::sqlite::{Database, Wal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&[u8], &[u8])| {
    let wal = Wal::read(&icecore_fuzz::source(data.1)).ok().flatten();
    let Ok(database) = Database::open(icecore_fuzz::source(data.0), wal) else { return };
    for table in database.tables().flatten() {
        for row in database.rows(&table).flatten() {
            let _ = (0..8).map(|column| row.text(column)).filter(Result::is_ok).count();
        }
    }
});
