//! An exported image is the image: its blobs have their digests, its layers unpack to the same files.

use std::{collections::BTreeMap, io::Read, sync::Arc};

use icecore::{
    Digest,
    block::{Memory, Source},
    fs::{Handle, Root},
    gap::Scope,
    image,
    layer::{self, Walk},
    scan::{self, Inputs, Where},
};
use serde_json::Value;

use crate::demo::{fixture, list};

fn node() -> scan::OpenedNode {
    scan::open(&Inputs { disks: vec![fixture("node.qcow2")], ..Inputs::default() }).unwrap()
}

fn members(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut members = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        members.insert(entry.path().unwrap().to_str().unwrap().to_owned(), bytes);
    }
    members
}

fn files(root: &Root) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    list(&root.top(), &mut rows);
    rows.sort_by(|a, b| a[0].as_str().cmp(&b[0].as_str()));
    rows
}

#[test]
fn an_exported_image_unpacks_to_its_files() {
    let node = node();
    for name in ["registry.example/shop/web:1.1", "registry.example/shop/front:2.1"] {
        let mut archive = Vec::new();
        scan::export(&node, name, 2, &mut archive, &|| Ok(Box::new(tempfile::tempfile()?))).unwrap();
        let members = members(&archive);
        let blob = |digest: &Value| {
            let digest: Digest = digest.as_str().unwrap().parse().unwrap();
            let bytes = members[&format!("blobs/sha256/{}", digest.hex())].clone();
            assert_eq!(Digest::of(&bytes), digest);
            (bytes, digest)
        };
        let json = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).unwrap() };
        let index = json(&members["index.json"]);
        assert_eq!(index["manifests"][0]["annotations"]["io.containerd.image.name"], name);
        let manifest = json(&blob(&index["manifests"][0]["digest"]).0);
        let config = json(&blob(&manifest["config"]["digest"]).0);
        let mut layers = Vec::new();
        let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap();
        for (layer, diff_id) in manifest["layers"].as_array().unwrap().iter().zip(diff_ids) {
            let (bytes, digest) = blob(&layer["digest"]);
            let source: Source = Arc::new(Memory::new(bytes));
            let diff_id: Digest = diff_id.as_str().unwrap().parse().unwrap();
            let tree = layer::open_blob(&source, &digest, &diff_id, &|_, _| true).unwrap();
            assert!(tree.notes.is_empty(), "{:?}", tree.notes);
            layers.push(Root::new(tree.fs).top());
        }
        let unpacked = files(&Root::new(image::merge(&layers)));
        let original = files(&scan::view(&node, &Where::Image(name.to_owned())).unwrap());
        assert!(unpacked.len() > 50);
        assert_eq!(unpacked, original, "{name}");
    }
}

#[test]
fn a_layer_packed_from_its_snapshot_has_the_same_facts() {
    let node = node();
    let mut packed_layers = 0;
    for image in &node.stores[0].contents.images {
        for layer in &image.layers {
            let snapshot = layer::changes(
                &node.stores[0].store.layer(layer).snapshot.unwrap(),
                layer::Sameness::Content,
            )
            .unwrap();
            let mut tar = Vec::new();
            layer::pack(&snapshot, 2, &mut tar).unwrap();
            let digest = Digest::of(&tar);
            let tree =
                layer::open_blob(&(Arc::new(Memory::new(tar)) as Source), &digest, &digest, &layer::wants);
            let tree = tree.unwrap();
            assert!(tree.notes.is_empty(), "{:?}", tree.notes);
            let facts = |top: &Handle| layer::analyze(top, Walk::whole("layer", Scope::Layer));
            assert_eq!(facts(&Root::new(tree.fs).top()), facts(&snapshot), "{}", layer.diff_id);
            packed_layers += 1;
        }
    }
    assert!(packed_layers > 10);
}
