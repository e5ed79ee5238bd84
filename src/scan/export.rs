//! An image as an OCI archive (OCI image-spec, image-layout.md, in a tar): its blobs as they were pulled, and
//! for layers whose blob is gone, a tar made of the unpacked layer.

use std::io::{self, Read, Seek, SeekFrom, Write};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{OpenedNode, ViewError, copies::Copies, view};
use crate::{
    Digest, FormatError, Gap,
    block::Ahead,
    gap::Code,
    layer,
    store::{Image, LayerRef},
};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A file for a layer that has to be made: its size must be known before it is written.
pub trait Scratch: Read + Write + Seek {}

impl<T: Read + Write + Seek> Scratch for T {}

/// Writes the image that a name or digest names, reading on this many threads. `scratch` gives empty temporary files.
///
/// A layer that is made anew has another digest than the one that was pulled, so the configuration names the
/// new one; files, history and labels are the image's own. The answer is what is not as it was in the image.
pub fn export(
    node: &OpenedNode,
    name: &str,
    threads: usize,
    to: &mut dyn Write,
    scratch: &dyn Fn() -> io::Result<Box<dyn Scratch>>,
) -> Result<Vec<Gap>, ViewError> {
    let image = view::find_image(node, name)?;
    let mut gaps = image.gaps.clone();
    let copies = Copies::new(&node.stores);
    let mut archive = Archive { tar: tar::Builder::new(to), threads };
    let mut layers = Vec::new();
    let mut diff_ids = Vec::new();
    for layer in &image.layers {
        let (descriptor, diff_id) = archive.layer(&copies, layer, scratch, &mut gaps)?;
        layers.push(descriptor);
        diff_ids.push(diff_id);
    }
    let config = archive.blob(&config(image, &diff_ids), CONFIG)?;
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
    let mut manifest = archive.blob(&manifest, MANIFEST)?;
    let reference = image.references.iter().find(|name| !name.contains('@')).or(image.references.first());
    if let (Some(reference), Some(manifest)) = (reference, manifest.as_object_mut()) {
        manifest.insert("annotations".to_owned(), json!({ "io.containerd.image.name": reference }));
    }
    archive
        .file("index.json", to_json(&json!({ "schemaVersion": 2, "manifests": [manifest] }))?.as_slice())?;
    archive.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    archive.tar.finish()?;
    Ok(gaps)
}

fn config(image: &Image, diff_ids: &[Digest]) -> Value {
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

struct Archive<'a> {
    tar: tar::Builder<&'a mut dyn Write>,
    threads: usize,
}

impl Archive<'_> {
    /// Copies a layer's blob, or makes one of its snapshot; its descriptor and DiffID.
    fn layer(
        &mut self,
        copies: &Copies<'_>,
        layer: &LayerRef,
        scratch: &dyn Fn() -> io::Result<Box<dyn Scratch>>,
        gaps: &mut Vec<Gap>,
    ) -> Result<(Value, Digest), ViewError> {
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
            let descriptor = json!({ "mediaType": blob.media_type, "digest": blob.digest, "size": size });
            return Ok((descriptor, layer.diff_id.clone()));
        }
        let (tree, emptied) = copies.whole_tree(layer)?;
        gaps.extend(emptied);
        let mut summed = Summed { inner: scratch()?, sum: Sha256::new(), size: 0 };
        layer::pack(&tree, self.threads, &mut summed)?;
        let Summed { mut inner, sum, size } = summed;
        let digest = Digest::from_bytes(sum.finalize().into());
        inner.seek(SeekFrom::Start(0))?;
        self.append(&format!("blobs/sha256/{}", digest.hex()), size, &mut inner)?;
        Ok((json!({ "mediaType": LAYER, "digest": digest, "size": size }), digest))
    }

    fn blob(&mut self, value: &Value, media_type: &str) -> io::Result<Value> {
        let bytes = to_json(value)?;
        let digest = Digest::of(&bytes);
        self.file(&format!("blobs/sha256/{}", digest.hex()), &bytes)?;
        Ok(json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() }))
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.append(name, crate::num::to_u64(bytes.len()), &mut &*bytes)
    }

    fn append(&mut self, name: &str, size: u64, from: &mut dyn Read) -> io::Result<()> {
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
