//! Runtimes' state directories in memory, opened, and asked for everything.

use std::{io, sync::Arc};

use icecore::{
    fs::{Handle, IdRange, Owners, Root, memory::Tree},
    gap::Scope,
    layer::{self, Sameness, Walk},
    store::{
        Store, TarSplit, Unpacked, archive,
        containerd::{self, Containerd},
        containers_storage::{self, Setting},
        docker::{self, Access, Beside},
    },
};

use crate::{source, tree::tree};

/// Layers that are looked at.
const LAYERS: usize = 32;

fn top(tree: Tree) -> Handle {
    Root::new(tree.build()).top()
}

/// A byte that says how the node is set up, and the rest.
fn how(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(how, rest)| (*how, rest))
}

fn owners(how: u8) -> Owners {
    let ranges = vec![
        IdRange { inside: 0, outside: 1000, count: 1 },
        IdRange { inside: 1, outside: 100_000, count: 65_536 },
    ];
    if how & 0x80 == 0 { Owners::default() } else { Owners { users: ranges.clone(), groups: ranges } }
}

/// A containerd's root directory.
pub fn containerd(data: &[u8]) {
    let (how, data) = how(data);
    let dir = top(tree(data));
    let Ok(Some(store)) = containerd::open(&Root::below(&dir), Some(&Root::below(&dir))) else { return };
    ask(&if how & 0x80 == 0 { store } else { store.of_user(owners(how)) });
}

/// A Docker data root.
pub fn docker(data: &[u8]) {
    let (how, data) = how(data);
    let dir = top(tree(data));
    let root = Root::below(&dir);
    let below = root.find(b"containerd/daemon").ok().flatten().map(|below| root.within(&below));
    let lent: Option<Arc<Containerd>> =
        below.and_then(|below| containerd::open(&below, None).ok().flatten()).map(Arc::new);
    let images = lent.as_ref().map(|store| store.contents().images).unwrap_or_default();
    let beside: Vec<Beside<'_>> =
        lent.iter().map(|store| Beside { store: Arc::clone(store), images: &images }).collect();
    ask(&docker::open(&root, &Access { owners: owners(how), rootless: how & 1 == 1 }, &beside));
}

/// A root directory of containers/storage.
pub fn containers_storage(data: &[u8]) {
    let (how, data) = how(data);
    let dir = top(tree(data));
    let root = Root::below(&dir);
    let below = |path: &[u8]| root.find(path).ok().flatten().map(|dir| root.within(&dir));
    let setting = Setting {
        is_unprivileged: how & 1 == 1,
        owners: owners(how),
        mount_program: how & 2 == 2,
        image_stores: below(b"additional").into_iter().collect(),
        static_dir: below(b"static"),
        has_crio: how & 4 == 4,
    };
    if let Ok(Some(store)) = containers_storage::open(&root, &setting) {
        ask(&store);
    }
}

/// An archive of images.
pub fn archive(data: &[u8]) {
    let (how, data) = how(data);
    let opened = match how & 1 {
        0 => archive::open_directory(Root::new(tree(data).build())),
        _ => archive::open_tar(&source(data)),
    };
    if let Ok(Some(store)) = opened {
        ask(&store);
    }
}

/// What is kept of a layer's tar, over some files.
pub fn tar_split(data: &[u8]) {
    let mut files = Tree::default();
    for (path, content) in [("a", "one"), ("dir/b", "two"), ("dir/c", "three")] {
        files.file(path, content);
    }
    files.link("link", "dir");
    let _ = layer::put_together(&TarSplit { list: source(data), dir: top(files) }, 1, &mut io::sink());
}

/// Asks a store for all that it may be asked.
fn ask(store: &dyn Store) {
    let contents = store.contents();
    let mut looked = 0;
    for image in &contents.images {
        for digest in image.manifests.iter().chain([&image.id]) {
            let _ = store.document(digest);
        }
        for layer in image.layers.iter().take(LAYERS) {
            let sources = store.layer(layer);
            let _ = store.is_bound(layer);
            if let Ok(Some(split)) = store.tar_split(layer) {
                let _ = layer::put_together(&split, 1, &mut io::sink());
            }
            looked += 1;
            if looked > LAYERS {
                continue;
            }
            if let Some(unpacked) = &sources.snapshot {
                look(unpacked);
            }
            if let Some(blob) = &sources.blob {
                let _ = layer::open_blob(&blob.bytes, &blob.digest, &layer.diff_id, &layer::wants);
            }
        }
    }
    for container in contents.containers.iter().take(LAYERS) {
        store.writable_layers(container).unwrap_or_default().iter().for_each(look);
    }
}

/// What a layer changed.
fn look(unpacked: &Unpacked) {
    if let Ok(tree) = layer::changes(unpacked, Sameness::Content) {
        let _ = layer::analyze(&tree, Walk::whole("layer", Scope::Layer));
    }
}
