//! Where the blocks of a file lie (ifork.rst).

use std::ops::Range;

use super::{extents, indirect, inode::Inode, volume::Volume};
use crate::fs::{blocks::Blocks, map::Mapped};

pub(super) use crate::fs::map::{Data, Map, Run};

/// The map of `wanted`, a range of block numbers in the file.
pub(super) fn of(volume: &Volume, inode: &Inode, wanted: Range<u64>) -> Map {
    let mut map = Map::default();
    match inode.has_extents() {
        true => extents::walk(volume, inode, wanted.clone(), &mut map),
        false => indirect::walk(volume, inode, wanted.clone(), &mut map),
    }
    volume.changes.remap(inode.number, &wanted, &mut map.runs);
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
