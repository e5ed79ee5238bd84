//! The driver: opens a volume and answers for its files.

use std::sync::Arc;

use super::{
    blocks::Blocks,
    data::Data,
    groups::Groups,
    inode::{Inode, ROOT},
    listing, superblock,
    volume::Volume,
};
use crate::{
    block::{ReadAt, Source, read_vec},
    error::FormatError,
    fs::{FileKind, FileSystem, Ino, Listing, Opened, Stat, Xattr},
    limits, num,
};

/// Whether the source begins like an ext2, ext3 or ext4 file system.
pub fn probe(source: &dyn ReadAt) -> bool {
    let mut bytes = [0; superblock::BYTES];
    source.read_at(&mut bytes, superblock::OFFSET).is_ok() && superblock::has_magic(&bytes)
}

/// Opens an ext2, ext3 or ext4 file system.
pub fn open(source: Source) -> Result<Opened, FormatError> {
    let bytes = read_vec(&source, "ext4 superblock", superblock::OFFSET, superblock::BYTES)?;
    let superblock = superblock::parse(&bytes, superblock::OFFSET)?;
    let mut notes = superblock::notes(&superblock);
    let blocks = Blocks::new(source, superblock.block_size);
    let mut groups = Groups::read(&superblock, &blocks);
    notes.append(&mut groups.notes);
    let label = String::from_utf8_lossy(&superblock.label).into_owned();
    Ok(Opened {
        kind: "ext4",
        uuid: superblock.uuid_text(),
        label: (!label.is_empty()).then_some(label),
        notes,
        fs: Arc::new(Ext4 { volume: Arc::new(Volume { superblock, groups, blocks }) }),
    })
}

struct Ext4 {
    volume: Arc<Volume>,
}

/// An inode's number as ext4 has it.
pub(super) fn number(ino: Ino) -> Result<u32, FormatError> {
    u32::try_from(ino.0).map_err(|_| FormatError::corrupt("ext4 inode", 0, format!("number {}", ino.0)))
}

impl Ext4 {
    fn inode(&self, ino: Ino) -> Result<Inode, FormatError> {
        self.volume.inode(number(ino)?)
    }
}

impl FileSystem for Ext4 {
    fn root(&self) -> Ino {
        Ino(u64::from(ROOT))
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        self.inode(ino)?.stat()
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        listing::look_up(&self.volume, &self.inode(dir)?, name)
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        let listing = listing::read(&self.volume, &[dir]).pop();
        listing.unwrap_or_else(|| Ok(Listing::default()))
    }

    fn read_dirs(&self, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
        listing::read(&self.volume, dirs)
    }

    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        let inode = self.inode(ino)?;
        if inode.kind()? != FileKind::Symlink {
            return Err(inode.corrupt("is not a symbolic link"));
        }
        let size = num::to_usize(inode.size);
        if inode.size < num::to_u64(inode.raw.i_block.len()) && !inode.has_extents() {
            return Ok(inode.raw.i_block.get(..size).unwrap_or_default().to_vec());
        }
        if inode.size > limits::SYMLINK_BYTES {
            return Err(FormatError::limit(format!("symbolic link of {size} bytes")));
        }
        read_vec(&Data::new(Arc::clone(&self.volume), inode), "symbolic link", 0, size)
    }

    fn xattrs(&self, _ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        Ok(Vec::new())
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        let inode = self.inode(ino)?;
        if inode.kind()? != FileKind::Regular {
            return Err(inode.corrupt("is not a regular file"));
        }
        Ok(Arc::new(Data::new(Arc::clone(&self.volume), inode)))
    }
}
