//! A layer blob, through its analysis.
#![no_main]

use icecore::{
    Digest,
    fs::Root,
    gap::Scope,
    layer::{self, Walk},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let digest = Digest::of(data);
    if let Ok(tree) = layer::open_blob(&icecore_fuzz::source(data), &digest, &digest, &layer::wants) {
        layer::analyze(&Root::new(tree.fs).top(), Walk::whole("layer", Scope::Layer));
    }
});
