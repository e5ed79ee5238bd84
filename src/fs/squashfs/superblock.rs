//! The superblock, checked.

use zerocopy::FromBytes;

use super::format::RawSuperblock;
use crate::{
    block::{ReadAt, read_vec},
    error::FormatError,
    fs::unpack::Codec,
    gap::Code,
};

pub(super) const STRUCTURE: &str = "squashfs superblock";
pub(super) const MAGIC: [u8; 4] = *b"hsqs";
/// A table that there is not.
const ABSENT: u64 = u64::MAX;

/// What is needed of the superblock.
#[derive(Debug, Clone)]
pub(super) struct Superblock {
    /// Bytes of a block of data: a power of two from 4 KiB to 1 MiB.
    pub(super) block_size: u32,
    pub(super) codec: Codec,
    /// The place of the root's inode.
    pub(super) root: u64,
    bytes: u64,
    pub(super) ids: u16,
    pub(super) fragments: u32,
    pub(super) id_table: u64,
    pub(super) xattr_table: Option<u64>,
    pub(super) inode_table: u64,
    pub(super) directory_table: u64,
    pub(super) fragment_table: u64,
}

/// Whether a superblock is there.
pub(super) fn is_there(source: &dyn ReadAt) -> bool {
    let mut magic = [0; 4];
    source.read_at(&mut magic, 0).is_ok() && magic == MAGIC
}

/// Reads and checks the superblock.
pub(super) fn read(source: &dyn ReadAt) -> Result<Superblock, FormatError> {
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, 0, problem);
    let bytes = read_vec(source, STRUCTURE, 0, size_of::<RawSuperblock>())?;
    let raw = RawSuperblock::ref_from_bytes(&bytes);
    let raw = raw.map_err(|_| corrupt(format!("{} bytes", bytes.len())))?;
    if raw.s_magic.get().to_le_bytes() != MAGIC {
        return Err(corrupt(format!("magic {:#010x}", raw.s_magic)));
    }
    if (raw.s_major.get(), raw.s_minor.get()) != (4, 0) {
        let what = format!("squashfs version {}.{}", raw.s_major, raw.s_minor);
        return Err(FormatError::unsupported(what));
    }
    let unknown = unknown(raw.flags.get());
    if !unknown.is_empty() {
        return Err(FormatError::unsupported(format!("squashfs flag {}", unknown.join(", "))));
    }
    let block_size = raw.block_size.get();
    let log = u32::from(raw.block_log.get());
    if !(12..=20).contains(&log) || 1u32.checked_shl(log) != Some(block_size) {
        return Err(corrupt(format!("block_size {block_size}, its logarithm {log}")));
    }
    let tables = [raw.inode_table_start, raw.directory_table_start, raw.id_table_start];
    if tables.iter().any(|table| table.get() >= raw.bytes_used.get()) {
        return Err(corrupt(format!("tables at {tables:x?} in {} bytes", raw.bytes_used)));
    }
    Ok(Superblock {
        block_size,
        codec: codec(raw.compression.get())?,
        root: raw.root_inode.get(),
        bytes: raw.bytes_used.get(),
        ids: raw.no_ids.get(),
        fragments: raw.fragments.get(),
        id_table: raw.id_table_start.get(),
        xattr_table: Some(raw.xattr_id_table_start.get()).filter(|table| *table != ABSENT),
        inode_table: raw.inode_table_start.get(),
        directory_table: raw.directory_table_start.get(),
        fragment_table: raw.fragment_table_start.get(),
    })
}

/// The bits of `flags` that no version of the tools sets. The others say how the writer was called; what is compressed, each
/// block says itself.
fn unknown(flags: u16) -> Vec<String> {
    const KNOWN: u32 = 12;
    (KNOWN..u16::BITS).filter(|bit| flags >> bit & 1 == 1).map(|bit| format!("bit {bit}")).collect()
}

fn codec(number: u16) -> Result<Codec, FormatError> {
    Ok(match number {
        1 => Codec::Zlib,
        2 => Codec::Lzma,
        3 => Codec::Lzo,
        4 => Codec::Xz,
        5 => Codec::Lz4,
        6 => Codec::Zstd,
        _ => return Err(FormatError::unsupported(format!("squashfs compression {number}"))),
    })
}

impl Superblock {
    /// What must be told if the volume has fewer bytes than the file system.
    pub(super) fn is_cut(&self, size: u64) -> Option<FormatError> {
        let what = || format!("squashfs of {} bytes, of which there are {size}", self.bytes);
        (size < self.bytes).then(|| FormatError::Unsupported { code: Code::Truncated, what: what() })
    }
}
