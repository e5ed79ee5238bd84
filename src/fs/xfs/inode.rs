//! Inodes (XFS Algorithms & Data Structures, "On-disk Inode"), checked.

use std::{ops::Range, sync::Arc};

use zerocopy::FromBytes;

use super::{
    checksum,
    format::{INODE_CRC, RawInode, RawInodeV3},
    superblock::Superblock,
};
use crate::{
    bytes::be32,
    error::FormatError,
    fs::{Device, FileKind, Ino, Stat, Timestamp},
    num,
};

pub(super) const STRUCTURE: &str = "XFS inode";
pub(super) const MAGIC: [u8; 2] = *b"IN";
/// Bytes before the forks in versions 1 and 2, and in version 3.
const FIXED: usize = size_of::<RawInode>();
const FIXED_V3: usize = FIXED + size_of::<RawInodeV3>();

/// `di_flags`: the data lies on the realtime device.
const REALTIME: u16 = 0x1;
/// `di_flags2`: times count nanoseconds from 1901.
const BIGTIME: u64 = 0x8;
/// `di_flags2`: wide counters of extents.
const LARGE_COUNTERS: u64 = 0x10;

/// How a fork holds what it holds (`di_format`, `di_aformat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A device number.
    Device,
    /// The content itself.
    Local,
    /// Extents.
    Extents,
    /// The root of a B-tree of extents.
    Btree,
}

/// One of an inode's two forks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fork<'a> {
    pub(super) format: Format,
    pub(super) bytes: &'a [u8],
    /// Where it lies in the volume.
    pub(super) offset: u64,
    /// The number of extents.
    pub(super) extents: u64,
}

/// An inode whose checksum (if it has one) is right.
#[derive(Clone)]
pub(super) struct Inode {
    pub(super) number: u64,
    /// Where it lies in the volume, in bytes.
    pub(super) offset: u64,
    raw: RawInode,
    flags2: u64,
    /// The block that it came from; `literal` finds the bytes of its forks.
    table: Arc<[u8]>,
    literal: Range<usize>,
    /// Bytes of data.
    pub(super) size: u64,
}

impl Inode {
    /// The inode that begins at byte `at` of `table`, a block of inodes.
    pub(super) fn parse(
        superblock: &Superblock,
        number: u64,
        offset: u64,
        table: Arc<[u8]>,
        at: usize,
    ) -> Result<Self, FormatError> {
        let corrupt =
            |problem: String| FormatError::corrupt(STRUCTURE, offset, format!("{number}: {problem}"));
        let end = at.saturating_add(num::index(superblock.inode_size));
        let bytes = table.get(at..end).ok_or_else(|| corrupt("passes the end of its block".to_owned()))?;
        let Ok((raw, rest)) = RawInode::read_from_prefix(bytes) else {
            return Err(corrupt(format!("{} bytes", bytes.len())));
        };
        if raw.di_magic.to_bytes() != MAGIC {
            return Err(corrupt(format!("magic {:#06x}", raw.di_magic)));
        }
        let version = raw.di_version;
        let (fixed, flags2) = match (superblock.features.crc(), version) {
            (true, 3) => {
                checksum::check(bytes, INODE_CRC).map_err(corrupt)?;
                (FIXED_V3, check_v3(superblock, number, rest).map_err(corrupt)?)
            }
            (false, 1 | 2) => (FIXED, 0),
            _ => return Err(corrupt(format!("version {version}"))),
        };
        if raw.di_mode.get() == 0 {
            return Err(corrupt("is free".to_owned()));
        }
        let size = raw.di_size.get();
        if i64::try_from(size).is_err() {
            return Err(corrupt(format!("size {size:#x}")));
        }
        let literal = at.saturating_add(fixed)..end;
        let inode = Self { number, offset, raw, flags2, table, literal, size };
        inode.check_forks(at)?;
        Ok(inode)
    }

    fn check_forks(&self, at: usize) -> Result<(), FormatError> {
        let data =
            self.data_format().ok_or_else(|| self.corrupt(format!("format {}", self.raw.di_format)))?;
        let kind = self.kind()?;
        let allowed = match kind {
            FileKind::Regular => matches!(data, Format::Extents | Format::Btree),
            FileKind::Directory | FileKind::Symlink => data != Format::Device,
            _ => data == Format::Device,
        };
        if !allowed {
            return Err(self.corrupt(format!("format {} of mode {:o}", self.raw.di_format, self.raw.di_mode)));
        }
        if self.attribute_offset() > self.literal.len() {
            return Err(self.corrupt(format!("di_forkoff {} in {at}", self.raw.di_forkoff)));
        }
        if data == Format::Local && num::to_usize(self.size) > self.data().bytes.len() {
            return Err(self.corrupt(format!("{} bytes in the inode", self.size)));
        }
        Ok(())
    }

    /// What it is.
    pub(super) fn kind(&self) -> Result<FileKind, FormatError> {
        let mode = self.raw.di_mode.get();
        FileKind::from_mode(mode.into()).ok_or_else(|| self.corrupt(format!("mode {mode:o}")))
    }

    /// Names that lead to it.
    pub(super) fn links(&self) -> u32 {
        match self.raw.di_version {
            1 => self.raw.di_onlink.get().into(),
            _ => self.raw.di_nlink.get(),
        }
    }

    /// Its attributes.
    pub(super) fn stat(&self) -> Result<Stat, FormatError> {
        let raw = &self.raw;
        let kind = self.kind()?;
        let device = matches!(kind, FileKind::CharDevice | FileKind::BlockDevice);
        Ok(Stat {
            ino: Ino(self.number),
            kind,
            mode: u32::from(raw.di_mode.get()) & 0o7777,
            uid: raw.di_uid.get(),
            gid: raw.di_gid.get(),
            links: self.links().into(),
            size: self.size,
            rdev: if device { device_number(self.data().bytes) } else { Device::default() },
            mtime: timestamp(raw.di_mtime.get(), self.flags2 & BIGTIME != 0),
        })
    }

    /// Whether the data lies on the realtime device.
    pub(super) fn is_realtime(&self) -> bool {
        self.raw.di_flags.get() & REALTIME != 0
    }

    /// The fork that holds the data.
    pub(super) fn data(&self) -> Fork<'_> {
        let length = match self.attribute_offset() {
            0 => self.literal.len(),
            offset => offset,
        };
        let large = self.flags2 & LARGE_COUNTERS != 0;
        let extents = if large { self.raw.di_big_nextents.get() } else { self.raw.di_nextents.get().into() };
        self.fork(0, length, self.data_format().unwrap_or(Format::Local), extents)
    }

    /// The fork that holds the extended attributes, if there is one.
    pub(super) fn attributes(&self) -> Result<Option<Fork<'_>>, FormatError> {
        let start = self.attribute_offset();
        if start == 0 {
            return Ok(None);
        }
        let format = match format(self.raw.di_aformat) {
            None | Some(Format::Device) => {
                return Err(self.corrupt(format!("di_aformat {}", self.raw.di_aformat)));
            }
            Some(format) => format,
        };
        let large = self.flags2 & LARGE_COUNTERS != 0;
        let extents =
            if large { self.raw.di_nextents.get().into() } else { self.raw.di_anextents.get().into() };
        let length = self.literal.len().saturating_sub(start);
        Ok(Some(self.fork(start, length, format, extents)))
    }

    fn fork(&self, start: usize, length: usize, format: Format, extents: u64) -> Fork<'_> {
        let from = self.literal.start.saturating_add(start);
        let bytes = self.table.get(from..from.saturating_add(length)).unwrap_or_default();
        // The inode's end is where the literal area's is: an inode's bytes before it are of known length.
        let fixed = if self.raw.di_version == 3 { FIXED_V3 } else { FIXED };
        let offset = self.offset.saturating_add(num::to_u64(fixed.saturating_add(start)));
        Fork { format, bytes, offset, extents }
    }

    fn data_format(&self) -> Option<Format> {
        format(self.raw.di_format)
    }

    /// Bytes from the forks' start to the attribute fork; 0 if there is none.
    fn attribute_offset(&self) -> usize {
        usize::from(self.raw.di_forkoff).saturating_mul(8)
    }

    pub(super) fn corrupt(&self, problem: impl std::fmt::Display) -> FormatError {
        FormatError::corrupt(STRUCTURE, self.offset, format!("{}: {problem}", self.number))
    }
}

/// Checks what an inode of version 3 says of itself; returns `di_flags2`.
fn check_v3(superblock: &Superblock, number: u64, rest: &[u8]) -> Result<u64, String> {
    let Ok((raw, _)) = RawInodeV3::ref_from_prefix(rest) else {
        return Err(format!("{} bytes after the fixed fields", rest.len()));
    };
    if raw.di_ino.get() != number || raw.di_uuid != superblock.meta_uuid {
        return Err(format!("it says that it is {}, or of another volume", raw.di_ino));
    }
    Ok(raw.di_flags2.get())
}

fn format(byte: u8) -> Option<Format> {
    Some(match byte {
        0 => Format::Device,
        1 => Format::Local,
        2 => Format::Extents,
        3 => Format::Btree,
        _ => return None,
    })
}

/// "Inode Timestamps": seconds and nanoseconds of 32 bits each, or nanoseconds since the earliest time that those can
/// express.
fn timestamp(raw: u64, bigtime: bool) -> Timestamp {
    const SECOND: u64 = 1_000_000_000;
    const EARLIEST: i64 = -(1 << 31);
    let [a, b, c, d, e, f, g, h] = raw.to_be_bytes();
    match bigtime {
        true => Timestamp {
            seconds: i64::try_from(raw / SECOND).unwrap_or(i64::MAX).saturating_add(EARLIEST),
            nanos: u32::try_from(raw % SECOND).unwrap_or(0),
        },
        false => Timestamp {
            seconds: i32::from_be_bytes([a, b, c, d]).into(),
            nanos: u32::from_be_bytes([e, f, g, h]).min(999_999_999),
        },
    }
}

/// "Device special files": 14 bits of the driver, 18 of the device.
fn device_number(fork: &[u8]) -> Device {
    let raw = be32(fork, 0).unwrap_or(0);
    Device { major: raw >> 18, minor: raw & 0x3_ffff }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_encodings() {
        let at = |raw, bigtime| {
            let time = timestamp(raw, bigtime);
            (time.seconds, time.nanos)
        };
        assert_eq!(at(0xffff_ffff_0000_0001, false), (-1, 1));
        assert_eq!(at(0x7fff_ffff_ffff_ffff, false), (0x7fff_ffff, 999_999_999));
        assert_eq!(at(0, true), (-0x8000_0000, 0));
        assert_eq!(at(0x8000_0000 * 1_000_000_000 + 5, true), (0, 5));
        assert_eq!(at(u64::MAX, true).0, 16_299_260_425);
    }

    #[test]
    fn device_numbers() {
        assert_eq!(device_number(&[0, 0x20, 0, 1]), Device { major: 8, minor: 1 });
        assert_eq!(device_number(&[0; 4]), Device::default(), "an overlay whiteout");
    }
}
