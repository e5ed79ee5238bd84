//! Where the blocks of a fork lie (XFS Algorithms & Data Structures, "Data Extents").

use std::ops::Range;

use super::{
    btree, extents,
    inode::{Fork, Format, Inode},
    volume::Volume,
};
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

/// The part of a fork's map that was asked for. What is neither mapped nor damaged is a hole.
#[derive(Debug, Default)]
pub(super) struct Map {
    /// In the order of the file. Blocks that were allocated and never written are left out: they read as
    /// zeros, whatever lies there.
    pub(super) runs: Vec<Run>,
    /// Parts of the map that cannot be read.
    pub(super) damage: Vec<FormatError>,
}

impl Map {
    /// The map of `wanted`, a range of block numbers in the data fork.
    pub(super) fn of(volume: &Volume, inode: &Inode, wanted: Range<u64>) -> Self {
        let mut map = Self::of_fork(volume, inode, inode.data(), wanted.clone());
        volume.remaps.apply(inode.number, false, &wanted, &mut map.runs);
        map
    }

    /// The whole map of the attribute fork.
    pub(super) fn of_attributes(volume: &Volume, inode: &Inode, fork: Fork<'_>) -> Self {
        let all = 0..1 << 32;
        let mut map = Self::of_fork(volume, inode, fork, all.clone());
        volume.remaps.apply(inode.number, true, &all, &mut map.runs);
        map
    }

    fn of_fork(volume: &Volume, inode: &Inode, fork: Fork<'_>, wanted: Range<u64>) -> Self {
        let mut map = Self::default();
        match fork.format {
            Format::Extents => extents::walk(volume, inode, fork, wanted, &mut map),
            Format::Btree => btree::walk(volume, inode, fork, wanted, &mut map),
            Format::Local | Format::Device => map.damaged(inode.corrupt("has no map")),
        }
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
