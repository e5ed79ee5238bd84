//! The archive that an image is exported to, and how each of its layers is come by.

use std::{
    collections::BTreeSet,
    io::{self, Read, SeekFrom, Write},
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    super::{ViewError, copies::Copies},
    Scratch,
};
use crate::{
    Digest, FormatError, Gap,
    block::Ahead,
    gap::{Code, Scope},
    layer, num,
    store::{LayerRef, TarSplit},
};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The OCI media type of a layer that has one of Docker's: a manifest has types of one family.
fn layer_type(media_type: &str) -> String {
    match media_type {
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => format!("{LAYER}+gzip"),
        "application/vnd.docker.image.rootfs.diff.tar" | "" => LAYER.to_owned(),
        other => other.to_owned(),
    }
}

/// A layer in the archive.
pub(super) struct Packed {
    pub(super) descriptor: Value,
    pub(super) diff_id: Digest,
    /// Whether its tar was put together again.
    pub(super) is_rebuilt: bool,
}

pub(super) struct Archive<'a> {
    tar: tar::Builder<&'a mut dyn Write>,
    threads: usize,
    scratch: &'a dyn Fn() -> io::Result<Box<dyn Scratch>>,
    /// The members so far: layers of an image may be the same.
    written: BTreeSet<String>,
}

impl<'a> Archive<'a> {
    pub(super) fn new(
        to: &'a mut dyn Write,
        threads: usize,
        scratch: &'a dyn Fn() -> io::Result<Box<dyn Scratch>>,
    ) -> Self {
        Self { tar: tar::Builder::new(to), threads, scratch, written: BTreeSet::new() }
    }

    /// Copies a layer's blob, or puts its tar together again, or makes one of its snapshot.
    pub(super) fn layer(
        &mut self,
        copies: &Copies<'_>,
        layer: &LayerRef,
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
            return Ok(Packed { descriptor, diff_id: diff_id.clone(), is_rebuilt: false });
        }
        if let Some(made) = self.again(copies, layer, gaps)? {
            return self.made(made, true);
        }
        let (tree, emptied) = copies.whole_tree(layer)?;
        gaps.extend(emptied);
        let made = self.scratch(|threads, to| layer::pack(&tree, threads, to))?;
        self.made(made, false)
    }

    /// The tar that a layer was, if it can be put together again; a failure is told once no copy is left.
    fn again(
        &self,
        copies: &Copies<'_>,
        layer: &LayerRef,
        gaps: &mut Vec<Gap>,
    ) -> Result<Option<Made>, ViewError> {
        let mut failure = None;
        for split in copies.tar_splits(layer) {
            let made = split.map_err(ViewError::from).and_then(|split| self.put_together(&split, layer));
            match made {
                Ok(made) => return Ok(Some(made)),
                Err(ViewError::Unreadable(error)) => failure = failure.or(Some(error)),
                Err(other) => return Err(other),
            }
        }
        gaps.extend(failure.map(|error| {
            let effect = "the layer was made anew of its files, which may be other ones than in the image";
            Gap::from_error(&error, Scope::Layer, layer.diff_id.to_string(), effect)
        }));
        Ok(None)
    }

    fn put_together(&self, split: &TarSplit, layer: &LayerRef) -> Result<Made, ViewError> {
        let made = self.scratch(|threads, to| layer::put_together(split, threads, to))?;
        if made.digest == layer.diff_id {
            return Ok(made);
        }
        let what =
            format!("the tar of layer {}, put together again, has digest {}", layer.diff_id, made.digest);
        Err(FormatError::Unsupported { code: Code::BlobDigestMismatch, what }.into())
    }

    /// Lets a tar be written to a temporary file.
    fn scratch(
        &self,
        write: impl FnOnce(usize, &mut dyn Write) -> io::Result<()>,
    ) -> Result<Made, ViewError> {
        let mut summed = Summed { inner: (self.scratch)()?, sum: Sha256::new(), size: 0 };
        write(self.threads, &mut summed)?;
        let Summed { inner, sum, size } = summed;
        Ok(Made { file: inner, digest: Digest::from_bytes(sum.finalize().into()), size })
    }

    /// Adds a tar from a temporary file.
    fn made(&mut self, made: Made, is_rebuilt: bool) -> Result<Packed, ViewError> {
        let Made { mut file, digest, size } = made;
        file.seek(SeekFrom::Start(0))?;
        self.append(&format!("blobs/sha256/{}", digest.hex()), size, &mut file)?;
        let descriptor = json!({ "mediaType": LAYER, "digest": digest, "size": size });
        Ok(Packed { descriptor, diff_id: digest, is_rebuilt })
    }

    pub(super) fn document(&mut self, bytes: &[u8], media_type: &str) -> io::Result<Value> {
        let digest = Digest::of(bytes);
        self.file(&format!("blobs/sha256/{}", digest.hex()), bytes)?;
        Ok(json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() }))
    }

    pub(super) fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.append(name, num::to_u64(bytes.len()), &mut &*bytes)
    }

    /// Writes the end.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.tar.finish()
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

/// A tar in a temporary file.
struct Made {
    file: Box<dyn Scratch>,
    digest: Digest,
    size: u64,
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
        self.size = self.size.saturating_add(num::to_u64(length));
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
        self.size = self.size.saturating_add(num::to_u64(length));
        Ok(length)
    }
}
