//! File systems: a volume's bytes in, files out.
//!
//! A reader implements [`FileSystem`], addressed by inode as the formats are. Paths, `..` and symbolic links
//! are resolved once, in [`Root`], inside the guest and never on the host. [`FILE_SYSTEMS`] lists the
//! readers.

mod blocks;
pub mod btrfs;
mod calendar;
mod clusters;
pub mod erofs;
pub mod exfat;
pub mod ext4;
pub mod fat;
mod gathering;
mod handle;
pub mod host;
mod kinds;
#[cfg(test)]
pub(crate) mod liar;
mod lz4;
mod lzo;
mod map;
pub mod memory;
pub mod ntfs;
mod owners;
mod path;
mod root;
pub mod squashfs;
mod symlink;
mod unpack;
mod utf16;
pub mod xfs;

use std::{collections::HashSet, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use handle::Handle;
pub use kinds::settle;
pub use owners::{IdRange, Owners};
pub use path::GuestPath;
pub use root::{Mount, Root};

use crate::{
    block::{Probed, ReadAt, Source},
    error::FormatError,
    gap::Code,
};

/// An inode's number within its file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub u64);

/// What an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device; with device number 0:0 an overlay whiteout.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl FileKind {
    /// What it is, in words.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Regular => "a regular file",
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::CharDevice => "a character device",
            Self::BlockDevice => "a block device",
            Self::Fifo => "a named pipe",
            Self::Socket => "a socket",
        }
    }

    /// The kind in the `S_IFMT` bits of a Unix mode.
    pub fn from_mode(mode: u32) -> Option<Self> {
        Some(match mode & 0o170_000 {
            0o100_000 => Self::Regular,
            0o040_000 => Self::Directory,
            0o120_000 => Self::Symlink,
            0o020_000 => Self::CharDevice,
            0o060_000 => Self::BlockDevice,
            0o010_000 => Self::Fifo,
            0o140_000 => Self::Socket,
            _ => return None,
        })
    }

    /// The kind in a directory entry, by the numbers that ext4, XFS and btrfs have in common; 0 says nothing.
    fn from_entry(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Regular,
            2 => Self::Directory,
            3 => Self::CharDevice,
            4 => Self::BlockDevice,
            5 => Self::Fifo,
            6 => Self::Socket,
            7 => Self::Symlink,
            _ => return None,
        })
    }

    /// The letter with which `ls -l` shows it.
    pub fn letter(self) -> char {
        match self {
            Self::Regular => '-',
            Self::Directory => 'd',
            Self::Symlink => 'l',
            Self::CharDevice => 'c',
            Self::BlockDevice => 'b',
            Self::Fifo => 'p',
            Self::Socket => 's',
        }
    }
}

/// A device number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Device {
    /// The driver.
    pub major: u32,
    /// The device of that driver.
    pub minor: u32,
}

/// A point in time since 1970-01-01 UTC; seconds before it are negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds after them, below 1,000,000,000.
    pub nanos: u32,
}

/// An inode's attributes, as `stat(2)` gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The inode.
    pub ino: Ino,
    /// What it is.
    pub kind: FileKind,
    /// Permission, set-id and sticky bits (`mode & 0o7777`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Hard links.
    pub links: u64,
    /// Bytes of data (of the target, for a symbolic link).
    pub size: u64,
    /// The device number of a device, else 0:0.
    pub rdev: Device,
    /// Last change of the data.
    pub mtime: Timestamp,
}

/// One name in a directory. Readers whose directories do not hold the kind look it up themselves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name: any bytes but NUL and `/`.
    pub name: Vec<u8>,
    /// What it names.
    pub ino: Ino,
    /// What that is.
    pub kind: FileKind,
}

/// A directory's entries without `.` and `..`, in the order of the disk, and what of it could not be read:
/// a damaged block loses its own entries only.
#[derive(Debug, Default)]
pub struct Listing {
    /// The entries that were read.
    pub entries: Vec<DirEntry>,
    /// The parts that were not.
    pub damage: Vec<FormatError>,
    /// The directories among the entries by the directory's link count, where a file system keeps it so.
    pub directories: Option<u64>,
}

/// An extended attribute: its full name (`trusted.overlay.opaque`) and value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Xattr {
    /// The name with its namespace prefix.
    pub name: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// A file system, read-only. Methods may be called from many threads at once.
pub trait FileSystem: Send + Sync {
    /// The root directory.
    fn root(&self) -> Ino;

    /// An inode's attributes.
    fn stat(&self, ino: Ino) -> Result<Stat, FormatError>;

    /// The inode of one name, `None` if the directory lacks it.
    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError>;

    /// All entries of a directory.
    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError>;

    /// Several directories, in the order given; a reader that knows where they lie reads them in the order
    /// of the disk.
    fn read_dirs(&self, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
        dirs.iter().map(|dir| self.read_dir(*dir)).collect()
    }

    /// A symbolic link's target.
    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError>;

    /// All extended attributes, in any order.
    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError>;

    /// One extended attribute's value.
    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Option<Vec<u8>>, FormatError> {
        Ok(self.xattrs(ino)?.into_iter().find(|x| x.name == name).map(|x| x.value))
    }

    /// A regular file's bytes. Nothing is read before the source is.
    fn open(&self, ino: Ino) -> Result<Source, FormatError>;

    /// The same file system with another subvolume as its root, inodes keeping their numbers; `None` if it
    /// has no such subvolume.
    fn subvolume(&self, _which: Subvolume<'_>) -> Result<Option<Arc<dyn FileSystem>>, FormatError> {
        Ok(None)
    }

    /// The subvolumes that there are, in the order of their numbers; none where a file system cannot have any.
    fn subvolumes(&self) -> Vec<Branch> {
        Vec::new()
    }
}

/// A subvolume of a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its number.
    pub id: u64,
    /// Its root directory.
    pub root: Ino,
    /// Its name, where that is one in the top directory of them all.
    pub top_name: Option<Vec<u8>>,
}

/// A tree of files among several of one file system, as the options of `mount` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subvolume<'a> {
    /// By its number (`subvolid=`); 5 is the top of them all.
    Id(u64),
    /// By its path from the top (`subvol=`), with or without a leading `/`.
    Path(&'a [u8]),
}

/// Lists directories a batch at a time: what a reader keeps of their inodes stays in its cache meanwhile. None is twice
/// in a batch, where it would look like two that share their blocks.
fn in_batches(
    dirs: &[Ino],
    read_batch: impl Fn(&[Ino]) -> Vec<Result<Listing, FormatError>>,
) -> Vec<Result<Listing, FormatError>> {
    const BATCH: usize = 1024;
    let mut listings = Vec::with_capacity(dirs.len());
    let mut rest = dirs;
    while !rest.is_empty() {
        let mut seen = HashSet::new();
        let length = rest.iter().take(BATCH).take_while(|dir| seen.insert(**dir)).count();
        let (batch, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        listings.extend(read_batch(batch));
        rest = after;
    }
    listings
}

/// Lists directories in the order of their numbers, for formats where that is the order of the disk.
fn in_disk_order(
    dirs: &[Ino],
    mut read: impl FnMut(Ino) -> Result<Listing, FormatError>,
) -> Vec<Result<Listing, FormatError>> {
    let mut order: Vec<(Ino, usize)> = dirs.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let mut listings: Vec<_> = order.into_iter().map(|(dir, at)| (at, read(dir))).collect();
    listings.sort_unstable_by_key(|(at, _)| *at);
    listings.into_iter().map(|(_, listing)| listing).collect()
}

/// Linux's own form: 12 bits of the driver between 8 and 12 of the device.
fn device_number(raw: u32) -> Device {
    Device { major: raw >> 8 & 0xfff, minor: raw & 0xff | raw >> 12 & 0xf_ff00 }
}

/// A UUID in its usual spelling, `None` for one that was never set.
fn uuid_text(uuid: &[u8; 16]) -> Option<String> {
    let hex: Vec<String> = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().concat();
    let text = [part(0..4), part(4..6), part(6..8), part(8..10), part(10..16)].join("-");
    (*uuid != [0; 16]).then_some(text)
}

/// A file system that was opened, and what is to be said about it.
pub struct Opened {
    /// The reader.
    pub fs: Arc<dyn FileSystem>,
    /// The driver's name, as `mount -t` spells it (`ext4`).
    pub kind: &'static str,
    /// The volume's UUID in its usual spelling, if it has one.
    pub uuid: Option<String>,
    /// The volume's label, if it has one.
    pub label: Option<String>,
    /// What does not stop the reading but must be told (a journal that could not be replayed).
    pub notes: Vec<FormatError>,
}

/// A file system driver: one row of [`FILE_SYSTEMS`].
pub struct Driver {
    /// As `mount -t` spells it; ext2, ext3 and ext4 are one driver.
    pub name: &'static str,
    /// Whether the source begins like one of these. Reads little, never fails.
    pub probe: fn(&dyn ReadAt) -> bool,
    /// Opens it; of a file system that spans several volumes, what this one has.
    pub open: fn(Source) -> Result<Opened, FormatError>,
    /// How it is opened if it spans several volumes; `None` for formats that cannot.
    pub spans: Option<Spans>,
}

/// The part of a driver for file systems that span several volumes.
pub struct Spans {
    /// Which file system a volume is a device of. Reads little, never fails.
    pub member: fn(&dyn ReadAt) -> Option<Member>,
    /// Opens one by its devices, in any order; missing ones are noted, and what does not need them is read.
    pub open: fn(&[Source]) -> Result<Opened, FormatError>,
}

/// A volume's part in a file system that may span several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The UUID of the file system.
    pub set: [u8; 16],
    /// The number of this device in it.
    pub device: u64,
    /// How many devices it has.
    pub count: u64,
}

/// The file systems that icecore reads.
pub static FILE_SYSTEMS: &[Driver] = &[
    Driver { name: "ext4", probe: ext4::probe, open: ext4::open, spans: None },
    Driver { name: "xfs", probe: xfs::probe, open: xfs::open, spans: None },
    Driver {
        name: "btrfs",
        probe: btrfs::probe,
        open: btrfs::open,
        spans: Some(Spans { member: btrfs::member, open: btrfs::open_devices }),
    },
    Driver { name: "erofs", probe: erofs::probe, open: erofs::open, spans: None },
    Driver { name: "squashfs", probe: squashfs::probe, open: squashfs::open, spans: None },
    Driver { name: "ntfs", probe: ntfs::probe, open: ntfs::open, spans: None },
    Driver { name: "exfat", probe: exfat::probe, open: exfat::open, spans: None },
    Driver { name: "vfat", probe: fat::probe, open: fat::open, spans: None },
];

/// Opens the file system that a volume holds, `None` if it is none that icecore reads. A volume whose beginning
/// cannot be read is an error.
pub fn open(source: &Source) -> Option<Result<Opened, FormatError>> {
    open_set(std::slice::from_ref(source))
}

/// What must be told of a file system that has more bytes than its volume: what lay behind was cut off, as by a copy that
/// ended early. The kernel mounts none of these.
fn cut(name: &str, bytes: u64, volume: u64) -> Option<FormatError> {
    let what = || format!("{name} of {bytes} bytes, of which there are {volume}");
    (volume < bytes).then(|| FormatError::Unsupported { code: Code::Truncated, what: what() })
}

/// The name of the file system that a volume begins like, whether or not it can be opened.
pub fn kind(source: &dyn ReadAt) -> Option<&'static str> {
    driver(source).map(|driver| driver.name)
}

/// The first driver that knows what a volume begins like.
fn driver(source: &dyn ReadAt) -> Option<&'static Driver> {
    FILE_SYSTEMS.iter().find(|driver| (driver.probe)(source))
}

/// Which file system of several volumes a volume belongs to; `None` if it stands alone.
pub fn member(source: &Source) -> Option<Member> {
    (driver(source)?.spans.as_ref()?.member)(source).filter(|member| member.count > 1)
}

/// Opens the file system of which `sources` are volumes, in any order; `None` as for [`open`].
pub fn open_set(sources: &[Source]) -> Option<Result<Opened, FormatError>> {
    let first = sources.first()?;
    let probed = Probed::new(first);
    let Some(driver) = driver(&probed) else {
        return probed.failure().map(|error| Err(FormatError::reading("volume", 0)(error)));
    };
    Some(match &driver.spans {
        Some(spans) => (spans.open)(sources),
        None => (driver.open)(Arc::clone(first)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::{
            Memory,
            fault::{Fault, Faulty, When},
        },
        gap::Code,
    };

    #[test]
    fn device_numbers() {
        assert_eq!(device_number(0), Device::default(), "an overlay whiteout");
        assert_eq!(device_number(0x0000_0801), Device { major: 8, minor: 1 });
        assert_eq!(device_number(0x1111_0370), Device { major: 259, minor: 70_000 });
        assert_eq!(device_number(0xffff_ffff), Device { major: 0xfff, minor: 0xf_ffff });
    }

    #[test]
    fn storage_that_fails_is_not_an_unknown_file_system() {
        let empty: Source = Arc::new(Memory::new(vec![0; 1 << 20]));
        assert!(open(&empty).is_none());
        let failing: Source = Arc::new(Faulty::new(empty, Fault::Error, When::Nth(0)));
        let Some(Err(error)) = open(&failing) else { panic!("no error") };
        assert_eq!(error.code(), Code::ReadError);
    }
}
