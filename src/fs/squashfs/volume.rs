//! A volume that was opened: what all of its files share.

use super::superblock::Superblock;
use crate::{
    block::{Cache, Cached, Source},
    limits,
};

/// Bytes of packed metadata that are read at once.
const CHUNK: u32 = 16 << 10;

/// The file system.
pub(super) struct Volume {
    pub(super) superblock: Superblock,
    /// For data.
    pub(super) source: Source,
    /// For metadata, as it is packed.
    pub(super) cached: Cached,
    /// Blocks of metadata that were unpacked last.
    pub(super) metadata: Cache,
    /// Blocks of data and fragments that were unpacked last.
    pub(super) data: Cache,
}

impl Volume {
    pub(super) fn new(source: Source, superblock: Superblock) -> Self {
        Self {
            superblock,
            cached: Cached::new(Source::clone(&source), CHUNK, limits::SQUASHFS_CACHE_BYTES),
            source,
            metadata: Cache::new(limits::SQUASHFS_METADATA_CACHE_BYTES),
            data: Cache::new(limits::SQUASHFS_DATA_CACHE_BYTES),
        }
    }
}
