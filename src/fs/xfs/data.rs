//! A file's bytes.

use std::{io, sync::Arc};

use super::{inode::Inode, map::Map, volume::Volume};
use crate::{
    block::{ReadAt, check_range},
    num,
};

/// A file. One read of it is one read of the volume for each run of blocks that lie side by side.
pub(super) struct Data {
    volume: Arc<Volume>,
    inode: Inode,
}

impl Data {
    pub(super) fn new(volume: Arc<Volume>, inode: Inode) -> Self {
        Self { volume, inode }
    }
}

impl ReadAt for Data {
    fn size(&self) -> u64 {
        self.inode.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.inode.size, offset, buf.len())?;
        let superblock = &self.volume.superblock;
        let end = offset.saturating_add(num::to_u64(buf.len()));
        let wanted = superblock.in_blocks(offset)..end.div_ceil(superblock.block_size.into());
        let map = Map::of(&self.volume, &self.inode, wanted);
        if let Some(error) = map.damage.into_iter().next() {
            return Err(error.into());
        }
        let mut filled = 0;
        for run in map.runs {
            let from = superblock.offset(run.logical).max(offset);
            let to = superblock.offset(run.logical_end()).min(end);
            let start = num::to_usize(from.saturating_sub(offset));
            if let Some(hole) = buf.get_mut(filled..start) {
                hole.fill(0);
            }
            filled = num::to_usize(to.saturating_sub(offset));
            let part = buf.get_mut(start..filled).unwrap_or_default();
            let within = from.saturating_sub(superblock.offset(run.logical));
            let physical = superblock.offset(run.physical).saturating_add(within);
            self.volume.blocks.source().read_at(part, physical)?;
        }
        if let Some(hole) = buf.get_mut(filled..) {
            hole.fill(0);
        }
        Ok(())
    }

    fn will_need(&self, offset: u64, length: u64) {
        // Only what a single read would fetch: a hint must not cost a walk through a large map.
        const LONGEST: u64 = 8 << 20;
        let superblock = &self.volume.superblock;
        let end = offset.saturating_add(length.min(LONGEST)).div_ceil(superblock.block_size.into());
        for run in Map::of(&self.volume, &self.inode, superblock.in_blocks(offset)..end).runs {
            let length = superblock.offset(run.count);
            self.volume.blocks.source().will_need(superblock.offset(run.physical), length);
        }
    }
}
