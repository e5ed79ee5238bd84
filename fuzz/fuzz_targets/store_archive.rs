//! An archive of images, as a directory or as a tar.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| icecore_fuzz::stores::archive(data));
