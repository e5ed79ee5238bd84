//! Any bytes as the files of two layers that show packages: which of them the image has, whose they are, and what they need.
#![no_main]

use std::sync::Arc;

use icecore::{
    fs::{Root, memory::Tree},
    gap::Scope,
    image,
    layer::{Walk, analyze},
};
use libfuzzer_sys::fuzz_target;

const PATHS: &[&str] = &[
    "a/lib/python3.11/dist-packages/x-1.dist-info/METADATA",
    "a/lib/python3.11/dist-packages/x-1.dist-info/RECORD",
    "lib/apk/db/installed",
    "node_modules/.pnpm/a@1/node_modules/a/package.json",
    "node_modules/.pnpm/b@1/node_modules/b/package.json",
    "node_modules/a/node_modules/b/package.json",
    "node_modules/a/package.json",
    "specifications/a-1.gemspec",
    "specifications/default/b-1.gemspec",
    "usr/lib/python3/dist-packages/y.egg-info/PKG-INFO",
    "usr/lib/python3/dist-packages/y.egg-info/requires.txt",
    "var/lib/dpkg/info/a.list",
    "var/lib/dpkg/status",
];

fuzz_target!(|files: Vec<(u8, &[u8])>| {
    let mut layers = [Tree::default(), Tree::default()];
    for (number, content) in files {
        let path = PATHS[usize::from(number & 0x7f) % PATHS.len()];
        layers[usize::from(number >> 7)].file(path, content);
    }
    let facts =
        layers.map(|tree| Arc::new(analyze(&Root::new(tree.build()).top(), Walk::whole("", Scope::Layer))));
    let inventory = image::fold(&facts, "", &|| Ok(Vec::new()));
    let needs = image::requires(&inventory.packages);
    assert_eq!(needs.len(), inventory.packages.len());
    assert!(needs.iter().enumerate().all(|(own, needed)| !needed.contains(&own)));
    let _ = image::hidden(&facts, &inventory);
});
