//! A root directory of containers/storage, with what Podman, CRI-O and Buildah keep in it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| icecore_fuzz::stores::containers_storage(data));
