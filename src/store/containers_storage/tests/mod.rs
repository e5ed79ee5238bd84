//! Stores made in memory: what a runtime writes, and what somebody hostile does.

mod engines;
mod hostile;
mod images;

use serde_json::{Value, json};

use super::*;
use crate::{
    fs::{GuestPath, Root, memory::Tree},
    store::{Form, Image},
};

/// A root directory under construction.
struct Made {
    tree: Tree,
    driver: &'static str,
    images: Vec<Value>,
    layers: Vec<Value>,
    containers: Vec<Value>,
}

/// An image that was made.
struct MadeImage {
    /// The id of its record.
    record: String,
    id: Digest,
    manifest: Digest,
    /// The ids of its layers, base first.
    layers: Vec<String>,
}

/// An id as a runtime makes it.
fn id(of: &str) -> String {
    Digest::of(of.as_bytes()).hex()
}

impl Made {
    fn new(driver: &'static str) -> Self {
        Self { tree: Tree::default(), driver, images: Vec::new(), layers: Vec::new(), containers: Vec::new() }
    }

    /// The path of a layer's directory.
    fn place(&self, layer: &str) -> String {
        match self.driver {
            "overlay" => format!("overlay/{layer}/diff"),
            "vfs" => format!("vfs/dir/{layer}"),
            other => format!("{other}/subvolumes/{layer}"),
        }
    }

    /// An image of layers with one file each.
    fn image(&mut self, name: &str, layers: &[&str]) -> MadeImage {
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer.as_bytes())).collect();
        let config = json!({"os": "linux", "architecture": "amd64", "config": {"Labels": {"of": "image"}},
            "created": "2026-01-01T00:00:00Z", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let (config, record) = (config.to_string(), Digest::of(config.to_string().as_bytes()).hex());
        let mut ids: Vec<String> = Vec::new();
        for (layer, diff_id) in layers.iter().zip(&diff_ids) {
            let parent = ids.last().cloned().unwrap_or_default();
            let own = id(&format!("{parent}{layer}"));
            self.layers.push(json!({"id": own, "parent": parent, "diff-digest": diff_id,
                "compressed-diff-digest": Digest::of(format!("gzip {layer}").as_bytes()), "compressed-size": 7}));
            let file = format!("{}/{layer}", self.place(&own));
            self.tree.file(&file, *layer);
            ids.push(own);
        }
        let manifest = manifest(&config, layers, "gzip");
        let made = MadeImage {
            id: Digest::of(config.as_bytes()),
            manifest: Digest::of(manifest.as_bytes()),
            layers: ids,
            record,
        };
        let (config_key, manifest_key) = (made.id.to_string(), format!("manifest-{}", made.manifest));
        self.images.push(json!({"id": made.record, "digest": made.manifest, "names": [name],
            "layer": made.layers.last(), "big-data-names": [config_key, manifest_key, "manifest"],
            "big-data-digests": {"manifest": made.manifest, manifest_key.clone(): made.manifest,
                config_key.clone(): made.id}}));
        for (key, text) in
            [(&config_key, &config), (&manifest_key, &manifest), (&"manifest".to_owned(), &manifest)]
        {
            self.document(&made.record, key, text);
        }
        made
    }

    /// A document of an image.
    fn document(&mut self, record: &str, key: &str, text: &str) {
        let path = document(self.driver, record, key);
        self.tree.file(&path, text);
    }

    /// A container on an image, and its layer.
    fn container(&mut self, name: &str, image: &MadeImage, metadata: &Value) -> String {
        let (own, layer) = (id(name), id(&format!("layer of {name}")));
        self.layers
            .push(json!({"id": layer, "parent": image.layers.last(), "names": [format!("{name}-layer")]}));
        let file = format!("{}/own", self.place(&layer));
        self.tree.file(&file, name);
        self.containers.push(json!({"id": own, "names": [name], "image": image.record, "layer": layer,
            "metadata": metadata.to_string(), "created": "2026-02-01T00:00:00.5+02:00"}));
        own
    }

    /// The path of a file beside a container.
    fn beside(&self, container: &str, file: &str) -> String {
        format!("{}-containers/{container}/userdata/{file}", self.driver)
    }

    /// Writes the lists that are not there.
    fn tree(mut self) -> Tree {
        let lists = [("images", &self.images), ("layers", &self.layers), ("containers", &self.containers)];
        for (kind, list) in lists {
            let path = format!("{}-{kind}/{kind}.json", self.driver);
            if !self.tree.contains(&GuestPath::new(&path)) {
                self.tree.file(&path, Value::from(list.clone()).to_string());
            }
        }
        self.tree
    }

    fn open(self) -> ContainersStorage {
        self.open_as(&Setting::default())
    }

    fn open_as(self, setting: &Setting) -> ContainersStorage {
        open(&Root::new(self.tree().build()), setting).unwrap().unwrap()
    }
}

/// A manifest of a configuration and of layers with this compression.
fn manifest(config: &str, layers: &[&str], compression: &str) -> String {
    let blobs = layers.iter().map(|layer| {
        json!({"mediaType": format!("application/vnd.oci.image.layer.v1.tar+{compression}"), "size": 7,
            "digest": Digest::of(format!("{compression} {layer}").as_bytes())})
    });
    json!({"schemaVersion": 2, "layers": blobs.collect::<Vec<_>>(),
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::of(config.as_bytes()), "size": config.len()}})
    .to_string()
}

/// The path of an image's document.
fn document(driver: &'static str, record: &str, key: &str) -> String {
    let record = records::ImageRecord { id: record.to_owned(), ..records::ImageRecord::default() };
    let root = Root::new(Tree::default().build());
    big_data::BigData { root: &root, driver, record: &record }.path(key)
}

fn image<'a>(store: &'a ContainersStorage, name: &str) -> &'a Image {
    store.contents.images.iter().find(|image| image.references.contains(name)).expect(name)
}

fn codes<'a>(gaps: impl IntoIterator<Item = &'a Gap>) -> Vec<Code> {
    gaps.into_iter().map(|gap| gap.code).collect()
}

/// The names in each layer of an image, or the code of why it is not there.
fn files(store: &ContainersStorage, image: &Image) -> Vec<Result<Vec<String>, Code>> {
    let names = |unpacked: Unpacked| {
        let listing = unpacked.dir.read_dir().unwrap();
        listing.entries.into_iter().map(|entry| String::from_utf8(entry.name).unwrap()).collect()
    };
    let of = |layer| {
        let sources = store.layer(layer);
        assert!(sources.blob.is_none());
        let missing = sources.gaps.first().map_or(Code::LayerMissing, |gap| gap.code);
        sources.snapshot.map(names).ok_or(missing)
    };
    image.layers.iter().map(of).collect()
}

fn names(of: &[&str]) -> Vec<Result<Vec<String>, Code>> {
    of.iter().map(|name| Ok(vec![(*name).to_owned()])).collect()
}
