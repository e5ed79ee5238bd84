//! Where the blocks of a file lie (ifork.rst).

use super::{extents, indirect, inode::Inode, volume::Volume};
use crate::error::{self, FormatError};

/// Consecutive blocks of a file that lie side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The first block's number in the file.
    pub(super) logical: u64,
    /// The first block's number in the volume.
    pub(super) physical: u64,
    pub(super) count: u64,
}

impl Run {
    pub(super) fn logical_end(self) -> u64 {
        self.logical.saturating_add(self.count)
    }
}

/// The part of a file's map that was asked for. What is neither mapped nor damaged is a hole.
#[derive(Debug, Default)]
pub(super) struct Map {
    /// In the order of the file. Blocks that were allocated and never written are left out: they read as
    /// zeros, whatever lies there.
    pub(super) runs: Vec<Run>,
    /// Parts of the map that cannot be read.
    pub(super) damage: Vec<FormatError>,
}

impl Map {
    /// The map of `wanted`, a range of block numbers in the file.
    pub(super) fn of(volume: &Volume, inode: &Inode, wanted: std::ops::Range<u64>) -> Self {
        let mut map = Self::default();
        match inode.has_extents() {
            true => extents::walk(volume, inode, wanted.clone(), &mut map),
            false => indirect::walk(volume, inode, wanted.clone(), &mut map),
        }
        volume.changes.remap(inode.number, &wanted, &mut map.runs);
        map
    }

    /// Adds a run behind the others, joined to the last if it continues it.
    pub(super) fn push(&mut self, run: Run) {
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

    pub(super) fn damaged(&mut self, error: FormatError) {
        error::note(&mut self.damage, error);
    }
}
