//! An image as an OCI archive (OCI image-spec, image-layout.md, in a tar): its blobs as they were pulled, and
//! for layers whose blob is gone, a tar made of the unpacked layer.

use std::{
    collections::BTreeSet,
    io::{self, Read, Seek, SeekFrom, Write},
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{OpenedNode, ViewError, copies::Copies, view};
use crate::{
    Digest, FormatError, Gap,
    block::Ahead,
    gap::Code,
    layer::{self, Sameness},
    store::{Image, LayerRef},
};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What became of an image in an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// What is missing from it.
    pub gaps: Vec<Gap>,
    /// Its layers.
    pub layers: usize,
    /// Those of them that were made anew of what was unpacked: they, and so the image, have other digests than on the node.
    pub remade: usize,
}

/// A file for a layer that has to be made: its size must be known before it is written.
pub trait Scratch: Read + Write + Seek {}

impl<T: Read + Write + Seek> Scratch for T {}

/// Writes the image that a name or digest names, reading on this many threads. `scratch` gives empty temporary files.
///
/// Layers whose blobs are on the disk are those, and where all are, configuration and manifest are the image's own, byte
/// for byte, if the runtime kept them. A layer that is made anew has another digest than the one that was pulled, so the
/// configuration names that one; all else in it is the image's own.
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
    let mut archive = Archive { tar: tar::Builder::new(to), threads, written: BTreeSet::new() };
    let mut layers = Vec::new();
    for layer in &image.layers {
        layers.push(archive.layer(&copies, layer, scratch, &mut gaps)?);
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
    let config = archive.document(&config, CONFIG)?;
    let descriptors: Vec<&Value> = layers.iter().map(|layer| &layer.descriptor).collect();
    let own_manifest =
        image.manifests.iter().filter_map(kept).find(|bytes| is_of(bytes, &config, &descriptors));
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
    let tagged = image.references.iter().find(|name| !name.contains('@'));
    let reference = tagged.or_else(|| image.references.iter().find(is_right));
    if let (Some(reference), Some(manifest)) = (reference, manifest.as_object_mut()) {
        // containerd goes by the one, others by the other.
        let names =
            json!({ "io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference });
        manifest.insert("annotations".to_owned(), names);
    }
    archive
        .file("index.json", to_json(&json!({ "schemaVersion": 2, "manifests": [manifest] }))?.as_slice())?;
    archive.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    archive.tar.finish()?;
    let remade = image.layers.iter().zip(&layers).filter(|(own, packed)| own.diff_id != packed.diff_id);
    Ok(Exported { gaps, layers: layers.len(), remade: remade.count() })
}

/// The media type that a manifest gives itself.
fn media_type(manifest: &[u8]) -> String {
    let manifest = serde_json::from_slice::<Value>(manifest).unwrap_or_default();
    manifest.get("mediaType").and_then(Value::as_str).unwrap_or(MANIFEST).to_owned()
}

/// The OCI media type of a layer that has one of Docker's: a manifest has types of one family.
fn layer_type(media_type: &str) -> String {
    match media_type {
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => format!("{LAYER}+gzip"),
        "application/vnd.docker.image.rootfs.diff.tar" | "" => LAYER.to_owned(),
        other => other.to_owned(),
    }
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

/// A layer in the archive.
struct Packed {
    descriptor: Value,
    diff_id: Digest,
}

struct Archive<'a> {
    tar: tar::Builder<&'a mut dyn Write>,
    threads: usize,
    /// The members so far: layers of an image may be the same.
    written: BTreeSet<String>,
}

impl Archive<'_> {
    /// Copies a layer's blob, or makes one of its snapshot.
    fn layer(
        &mut self,
        copies: &Copies<'_>,
        layer: &LayerRef,
        scratch: &dyn Fn() -> io::Result<Box<dyn Scratch>>,
        gaps: &mut Vec<Gap>,
    ) -> Result<Packed, ViewError> {
        let diff_id = &layer.diff_id;
        if let Some(blob) = copies.blob(layer) {
            let size = blob.bytes.size();
            let name = format!("blobs/sha256/{}", blob.digest.hex());
            let mut from =
                Summed { inner: Ahead::new(blob.bytes, self.threads), sum: Sha256::new(), size: 0 };
            self.append(&name, size, &mut from)?;
            let actual = Digest::from_bytes(from.sum.finalize().into());
            if actual != blob.digest {
                let what = format!("layer blob {} has digest {actual}", blob.digest);
                return Err(FormatError::Unsupported { code: Code::BlobDigestMismatch, what }.into());
            }
            let descriptor =
                json!({ "mediaType": layer_type(&blob.media_type), "digest": blob.digest, "size": size });
            return Ok(Packed { descriptor, diff_id: diff_id.clone() });
        }
        let (tree, emptied) = copies.whole_tree(layer)?;
        gaps.extend(emptied);
        let mut summed = Summed { inner: scratch()?, sum: Sha256::new(), size: 0 };
        layer::pack(&tree, self.threads, &mut summed)?;
        let Summed { mut inner, sum, size } = summed;
        let digest = Digest::from_bytes(sum.finalize().into());
        inner.seek(SeekFrom::Start(0))?;
        self.append(&format!("blobs/sha256/{}", digest.hex()), size, &mut inner)?;
        let descriptor = json!({ "mediaType": LAYER, "digest": digest, "size": size });
        Ok(Packed { descriptor, diff_id: digest })
    }

    fn document(&mut self, bytes: &[u8], media_type: &str) -> io::Result<Value> {
        let digest = Digest::of(bytes);
        self.file(&format!("blobs/sha256/{}", digest.hex()), bytes)?;
        Ok(json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() }))
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.append(name, crate::num::to_u64(bytes.len()), &mut &*bytes)
    }

    /// Adds a member, but for one that is there already; what it would have is read all the same.
    fn append(&mut self, name: &str, size: u64, from: &mut dyn Read) -> io::Result<()> {
        if !self.written.insert(name.to_owned()) {
            return io::copy(from, &mut io::sink()).map(drop);
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o644);
        self.tar.append_data(&mut header, name, from)
    }
}

/// Sums what passes through it.
struct Summed<T> {
    inner: T,
    sum: Sha256,
    size: u64,
}

impl Write for Summed<Box<dyn Scratch>> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(buf)?;
        self.sum.update(buf.get(..length).unwrap_or_default());
        self.size = self.size.saturating_add(crate::num::to_u64(length));
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Read for Summed<Ahead> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buf)?;
        self.sum.update(buf.get(..length).unwrap_or_default());
        self.size = self.size.saturating_add(crate::num::to_u64(length));
        Ok(length)
    }
}
