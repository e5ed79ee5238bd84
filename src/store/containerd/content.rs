//! The content store: `io.containerd.content.v1.content/blobs/sha256/<hex>`.

use crate::{
    Digest,
    block::Source,
    error::FormatError,
    fs::{FileKind, Root},
    store::oci,
};

const BLOBS: &str = "io.containerd.content.v1.content/blobs/sha256";

pub(super) struct ContentStore {
    root: Root,
    /// The directory of the blobs, found once: every image needs several of them.
    blobs: Option<Root>,
}

impl ContentStore {
    pub(super) fn new(root: Root) -> Self {
        let blobs = root.find(BLOBS.as_bytes()).ok().flatten().map(|dir| Root::below(&dir));
        Self { root, blobs }
    }

    /// A blob's bytes, unchecked; `None` if it is not there.
    pub(super) fn open(&self, digest: &Digest) -> Result<Option<Source>, FormatError> {
        let found = match &self.blobs {
            Some(blobs) => blobs.find_no_follow(digest.hex().as_bytes())?,
            // Why the directory could not be found is told with the blob.
            None => self.root.find_no_follow(format!("{BLOBS}/{}", digest.hex()).as_bytes())?,
        };
        match found {
            Some(file) if file.stat()?.kind == FileKind::Regular => Ok(Some(file.open()?)),
            _ => Ok(None),
        }
    }

    /// A document's bytes, its digest checked; `None` if it is not there.
    pub(super) fn document(
        &self,
        digest: &Digest,
        structure: &'static str,
    ) -> Result<Option<Vec<u8>>, FormatError> {
        self.open(digest)?.map(|source| oci::checked(&source, digest, structure)).transpose()
    }
}
