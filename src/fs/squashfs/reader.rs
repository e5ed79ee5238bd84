//! The driver: opens a volume and answers for its files.

use std::sync::Arc;

use super::{data::Data, inode::Inode, listing, metadata::Cursor, superblock, volume::Volume, xattr};
use crate::{
    block::{ReadAt, Source},
    error::FormatError,
    fs::{FileKind, FileSystem, Ino, Listing, Opened, Stat, Xattr, symlink},
};

/// Whether the source begins like a squashfs volume.
pub fn probe(source: &dyn ReadAt) -> bool {
    superblock::is_there(source)
}

/// Opens a squashfs volume of version 4.0.
pub fn open(source: Source) -> Result<Opened, FormatError> {
    let superblock = superblock::read(&source)?;
    Ok(Opened {
        kind: "squashfs",
        uuid: None,
        label: None,
        notes: superblock.is_cut(source.size()).into_iter().collect(),
        fs: Arc::new(Squashfs { volume: Arc::new(Volume::new(source, superblock)) }),
    })
}

struct Squashfs {
    volume: Arc<Volume>,
}

impl Squashfs {
    fn inode(&self, ino: Ino) -> Result<Inode, FormatError> {
        Inode::read(&self.volume, ino.0)
    }
}

impl FileSystem for Squashfs {
    fn root(&self) -> Ino {
        Ino(self.volume.superblock.root)
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        self.inode(ino)?.stat(&self.volume)
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        listing::look_up(&self.volume, dir, name)
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        listing::read_one(&self.volume, dir)
    }

    fn read_dirs(&self, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
        listing::read(&self.volume, dirs)
    }

    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        let inode = self.inode(ino)?;
        let read = |size| Cursor::new(&self.volume, inode.rest).take(size);
        symlink::target(inode.kind, inode.fields.size, |problem| inode.corrupt(problem), read)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        xattr::read(&self.volume, &self.inode(ino)?)
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        let inode = self.inode(ino)?;
        match inode.kind {
            FileKind::Regular => Ok(Arc::new(Data::new(Arc::clone(&self.volume), inode))),
            _ => Err(inode.corrupt("is not a regular file")),
        }
    }
}
