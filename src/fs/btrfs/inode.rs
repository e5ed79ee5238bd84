//! Inodes ("On-disk format", `btrfs_inode_item`), checked.

use zerocopy::FromBytes;

use super::{
    format::RawInode,
    key::{INODE_ITEM, Key},
    subvolumes::Place,
    tree::Item,
    volume::Volume,
};
use crate::{
    error::FormatError,
    fs::{Device, FileKind, Ino, Stat, Timestamp},
};

pub(super) const STRUCTURE: &str = "btrfs inode";
const NODATASUM: u64 = 1;

/// An inode.
#[derive(Clone)]
pub(super) struct Inode {
    pub(super) place: Place,
    /// Where its node lies.
    pub(super) offset: u64,
    pub(super) raw: RawInode,
    /// Bytes of data.
    pub(super) size: u64,
}

impl Inode {
    /// The key of an inode.
    pub(super) fn key(number: u64) -> Key {
        Key::new(number, INODE_ITEM, 0)
    }

    /// The inode of an item.
    pub(super) fn parse(place: Place, bytes: &[u8], offset: u64) -> Result<Self, FormatError> {
        let corrupt =
            |problem| FormatError::corrupt(STRUCTURE, offset, format!("{}: {problem}", place.number));
        let Ok((raw, _)) = RawInode::read_from_prefix(bytes) else {
            return Err(corrupt(format!("{} bytes", bytes.len())));
        };
        let size = raw.size.get();
        match i64::try_from(size) {
            Ok(_) => Ok(Self { place, offset, raw, size }),
            Err(_) => Err(corrupt(format!("size {size:#x}"))),
        }
    }

    /// What it is.
    pub(super) fn kind(&self) -> Result<FileKind, FormatError> {
        let mode = self.raw.mode.get();
        FileKind::from_mode(mode).ok_or_else(|| self.corrupt(format!("mode {mode:o}")))
    }

    /// Its attributes, under the number `ino`.
    pub(super) fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        let raw = &self.raw;
        let kind = self.kind()?;
        let is_device = matches!(kind, FileKind::CharDevice | FileKind::BlockDevice);
        Ok(Stat {
            ino,
            kind,
            mode: raw.mode.get() & 0o7777,
            uid: raw.uid.get(),
            gid: raw.gid.get(),
            links: u64::from(raw.nlink.get()),
            size: self.size,
            rdev: if is_device { device(raw.rdev.get()) } else { Device::default() },
            mtime: Timestamp { seconds: raw.mtime.sec.get(), nanos: raw.mtime.nsec.get().min(999_999_999) },
        })
    }

    /// The directory that stands where a subvolume did not come with the snapshot of its parent, this
    /// directory: it has the owner of this one, and nothing else (the kernel shows the time of the look-up as
    /// its time).
    pub(super) fn stat_absent(&self, ino: Ino) -> Result<Stat, FormatError> {
        let stat = self.stat(ino)?;
        Ok(Stat {
            kind: FileKind::Directory,
            mode: 0o755,
            links: 1,
            size: 0,
            rdev: Device::default(),
            ..stat
        })
    }

    /// Whether its data has checksums.
    pub(super) fn has_sums(&self) -> bool {
        self.raw.flags.get() & NODATASUM == 0
    }

    pub(super) fn corrupt(&self, problem: impl std::fmt::Display) -> FormatError {
        FormatError::corrupt(STRUCTURE, self.offset, format!("{}: {problem}", self.place.number))
    }
}

impl Volume {
    /// An inode that a number means; of an absent subvolume, the directory that names it.
    pub(super) fn inode(&self, place: Place) -> Result<Inode, FormatError> {
        let tree = self.tree(place)?;
        let item: Option<Item> = tree.find(&self.nodes, Inode::key(place.number))?;
        match item {
            Some(item) => Inode::parse(place, item.data(), item.offset),
            None => {
                let problem = format!("{} of subvolume {} is missing", place.number, tree.root.tree);
                Err(FormatError::corrupt(STRUCTURE, self.nodes.space.offset(tree.root.logical, 0), problem))
            }
        }
    }
}

/// The kernel's own encoding: 20 bits of minor number, the major above them.
fn device(rdev: u64) -> Device {
    let major = u32::try_from(rdev >> 20).unwrap_or(u32::MAX);
    Device { major, minor: u32::try_from(rdev & 0xf_ffff).unwrap_or(0) }
}
