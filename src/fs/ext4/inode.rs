//! Inodes (inodes.rst), checked.

use std::sync::Arc;

use zerocopy::FromBytes;

use super::{
    checksum, features,
    format::{RawInode, RawInodeExtra, join},
    superblock::Superblock,
};
use crate::{
    bytes::is_sound,
    error::FormatError,
    fs::{Device, FileKind, Ino, Stat, Timestamp},
    num,
};

pub(super) const STRUCTURE: &str = "ext4 inode";
/// The root directory's number.
pub(super) const ROOT: u32 = 2;

const FIXED: usize = 128;
const ENCRYPT: u32 = 0x800;
const INDEX: u32 = 0x1000;
const HUGE_FILE: u32 = 0x4_0000;
const EXTENTS: u32 = 0x8_0000;
const EA_INODE: u32 = 0x20_0000;
const INLINE_DATA: u32 = 0x1000_0000;

/// An inode whose checksum (if it has one) is right.
#[derive(Clone)]
pub(super) struct Inode {
    pub(super) number: u32,
    /// Where it lies in the volume, in bytes.
    pub(super) offset: u64,
    pub(super) raw: RawInode,
    /// The block of the inode table that it came from; `tail` finds its bytes after the fixed part.
    table: Arc<[u8]>,
    tail: std::ops::Range<usize>,
    extra_size: u16,
    /// The seed of the checksums of what belongs to it.
    pub(super) seed: Option<u32>,
    /// Bytes of data.
    pub(super) size: u64,
}

impl Inode {
    /// The inode that begins at byte `at` of `table`, a block of the inode table.
    pub(super) fn parse(
        superblock: &Superblock,
        number: u32,
        offset: u64,
        table: Arc<[u8]>,
        at: usize,
    ) -> Result<Self, FormatError> {
        Self::read(superblock, number, (offset, table, at), true)
    }

    /// An inode from a record of a fast commit, which has a checksum of its own.
    pub(super) fn recorded(
        superblock: &Superblock,
        number: u32,
        offset: u64,
        bytes: Arc<[u8]>,
    ) -> Result<Self, FormatError> {
        Self::read(superblock, number, (offset, bytes, 0), false)
    }

    fn read(
        superblock: &Superblock,
        number: u32,
        (offset, table, at): (u64, Arc<[u8]>, usize),
        checked: bool,
    ) -> Result<Self, FormatError> {
        let corrupt =
            |problem: String| FormatError::corrupt(STRUCTURE, offset, format!("{number}: {problem}"));
        let end = at.saturating_add(usize::from(superblock.inode_size));
        let bytes = table.get(at..end).ok_or_else(|| corrupt("passes the end of its table".to_owned()))?;
        let Ok((raw, extra)) = RawInode::read_from_prefix(bytes) else {
            return Err(corrupt(format!("{} bytes", bytes.len())));
        };
        let extra_size = match extra.first_chunk() {
            Some(size) => u16::from_le_bytes(*size),
            None => 0,
        };
        if usize::from(extra_size) > extra.len() || extra_size % 4 != 0 {
            return Err(corrupt(format!("i_extra_isize {extra_size}")));
        }
        let seed = superblock.seed.map(|seed| {
            checksum::crc32c_parts(seed, &[&number.to_le_bytes(), &raw.i_generation.get().to_le_bytes()])
        });
        if let Some(seed) = seed.filter(|_| checked) {
            check_checksum(seed, &raw, extra_size, bytes).map_err(corrupt)?;
        }
        let regular = FileKind::from_mode(raw.i_mode.get().into()) == Some(FileKind::Regular);
        let large = regular || superblock.features.incompat(features::LARGEDIR);
        let size = join(if large { raw.i_size_high.get() } else { 0 }, raw.i_size_lo);
        if i64::try_from(size).is_err() {
            return Err(corrupt(format!("size {size:#x}")));
        }
        let flags = raw.i_flags.get();
        if flags & INLINE_DATA != 0
            && (flags & EXTENTS != 0 || !superblock.features.incompat(features::INLINE_DATA))
        {
            return Err(corrupt(format!("inline data, flags {flags:#x}")));
        }
        let tail = at.saturating_add(FIXED)..end;
        Ok(Self { number, offset, raw, table, tail, extra_size, seed, size })
    }

    /// An inode of 128 bytes that was put together from another structure.
    pub(super) fn unchecked(number: u32, offset: u64, bytes: Vec<u8>) -> Result<Self, FormatError> {
        let Ok((raw, _)) = RawInode::read_from_prefix(&bytes) else {
            return Err(FormatError::corrupt(STRUCTURE, offset, format!("{} bytes", bytes.len())));
        };
        let size = join(raw.i_size_high.get(), raw.i_size_lo);
        Ok(Self {
            number,
            offset,
            raw,
            table: bytes.into(),
            tail: FIXED..FIXED,
            extra_size: 0,
            seed: None,
            size,
        })
    }

    /// What it is.
    pub(super) fn kind(&self) -> Result<FileKind, FormatError> {
        let mode = self.raw.i_mode.get();
        FileKind::from_mode(mode.into()).ok_or_else(|| self.corrupt(format!("mode {mode:o}")))
    }

    /// Its attributes.
    pub(super) fn stat(&self) -> Result<Stat, FormatError> {
        let raw = &self.raw;
        let kind = self.kind()?;
        let device = matches!(kind, FileKind::CharDevice | FileKind::BlockDevice);
        Ok(Stat {
            ino: Ino(u64::from(self.number)),
            kind,
            mode: u32::from(raw.i_mode.get()) & 0o7777,
            uid: wide(raw.i_uid.get(), raw.i_uid_high.get()),
            gid: wide(raw.i_gid.get(), raw.i_gid_high.get()),
            links: u64::from(raw.i_links_count.get()),
            size: self.size,
            rdev: if device { device_number(&raw.i_block) } else { Device::default() },
            mtime: timestamp(raw.i_mtime.get(), self.extra().map_or(0, |extra| extra.i_mtime_extra.get())),
        })
    }

    /// The block of extended attributes, 0 if it has none.
    pub(super) fn xattr_block(&self) -> u64 {
        join(self.raw.i_file_acl_high.get(), self.raw.i_file_acl_lo)
    }

    /// The space for extended attributes after the fields of the inode.
    pub(super) fn xattr_space(&self) -> &[u8] {
        let tail = self.table.get(self.tail.clone()).unwrap_or_default();
        // Without i_extra_isize the kernel looks for no attributes here.
        match self.extra_size {
            0 => &[],
            size => tail.get(usize::from(size)..).unwrap_or_default(),
        }
    }

    /// Where [`Self::xattr_space`] begins in the volume.
    pub(super) fn xattr_space_offset(&self) -> u64 {
        self.offset.saturating_add(num::to_u64(FIXED)).saturating_add(u64::from(self.extra_size))
    }

    pub(super) fn has_extents(&self) -> bool {
        self.has(EXTENTS)
    }

    pub(super) fn has_inline_data(&self) -> bool {
        self.has(INLINE_DATA)
    }

    /// The error for names or data that fscrypt has encrypted.
    pub(super) fn check_encryption(&self, what: &str) -> Result<(), FormatError> {
        match self.has(ENCRYPT) {
            true => {
                Err(FormatError::unsupported(format!("ext4 encryption (fscrypt) of {what} {}", self.number)))
            }
            false => Ok(()),
        }
    }

    pub(super) fn is_indexed(&self) -> bool {
        self.has(INDEX)
    }

    /// Whether it holds the value of another inode's extended attribute.
    pub(super) fn is_xattr_value(&self) -> bool {
        self.has(EA_INODE)
    }

    /// Whether a symbolic link's target lies in `i_block`, by the rules of the kernel's
    /// `ext4_inode_is_fast_symlink`.
    pub(super) fn is_fast_symlink(&self, superblock: &Superblock) -> bool {
        if superblock.features.incompat(features::EA_INODE) {
            return self.size < num::to_u64(self.raw.i_block.len());
        }
        let unit = if self.has(HUGE_FILE) { u64::from(superblock.block_size) } else { 512 };
        let occupied = join(self.raw.i_blocks_high.get(), self.raw.i_blocks_lo).saturating_mul(unit);
        let xattrs = if self.xattr_block() == 0 { 0 } else { superblock.cluster_size };
        occupied == xattrs && !self.has_inline_data()
    }

    pub(super) fn corrupt(&self, problem: impl std::fmt::Display) -> FormatError {
        FormatError::corrupt(STRUCTURE, self.offset, format!("{}: {problem}", self.number))
    }

    fn has(&self, flag: u32) -> bool {
        self.raw.i_flags.get() & flag != 0
    }

    fn extra(&self) -> Option<&RawInodeExtra> {
        let tail = self.table.get(self.tail.clone())?.get(..usize::from(self.extra_size))?;
        RawInodeExtra::ref_from_prefix(tail).ok().map(|(extra, _)| extra)
    }
}

/// inodes.rst, "i_checksum_lo": over the whole inode with the checksum's fields as zeros.
fn check_checksum(seed: u32, raw: &RawInode, extra_size: u16, bytes: &[u8]) -> Result<(), String> {
    let part = |range: std::ops::Range<usize>| bytes.get(range).unwrap_or_default();
    let sum = checksum::crc32c_parts(seed, &[part(0..0x7c), &[0, 0], part(0x7e..FIXED)]);
    let high = RawInodeExtra::ref_from_prefix(part(FIXED..bytes.len())).ok().map(|(extra, _)| extra);
    let (sum, seen) = match high.filter(|_| extra_size >= 4) {
        Some(extra) => (
            checksum::crc32c_parts(sum, &[part(FIXED..0x82), &[0, 0], part(0x84..bytes.len())]),
            wide(raw.i_checksum_lo.get(), extra.i_checksum_hi.get()),
        ),
        None => {
            (checksum::crc32c(sum, part(FIXED..bytes.len())) & 0xffff, u32::from(raw.i_checksum_lo.get()))
        }
    };
    match is_sound(sum == seen) {
        true => Ok(()),
        false => Err(format!("checksum {seen:#010x} instead of {sum:#010x}")),
    }
}

fn wide(low: u16, high: u16) -> u32 {
    (u32::from(high) << 16) | u32::from(low)
}

/// inodes.rst, "Inode Timestamps": two bits of the extra field extend the seconds past 2038, the rest are
/// nanoseconds.
fn timestamp(seconds: u32, extra: u32) -> Timestamp {
    let epoch = i64::from(extra & 3) << 32;
    let seconds = i64::from(seconds.cast_signed());
    Timestamp { seconds: seconds.saturating_add(epoch), nanos: (extra >> 2).min(999_999_999) }
}

/// The old encoding (8 bits each) lies in the first word of `i_block`, the new (12 and 20 bits) in the second.
fn device_number(i_block: &[u8; 60]) -> Device {
    let word = |bytes: Option<&[u8; 4]>| bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let old = word(i_block.first_chunk());
    if old != 0 {
        return Device { major: (old >> 8) & 0xff, minor: old & 0xff };
    }
    let new = word(i_block.get(4..).and_then(<[u8]>::first_chunk));
    Device { major: (new >> 8) & 0xfff, minor: (new & 0xff) | ((new >> 12) & 0xf_ff00) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_and_after_2038() {
        let at = |seconds, extra| {
            let time = timestamp(seconds, extra);
            (time.seconds, time.nanos)
        };
        assert_eq!(at(0, 0), (0, 0));
        assert_eq!(at(0xffff_ffff, 4), (-1, 1));
        assert_eq!(at(0x8000_0000, 1), (0x8000_0000, 0), "2038-01-19");
        assert_eq!(at(0x7fff_ffff, 3), (0x3_7fff_ffff, 0), "2446-05-10");
        assert_eq!(at(0, u32::MAX).1, 999_999_999);
    }

    #[test]
    fn device_numbers_in_both_encodings() {
        let block = |old: u32, new: u32| {
            let mut block = [0; 60];
            block[..4].copy_from_slice(&old.to_le_bytes());
            block[4..8].copy_from_slice(&new.to_le_bytes());
            device_number(&block)
        };
        assert_eq!(block(0x0801, 0), Device { major: 8, minor: 1 });
        assert_eq!(block(0, 0), Device::default(), "an overlay whiteout");
        assert_eq!(block(0, 0x1231_0301), Device { major: 0x103, minor: 0x1_2301 });
    }
}
