//! Any bytes as a FAT volume.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| icecore_fuzz::volume(data, "vfat"));
