#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|files: Vec<&[u8]>| icecore_fuzz::kernels(&files));
