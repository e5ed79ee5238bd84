//! Documents that an image's record names, files beside it (containers/storage, `images.go`: "big data").

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::de::DeserializeOwned;

use super::records::{ImageRecord, is_plain, shown};
use crate::{
    Digest,
    block::Source,
    error::FormatError,
    fs::{FileKind, Root},
    gap::Code,
    limits,
    store::oci,
};

/// The key of an image's manifest, and what begins the keys of its other manifests and of indexes that lead to it.
pub(super) const MANIFEST: &str = "manifest";
const MANIFEST_OF: &str = "manifest-";

/// The directory of an image's documents.
pub(super) struct BigData<'a> {
    pub(super) root: &'a Root,
    /// The storage driver's name.
    pub(super) driver: &'static str,
    pub(super) record: &'a ImageRecord,
}

impl BigData<'_> {
    /// The path of a document's file in the store.
    pub(super) fn path(&self, key: &str) -> String {
        format!("{}-images/{}/{}", self.driver, self.record.id, file_name(key))
    }

    /// The digests of the manifests and indexes that are known for the image.
    pub(super) fn manifests(&self) -> impl Iterator<Item = Digest> {
        let kept = self.record.big_data_names.iter().filter_map(|key| key.strip_prefix(MANIFEST_OF));
        let own = self.record.big_data_digests.get(MANIFEST).map(String::as_str);
        let all = kept.chain(own).chain([self.record.digest.as_str()]);
        all.filter_map(|digest| digest.parse().ok())
    }

    /// The digest of the manifest by which the image is known.
    pub(super) fn main(&self) -> Option<Digest> {
        self.record.big_data_digests.get(MANIFEST)?.parse().ok()
    }

    /// The manifest that has this digest: it is the main one, or one of those that are kept beside it.
    pub(super) fn key_of(&self, manifest: &Digest) -> String {
        let key = format!("{MANIFEST_OF}{manifest}");
        let is_kept = self.record.big_data_names.contains(&key);
        if is_kept || self.main().as_ref() != Some(manifest) { key } else { MANIFEST.to_owned() }
    }

    /// A document's bytes, which must have the digest if one is given. They are taken from `left`.
    pub(super) fn bytes(
        &self,
        key: &str,
        digest: Option<&Digest>,
        name: &'static str,
        left: &mut u64,
    ) -> Result<Vec<u8>, FormatError> {
        let source = open(self.root, &self.path(key))?.ok_or_else(|| {
            let what = format!("{name} {:?} of image {} is not there", shown(key), self.record.id);
            FormatError::Unsupported { code: Code::BlobMissing, what }
        })?;
        *left = left.checked_sub(source.size().min(limits::TEXT_FILE_BYTES)).ok_or_else(|| {
            let bound = limits::IMAGE_DOCUMENT_BYTES;
            FormatError::limit(format!("{name} {:?}: more than {bound} bytes of such documents", shown(key)))
        })?;
        match digest {
            Some(digest) => oci::checked(&source, digest, name),
            None => crate::block::read_all(&source, name, limits::TEXT_FILE_BYTES),
        }
    }
}

/// The bytes of a document as what they say.
pub(super) fn parse<T: DeserializeOwned>(
    bytes: &[u8],
    key: &str,
    name: &'static str,
) -> Result<T, FormatError> {
    serde_json::from_slice(bytes)
        .map_err(|error| FormatError::malformed(name, format!("{}: {error}", shown(key))))
}

/// A regular file of the store, `None` if nothing is there; engines make nothing else in the place of one.
pub(super) fn open(root: &Root, path: &str) -> Result<Option<Source>, FormatError> {
    let Some(file) = root.find_no_follow(path.as_bytes())? else { return Ok(None) };
    match file.stat()?.kind {
        FileKind::Regular => file.open().map(Some),
        kind => {
            let problem = format!("{}: {} in the place of a file", shown(path), kind.noun());
            Err(FormatError::corrupt("file of containers/storage", 0, problem))
        }
    }
}

/// Keys of digits, lower case letters and dots are names of files themselves; others are in base64 after an equals sign.
fn file_name(key: &str) -> String {
    let is_plain_byte = |byte: u8| matches!(byte, b'.' | b'0'..=b'9' | b'a'..=b'z');
    let is_own = is_plain(key) && key.bytes().all(is_plain_byte);
    if is_own { key.to_owned() } else { format!("={}", BASE64_STANDARD.encode(key)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_runtimes() {
        assert_eq!(file_name("manifest"), "manifest");
        assert_eq!(
            file_name("sha256:50d5ecab8958052158cf35d71d96367d184adbffb3bc14db4d6d74c873040ce6"),
            "=c2hhMjU2OjUwZDVlY2FiODk1ODA1MjE1OGNmMzVkNzFkOTYzNjdkMTg0YWRiZmZiM2JjMTRkYjRkNmQ3NGM4NzMwNDBjZTY="
        );
        let encoded = ["", "f", "fo", "foo", "foob", "..", "a/b"].map(file_name);
        assert_eq!(encoded, ["=", "f", "fo", "foo", "foob", "=Li4=", "=YS9i"]);
    }
}
