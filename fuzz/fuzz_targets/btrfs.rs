//! Any bytes as a btrfs device.
#![no_main]

use icecore::fs::btrfs;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| icecore_fuzz::volume(data, btrfs::probe, btrfs::open));
