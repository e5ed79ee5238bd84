//! Where the blocks of a fork lie (XFS Algorithms & Data Structures, "Data Extents").

use std::ops::Range;

use super::{
    btree, extents,
    inode::{Fork, Format, Inode},
    volume::Volume,
};
use crate::fs::{blocks::Blocks, map::Mapped};

pub(super) use crate::fs::map::{Data, Map, Run};

/// The map of `wanted`, a range of block numbers in the data fork.
pub(super) fn of(volume: &Volume, inode: &Inode, wanted: Range<u64>) -> Map {
    let mut map = of_fork(volume, inode, inode.data(), wanted.clone());
    volume.remaps.apply(inode.number, false, &wanted, &mut map.runs);
    map
}

/// The whole map of the attribute fork.
pub(super) fn of_attributes(volume: &Volume, inode: &Inode, fork: Fork<'_>) -> Map {
    let all = 0..1 << 32;
    let mut map = of_fork(volume, inode, fork, all.clone());
    volume.remaps.apply(inode.number, true, &all, &mut map.runs);
    map
}

fn of_fork(volume: &Volume, inode: &Inode, fork: Fork<'_>, wanted: Range<u64>) -> Map {
    let mut map = Map::default();
    match fork.format {
        Format::Extents => extents::walk(volume, inode, fork, wanted, &mut map),
        Format::Btree => btree::walk(volume, inode, fork, wanted, &mut map),
        Format::Local | Format::Device => map.damaged(inode.corrupt("has no map")),
    }
    map
}

impl Mapped for Volume {
    type Inode = Inode;

    fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    fn size(inode: &Inode) -> u64 {
        inode.size
    }

    fn map(&self, inode: &Inode, wanted: Range<u64>) -> Map {
        of(self, inode, wanted)
    }
}
