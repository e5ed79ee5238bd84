//! Where the blocks of a file lie, for the formats that keep maps of blocks, and the file's bytes by such a map.

use std::{io, ops::Range, sync::Arc};

use super::blocks::Blocks;
use crate::{
    block::{ReadAt, check_range},
    error::{self, FormatError},
    num,
};

/// Consecutive blocks of a file that lie side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fs) struct Run {
    /// The first block's number in the file.
    pub(in crate::fs) logical: u64,
    /// The first block's number in the volume.
    pub(in crate::fs) physical: u64,
    pub(in crate::fs) count: u64,
}

impl Run {
    pub(in crate::fs) fn logical_end(self) -> u64 {
        self.logical.saturating_add(self.count)
    }
}

/// The part of a file's map that was asked for. What is neither mapped nor damaged is a hole.
#[derive(Debug, Default)]
pub(in crate::fs) struct Map {
    /// In the order of the file. Blocks that were allocated and never written are left out: they read as
    /// zeros, whatever lies there.
    pub(in crate::fs) runs: Vec<Run>,
    /// Parts of the map that cannot be read.
    pub(in crate::fs) damage: Vec<FormatError>,
}

impl Map {
    /// Adds a run behind the others, joined to the last if it continues it.
    pub(in crate::fs) fn push(&mut self, run: Run) {
        match self.runs.last_mut() {
            Some(last)
                if last.logical_end() == run.logical
                    && last.physical.saturating_add(last.count) == run.physical =>
            {
                last.count = last.count.saturating_add(run.count);
            }
            _ => self.runs.push(run),
        }
    }

    pub(in crate::fs) fn damaged(&mut self, error: FormatError) {
        error::note(&mut self.damage, error);
    }
}

/// A volume whose files are maps of blocks.
pub(in crate::fs) trait Mapped: Send + Sync {
    /// A file.
    type Inode: Send + Sync;

    /// The volume's blocks.
    fn blocks(&self) -> &Blocks;

    /// Bytes of a file.
    fn size(inode: &Self::Inode) -> u64;

    /// The map of `wanted`, a range of block numbers in the file.
    fn map(&self, inode: &Self::Inode, wanted: Range<u64>) -> Map;
}

/// A file whose data lies in blocks. One read of it is one read of the volume for each run of blocks that lie
/// side by side.
pub(in crate::fs) struct Data<V: Mapped> {
    volume: Arc<V>,
    inode: V::Inode,
}

impl<V: Mapped> Data<V> {
    pub(in crate::fs) fn new(volume: Arc<V>, inode: V::Inode) -> Self {
        Self { volume, inode }
    }

    fn map(&self, offset: u64, length: u64) -> Map {
        let (start, end) = self.volume.blocks().around(offset, offset.saturating_add(length));
        self.volume.map(&self.inode, start..end)
    }
}

impl<V: Mapped> ReadAt for Data<V> {
    fn size(&self) -> u64 {
        V::size(&self.inode)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size(), offset, buf.len())?;
        let map = self.map(offset, num::to_u64(buf.len()));
        if let Some(error) = map.damage.into_iter().next() {
            return Err(error.into());
        }
        let blocks = self.volume.blocks();
        let end = offset.saturating_add(num::to_u64(buf.len()));
        let mut filled = 0;
        for run in map.runs {
            let from = blocks.offset(run.logical).max(offset);
            let to = blocks.offset(run.logical_end()).min(end);
            let start = num::to_usize(from.saturating_sub(offset));
            if let Some(hole) = buf.get_mut(filled..start) {
                hole.fill(0);
            }
            filled = num::to_usize(to.saturating_sub(offset));
            let part = buf.get_mut(start..filled).unwrap_or_default();
            let within = from.saturating_sub(blocks.offset(run.logical));
            blocks.source().read_at(part, blocks.offset(run.physical).saturating_add(within))?;
        }
        if let Some(hole) = buf.get_mut(filled..) {
            hole.fill(0);
        }
        Ok(())
    }

    fn will_need(&self, offset: u64, length: u64) {
        // Only what a single read would fetch: a hint must not cost a walk through a large map.
        const LONGEST: u64 = 8 << 20;
        let blocks = self.volume.blocks();
        for run in self.map(offset, length.min(LONGEST)).runs {
            blocks.source().will_need(blocks.offset(run.physical), blocks.offset(run.count));
        }
    }
}
