//! An image as an OCI archive (OCI image-spec, image-layout.md, in a tar): its blobs as they were pulled, and
//! for layers whose blob is gone, the tar that it was, put together again, or one made of the unpacked layer.

mod archive;

use std::io::{self, Read, Seek, Write};

use serde_json::{Value, json};

use self::archive::Archive;
use super::{OpenedNode, ViewError, copies::Copies, view};
use crate::{Digest, Gap, layer::Sameness, store::Image};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What became of an image in an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// What is missing from it.
    pub gaps: Vec<Gap>,
    /// Its layers.
    pub layers: usize,
    /// Those of them that were made anew of what was unpacked: they, and so the image, have other digests than on the node.
    pub remade: usize,
    /// Those whose tar was put together again, byte for byte, of what was unpacked: they are the image's own, uncompressed.
    pub rebuilt: usize,
    /// Whether the configuration, whose digest is the image's id, is the image's own.
    pub own_config: bool,
    /// Whether the manifest is the image's own; one that names other blobs, or none that the runtime kept, is made anew.
    pub own_manifest: bool,
}

/// A file for a layer that has to be made: its size must be known before it is written.
pub trait Scratch: Read + Write + Seek {}

impl<T: Read + Write + Seek> Scratch for T {}

/// Writes the image that a name or digest names, reading on this many threads. `scratch` gives empty temporary files.
///
/// Layers whose blobs are on the disk are those, and where all are, configuration and manifest are the image's own, byte
/// for byte, if the runtime kept them. Of a layer that was unpacked Docker and containers/storage keep what its tar is put
/// together again of: if the digest of that is the layer's, it is the image's own, and so is the configuration, but a manifest
/// that names compressed blobs is not. Else it is made anew and has another digest, so the configuration names that one; all
/// else in it is the image's own.
pub fn export(
    node: &OpenedNode,
    name: &str,
    threads: usize,
    to: &mut dyn Write,
    scratch: &dyn Fn() -> io::Result<Box<dyn Scratch>>,
) -> Result<Exported, ViewError> {
    let image = view::find_image(node, name)?;
    let mut gaps = image.gaps.clone();
    let copies = Copies::new(&node.stores, Sameness::Content);
    let mut archive = Archive::new(to, threads, scratch);
    let mut layers = Vec::new();
    for layer in &image.layers {
        layers.push(archive.layer(&copies, layer, &mut gaps)?);
    }
    let kept = |digest: &Digest| {
        let documents = node.stores.iter().map(|store| store.store.document(digest));
        documents.filter_map(Result::ok).flatten().next()
    };
    let own_config = kept(&image.id);
    let diff_ids: Vec<&Digest> = layers.iter().map(|layer| &layer.diff_id).collect();
    let are_own = image.layers.iter().map(|layer| &layer.diff_id).eq(diff_ids.iter().copied());
    let config = match (&own_config, are_own) {
        (Some(bytes), true) => bytes.clone(),
        (Some(bytes), false) => {
            to_json(&with_layers(bytes, &diff_ids).unwrap_or_else(|| config(image, &diff_ids)))?
        }
        (None, _) => to_json(&config(image, &diff_ids))?,
    };
    let is_own_config = are_own && own_config.is_some();
    let config = archive.document(&config, CONFIG)?;
    let descriptors: Vec<&Value> = layers.iter().map(|layer| &layer.descriptor).collect();
    let own_manifest =
        image.manifests.iter().filter_map(kept).find(|bytes| is_of(bytes, &config, &descriptors));
    let is_own_manifest = own_manifest.is_some();
    let manifest = match own_manifest {
        Some(bytes) => bytes,
        None => {
            let manifest =
                json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": descriptors });
            to_json(&manifest)?
        }
    };
    let mut manifest = archive.document(&manifest, &media_type(&manifest))?;
    // A name with a digest is one of what has that digest.
    let written = manifest.get("digest").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_right = |name: &&String| name.ends_with(&format!("@{written}"));
    let tagged = || image.references.iter().find(|name| !name.contains('@'));
    // Of several names it is the one that was asked for.
    let asked = image.references.get(name).filter(|name| !name.contains('@'));
    let reference = asked.or_else(tagged).or_else(|| image.references.iter().find(is_right));
    if let (Some(reference), Some(manifest)) = (reference, manifest.as_object_mut()) {
        // containerd goes by the one, others by the other.
        let names =
            json!({ "io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference });
        manifest.insert("annotations".to_owned(), names);
    }
    archive
        .file("index.json", to_json(&json!({ "schemaVersion": 2, "manifests": [manifest] }))?.as_slice())?;
    archive.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    archive.finish()?;
    let remade = image.layers.iter().zip(&layers).filter(|(own, packed)| own.diff_id != packed.diff_id);
    Ok(Exported {
        gaps,
        layers: layers.len(),
        remade: remade.count(),
        rebuilt: layers.iter().filter(|layer| layer.is_rebuilt).count(),
        own_config: is_own_config,
        own_manifest: is_own_manifest,
    })
}

/// The media type that a manifest gives itself.
fn media_type(manifest: &[u8]) -> String {
    let manifest = serde_json::from_slice::<Value>(manifest).unwrap_or_default();
    manifest.get("mediaType").and_then(Value::as_str).unwrap_or(MANIFEST).to_owned()
}

/// Whether a manifest is that of a configuration and of layers with these descriptors.
fn is_of(manifest: &[u8], config: &Value, layers: &[&Value]) -> bool {
    let Ok(manifest) = serde_json::from_slice::<Value>(manifest) else { return false };
    let digest = |descriptor: &Value| descriptor.get("digest").cloned();
    let own = manifest.get("layers").and_then(Value::as_array);
    manifest.get("config").is_some_and(|own| digest(own) == digest(config))
        && own.is_some_and(|own| own.iter().map(digest).eq(layers.iter().map(|layer| digest(layer))))
}

/// An image's configuration with other layers, all else as it is.
fn with_layers(config: &[u8], diff_ids: &[&Digest]) -> Option<Value> {
    let mut config: Value = serde_json::from_slice(config).ok()?;
    config.as_object_mut()?.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": diff_ids }));
    Some(config)
}

/// A configuration of what is known of an image whose own is lost.
fn config(image: &Image, diff_ids: &[&Digest]) -> Value {
    let mut parts = image.platform.split('/');
    let (os, architecture) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut config = json!({
        "os": os,
        "architecture": architecture,
        "config": { "Labels": image.labels },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": image.history,
    });
    if let (Some(created), Some(config)) = (&image.created, config.as_object_mut()) {
        config.insert("created".to_owned(), json!(created));
    }
    config
}

fn to_json(value: &Value) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}
