//! A volume that was opened: what all of its files share.

use std::sync::OnceLock;

use super::{
    data::File,
    devices::Devices,
    inode::{self, Inode},
    superblock::Superblock,
};
use crate::{
    block::{Cache, Cached, Source, read_vec},
    error::FormatError,
    limits,
};

/// Bytes of metadata that are read at once.
const CHUNK: u32 = 16 << 10;

/// The file system.
pub(super) struct Volume {
    pub(super) superblock: Superblock,
    pub(super) devices: Devices,
    /// For data.
    pub(super) source: Source,
    /// For metadata.
    pub(super) cached: Cached,
    /// Extents that were unpacked last.
    pub(super) unpacked: Cache,
    packed: OnceLock<File>,
    /// Long prefixes of extended attributes, when they were needed.
    pub(super) prefixes: OnceLock<Vec<Vec<u8>>>,
}

impl Volume {
    pub(super) fn new(source: Source, superblock: Superblock, devices: Devices) -> Self {
        Self {
            superblock,
            devices,
            cached: Cached::new(Source::clone(&source), CHUNK, limits::EROFS_CACHE_BYTES),
            source,
            unpacked: Cache::new(limits::EROFS_UNPACKED_CACHE_BYTES),
            packed: OnceLock::new(),
            prefixes: OnceLock::new(),
        }
    }

    /// Bytes of metadata.
    pub(super) fn read(
        &self,
        structure: &'static str,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, FormatError> {
        read_vec(&self.cached, structure, offset, length)
    }

    /// The inode of a number.
    pub(super) fn inode(&self, number: u64) -> Result<Inode, FormatError> {
        let place = self.superblock.place(number);
        let place =
            place.ok_or_else(|| FormatError::corrupt(inode::STRUCTURE, 0, format!("number {number}")))?;
        let mut bytes = self.read(inode::STRUCTURE, place, inode::COMPACT)?;
        if inode::is_extended(&bytes) {
            bytes = self.read(inode::STRUCTURE, place, inode::EXTENDED)?;
        }
        Inode::parse(&self.superblock, number, place, &bytes)
    }

    /// The inode that holds the ends of many files; its number is the superblock's.
    pub(super) fn packed(&self, number: u64) -> Result<&File, FormatError> {
        match self.packed.get() {
            Some(packed) => Ok(packed),
            None => {
                let file = File::new(self.inode(number)?);
                Ok(self.packed.get_or_init(|| file))
            }
        }
    }
}
