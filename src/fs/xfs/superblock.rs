//! The superblock, checked (XFS Algorithms & Data Structures, "Superblocks"): the geometry that everything else is
//! found by.

use zerocopy::FromBytes;

use super::{
    checksum,
    features::{self, Features},
    format::{RawSuperblock, SUPERBLOCK_CRC},
};
use crate::{
    block::{ReadAt, read_vec},
    error::FormatError,
    gap::Code,
    num,
};

pub(super) const STRUCTURE: &str = "XFS superblock";
pub(super) const MAGIC: [u8; 4] = *b"XFSB";
/// Bytes that hold all that is read of it, and the smallest sector.
pub(super) const SECTOR: usize = 512;

/// What is needed of the superblock; no value contradicts another.
///
/// Blocks are counted from the volume's start, without the holes that the format's own block numbers have between
/// allocation groups.
#[derive(Debug, Clone)]
pub(super) struct Superblock {
    pub(super) features: Features,
    /// Bytes of a block: a power of two from 512 to 65,536.
    pub(super) block_size: u32,
    block_log: u32,
    pub(super) blocks: u64,
    group_blocks: u32,
    groups: u32,
    /// Bits of a block's number within its group.
    group_bits: u32,
    /// Bytes of an inode: a power of two from 256 to 2,048.
    pub(super) inode_size: u32,
    /// Bits of an inode's number within its block.
    inode_bits: u32,
    /// Bytes of a block of a directory, at least a block.
    pub(super) directory_block: u32,
    pub(super) root: u64,
    pub(super) uuid: [u8; 16],
    /// The UUID that metadata blocks have, which a new UUID of the volume does not change.
    pub(super) meta_uuid: [u8; 16],
    pub(super) label: Vec<u8>,
    /// The first block of the log, `None` if it is on another device.
    pub(super) log: Option<u64>,
    /// Blocks of the log.
    pub(super) log_blocks: u32,
    /// Whether there is a realtime device.
    pub(super) realtime: bool,
    /// Whether the first superblock says that `mkfs` has not finished.
    in_progress: bool,
}

/// Reads and checks the superblock at `offset`.
pub(super) fn read(source: &dyn ReadAt, offset: u64) -> Result<Superblock, FormatError> {
    let first = read_vec(source, STRUCTURE, offset, SECTOR)?;
    let sector = RawSuperblock::ref_from_prefix(&first).map_or(0, |(raw, _)| raw.sb_sectsize.get());
    // The checksum covers the whole sector; a size that is wrong is told with the rest.
    match sector.is_power_of_two() && (1024..=32768).contains(&sector) {
        true => parse(&read_vec(source, STRUCTURE, offset, usize::from(sector))?, offset),
        false => parse(&first, offset),
    }
}

/// Checks the superblock in `bytes`, which lay at `offset`.
fn parse(bytes: &[u8], offset: u64) -> Result<Superblock, FormatError> {
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
    let Ok((raw, _)) = RawSuperblock::ref_from_prefix(bytes) else {
        return Err(corrupt(format!("{} bytes", bytes.len())));
    };
    if raw.sb_magicnum.to_bytes() != MAGIC {
        return Err(corrupt(format!("magic {:#010x}", raw.sb_magicnum)));
    }
    let features = features(raw);
    if features.crc() {
        checksum::check(bytes, SUPERBLOCK_CRC).map_err(corrupt)?;
    }
    let unread = features.unread();
    if !unread.is_empty() {
        return Err(FormatError::unsupported(format!("XFS feature {}", unread.join(", "))));
    }
    if features.contradict() {
        let problem =
            format!("sb_versionnum {:#06x}, sb_features2 {:#x}", raw.sb_versionnum, raw.sb_features2);
        return Err(corrupt(problem));
    }
    let mut superblock = geometry(raw, features).map_err(corrupt)?;
    // Copies say so for ever.
    superblock.in_progress &= offset == 0;
    superblock.check_groups().map_err(corrupt)?;
    Ok(superblock)
}

fn features(raw: &RawSuperblock) -> Features {
    let version = raw.sb_versionnum.get();
    // Some old kernels wrote the second word where padding was expected.
    let features2 = raw.sb_features2.get() | raw.sb_bad_features2.get();
    let v4 = Features { version, features2, ro_compat: 0, incompat: 0, log_incompat: 0 };
    match v4.crc() {
        true => Features {
            ro_compat: raw.sb_features_ro_compat.get(),
            incompat: raw.sb_features_incompat.get(),
            log_incompat: raw.sb_features_log_incompat.get(),
            ..v4
        },
        false => v4,
    }
}

fn geometry(raw: &RawSuperblock, features: Features) -> Result<Superblock, String> {
    let size = |name: &str, size: u32, log: u8, allowed: std::ops::RangeInclusive<u32>| {
        let log = u32::from(log);
        match 1u32.checked_shl(log) == Some(size) && allowed.contains(&size) {
            true => Ok(log),
            false => Err(format!("sb_{name}size {size}, its logarithm {log}")),
        }
    };
    let block_size = raw.sb_blocksize.get();
    let block_log = size("block", block_size, raw.sb_blocklog, 512..=65_536)?;
    size("sect", raw.sb_sectsize.get().into(), raw.sb_sectlog, 512..=32_768)?;
    let inode_size = u32::from(raw.sb_inodesize.get());
    let inode_log = size("inode", inode_size, raw.sb_inodelog, 256..=2048.min(block_size))?;
    let inode_bits = block_log.saturating_sub(inode_log);
    let per_block = raw.sb_inopblock.get();
    if u32::from(raw.sb_inopblog) != inode_bits || 1u32.checked_shl(inode_bits) != Some(per_block.into()) {
        return Err(format!("sb_inopblock {per_block}, its logarithm {}", raw.sb_inopblog));
    }
    let directory_log = block_log.saturating_add(raw.sb_dirblklog.into());
    let directory_block = 1u32.checked_shl(directory_log).filter(|size| *size <= 65_536);
    let directory_block = directory_block.ok_or_else(|| format!("sb_dirblklog {}", raw.sb_dirblklog))?;
    let has_meta_uuid = features.crc() && features.incompat(features::META_UUID);
    let mut superblock = Superblock {
        features,
        block_size,
        block_log,
        blocks: raw.sb_dblocks.get(),
        group_blocks: raw.sb_agblocks.get(),
        groups: raw.sb_agcount.get(),
        group_bits: raw.sb_agblklog.into(),
        inode_size,
        inode_bits,
        directory_block,
        root: raw.sb_rootino.get(),
        uuid: raw.sb_uuid,
        meta_uuid: if has_meta_uuid { raw.sb_meta_uuid } else { raw.sb_uuid },
        label: raw.sb_fname.into_iter().take_while(|byte| *byte != 0).collect(),
        log: None,
        log_blocks: raw.sb_logblocks.get(),
        realtime: raw.sb_rblocks.get() != 0,
        in_progress: raw.sb_inprogress != 0,
    };
    superblock.log = match raw.sb_logstart.get() {
        0 => None,
        start => {
            let blocks = superblock.log_blocks;
            let found = superblock.linear(start, blocks.into());
            Some(found.ok_or_else(|| format!("sb_logstart {start:#x}, sb_logblocks {blocks}"))?)
        }
    };
    Ok(superblock)
}

impl Superblock {
    fn check_groups(&self) -> Result<(), String> {
        let (groups, size) = (u64::from(self.groups), u64::from(self.group_blocks));
        let bits = self.group_bits;
        let fits = bits <= 32 && 1u64.checked_shl(bits).is_some_and(|most| size <= most);
        let full = groups.saturating_sub(1).saturating_mul(size);
        if groups == 0 || size == 0 || !fits || self.blocks <= full || self.blocks > full.saturating_add(size)
        {
            return Err(format!(
                "{groups} groups of {size} blocks, of {} bits, in {} blocks",
                bits, self.blocks
            ));
        }
        if self.blocks.checked_shl(self.block_log).is_none_or(|bytes| i64::try_from(bytes).is_err()) {
            return Err(format!("sb_dblocks {}", self.blocks));
        }
        match self.place(self.root) {
            Some(_) => Ok(()),
            None => Err(format!("sb_rootino {}", self.root)),
        }
    }

    /// Bytes from the volume's start to a block.
    pub(super) fn offset(&self, block: u64) -> u64 {
        block.saturating_mul(u64::from(self.block_size))
    }

    /// The volume's bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.offset(self.blocks)
    }

    /// The block that the format's number `fsb` means, if it and the `count` - 1 blocks behind it are of one group.
    pub(super) fn linear(&self, fsb: u64, count: u64) -> Option<u64> {
        let group = fsb.checked_shr(self.group_bits)?;
        let within = fsb.checked_sub(group.checked_shl(self.group_bits)?)?;
        let start = group.checked_mul(self.group_blocks.into())?;
        let end = within.checked_add(count)?;
        let inside = group < u64::from(self.groups) && end <= u64::from(self.group_blocks);
        let block = start.checked_add(within)?;
        (inside && block.checked_add(count)? <= self.blocks).then_some(block)
    }

    /// The block and the byte in it where an inode lies, if there may be one.
    pub(super) fn place(&self, number: u64) -> Option<(u64, usize)> {
        let fsb = number.checked_shr(self.inode_bits)?;
        let within = number.checked_sub(fsb.checked_shl(self.inode_bits)?)?;
        let block = self.linear(fsb, 1)?;
        // The first block of a group holds its superblock.
        let first = block.checked_rem(self.group_blocks.into())? == 0;
        let at = num::to_usize(within).checked_mul(num::index(self.inode_size))?;
        (!first).then_some((block, at))
    }

    /// The number of the `within`-th inode from a block of a group.
    pub(super) fn inode_number(&self, group: u32, block: u32, within: u32) -> Option<u64> {
        let fsb = u64::from(group).checked_shl(self.group_bits)?.checked_add(block.into())?;
        fsb.checked_shl(self.inode_bits)?.checked_add(within.into())
    }

    /// Blocks of a directory's block.
    pub(super) fn blocks_per_directory_block(&self) -> u64 {
        u64::from(self.directory_block.checked_shr(self.block_log).unwrap_or(1).max(1))
    }

    /// A length or offset in bytes in whole blocks, rounded down.
    pub(super) fn in_blocks(&self, bytes: u64) -> u64 {
        bytes.checked_shr(self.block_log).unwrap_or(0)
    }

    /// Blocks of an allocation group.
    pub(super) fn group_blocks(&self) -> u64 {
        self.group_blocks.into()
    }

    /// What does not stop the reading but must be told.
    pub(super) fn notes(&self) -> Vec<FormatError> {
        let mut notes = Vec::new();
        let unknown = self.features.unknown_to_writers();
        if !unknown.is_empty() {
            let what = format!("XFS feature {}: files are read as if it were not there", unknown.join(", "));
            notes.push(FormatError::unsupported(what));
        }
        if self.features.crc() && self.features.incompat(features::NEEDS_REPAIR) {
            let problem = "marked as needing xfs_repair (needsrepair)";
            notes.push(FormatError::corrupt(STRUCTURE, 0, problem));
        }
        if self.in_progress {
            notes.push(FormatError::corrupt(STRUCTURE, 0, "mkfs did not finish (sb_inprogress)"));
        }
        if self.realtime {
            let what = "XFS realtime device: files on it are not read".to_owned();
            notes.push(FormatError::Unsupported { code: Code::MissingDisk, what });
        }
        notes
    }
}
