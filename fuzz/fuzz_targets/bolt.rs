//! A container runtime's database.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = icecore::database::bolt::read(icecore_fuzz::source(data));
});
