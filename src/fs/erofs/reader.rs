//! The driver: opens a volume and answers for its files.

use std::sync::Arc;

use super::{
    data::Data,
    devices::Devices,
    listing,
    superblock::{self, Superblock},
    volume::Volume,
    xattr,
};
use crate::{
    block::{ReadAt, Source, read_vec},
    error::FormatError,
    fs::{FileKind, FileSystem, Ino, Listing, Opened, Stat, Xattr, symlink, uuid_text},
};

/// Whether the source begins like an EROFS volume.
pub fn probe(source: &dyn ReadAt) -> bool {
    superblock::is_there(source)
}

/// Opens an EROFS volume. Of data on further devices it is noted that they are missing; what lies on this one is read.
pub fn open(source: Source) -> Result<Opened, FormatError> {
    let superblock = superblock::read(&source)?;
    let devices = Devices::read(&source, &superblock)?;
    let mut notes = devices.notes();
    notes.extend(superblock.is_cut(source.size()));
    let Superblock { uuid, ref label, .. } = superblock;
    let label = String::from_utf8_lossy(label).into_owned();
    Ok(Opened {
        kind: "erofs",
        uuid: uuid_text(&uuid),
        label: (!label.is_empty()).then_some(label),
        notes,
        fs: Arc::new(Erofs { volume: Arc::new(Volume::new(source, superblock, devices)) }),
    })
}

struct Erofs {
    volume: Arc<Volume>,
}

impl FileSystem for Erofs {
    fn root(&self) -> Ino {
        Ino(self.volume.superblock.root)
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        Ok(self.volume.inode(ino.0)?.stat())
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
        let inode = self.volume.inode(ino.0)?;
        let data = Data::new(Arc::clone(&self.volume), inode.clone());
        let read = |size| read_vec(&data, "symbolic link", 0, size);
        symlink::target(inode.kind, inode.size, |problem| inode.corrupt(problem), read)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        xattr::read(&self.volume, &self.volume.inode(ino.0)?)
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        let inode = self.volume.inode(ino.0)?;
        match inode.kind {
            FileKind::Regular => Ok(Arc::new(Data::new(Arc::clone(&self.volume), inode))),
            _ => Err(inode.corrupt("is not a regular file")),
        }
    }
}
