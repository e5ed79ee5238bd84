#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| icecore_fuzz::extract("opt/a.jar", data, None));
