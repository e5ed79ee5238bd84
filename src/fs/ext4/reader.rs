//! The driver: opens a volume and answers for its files.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    backup,
    blocks::Blocks,
    fast_commit::Changes,
    features,
    groups::Groups,
    inline,
    inode::{Inode, ROOT},
    journal::Journal,
    listing, lookup,
    map::Data,
    overlay::{Overlay, Patch},
    replay,
    superblock::{self, Superblock},
    volume::Volume,
    xattr,
};
use crate::{
    block::{ReadAt, Source, read_vec},
    error::FormatError,
    fs::{FileKind, FileSystem, Ino, Listing, Opened, Stat, Xattr, symlink, uuid_text},
    limits,
};

/// Whether the source begins like an ext2, ext3 or ext4 file system.
pub fn probe(source: &dyn ReadAt) -> bool {
    let mut bytes = [0; superblock::BYTES];
    let has_magic = source.read_at(&mut bytes, superblock::OFFSET).is_ok() && superblock::has_magic(&bytes);
    has_magic || backup::is_wiped(source)
}

/// Opens an ext2, ext3 or ext4 file system.
pub fn open(source: Source) -> Result<Opened, FormatError> {
    let mut notes = Vec::new();
    let size = source.size();
    let volume = volume(Arc::clone(&source), &mut notes)?;
    let volume = match volume.superblock.features.incompat(features::RECOVER) {
        true => recover(source, volume, &mut notes),
        false => volume,
    };
    notes.extend(superblock::notes(&volume.superblock, &volume.blocks));
    let bytes = volume.superblock.offset(volume.superblock.blocks);
    notes.extend(crate::fs::cut("ext4", bytes, size));
    let label = String::from_utf8_lossy(&volume.superblock.label).into_owned();
    Ok(Opened {
        kind: "ext4",
        uuid: uuid_text(&volume.superblock.uuid),
        label: (!label.is_empty()).then_some(label),
        notes,
        fs: Arc::new(Ext4 { volume: Arc::new(volume) }),
    })
}

fn volume(source: Source, notes: &mut Vec<FormatError>) -> Result<Volume, FormatError> {
    let superblock = superblock(&source, notes)?;
    let blocks = Blocks::new(source, superblock.block_size, limits::EXT4_CACHE_BYTES);
    let mut groups = Groups::read(&superblock, &blocks);
    notes.append(&mut groups.notes);
    Ok(Volume { superblock, groups, blocks, changes: Changes::default() })
}

/// The first superblock; if it is damaged, a backup copy and a note.
fn superblock(source: &Source, notes: &mut Vec<FormatError>) -> Result<Superblock, FormatError> {
    let bytes = read_vec(source, superblock::STRUCTURE, superblock::OFFSET, superblock::BYTES);
    match bytes.and_then(|bytes| superblock::parse(&bytes, superblock::OFFSET)) {
        Ok(superblock) => Ok(superblock),
        Err(error @ FormatError::Unsupported { .. }) => Err(error),
        Err(error) => {
            let Some((copy, group)) = backup::find(source) else { return Err(error) };
            let problem = format!("damaged, the copy in group {group} is used: {}", error.detail());
            notes.push(FormatError::corrupt(superblock::STRUCTURE, superblock::OFFSET, problem));
            Ok(copy)
        }
    }
}

/// The volume as it is with its journal replayed; as it was, with a note, if that cannot be.
fn recover(source: Source, volume: Volume, notes: &mut Vec<FormatError>) -> Volume {
    let replay = match Journal::open(&volume) {
        Ok(None) => return volume,
        Ok(Some(journal)) => replay::replay(&journal),
        Err(error) => {
            notes.push(replay::not_replayed("all", &error));
            return volume;
        }
    };
    notes.extend(replay.notes);
    let mut volume = patched(source, volume, replay.patches, notes);
    match Changes::new(&volume, &replay.fast) {
        Ok(changes) => volume.changes = changes,
        Err(error) => notes.push(replay::not_replayed("a fast commit", &error)),
    }
    volume
}

fn patched(
    source: Source,
    volume: Volume,
    patches: BTreeMap<u64, Patch>,
    notes: &mut Vec<FormatError>,
) -> Volume {
    if patches.is_empty() {
        return volume;
    }
    let overlay: Source = Arc::new(Overlay::new(source, volume.superblock.block_size, patches));
    let mut after = Vec::new();
    match self::volume(overlay, &mut after) {
        Ok(replayed) => {
            // What was damaged before may be mended by the journal.
            notes.retain(|note| matches!(note, FormatError::Unsupported { .. }));
            notes.append(&mut after);
            replayed
        }
        Err(error) => {
            notes.push(replay::not_replayed("all", &error));
            volume
        }
    }
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
        lookup::look_up(&self.volume, &self.inode(dir)?, name)
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
        let read = |size| {
            inode.check_encryption("symbolic link")?;
            if inode.has_inline_data() {
                inline::target(&inode)
            } else if inode.is_fast_symlink(&self.volume.superblock) {
                let target = inode.raw.i_block.get(..size).map(<[u8]>::to_vec);
                target.ok_or_else(|| inode.corrupt(format!("symbolic link of {size} bytes in i_block")))
            } else {
                read_vec(&Data::new(Arc::clone(&self.volume), inode.clone()), "symbolic link", 0, size)
            }
        };
        symlink::target(inode.kind()?, inode.size, |problem| inode.corrupt(problem), read)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        xattr::read(&self.volume, &self.inode(ino)?)
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Option<Vec<u8>>, FormatError> {
        xattr::read_one(&self.volume, &self.inode(ino)?, name)
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        let inode = self.inode(ino)?;
        if inode.kind()? != FileKind::Regular {
            return Err(inode.corrupt("is not a regular file"));
        }
        inode.check_encryption("file")?;
        match inode.has_inline_data() {
            true => inline::content(&inode),
            false => Ok(Arc::new(Data::new(Arc::clone(&self.volume), inode))),
        }
    }
}
