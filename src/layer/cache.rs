//! Layer facts kept between runs. The key is the layer's DiffID and the version of everything that made the
//! facts; a file gets its name when it is whole, so many processes can share a directory.
//!
//! A cache is a promise by whoever writes to its directory: facts of an unpacked layer are as true as the
//! disk they came from. Nodes that do not trust each other use different directories.

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
        Self { dir: dir.to_owned(), version }
    }

    /// Makes the directory, and a file in it: a cache that cannot be written is a mistake of the caller's.
    #[expect(clippy::disallowed_methods, reason = "the door to the cache that the caller named")]
    pub fn check(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.dir)?;
        tempfile::tempfile_in(&self.dir).map(drop)
    }

    /// The facts of a layer, `None` if they are not here or not whole.
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
        serde_json::from_slice(&json).ok()
    }

    /// Keeps the facts of a layer.
    #[expect(clippy::disallowed_methods, reason = "the door to the cache that the caller named")]
    pub fn store(&self, diff_id: &Digest, facts: &LayerFacts) -> std::io::Result<()> {
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
    fn many_share_a_directory_and_what_is_not_whole_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path());
        let diff_id: Digest = format!("sha256:{:064x}", 7).parse().unwrap();
        let facts = LayerFacts { entries: 5, ..LayerFacts::default() };
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
