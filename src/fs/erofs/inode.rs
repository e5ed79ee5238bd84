//! Inodes ("On-disk details", Inodes), checked.

use std::ops::Range;

use zerocopy::FromBytes;

use super::{
    features,
    format::{RawCompact, RawExtended, RawXattrHeader},
    superblock::{Superblock, seconds},
};
use crate::{
    error::FormatError,
    fs::{Device, FileKind, Ino, Stat, Timestamp, device_number},
    num,
};

pub(super) const STRUCTURE: &str = "EROFS inode";

/// Bytes of the two forms.
pub(super) const COMPACT: usize = size_of::<RawCompact>();
pub(super) const EXTENDED: usize = size_of::<RawExtended>();
/// Of `i_format`: the form, and what the other bits may be.
const IS_EXTENDED: u16 = 0x1;
const LAYOUT_BITS: u16 = 0x7;
const KNOWN: u16 = 0xf;

/// How an inode's data lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Side by side.
    Plain,
    /// Side by side, with the last block's part behind the inode.
    Inline,
    /// In chunks, of which a table behind the inode tells the places; the bits of a chunk's size and the bytes of
    /// an entry of the table.
    Chunks { bits: u32, entry: u64 },
    /// Compressed, with an index of eight bytes for each cluster.
    Full,
    /// Compressed, with an index of four or two bytes for each cluster.
    Compact,
}

/// An inode.
#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) number: u64,
    /// Where it lies in the volume, in bytes.
    pub(super) offset: u64,
    pub(super) layout: Layout,
    pub(super) kind: FileKind,
    /// Bytes of data.
    pub(super) size: u64,
    /// A block, a device number, or the form of chunks.
    pub(super) word: u32,
    /// Where its extended attributes lie; what else belongs to it is behind them.
    pub(super) xattrs: Range<u64>,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u32,
    mtime: Timestamp,
}

/// What the two forms have.
struct Fields {
    format: u16,
    length: usize,
    xattr_count: u16,
    mode: u16,
    size: u64,
    word: u32,
    uid: u32,
    gid: u32,
    links: u32,
    mtime: Timestamp,
}

/// Whether the form that begins like this is the larger one.
pub(super) fn is_extended(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|byte| u16::from(*byte) & IS_EXTENDED != 0)
}

impl Inode {
    /// Checks the inode in `bytes`, which lay at `offset`.
    pub(super) fn parse(
        superblock: &Superblock,
        number: u64,
        offset: u64,
        bytes: &[u8],
    ) -> Result<Self, FormatError> {
        let corrupt =
            |problem: String| FormatError::corrupt(STRUCTURE, offset, format!("{number}: {problem}"));
        let fields = fields(superblock, bytes).ok_or_else(|| corrupt(format!("{} bytes", bytes.len())))?;
        if fields.format & !KNOWN != 0 {
            let what = format!("EROFS inode {number}: i_format {:#x}", fields.format);
            return Err(FormatError::unsupported(what));
        }
        let mode = u32::from(fields.mode);
        let kind = FileKind::from_mode(mode).ok_or_else(|| corrupt(format!("mode {mode:o}")))?;
        if i64::try_from(fields.size).is_err() {
            return Err(corrupt(format!("size {:#x}", fields.size)));
        }
        let start = offset.saturating_add(num::to_u64(fields.length));
        let xattrs = match u64::from(fields.xattr_count) {
            0 => 0,
            count => count
                .saturating_sub(1)
                .saturating_mul(4)
                .saturating_add(num::to_u64(size_of::<RawXattrHeader>())),
        };
        Ok(Self {
            number,
            offset,
            layout: layout(superblock, number, &fields)?,
            kind,
            size: fields.size,
            word: fields.word,
            xattrs: start..start.saturating_add(xattrs),
            mode: mode & 0o7777,
            uid: fields.uid,
            gid: fields.gid,
            links: fields.links,
            mtime: fields.mtime,
        })
    }

    /// Its attributes.
    pub(super) fn stat(&self) -> Stat {
        let device = matches!(self.kind, FileKind::CharDevice | FileKind::BlockDevice);
        Stat {
            ino: Ino(self.number),
            kind: self.kind,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            links: self.links.into(),
            size: self.size,
            rdev: if device { device_number(self.word) } else { Device::default() },
            mtime: self.mtime,
        }
    }

    /// Where what is behind the attributes begins: the last part of the data, or tables that find it.
    pub(super) fn body(&self) -> u64 {
        self.xattrs.end
    }

    /// Where the bytes from `offset` on lie if the data lies side by side: the first's place, and how many follow it.
    pub(super) fn flat(&self, superblock: &Superblock, offset: u64) -> Result<(u64, u64), FormatError> {
        let tail = match self.layout {
            Layout::Inline => superblock.offset(self.size.saturating_sub(1) >> superblock.block_bits),
            _ => self.size,
        };
        if offset < tail {
            let place = superblock.offset(self.word.into()).saturating_add(offset);
            return Ok((place, tail.saturating_sub(offset)));
        }
        let length = self.size.saturating_sub(tail);
        let start = self.body();
        if superblock.within(start).saturating_add(length) > superblock.block_size() {
            return Err(self.corrupt(format!("{length} bytes behind the inode pass the end of their block")));
        }
        Ok((start.saturating_add(offset.saturating_sub(tail)), self.size.saturating_sub(offset)))
    }

    pub(super) fn corrupt(&self, problem: impl std::fmt::Display) -> FormatError {
        FormatError::corrupt(STRUCTURE, self.offset, format!("{}: {problem}", self.number))
    }
}

fn fields(superblock: &Superblock, bytes: &[u8]) -> Option<Fields> {
    if is_extended(bytes) {
        let (raw, _) = RawExtended::ref_from_prefix(bytes).ok()?;
        return Some(Fields {
            format: raw.i_format.get(),
            length: size_of::<RawExtended>(),
            xattr_count: raw.i_xattr_icount.get(),
            mode: raw.i_mode.get(),
            size: raw.i_size.get(),
            word: raw.i_u.get(),
            uid: raw.i_uid.get(),
            gid: raw.i_gid.get(),
            links: raw.i_nlink.get(),
            mtime: Timestamp {
                seconds: seconds(raw.i_mtime.get()),
                nanos: raw.i_mtime_nsec.get().min(999_999_999),
            },
        });
    }
    let (raw, _) = RawCompact::ref_from_prefix(bytes).ok()?;
    let (epoch, nanos) = superblock.epoch;
    Some(Fields {
        format: raw.i_format.get(),
        length: size_of::<RawCompact>(),
        xattr_count: raw.i_xattr_icount.get(),
        mode: raw.i_mode.get(),
        size: raw.i_size.get().into(),
        word: raw.i_u.get(),
        uid: raw.i_uid.get().into(),
        gid: raw.i_gid.get().into(),
        links: raw.i_nlink.get().into(),
        mtime: Timestamp { seconds: epoch.saturating_add(raw.i_mtime.get().into()), nanos },
    })
}

fn layout(superblock: &Superblock, number: u64, fields: &Fields) -> Result<Layout, FormatError> {
    const CHUNK_BITS: u32 = 0x1f;
    const CHUNK_INDEXES: u32 = 0x20;
    let unsupported = |what: String| FormatError::unsupported(format!("EROFS inode {number}: {what}"));
    Ok(match fields.format >> 1 & LAYOUT_BITS {
        0 => Layout::Plain,
        1 => Layout::Full,
        2 => Layout::Inline,
        3 => Layout::Compact,
        4 => {
            let format = fields.word & 0xffff;
            if format & !(CHUNK_BITS | CHUNK_INDEXES) != 0 || !superblock.has(features::CHUNKED_FILE) {
                return Err(unsupported(format!("chunk format {format:#x}")));
            }
            let bits = superblock.block_bits.saturating_add(format & CHUNK_BITS);
            Layout::Chunks { bits, entry: if format & CHUNK_INDEXES == 0 { 4 } else { 8 } }
        }
        other => return Err(unsupported(format!("data layout {other}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gap::Code;

    fn superblock() -> Superblock {
        let mut bytes = vec![0; 128];
        bytes[..4].copy_from_slice(&crate::fs::erofs::superblock::MAGIC.to_le_bytes());
        bytes[12] = 12;
        bytes[80] = 0x7f;
        let volume = crate::block::Memory::new([vec![0; 1024], bytes].concat());
        crate::fs::erofs::superblock::read(&volume).unwrap()
    }

    /// Every bit of `i_format`, and of a chunk's form.
    #[test]
    fn unknown_forms_are_refused_by_name() {
        let parse = |format: u16, word: u16| {
            let mut bytes = vec![0; 64];
            bytes[..2].copy_from_slice(&format.to_le_bytes());
            bytes[4..6].copy_from_slice(&0o100_644u16.to_le_bytes());
            bytes[16..18].copy_from_slice(&word.to_le_bytes());
            Inode::parse(&superblock(), 7, 0x1000, &bytes)
        };
        for layout in 0..8 {
            let inode = parse(layout << 1, 0);
            assert_eq!(inode.is_ok(), layout < 5, "{layout}");
        }
        for bit in 4..16 {
            let error = parse(1 << bit, 0).unwrap_err();
            assert_eq!(error.code(), Code::UnsupportedFeature);
            assert!(error.detail().starts_with("EROFS inode 7: i_format 0x"), "{}", error.detail());
        }
        for bit in 0..16 {
            let inode = parse(4 << 1, 1 << bit);
            assert_eq!(inode.is_ok(), bit < 6, "{bit}");
        }
    }
}
