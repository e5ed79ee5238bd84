//! A volume that was opened: geometry and cached metadata. Inodes are found here.

use super::{
    checksum,
    format::Header,
    inode::{self, Inode},
    log::Remaps,
    superblock::Superblock,
};
use crate::{bytes::be64, error::FormatError, fs::blocks::Blocks, num};

/// What all files of a volume share.
pub(super) struct Volume {
    pub(super) superblock: Superblock,
    pub(super) blocks: Blocks,
    /// Changes of maps that the log began and did not finish.
    pub(super) remaps: Remaps,
}

/// Where an inode lies: a block, and the byte in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) block: u64,
    pub(super) at: usize,
}

impl Volume {
    /// Where an inode lies: its number says it.
    pub(super) fn place(&self, number: u64) -> Result<Place, FormatError> {
        let place = self.superblock.place(number).map(|(block, at)| Place { block, at });
        place.ok_or_else(|| FormatError::corrupt(inode::STRUCTURE, 0, format!("number {number}")))
    }

    /// An inode that a name may lead to: it is not free and not deleted.
    pub(super) fn inode(&self, number: u64) -> Result<Inode, FormatError> {
        let place = self.place(number)?;
        let table = self.blocks.read(inode::STRUCTURE, place.block)?;
        let offset = self.superblock.offset(place.block).saturating_add(num::to_u64(place.at));
        let inode = Inode::parse(&self.superblock, number, offset, table, place.at)?;
        match inode.links() {
            0 => Err(inode.corrupt("is deleted")),
            _ => Ok(inode),
        }
    }

    /// Checks a block of metadata that describes itself: what it says of its place, its volume and, if that is known,
    /// its owner, and its checksum. Blocks of version 4 say nothing of it.
    pub(super) fn check(
        &self,
        bytes: &[u8],
        header: Header,
        offset: u64,
        owner: Option<u64>,
    ) -> Result<(), String> {
        if !self.superblock.features.crc() {
            return Ok(());
        }
        checksum::check(bytes, header.crc)?;
        let blkno = be64(bytes, header.blkno);
        if blkno != offset.checked_div(512) {
            return Err(format!("it says that its sector is {}", blkno.unwrap_or(0)));
        }
        if bytes.get(header.uuid..).is_none_or(|rest| !rest.starts_with(&self.superblock.meta_uuid)) {
            return Err("it has the UUID of another volume".to_owned());
        }
        let said = be64(bytes, header.owner);
        match owner {
            Some(owner) if said != Some(owner) => Err(format!("it belongs to inode {}", said.unwrap_or(0))),
            _ => Ok(()),
        }
    }
}
