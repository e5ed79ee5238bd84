//! The superblock, checked (super.rst): the geometry that everything else is found by.

use std::num::NonZeroU32;

use zerocopy::FromBytes;

use super::{
    blocks::Blocks,
    checksum,
    features::{self, Features},
    format::{RawSuperblock, join},
};
use crate::{bytes::is_sound, error::FormatError, gap::Code, num};

/// Where the first superblock lies, in bytes.
pub(super) const OFFSET: u64 = 1024;
/// Its length in bytes.
pub(super) const BYTES: usize = 1024;
pub(super) const STRUCTURE: &str = "ext4 superblock";
const MAGIC: u16 = 0xef53;
/// The sequence number of an unmounted file system.
const MMP_CLEAN: u32 = 0xff4d_4d50;

/// What is needed of the superblock; no value contradicts another.
#[derive(Debug, Clone)]
pub(super) struct Superblock {
    pub(super) features: Features,
    /// Bytes of a block: a power of two from 1,024 to 65,536.
    pub(super) block_size: u32,
    /// Bytes of an allocation unit, at least a block.
    pub(super) cluster_size: u64,
    pub(super) blocks: u64,
    pub(super) first_data_block: u32,
    pub(super) blocks_per_group: NonZeroU32,
    pub(super) inodes_per_group: NonZeroU32,
    pub(super) inodes: u32,
    /// Bytes of an inode: a power of two from 128 to a block.
    pub(super) inode_size: u16,
    /// The first inode that is not reserved.
    pub(super) first_inode: u32,
    /// Bytes of a group descriptor: a power of two from 32 to 1,024.
    pub(super) descriptor_size: u16,
    pub(super) first_meta_group: u32,
    pub(super) backup_groups: [u32; 2],
    /// The group whose copy this is; revision 0 does not say.
    pub(super) group: Option<u16>,
    pub(super) uuid: [u8; 16],
    pub(super) label: Vec<u8>,
    /// The seed of metadata checksums, if the file system has them.
    pub(super) seed: Option<u32>,
    /// The seed of the checksums of large attribute values, which do not depend on that feature.
    pub(super) xattr_seed: u32,
    /// The journal's inode, 0 if it has none.
    pub(super) journal_inode: u32,
    /// The journal inode's `i_block` and size, kept for when that inode is damaged.
    pub(super) journal_backup: Option<[u32; 17]>,
    /// Errors that the kernel has seen and that no check has cleared.
    pub(super) errors: bool,
    pub(super) mmp_block: u64,
}

/// Whether these bytes (of a superblock's place) claim to be one.
pub(super) fn has_magic(bytes: &[u8]) -> bool {
    RawSuperblock::ref_from_prefix(bytes).is_ok_and(|(raw, _)| raw.s_magic.get() == MAGIC)
}

/// Checks the superblock in `bytes`, which lay at `offset`.
pub(super) fn parse(bytes: &[u8], offset: u64) -> Result<Superblock, FormatError> {
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
    let Ok((raw, _)) = RawSuperblock::ref_from_prefix(bytes) else {
        return Err(corrupt(format!("{} bytes", bytes.len())));
    };
    if raw.s_magic.get() != MAGIC {
        return Err(corrupt(format!("magic {:#06x}", raw.s_magic)));
    }
    let dynamic = raw.s_rev_level.get() > 0;
    let features = match dynamic {
        true => Features {
            compat: raw.s_feature_compat.get(),
            incompat: raw.s_feature_incompat.get(),
            ro_compat: raw.s_feature_ro_compat.get(),
        },
        false => Features { compat: 0, incompat: 0, ro_compat: 0 },
    };
    let checksummed = features.ro_compat(features::METADATA_CSUM);
    if checksummed {
        check_checksum(raw, bytes).map_err(corrupt)?;
    }
    let unread = features.unread();
    if !unread.is_empty() {
        return Err(FormatError::unsupported(format!("ext4 feature {}", unread.join(", "))));
    }
    let block_size = size_of_log(raw.s_log_block_size.get())
        .ok_or_else(|| corrupt(format!("s_log_block_size {}", raw.s_log_block_size)))?;
    let cluster_size = match features.ro_compat(features::BIGALLOC) {
        true => raw.s_log_cluster_size.get().checked_add(10).and_then(|log| 1u64.checked_shl(log)),
        false => Some(u64::from(block_size)),
    };
    let cluster_size = cluster_size
        .filter(|size| (u64::from(block_size)..=1 << 32).contains(size))
        .ok_or_else(|| corrupt(format!("s_log_cluster_size {}", raw.s_log_cluster_size)))?;
    let (inode_size, first_inode) =
        if dynamic { (raw.s_inode_size.get(), raw.s_first_ino.get()) } else { (128, 11) };
    if !inode_size.is_power_of_two() || inode_size < 128 || u32::from(inode_size) > block_size {
        return Err(corrupt(format!("s_inode_size {inode_size}")));
    }
    let wide = features.incompat(features::SIXTY_FOUR_BIT);
    let descriptor_size = if wide { raw.s_desc_size.get() } else { 32 };
    if !descriptor_size.is_power_of_two() || descriptor_size > 1024 || (wide && descriptor_size < 64) {
        return Err(corrupt(format!("s_desc_size {descriptor_size}")));
    }
    let blocks = join(if wide { raw.s_blocks_count_hi.get() } else { 0 }, raw.s_blocks_count_lo);
    let first_data_block = raw.s_first_data_block.get();
    if u64::from(first_data_block) >= blocks || first_data_block > 1 {
        return Err(corrupt(format!("s_first_data_block {first_data_block} of {blocks} blocks")));
    }
    let blocks_per_group = NonZeroU32::new(raw.s_blocks_per_group.get())
        .ok_or_else(|| corrupt("s_blocks_per_group 0".to_owned()))?;
    let inodes_per_group = NonZeroU32::new(raw.s_inodes_per_group.get())
        .filter(|inodes| inodes.get() <= block_size.saturating_mul(8))
        .ok_or_else(|| corrupt(format!("s_inodes_per_group {}", raw.s_inodes_per_group)))?;
    let xattr_seed = match features.incompat(features::CSUM_SEED) {
        true => raw.s_checksum_seed.get(),
        false => checksum::crc32c(checksum::START, &raw.s_uuid),
    };
    let superblock = Superblock {
        features,
        block_size,
        cluster_size,
        blocks,
        first_data_block,
        blocks_per_group,
        inodes_per_group,
        inodes: raw.s_inodes_count.get(),
        inode_size,
        first_inode,
        descriptor_size,
        first_meta_group: raw.s_first_meta_bg.get(),
        backup_groups: raw.s_backup_bgs.map(|group| group.get()),
        group: dynamic.then(|| raw.s_block_group_nr.get()),
        uuid: raw.s_uuid,
        label: raw.s_volume_name.into_iter().take_while(|byte| *byte != 0).collect(),
        seed: checksummed.then_some(xattr_seed),
        xattr_seed,
        journal_inode: if features.compat(features::HAS_JOURNAL) { raw.s_journal_inum.get() } else { 0 },
        journal_backup: (raw.s_jnl_backup_type == 1).then(|| raw.s_jnl_blocks.map(|word| word.get())),
        errors: raw.s_state.get() & 2 != 0 || raw.s_error_count.get() != 0,
        mmp_block: raw.s_mmp_block.get(),
    };
    if superblock.groups() > num::to_u64(crate::limits::EXT4_GROUPS) {
        let groups = superblock.groups();
        return Err(FormatError::limit(format!("ext4 file system of {groups} block groups")));
    }
    Ok(superblock)
}

fn check_checksum(raw: &RawSuperblock, bytes: &[u8]) -> Result<(), String> {
    if raw.s_checksum_type != 1 {
        return Err(format!("s_checksum_type {}", raw.s_checksum_type));
    }
    let covered = bytes.get(..BYTES.saturating_sub(4)).unwrap_or_default();
    let sum = checksum::crc32c(checksum::START, covered);
    match is_sound(sum == raw.s_checksum.get()) {
        true => Ok(()),
        false => Err(format!("checksum {:#010x} instead of {sum:#010x}", raw.s_checksum)),
    }
}

fn size_of_log(log: u32) -> Option<u32> {
    (log <= 6).then(|| 1024u32.checked_shl(log)).flatten()
}

impl Superblock {
    /// The number of block groups.
    pub(super) fn groups(&self) -> u64 {
        let data = self.blocks.saturating_sub(u64::from(self.first_data_block));
        data.div_ceil(u64::from(self.blocks_per_group.get()))
    }

    /// The first block of a group.
    pub(super) fn group_start(&self, group: u64) -> u64 {
        let blocks = group.saturating_mul(u64::from(self.blocks_per_group.get()));
        blocks.saturating_add(u64::from(self.first_data_block))
    }

    /// Bytes from the volume's start to a block.
    pub(super) fn offset(&self, block: u64) -> u64 {
        block.saturating_mul(u64::from(self.block_size))
    }

    /// Whether `count` blocks from `block` are blocks of the file system that hold data (the first hold the
    /// superblock).
    pub(super) fn contains(&self, block: u64, count: u64) -> bool {
        block > u64::from(self.first_data_block)
            && block.checked_add(count).is_some_and(|end| end <= self.blocks)
    }

    /// Whether a group begins with a copy of the superblock (super.rst, "sparse_super").
    pub(super) fn has_copy(&self, group: u64) -> bool {
        if self.features.compat(features::SPARSE_SUPER2) {
            return group == 0 || self.backup_groups.iter().any(|backup| u64::from(*backup) == group);
        }
        let power_of = |base: u64| {
            std::iter::successors(Some(base), |n| n.checked_mul(base))
                .take_while(|n| *n <= group)
                .any(|n| n == group)
        };
        group <= 1 || !self.features.ro_compat(features::SPARSE_SUPER) || [3, 5, 7].into_iter().any(power_of)
    }

    /// Whether names hold the kind of what they name.
    pub(super) fn has_file_types(&self) -> bool {
        self.features.incompat(features::FILETYPE)
    }
}

/// Notes for a file system whose kernel saw errors, or that was mounted (super.rst, "s_mmp_block").
pub(super) fn notes(superblock: &Superblock, blocks: &Blocks) -> Vec<FormatError> {
    let mut notes = Vec::new();
    if superblock.errors {
        notes.push(FormatError::corrupt(STRUCTURE, OFFSET, "the kernel recorded errors on this file system"));
    }
    if superblock.features.incompat(features::MMP) {
        let block = blocks.read("ext4 multi-mount protection", superblock.mmp_block);
        let clean = block.is_ok_and(|block| block.get(4..8) == Some(&MMP_CLEAN.to_le_bytes()));
        if !clean {
            notes.push(FormatError::Unsupported {
                code: Code::DirtyImage,
                what: "ext4 multi-mount protection says that a host has it mounted".to_owned(),
            });
        }
    }
    notes
}
