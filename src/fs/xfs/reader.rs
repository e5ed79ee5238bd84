//! The driver: opens a volume and answers for its files.

use std::sync::Arc;

use super::{
    backup, listing,
    log::{self, Remaps},
    lookup,
    map::Data,
    superblock::{self, Superblock},
    symlink,
    volume::Volume,
    xattr,
};
use crate::{
    block::{ReadAt, Source},
    error::FormatError,
    fs::{FileKind, FileSystem, Ino, Listing, Opened, Stat, Xattr, blocks::Blocks, uuid_text},
    limits,
};

/// Whether the source begins like an XFS file system.
pub fn probe(source: &dyn ReadAt) -> bool {
    let mut magic = [0; 4];
    let has_magic = source.read_at(&mut magic, 0).is_ok() && magic == superblock::MAGIC;
    has_magic || backup::is_wiped(source)
}

/// Opens an XFS file system of version 4 or 5.
pub fn open(source: Source) -> Result<Opened, FormatError> {
    let mut notes = Vec::new();
    let size = source.size();
    let superblock = superblock(&source, &mut notes)?;
    let (source, superblock, remaps) = recover(source, superblock, &mut notes);
    notes.extend(superblock.notes());
    notes.extend(crate::fs::cut("XFS", superblock.bytes(), size));
    let label = String::from_utf8_lossy(&superblock.label).into_owned();
    let blocks = Blocks::new(source, superblock.block_size, limits::XFS_CACHE_BYTES);
    Ok(Opened {
        kind: "xfs",
        uuid: uuid_text(&superblock.uuid),
        label: (!label.is_empty()).then_some(label),
        notes,
        fs: Arc::new(Xfs { volume: Arc::new(Volume { superblock, blocks, remaps }) }),
    })
}

/// The first superblock; if it is damaged, a copy and a note.
fn superblock(source: &Source, notes: &mut Vec<FormatError>) -> Result<Superblock, FormatError> {
    match superblock::read(source, 0) {
        Ok(superblock) => Ok(superblock),
        Err(error @ FormatError::Unsupported { .. }) => Err(error),
        Err(error) => {
            let Some((copy, offset)) = backup::find(source) else { return Err(error) };
            let problem = format!("damaged, the copy at {offset:#x} is used: {}", error.detail());
            notes.push(FormatError::corrupt(superblock::STRUCTURE, 0, problem));
            Ok(copy)
        }
    }
}

/// The volume as it is with its log recovered; as it was, with a note, if that cannot be.
fn recover(
    source: Source,
    superblock: Superblock,
    notes: &mut Vec<FormatError>,
) -> (Source, Superblock, Remaps) {
    let recovery = log::recover(&source, &superblock);
    notes.extend(recovery.notes);
    let Some(overlay) = recovery.overlay else { return (source, superblock, Remaps::default()) };
    let recovered: Source = Arc::new(overlay);
    // The log may hold a superblock that is newer: of a volume that grew. Of a damaged one, the copy is kept.
    match superblock::read(&recovered, 0) {
        Ok(newer) => (recovered, newer, recovery.remaps),
        Err(_) => (recovered, superblock, recovery.remaps),
    }
}

struct Xfs {
    volume: Arc<Volume>,
}

impl FileSystem for Xfs {
    fn root(&self) -> Ino {
        Ino(self.volume.superblock.root)
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        self.volume.inode(ino.0)?.stat()
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        lookup::look_up(&self.volume, &self.volume.inode(dir.0)?, name)
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        let listing = listing::read(&self.volume, &[dir]).pop();
        listing.unwrap_or_else(|| Ok(Listing::default()))
    }

    fn read_dirs(&self, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
        listing::read(&self.volume, dirs)
    }

    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        symlink::target(&self.volume, &self.volume.inode(ino.0)?)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        xattr::read(&self.volume, &self.volume.inode(ino.0)?)
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Option<Vec<u8>>, FormatError> {
        xattr::read_one(&self.volume, &self.volume.inode(ino.0)?, name)
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        let inode = self.volume.inode(ino.0)?;
        if inode.kind()? != FileKind::Regular {
            return Err(inode.corrupt("is not a regular file"));
        }
        if inode.is_realtime() {
            let what = format!("the data of inode {} lies on the realtime device", inode.number);
            return Err(FormatError::unsupported(what));
        }
        Ok(Arc::new(Data::new(Arc::clone(&self.volume), inode)))
    }
}
