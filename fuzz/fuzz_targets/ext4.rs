//! Any bytes as an ext4 volume.
#![no_main]

use icecore::fs::ext4;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| icecore_fuzz::volume(data, ext4::probe, ext4::open));
