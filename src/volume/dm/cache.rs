//! Caches: blocks of a slow volume of which a fast one holds copies, some of them newer (kernel,
//! `drivers/md/dm-cache-metadata.c`; Documentation/admin-guide/device-mapper/cache.rst).

use std::sync::{Arc, OnceLock};

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U32, U64},
};

use super::{
    array,
    blocks::{BLOCK, Blocks, Kind, check_known},
    kept::Kept,
    moved::{Moved, Table, Tabled},
};
use crate::{block::Source, error::FormatError, limits, num};

const SUPERBLOCK: &str = "dm-cache superblock";
const MAPPING: &str = "dm-cache mapping";
const KIND: Kind = Kind { name: SUPERBLOCK, salt: 9_031_977, number: 8, check: |_| Ok(()) };
/// The kernel's source writes it in octal.
const MAGIC: u64 = 0o6_142_003;
const SECTOR: u64 = 512;
const CLEAN_SHUTDOWN: u32 = 1;
const NEEDS_CHECK: u32 = 2;
const VALID: u64 = 1;
const DIRTY: u64 = 2;
const FLAG_BITS: u32 = 16;
/// Dirty bits of a value of their array.
const BITS: u64 = 64;

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawSuperblock {
    sum: U32,
    flags: U32,
    number: U64,
    uuid: [u8; 16],
    magic: U64,
    version: U32,
    policy: [u8; 16],
    hint: U32,
    space_map: [u8; 128],
    mappings: U64,
    hints: U64,
    discards: U64,
    discard_block: U64,
    discard_blocks: U64,
    /// Sectors of a block of data, …
    data_block: U32,
    /// … and of metadata.
    metadata_block: U32,
    /// Blocks that the cache has room for.
    blocks: U32,
    compatible: U32,
    compatible_read_only: U32,
    incompatible: U32,
    statistics: [U32; 4],
    policy_version: [U32; 3],
    /// Of version 2: bits of the blocks that are newer than the volume's.
    dirty: U64,
}

/// When what is written reaches the slow volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::volume) enum Mode {
    /// At once.
    Through,
    /// Later: the cache alone may hold it.
    Back,
    /// At once, and nothing is read from the cache.
    Around,
}

/// The map of what a cache holds.
pub(in crate::volume) struct Cache {
    metadata: Blocks,
    /// Bytes of a block.
    block: u64,
    /// Blocks of the cache.
    count: u64,
    mappings: u64,
    /// Where the dirty bits are, if not beside the mappings.
    dirty: Option<u64>,
    /// Whether it is known which blocks are dirty. Of a cache in use it is not, and all may be.
    clean: bool,
}

/// A volume behind a cache.
pub(in crate::volume) struct Cached {
    pub(in crate::volume) volume: Source,
    /// Whether the kernel failed to change the map, so that something may not be as it says.
    pub(in crate::volume) needs_check: bool,
}

impl Cache {
    /// Opens a cache by its metadata, its data and the volume that it is for.
    pub(in crate::volume) fn open(
        metadata: Source,
        data: Source,
        origin: Source,
        mode: Mode,
        kept: &Arc<Kept>,
    ) -> Result<Cached, FormatError> {
        let metadata = Blocks::new(metadata, kept);
        let block = metadata.read(0, &KIND)?;
        let corrupt = |problem: String| FormatError::corrupt(SUPERBLOCK, 0, problem);
        let raw = RawSuperblock::ref_from_prefix(&block).map_err(|_| corrupt("too short".to_owned()))?.0;
        if raw.magic.get() != MAGIC {
            return Err(corrupt(format!("magic {}", raw.magic)));
        }
        let features = [raw.compatible, raw.compatible_read_only, raw.incompatible];
        check_known("dm-cache", raw.version, features, (raw.flags, CLEAN_SHUTDOWN | NEEDS_CHECK))?;
        let [bytes, metadata_block] = [raw.data_block, raw.metadata_block]
            .map(|sectors| u64::from(sectors.get()).saturating_mul(SECTOR));
        let count = u64::from(raw.blocks.get());
        // As the kernel wants them.
        let sound = (32 << 10..=1 << 30).contains(&bytes) && bytes.is_multiple_of(32 << 10);
        if !sound || metadata_block != num::to_u64(BLOCK) {
            return Err(corrupt(format!("blocks of {bytes} bytes, of metadata of {metadata_block}")));
        }
        if count > limits::DM_CACHE_BLOCKS {
            let bound = limits::DM_CACHE_BLOCKS;
            return Err(FormatError::limit(format!("dm-cache of {count} blocks, more than {bound}")));
        }
        if count.saturating_mul(bytes) > data.size() {
            return Err(corrupt(format!("{count} blocks of {bytes} bytes in {}", data.size())));
        }
        let needs_check = raw.flags.get() & NEEDS_CHECK != 0;
        if mode == Mode::Around {
            return Ok(Cached { volume: origin, needs_check });
        }
        let table = Self {
            mappings: raw.mappings.get(),
            dirty: (raw.version.get() == 2).then_some(raw.dirty.get()),
            clean: raw.flags.get() & CLEAN_SHUTDOWN != 0,
            block: bytes,
            count,
            metadata,
        };
        let (kept, moved, is_copy) = (Arc::clone(kept), OnceLock::new(), mode == Mode::Through);
        let volume = Arc::new(Tabled { table, volume: origin, elsewhere: data, is_copy, kept, moved });
        Ok(Cached { volume, needs_check })
    }

    /// Whether the cache's block is dirty or may be: the volume does not hold the same.
    fn is_newer(
        &self,
        cached: u64,
        value: u64,
        bits: &mut Option<(u64, Vec<u64>)>,
    ) -> Result<bool, FormatError> {
        let Some(root) = self.dirty.filter(|_| self.clean) else {
            return Ok(!self.clean || value & DIRTY != 0);
        };
        let word = cached / BITS;
        let (number, within) = (word / array::VALUES, word % array::VALUES);
        let held = bits.take().filter(|(held, _)| *held == number);
        let (_, words) = match held {
            Some(held) => bits.insert(held),
            None => {
                let first = number.saturating_mul(array::VALUES);
                let expected = self.count.div_ceil(BITS).saturating_sub(first).min(array::VALUES);
                bits.insert((number, array::values(&self.metadata, root, number, expected)?))
            }
        };
        let word = words.get(num::to_usize(within)).copied().unwrap_or(u64::MAX);
        Ok(word & 1 << (cached % BITS) != 0)
    }
}

impl Table for Cache {
    const NAME: &'static str = MAPPING;

    fn block(&self) -> u64 {
        self.block
    }

    /// All that the cache holds: the kernel reads it from there, also where the volume holds the same.
    fn load(&self, _: &Source, moved: &mut Moved) {
        let mut bits = None;
        'all: for number in 0..self.count.div_ceil(array::VALUES) {
            let first = number.saturating_mul(array::VALUES);
            let expected = self.count.saturating_sub(first).min(array::VALUES);
            if !moved.may_examine(expected) {
                break;
            }
            let values = array::values(&self.metadata, self.mappings, number, expected);
            let values = values.unwrap_or_else(|error| {
                moved.damaged(&error);
                Vec::new()
            });
            for (cached, value) in (first..).zip(values).filter(|(_, value)| value & VALID != 0) {
                match self.is_newer(cached, value, &mut bits) {
                    Ok(is_newer) => {
                        if !moved.add(value >> FLAG_BITS, cached.saturating_mul(self.block), !is_newer) {
                            break 'all;
                        }
                    }
                    Err(error) => moved.damaged(&error),
                }
            }
        }
    }
}
