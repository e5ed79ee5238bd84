//! Direct and indirect block pointers (ifork.rst, "Direct/Indirect Block Addressing").

use std::ops::Range;

use super::{
    inode::Inode,
    map::{Map, Run},
    volume::Volume,
};
use crate::{error::FormatError, num};

const STRUCTURE: &str = "ext4 indirect block";
const DIRECT: u64 = 12;
const POINTER: usize = 4;

/// Adds the runs of `wanted` to `map`.
pub(super) fn walk(volume: &Volume, inode: &Inode, wanted: Range<u64>, map: &mut Map) {
    let per_block = u64::from(volume.superblock.block_size / 4);
    let mut walk = Walk { volume, wanted, per_block, map };
    let offset = inode.offset.saturating_add(0x28);
    let mut logical = 0;
    for (index, bytes) in (0u64..).zip(inode.raw.i_block.chunks_exact(POINTER)) {
        let level = u32::try_from(index.saturating_sub(DIRECT.saturating_sub(1))).unwrap_or(0);
        let at = offset.saturating_add(index.saturating_mul(num::to_u64(POINTER)));
        walk.pointer(bytes, at, level, logical);
        logical = logical.saturating_add(walk.covered(level));
    }
}

struct Walk<'a> {
    volume: &'a Volume,
    wanted: Range<u64>,
    per_block: u64,
    map: &'a mut Map,
}

impl Walk<'_> {
    /// Blocks of the file below a pointer of this level (0: the block itself).
    fn covered(&self, level: u32) -> u64 {
        self.per_block.saturating_pow(level)
    }

    /// A pointer at byte `at` of the volume to block `logical` of the file. The level falls, so this ends.
    fn pointer(&mut self, bytes: &[u8], at: u64, level: u32, logical: u64) {
        let end = logical.saturating_add(self.covered(level));
        let block = bytes.first_chunk().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
        if block == 0 || logical >= self.wanted.end || end <= self.wanted.start {
            return;
        }
        if !self.volume.is_data(block, 1) {
            let problem = format!("block {block} is not of a file");
            return self.map.damaged(FormatError::corrupt(STRUCTURE, at, problem));
        }
        let Some(below) = level.checked_sub(1) else {
            return self.map.push(Run { logical, physical: block, count: 1 });
        };
        let pointers = match self.volume.block(STRUCTURE, block) {
            Ok(pointers) => pointers,
            Err(error) => return self.map.damaged(error),
        };
        let step = self.covered(below);
        let skipped = self.wanted.start.saturating_sub(logical).checked_div(step).unwrap_or(0);
        let needed = self.wanted.end.saturating_sub(logical).div_ceil(step);
        let offset = self.volume.superblock.offset(block);
        for (index, bytes) in (0..needed).zip(pointers.chunks_exact(POINTER)).skip(num::to_usize(skipped)) {
            let at = offset.saturating_add(index.saturating_mul(num::to_u64(POINTER)));
            self.pointer(bytes, at, below, logical.saturating_add(index.saturating_mul(step)));
        }
    }
}
