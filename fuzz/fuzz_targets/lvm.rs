//! Any bytes as the metadata of the device mapper, below volumes of every kind.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| icecore_fuzz::logical(data));
