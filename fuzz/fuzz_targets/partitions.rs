//! Any bytes as partitioned disks, and what MD and LVM2 make of their volumes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| icecore_fuzz::partitions(data));
