#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&[u8], &[u8])| icecore_fuzz::extract("lib/python3.11/site-packages/a.dist-info/METADATA", data.0, Some(data.1)));
