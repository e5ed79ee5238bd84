//! The log's space: a ring of sectors of 512 bytes ("basic blocks"). The first word of each is the number of the cycle in
//! which it was written; records keep the words that had to go for it.

use std::sync::Arc;

use super::{MOST, STRUCTURE};
use crate::{
    block::{Cached, ReadAt, Source},
    bytes::be32,
    error::FormatError,
    fs::xfs::superblock::Superblock,
    num,
};

pub(super) const BLOCK: u64 = 512;
/// What a record begins with; no cycle has this number.
pub(super) const MAGIC: u32 = 0xfeed_babe;

/// The log of a volume.
pub(super) struct Ring {
    source: Source,
    /// For what is read in order.
    cached: Cached,
    /// Where it begins in the volume, in bytes.
    start: u64,
    /// Its sectors.
    pub(super) blocks: u32,
    pub(super) uuid: [u8; 16],
    /// Whether records have checksums for sure.
    pub(super) checksummed: bool,
    /// Bytes of the largest record.
    pub(super) largest: u32,
}

impl Ring {
    pub(super) fn new(source: &Source, superblock: &Superblock) -> Result<Self, FormatError> {
        let Some(start) = superblock.log else {
            let what = "the log is on another device (external log), which may hold recent changes";
            return Err(FormatError::unsupported(what));
        };
        let bytes = superblock.offset(superblock.log_blocks.into());
        let blocks = bytes.checked_div(BLOCK).filter(|blocks| *blocks <= MOST);
        let blocks = blocks.and_then(|blocks| u32::try_from(blocks).ok());
        let blocks = blocks.ok_or_else(|| FormatError::limit(format!("XFS log of {bytes} bytes")))?;
        let start = superblock.offset(start);
        if blocks < 2 {
            return Err(FormatError::corrupt(STRUCTURE, start, format!("{blocks} sectors")));
        }
        Ok(Self {
            source: Arc::clone(source),
            cached: Cached::new(Arc::clone(source), 64 << 10, 4 << 20),
            start,
            blocks,
            uuid: superblock.uuid,
            checksummed: superblock.features.crc(),
            largest: if superblock.features.log_v2() { 256 << 10 } else { 32 << 10 },
        })
    }

    /// Bytes from the volume's start to a sector.
    pub(super) fn offset(&self, block: u32) -> u64 {
        self.start.saturating_add(u64::from(block).saturating_mul(BLOCK))
    }

    /// The sector `count` behind another.
    pub(super) fn after(&self, block: u32, count: u32) -> u32 {
        let sum = u64::from(block).saturating_add(count.into());
        sum.checked_rem(self.blocks.into()).and_then(|block| u32::try_from(block).ok()).unwrap_or(0)
    }

    /// Sectors from one to another, going forward; 0 if they are the same.
    pub(super) fn distance(&self, from: u32, to: u32) -> u32 {
        match to.checked_sub(from) {
            Some(distance) => distance,
            None => self.blocks.saturating_sub(from).saturating_add(to),
        }
    }

    /// The cycle in which a sector was written.
    pub(super) fn cycle(&self, block: u32) -> Result<u32, FormatError> {
        let mut bytes = [0; 8];
        let offset = self.offset(block);
        self.source.read_at(&mut bytes, offset).map_err(FormatError::reading(STRUCTURE, offset))?;
        Ok(cycle(&bytes))
    }

    /// The bytes of `count` sectors from `block` on, around the end.
    pub(super) fn read(&self, block: u32, count: u32) -> Result<Vec<u8>, FormatError> {
        let first = count.min(self.blocks.saturating_sub(block));
        let mut bytes = Vec::new();
        for (block, count) in [(block, first), (0, count.saturating_sub(first).min(block))] {
            let offset = self.offset(block);
            let length = num::to_usize(u64::from(count).saturating_mul(BLOCK));
            let start = bytes.len();
            bytes.resize(start.saturating_add(length), 0);
            let part = bytes.get_mut(start..).unwrap_or_default();
            self.cached.read_at(part, offset).map_err(FormatError::reading(STRUCTURE, offset))?;
        }
        Ok(bytes)
    }

    pub(super) fn corrupt(&self, block: u32, problem: impl Into<String>) -> FormatError {
        FormatError::corrupt(STRUCTURE, self.offset(block), problem)
    }
}

/// The cycle that a sector was written in: its first word, or the second of a record's header.
pub(super) fn cycle(sector: &[u8]) -> u32 {
    match be32(sector, 0) {
        Some(MAGIC) => be32(sector, 4).unwrap_or(0),
        first => first.unwrap_or(0),
    }
}
