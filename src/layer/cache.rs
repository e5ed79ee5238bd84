//! Layer facts kept between runs. The key is the layer's DiffID and the version of everything that made the
//! facts; a file gets its name when it is whole, so many processes can share a directory.
//!
//! What is kept is believed of every node, so it is what was verified: facts read from a blob that is what its digest and
//! the layer's DiffID say. A layer that only lies unpacked on one node is as true as that node's disk, which nothing
//! vouches for; its facts are kept, and believed, by who asks for it only. Whoever writes to the directory is believed.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::LayerFacts;
use crate::{
    Digest,
    block::{self, ReadAt},
    inventory::EXTRACTORS,
    limits,
    newfile::NewFile,
    num,
};

/// A directory of layer facts.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
    version: String,
    /// Whether facts of unpacked layers are kept, and believed.
    unpacked: bool,
}

impl Cache {
    /// Uses this directory, which is made when the first layer is kept.
    pub fn new(dir: &Path) -> Self {
        let mut hash = Sha256::new();
        // The walk, the reader of blobs and the form of the facts change with the release.
        hash.update(env!("CARGO_PKG_VERSION"));
        for extractor in EXTRACTORS {
            hash.update(extractor.name());
            hash.update(extractor.version().to_le_bytes());
        }
        let version = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { dir: dir.to_owned(), version, unpacked: false }
    }

    /// The same directory, with facts of layers that lie unpacked only: what one damaged node lacks is then believed
    /// of all.
    #[must_use]
    pub fn with_unpacked(self, unpacked: bool) -> Self {
        Self { unpacked, ..self }
    }

    /// Makes the directory, and a file in it: a cache that cannot be written is a mistake of the caller's.
    #[expect(clippy::disallowed_methods, reason = "the door to the cache that the caller named")]
    pub fn check(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.dir)?;
        tempfile::tempfile_in(&self.dir).map(drop)
    }

    /// The facts of a layer, `None` if they are not here, not whole, or not to be believed.
    pub fn load(&self, diff_id: &Digest) -> Option<LayerFacts> {
        let source = block::open(&self.path(diff_id)).ok()?;
        if source.size() > limits::CACHE_ENTRY_BYTES {
            return None;
        }
        let packed = block::read_all(&source, "cache entry", limits::CACHE_ENTRY_BYTES).ok()?;
        let capacity = zstd::zstd_safe::get_frame_content_size(&packed).ok().flatten()?;
        if capacity > limits::CACHE_ENTRY_BYTES {
            return None;
        }
        let json = zstd::bulk::decompress(&packed, num::to_usize(capacity)).ok()?;
        serde_json::from_slice(&json).ok().filter(|facts| self.believes(facts))
    }

    /// Whether facts are those of a layer wherever it lies, and all of them.
    fn believes(&self, facts: &LayerFacts) -> bool {
        (facts.from_blob || self.unpacked) && facts.gaps.is_empty()
    }

    /// Keeps the facts of a layer that was examined whole, if they are to be believed of every node.
    #[expect(clippy::disallowed_methods, reason = "the door to the cache that the caller named")]
    pub fn store(&self, diff_id: &Digest, facts: &LayerFacts) -> std::io::Result<()> {
        if !self.believes(facts) {
            return Ok(());
        }
        let path = self.path(diff_id);
        let dir = path.parent().unwrap_or(&self.dir);
        std::fs::create_dir_all(dir)?;
        let mut compressor = zstd::bulk::Compressor::new(3)?;
        compressor.include_checksum(true)?;
        let packed = compressor.compress(&serde_json::to_vec(facts)?)?;
        let mut file = NewFile::new(dir)?;
        file.writer().write_all(&packed)?;
        file.persist(&path)
    }

    fn path(&self, diff_id: &Digest) -> PathBuf {
        let hex = diff_id.hex();
        let folder = hex.get(..2).unwrap_or_default();
        self.dir.join(&self.version).join(folder).join(format!("{hex}.json.zst"))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write their own files")]
mod tests {
    use super::*;

    #[test]
    fn what_only_lay_unpacked_is_kept_and_believed_by_who_asks_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let verified = Cache::new(dir.path());
        let all = verified.clone().with_unpacked(true);
        let diff_id: Digest = format!("sha256:{:064x}", 7).parse().unwrap();
        let facts = |entries, from_blob| LayerFacts { entries, from_blob, ..LayerFacts::default() };
        let known = |cache: &Cache| cache.load(&diff_id).map(|facts| facts.entries);
        verified.store(&diff_id, &facts(1, false)).unwrap();
        assert_eq!((known(&verified), known(&all)), (None, None));
        all.store(&diff_id, &facts(2, false)).unwrap();
        assert_eq!((known(&verified), known(&all)), (None, Some(2)));
        verified.store(&diff_id, &facts(3, true)).unwrap();
        assert_eq!((known(&verified), known(&all)), (Some(3), Some(3)));
        let gap = crate::Gap::new(crate::gap::Code::Truncated, crate::gap::Scope::Layer, "", "", "");
        all.store(&diff_id, &LayerFacts { gaps: vec![gap], ..facts(4, true) }).unwrap();
        assert_eq!(known(&all), Some(3));
    }

    #[test]
    fn many_share_a_directory_and_what_is_not_whole_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path());
        let diff_id: Digest = format!("sha256:{:064x}", 7).parse().unwrap();
        let facts = LayerFacts { entries: 5, from_blob: true, ..LayerFacts::default() };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        cache.store(&diff_id, &facts).unwrap();
                        assert_eq!(cache.load(&diff_id).unwrap().entries, 5);
                    }
                });
            }
        });
        let path = cache.path(&diff_id);
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(cache.load(&diff_id).is_none(), "{length}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            std::fs::write(&path, damaged).unwrap();
            assert!(cache.load(&diff_id).is_none_or(|facts| facts.entries == 5), "{at}");
        }
    }
}
