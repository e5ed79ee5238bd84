//! What a runtime keeps of a layer's tar.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| icecore_fuzz::stores::tar_split(data));
