//! Inodes ("Inodes"), checked: seven kinds, each in a short and a long form.

use zerocopy::FromBytes;

use super::{
    format::{RawDirectory, RawFile, RawInode, RawLongDirectory, RawLongFile},
    metadata::{Cursor, Place},
    table,
    volume::Volume,
};
use crate::{
    bytes::le32,
    error::FormatError,
    fs::{Device, FileKind, Ino, Stat, Timestamp, device_number},
};

pub(super) const STRUCTURE: &str = "squashfs inode";
/// No fragment, no attributes.
const NONE: u32 = u32::MAX;
/// Types from this one on are long forms.
const LONG: u16 = 8;

/// An inode.
#[derive(Debug, Clone)]
pub(super) struct Inode {
    /// Its place, which is its number.
    pub(super) number: u64,
    /// The block of metadata that it begins in.
    block: u64,
    pub(super) kind: FileKind,
    mode: u32,
    /// The numbers of its owner and group.
    owners: (u16, u16),
    mtime: u32,
    pub(super) fields: Fields,
    /// What follows it: the lengths of a file's blocks, or a link's target.
    pub(super) rest: Place,
}

/// What the kinds have.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fields {
    pub(super) links: u32,
    /// Bytes of data; a directory's are three more than its entries'.
    pub(super) size: u64,
    /// The first block of data of a file; that of a directory's entries, from their table's start.
    pub(super) start: u64,
    /// Of a directory: where in what the block unpacks to.
    pub(super) offset: u32,
    /// The number of the fragment that has the file's end, and where in it.
    pub(super) fragment: Option<(u32, u32)>,
    device: u32,
    /// The number of its set of extended attributes.
    pub(super) xattrs: Option<u32>,
}

impl Inode {
    /// The inode at the place that is its number.
    pub(super) fn read(volume: &Volume, number: u64) -> Result<Self, FormatError> {
        let place = Place::of(volume.superblock.inode_table, number);
        let corrupt = |problem: String| {
            FormatError::corrupt(STRUCTURE, place.block, format!("byte {}: {problem}", place.at))
        };
        let mut cursor = Cursor::new(volume, place);
        let bytes = cursor.take(size_of::<RawInode>())?;
        let raw = RawInode::ref_from_bytes(&bytes).map_err(|_| corrupt("cut off".to_owned()))?;
        let inode_type = raw.inode_type.get();
        let is_long = inode_type >= LONG;
        let basic = if is_long { inode_type.saturating_sub(LONG - 1) } else { inode_type };
        let kind = kind(basic).ok_or_else(|| corrupt(format!("type {inode_type}")))?;
        let mode = u32::from(raw.mode.get());
        let (length, parse) = form(kind, is_long);
        let bytes = cursor.take(length)?;
        let mut fields = parse(&bytes).ok_or_else(|| corrupt("cut off".to_owned()))?;
        let rest = cursor.place();
        if kind == FileKind::Symlink && is_long {
            let target = usize::try_from(fields.size).unwrap_or(usize::MAX);
            if fields.size <= crate::limits::SYMLINK_BYTES {
                cursor.take(target)?;
                fields.xattrs = some(le32(&cursor.take(4)?, 0).unwrap_or(NONE));
            }
        }
        if i64::try_from(fields.size).is_err() {
            return Err(corrupt(format!("size {:#x}", fields.size)));
        }
        Ok(Self {
            number,
            block: place.block,
            kind,
            mode: mode & 0o7777,
            owners: (raw.uid.get(), raw.guid.get()),
            mtime: raw.mtime.get(),
            fields,
            rest,
        })
    }

    /// Its attributes.
    pub(super) fn stat(&self, volume: &Volume) -> Result<Stat, FormatError> {
        let device = matches!(self.kind, FileKind::CharDevice | FileKind::BlockDevice);
        Ok(Stat {
            ino: Ino(self.number),
            kind: self.kind,
            mode: self.mode,
            uid: table::id(volume, self.owners.0)?,
            gid: table::id(volume, self.owners.1)?,
            links: self.fields.links.into(),
            size: self.fields.size,
            rdev: if device { device_number(self.fields.device) } else { Device::default() },
            mtime: Timestamp { seconds: self.mtime.into(), nanos: 0 },
        })
    }

    pub(super) fn corrupt(&self, problem: impl std::fmt::Display) -> FormatError {
        let at = self.number & 0xffff;
        FormatError::corrupt(STRUCTURE, self.block, format!("byte {at}: {problem}"))
    }
}

/// The kinds of inodes and directory entries.
pub(super) fn kind(number: u16) -> Option<FileKind> {
    Some(match number {
        1 => FileKind::Directory,
        2 => FileKind::Regular,
        3 => FileKind::Symlink,
        4 => FileKind::BlockDevice,
        5 => FileKind::CharDevice,
        6 => FileKind::Fifo,
        7 => FileKind::Socket,
        _ => return None,
    })
}

type Parse = fn(&[u8]) -> Option<Fields>;

/// The length of what follows the base, and how it is read.
fn form(kind: FileKind, is_long: bool) -> (usize, Parse) {
    match (kind, is_long) {
        (FileKind::Directory, false) => (size_of::<RawDirectory>(), directory),
        (FileKind::Directory, true) => (size_of::<RawLongDirectory>(), long_directory),
        (FileKind::Regular, false) => (size_of::<RawFile>(), file),
        (FileKind::Regular, true) => (size_of::<RawLongFile>(), long_file),
        (FileKind::Symlink, _) => (8, symlink),
        (FileKind::BlockDevice | FileKind::CharDevice, false) => (8, device),
        (FileKind::BlockDevice | FileKind::CharDevice, true) => (12, device),
        (FileKind::Fifo | FileKind::Socket, false) => (4, other),
        (FileKind::Fifo | FileKind::Socket, true) => (8, other),
    }
}

fn some(number: u32) -> Option<u32> {
    Some(number).filter(|number| *number != NONE)
}

fn directory(bytes: &[u8]) -> Option<Fields> {
    let raw = RawDirectory::ref_from_bytes(bytes).ok()?;
    Some(Fields {
        links: raw.nlink.get(),
        size: raw.file_size.get().into(),
        start: raw.start_block.get().into(),
        offset: raw.offset.get().into(),
        ..Fields::default()
    })
}

fn long_directory(bytes: &[u8]) -> Option<Fields> {
    let raw = RawLongDirectory::ref_from_bytes(bytes).ok()?;
    Some(Fields {
        links: raw.nlink.get(),
        size: raw.file_size.get().into(),
        start: raw.start_block.get().into(),
        offset: raw.offset.get().into(),
        xattrs: some(raw.xattr.get()),
        ..Fields::default()
    })
}

fn file(bytes: &[u8]) -> Option<Fields> {
    let raw = RawFile::ref_from_bytes(bytes).ok()?;
    Some(Fields {
        links: 1,
        size: raw.file_size.get().into(),
        start: raw.start_block.get().into(),
        fragment: some(raw.fragment.get()).map(|number| (number, raw.offset.get())),
        ..Fields::default()
    })
}

fn long_file(bytes: &[u8]) -> Option<Fields> {
    let raw = RawLongFile::ref_from_bytes(bytes).ok()?;
    Some(Fields {
        links: raw.nlink.get(),
        size: raw.file_size.get(),
        start: raw.start_block.get(),
        fragment: some(raw.fragment.get()).map(|number| (number, raw.offset.get())),
        xattrs: some(raw.xattr.get()),
        ..Fields::default()
    })
}

fn symlink(bytes: &[u8]) -> Option<Fields> {
    Some(Fields { links: le32(bytes, 0)?, size: le32(bytes, 4)?.into(), ..Fields::default() })
}

fn device(bytes: &[u8]) -> Option<Fields> {
    let xattrs = le32(bytes, 8).and_then(some);
    Some(Fields { links: le32(bytes, 0)?, device: le32(bytes, 4)?, xattrs, ..Fields::default() })
}

fn other(bytes: &[u8]) -> Option<Fields> {
    Some(Fields { links: le32(bytes, 0)?, xattrs: le32(bytes, 4).and_then(some), ..Fields::default() })
}
