//! The superblock, checked.

use zerocopy::FromBytes;

use super::{features, format::RawSuperblock};
use crate::{
    block::{ReadAt, read_vec},
    bytes::is_sound,
    error::FormatError,
    gap::Code,
    num,
};

pub(super) const STRUCTURE: &str = "EROFS superblock";
pub(super) const MAGIC: u32 = 0xe0f5_e1e2;
/// Where it begins: boot code may lie before it.
pub(super) const OFFSET: u64 = 1024;

/// Bytes of a slot for an inode: a number of one is its slot's.
const SLOT: u64 = 32;

/// What is needed of the superblock.
#[derive(Debug, Clone)]
pub(super) struct Superblock {
    pub(super) incompat: u32,
    compat: u32,
    /// Bits of a byte's place in a block: 9 to 16.
    pub(super) block_bits: u32,
    pub(super) root: u64,
    /// The seconds that times of compact inodes count from, and the nanoseconds that all of them have.
    pub(super) epoch: (i64, u32),
    /// Blocks of this device.
    pub(super) blocks: u64,
    meta: u64,
    /// The first byte of shared extended attributes.
    pub(super) shared_xattrs: u64,
    pub(super) uuid: [u8; 16],
    pub(super) label: Vec<u8>,
    pub(super) extra_devices: u16,
    /// Where the table of devices begins.
    pub(super) devices: u64,
    /// How many long prefixes of extended attributes there are, and where.
    pub(super) prefixes: (u8, u64),
    /// The inode that holds the ends of many files.
    pub(super) packed: Option<u64>,
}

/// Whether a superblock begins where it should.
pub(super) fn is_there(source: &dyn ReadAt) -> bool {
    let mut magic = [0; 4];
    source.read_at(&mut magic, OFFSET).is_ok() && u32::from_le_bytes(magic) == MAGIC
}

/// Reads and checks the superblock.
pub(super) fn read(source: &dyn ReadAt) -> Result<Superblock, FormatError> {
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, OFFSET, problem);
    let bytes = read_vec(source, STRUCTURE, OFFSET, size_of::<RawSuperblock>())?;
    let Ok((raw, _)) = RawSuperblock::ref_from_prefix(&bytes) else {
        return Err(corrupt(format!("{} bytes", bytes.len())));
    };
    if raw.magic.get() != MAGIC {
        return Err(corrupt(format!("magic {:#010x}", raw.magic)));
    }
    let block_bits = u32::from(raw.blkszbits);
    if !(9..=16).contains(&block_bits) {
        return Err(corrupt(format!("blkszbits {block_bits}")));
    }
    if raw.feature_compat.get() & features::CHECKSUM != 0 {
        check(source, raw, block_bits)?;
    }
    let incompat = raw.feature_incompat.get();
    let mut unread = features::unread(incompat);
    if raw.dirblkbits != 0 {
        unread.push(format!("dirblkbits {}", raw.dirblkbits));
    }
    if !unread.is_empty() {
        return Err(FormatError::unsupported(format!("EROFS feature {}", unread.join(", "))));
    }
    let has = |feature| incompat & feature != 0;
    let block = |number: u32| u64::from(number).checked_shl(block_bits).unwrap_or(u64::MAX);
    Ok(Superblock {
        incompat,
        compat: raw.feature_compat.get(),
        block_bits,
        root: raw.root_nid.get().into(),
        epoch: (seconds(raw.epoch.get()), raw.fixed_nsec.get().min(999_999_999)),
        blocks: raw.blocks.get().into(),
        meta: block(raw.meta_blkaddr.get()),
        shared_xattrs: block(raw.xattr_blkaddr.get()),
        uuid: raw.uuid,
        label: raw.volume_name.into_iter().take_while(|byte| *byte != 0).collect(),
        extra_devices: if has(features::DEVICE_TABLE) { raw.extra_devices.get() } else { 0 },
        devices: u64::from(raw.devt_slotoff.get()).saturating_mul(128),
        prefixes: (raw.xattr_prefix_count, u64::from(raw.xattr_prefix_start.get()).saturating_mul(4)),
        packed: Some(raw.packed_nid.get()).filter(|number| has(features::FRAGMENTS) && *number != 0),
    })
}

/// The checksum covers what the first block has of the superblock, or as much if the block ends before it.
fn check(source: &dyn ReadAt, raw: &RawSuperblock, block_bits: u32) -> Result<(), FormatError> {
    let block = 1u64 << block_bits;
    let length = if block > OFFSET { block.saturating_sub(OFFSET) } else { block };
    let mut bytes = read_vec(source, STRUCTURE, OFFSET, num::to_usize(length))?;
    bytes.get_mut(4..8).unwrap_or_default().fill(0);
    // Without the last step of CRC-32C.
    let sum = !crc32c::crc32c(&bytes);
    match is_sound(sum == raw.checksum.get()) {
        true => Ok(()),
        false => {
            let problem = format!("checksum {sum:#010x}, not {:#010x}", raw.checksum);
            Err(FormatError::corrupt(STRUCTURE, OFFSET, problem))
        }
    }
}

/// Seconds as they are stored: before 1970 they are negative.
pub(super) fn seconds(raw: u64) -> i64 {
    raw.cast_signed()
}

impl Superblock {
    pub(super) fn has(&self, feature: u32) -> bool {
        self.incompat & feature != 0
    }

    /// Bytes of a block.
    pub(super) fn block_size(&self) -> u64 {
        1u64 << self.block_bits.min(16)
    }

    /// The first byte of a block.
    pub(super) fn offset(&self, block: u64) -> u64 {
        block.saturating_mul(self.block_size())
    }

    /// A byte's place in its block.
    pub(super) fn within(&self, offset: u64) -> u64 {
        offset & self.block_size().saturating_sub(1)
    }

    /// Where an inode lies.
    pub(super) fn place(&self, number: u64) -> Option<u64> {
        number.checked_mul(SLOT)?.checked_add(self.meta)
    }

    /// What must be told if the volume has fewer bytes than its blocks.
    pub(super) fn is_cut(&self, size: u64) -> Option<FormatError> {
        let bytes = self.offset(self.blocks);
        let what = || format!("EROFS volume of {bytes} bytes, of which there are {size}");
        (size < bytes).then(|| FormatError::Unsupported { code: Code::Truncated, what: what() })
    }

    /// Whether long prefixes of extended attributes lie in the packed inode.
    pub(super) fn prefixes_are_packed(&self) -> bool {
        self.packed.is_some() && self.compat & features::PLAIN_XATTR_PREFIXES == 0
    }
}
