#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&[u8], &[u8])| icecore_fuzz::extract("a.dist-info/METADATA", data.0, Some(data.1)));
