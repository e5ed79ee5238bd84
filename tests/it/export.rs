//! An exported image is the image: its blobs have their digests, its layers unpack to the same files.

use std::{collections::BTreeMap, io::Read, path::Path, sync::Arc};

use icecore::{
    Digest,
    block::{Memory, Source},
    fs::{Handle, Root},
    gap::{Code, Scope},
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

/// A disk on which a runtime has one image, and what the runtime said of that.
fn store(name: &str) -> (Vec<u8>, Value) {
    let at = |file: String| {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/stores").join(file))
    };
    let disk = zstd::decode_all(at(format!("{name}.img.zst")).unwrap().as_slice()).unwrap();
    let facts: Value = serde_json::from_slice(&at(format!("{name}.json")).unwrap()).unwrap();
    (disk, facts["images"][0].clone())
}

/// What an image is exported to, and what is said of that.
fn exported(disk: &[u8], id: &str) -> (scan::Exported, BTreeMap<String, Vec<u8>>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk.raw");
    std::fs::write(&path, disk).unwrap();
    let node = scan::open(&Inputs { disks: vec![path], ..Inputs::default() }).unwrap();
    let mut archive = Vec::new();
    let exported = scan::export(&node, id, 2, &mut archive, &|| Ok(Box::new(tempfile::tempfile()?))).unwrap();
    (exported, members(&archive))
}

#[test]
fn layers_that_were_unpacked_are_put_together_again_byte_for_byte() {
    for name in ["docker", "podman", "podman-rootless", "podman58"] {
        let (disk, image) = store(name);
        let id = image["id"].as_str().unwrap();
        let (exported, members) = exported(&disk, id);
        let layers = image["layers"].as_array().unwrap();
        assert!(exported.gaps.is_empty(), "{name}: {:?}", exported.gaps);
        assert_eq!(
            (exported.layers, exported.rebuilt, exported.remade),
            (layers.len(), layers.len(), 0),
            "{name}"
        );
        assert!(exported.own_config, "{name}");
        for digest in layers.iter().chain([&image["id"]]) {
            let digest: Digest = digest.as_str().unwrap().parse().unwrap();
            let blob = members.get(&format!("blobs/sha256/{}", digest.hex()));
            assert_eq!(blob.map(|bytes| Digest::of(bytes)), Some(digest), "{name}");
        }
    }
}

#[test]
fn a_file_that_was_changed_behind_the_runtime_is_not_passed_for_the_images_own() {
    let (mut disk, image) = store("docker");
    // The image's only program, behind its first bytes.
    let program = disk.chunks(1024).position(|block| block.starts_with(b"\x7fELF")).unwrap();
    disk[program * 1024 + 600] ^= 1;
    let (exported, members) = exported(&disk, image["id"].as_str().unwrap());
    let told: Vec<_> = exported.gaps.iter().map(|gap| (gap.code, gap.scope, gap.subject.as_str())).collect();
    let hit = image["layers"][0].as_str().unwrap();
    assert_eq!(told, [(Code::BlobDigestMismatch, Scope::Layer, hit)]);
    assert!(exported.gaps[0].detail.starts_with("/usr/bin/tool has the CRC-64 "), "{:?}", exported.gaps);
    assert_eq!((exported.rebuilt, exported.remade, exported.own_config), (2, 1, false));
    let hit: Digest = hit.parse().unwrap();
    assert!(!members.contains_key(&format!("blobs/sha256/{}", hit.hex())));
}

#[test]
fn an_output_that_is_full_is_no_fault_of_the_disk() {
    struct Full;
    impl std::io::Read for Full {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Ok(0)
        }
    }
    impl std::io::Seek for Full {
        fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
            Ok(0)
        }
    }
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (disk, image) = store("docker");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk.raw");
    std::fs::write(&path, disk).unwrap();
    let node = scan::open(&Inputs { disks: vec![path], ..Inputs::default() }).unwrap();
    let id = image["id"].as_str().unwrap();
    let error = scan::export(&node, id, 1, &mut std::io::sink(), &|| Ok(Box::new(Full))).unwrap_err();
    assert!(matches!(error, scan::ViewError::Output(_)), "{error}");
}
