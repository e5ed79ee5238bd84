//! B-trees of extents (XFS Algorithms & Data Structures, "B+tree Extent List"): the root lies in the inode, its blocks
//! hold keys and long pointers, the leaves records.

use std::{ops::Range, sync::Arc};

use super::{
    extents::{self, RECORD},
    format::{BMAP, BMAP_V5, LONG_BTREE},
    inode::{Fork, Inode},
    map::Map,
    volume::Volume,
};
use crate::{
    bytes::{be16, be64},
    error::FormatError,
    num,
};

const STRUCTURE: &str = "XFS bmap block";
/// No tree of 2^48 extents in the smallest blocks is deeper.
const MAX_LEVEL: u16 = 16;
/// Bytes of the root's header.
const ROOT: usize = 4;
/// Bytes of a key; of a pointer.
const WORD: usize = 8;

/// Adds the runs of `wanted` to `map`.
pub(super) fn walk(volume: &Volume, inode: &Inode, fork: Fork<'_>, wanted: Range<u64>, map: &mut Map) {
    match Node::parse(fork.bytes, ROOT, 0, fork.offset, None) {
        Ok(node) if node.level > 0 => Walk { volume, wanted, map }.children(&node, 0..u64::MAX),
        Ok(_) => map.damaged(inode.corrupt("the root of its map has level 0")),
        Err(error) => map.damaged(error),
    }
}

struct Walk<'a> {
    volume: &'a Volume,
    wanted: Range<u64>,
    map: &'a mut Map,
}

impl Walk<'_> {
    /// `range` is what the parent says that the node covers; the level falls at each step, so this ends.
    fn children(&mut self, node: &Node<'_>, range: Range<u64>) {
        let Some(level) = node.level.checked_sub(1) else { return };
        let mut end = range.start;
        for index in 0..node.count {
            let (Some(start), Some(pointer)) = (node.key(index), node.pointer(index)) else { return };
            let next = node.key(index.saturating_add(1)).unwrap_or(range.end);
            if start < end || next <= start || next > range.end {
                let problem = format!("key {start} is out of order");
                self.map.damaged(FormatError::corrupt(STRUCTURE, node.offset, problem));
                return;
            }
            // Records before the first key would be found by nobody else.
            let covered = if index == 0 { range.start } else { start }..next;
            end = next;
            if covered.start >= self.wanted.end || covered.end <= self.wanted.start {
                continue;
            }
            if let Err(error) = self.child(pointer, level, covered, node.offset) {
                self.map.damaged(error);
            }
        }
    }

    fn child(&mut self, pointer: u64, level: u16, covered: Range<u64>, at: u64) -> Result<(), FormatError> {
        let superblock = &self.volume.superblock;
        let block = superblock
            .linear(pointer, 1)
            .ok_or_else(|| FormatError::corrupt(STRUCTURE, at, format!("pointer {pointer:#x}")))?;
        let offset = superblock.offset(block);
        let bytes = self.block(block, offset)?;
        let header = if superblock.features.crc() { 72 } else { 24 };
        let node = Node::parse(&bytes, header, 4, offset, Some(level))?;
        match level {
            0 => {
                let length = node.count.saturating_mul(RECORD);
                let records = node.bytes.get(header..header.saturating_add(length)).unwrap_or_default();
                let offset = offset.saturating_add(num::to_u64(header));
                extents::add(self.volume, records, offset, covered, self.wanted.clone(), self.map);
            }
            _ => self.children(&node, covered),
        }
        Ok(())
    }

    fn block(&self, block: u64, offset: u64) -> Result<Arc<[u8]>, FormatError> {
        let bytes = self.volume.blocks.read(STRUCTURE, block)?;
        let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
        let magic = if self.volume.superblock.features.crc() { BMAP_V5 } else { BMAP };
        if !bytes.starts_with(&magic) {
            return Err(corrupt(format!("magic {:02x?}", bytes.get(..4).unwrap_or_default())));
        }
        // Exchanging the data of two files leaves a block with its old owner until it is written again.
        self.volume.check(&bytes, LONG_BTREE, offset, None).map_err(corrupt)?;
        Ok(bytes)
    }
}

/// A root or block whose header is sound.
struct Node<'a> {
    bytes: &'a [u8],
    /// Bytes before the keys.
    header: usize,
    offset: u64,
    level: u16,
    count: usize,
    /// The pointers lie behind the keys that there is room for.
    room: usize,
}

impl<'a> Node<'a> {
    /// `level_at` is where the level and then the count lie.
    fn parse(
        bytes: &'a [u8],
        header: usize,
        level_at: usize,
        offset: u64,
        expected: Option<u16>,
    ) -> Result<Self, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
        let word = |at| be16(bytes, at).ok_or_else(|| corrupt(format!("{} bytes", bytes.len())));
        let (level, count) = (word(level_at)?, usize::from(word(level_at.saturating_add(2))?));
        // Keys and pointers take as much as records.
        let room = bytes.len().saturating_sub(header).checked_div(RECORD).unwrap_or(0);
        if level > MAX_LEVEL || expected.is_some_and(|expected| expected != level) {
            return Err(corrupt(format!("level {level}")));
        }
        if count == 0 || count > room {
            return Err(corrupt(format!("{count} records, room for {room}")));
        }
        Ok(Self { bytes, header, offset, level, count, room })
    }

    /// `None` behind the last.
    fn key(&self, index: usize) -> Option<u64> {
        let at = index.checked_mul(WORD)?.checked_add(self.header)?;
        (index < self.count).then(|| be64(self.bytes, at)).flatten()
    }

    fn pointer(&self, index: usize) -> Option<u64> {
        be64(self.bytes, index.checked_add(self.room)?.checked_mul(WORD)?.checked_add(self.header)?)
    }
}
