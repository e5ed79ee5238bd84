//! A volume that was opened: geometry, descriptors, cached metadata. Inodes are found here.

use std::sync::Arc;

use super::{
    blocks::{Blocks, Span},
    fast_commit::Changes,
    groups::Groups,
    inode::{self, Inode, ROOT},
    superblock::Superblock,
};
use crate::{error::FormatError, num};

/// What all files of a volume share.
pub(super) struct Volume {
    pub(super) superblock: Superblock,
    pub(super) groups: Groups,
    pub(super) blocks: Blocks,
    /// What fast commits of the journal changed.
    pub(super) changes: Changes,
}

/// Where an inode lies: a block of an inode table, and the byte in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) block: u64,
    pub(super) at: usize,
}

impl Volume {
    /// Where an inode lies.
    pub(super) fn place(&self, number: u32) -> Result<Place, FormatError> {
        let superblock = &self.superblock;
        let index = match number.checked_sub(1) {
            Some(index) if number <= superblock.inodes => index,
            _ => {
                let problem = format!("{number} of {} inodes", superblock.inodes);
                return Err(FormatError::corrupt(inode::STRUCTURE, 0, problem));
            }
        };
        let per_group = superblock.inodes_per_group;
        let table = self.groups.inode_table(u64::from(index / per_group))?;
        let within = u64::from(index % per_group).saturating_mul(u64::from(superblock.inode_size));
        let block_size = u64::from(superblock.block_size);
        let block = within.checked_div(block_size).unwrap_or(0);
        let at = within.checked_rem(block_size).unwrap_or(0);
        Ok(Place { block: table.saturating_add(block), at: num::to_usize(at) })
    }

    /// Any inode, also a reserved one.
    pub(super) fn reserved_inode(&self, number: u32) -> Result<Inode, FormatError> {
        let place = self.place(number)?;
        if let Some(bytes) = self.changes.inode(number) {
            let offset = self.superblock.offset(place.block);
            return Inode::recorded(&self.superblock, number, offset, bytes.into());
        }
        let table = self.blocks.read(inode::STRUCTURE, place.block)?;
        let offset = self.superblock.offset(place.block).saturating_add(num::to_u64(place.at));
        Inode::parse(&self.superblock, number, offset, table, place.at)
    }

    /// An inode that a name may lead to: neither reserved nor deleted.
    pub(super) fn inode(&self, number: u32) -> Result<Inode, FormatError> {
        let inode = self.reserved_inode(number)?;
        if number != ROOT && number < self.superblock.first_inode {
            return Err(inode.corrupt("is reserved"));
        }
        if inode.raw.i_links_count.get() == 0 {
            return Err(inode.corrupt("is deleted"));
        }
        Ok(inode)
    }

    /// Whether blocks may belong to a file: they are of this file system and of no inode table.
    pub(super) fn is_data(&self, start: u64, count: u64) -> bool {
        self.superblock.contains(start, count) && !self.groups.overlaps(Span { start, count })
    }

    /// A block of metadata that another structure points to.
    pub(super) fn block(&self, structure: &'static str, block: u64) -> Result<Arc<[u8]>, FormatError> {
        if !self.is_data(block, 1) {
            let problem = format!("block {block} is not of a file");
            return Err(FormatError::corrupt(structure, self.superblock.offset(block), problem));
        }
        self.blocks.read(structure, block)
    }
}
