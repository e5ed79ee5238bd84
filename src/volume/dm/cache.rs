//! Caches: blocks of a slow volume of which a fast one holds copies, some of them newer (kernel,
//! `drivers/md/dm-cache-metadata.c`; Documentation/admin-guide/device-mapper/cache.rst).

use std::{
    io,
    sync::{Arc, OnceLock},
};

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U32, U64},
};

use super::{
    array,
    blocks::{BLOCK, Blocks, Kind},
    kept::Kept,
    moved::{Moved, Sides},
};
use crate::{
    block::{ReadAt, Source, check_range},
    error::FormatError,
    limits, num,
};

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

/// A volume behind a cache.
pub(in crate::volume) struct Cache {
    metadata: Blocks,
    data: Source,
    origin: Source,
    mode: Mode,
    /// Bytes of a block.
    block: u64,
    /// Blocks of the cache.
    count: u64,
    mappings: u64,
    /// Where the dirty bits are, if not beside the mappings.
    dirty: Option<u64>,
    /// Whether it is known which blocks are dirty. Of a cache in use it is not, and all may be.
    clean: bool,
    pub(in crate::volume) needs_check: bool,
    kept: Arc<Kept>,
    map: OnceLock<Moved>,
}

impl Cache {
    /// Opens a cache by its metadata, its data and the volume that it is for.
    pub(in crate::volume) fn open(
        metadata: Source,
        data: Source,
        origin: Source,
        mode: Mode,
        kept: &Arc<Kept>,
    ) -> Result<Self, FormatError> {
        let metadata = Blocks::new(metadata, kept);
        let block = metadata.read(0, &KIND)?;
        let corrupt = |problem: String| FormatError::corrupt(SUPERBLOCK, 0, problem);
        let raw = RawSuperblock::ref_from_prefix(&block).map_err(|_| corrupt("too short".to_owned()))?.0;
        if raw.magic.get() != MAGIC {
            return Err(corrupt(format!("magic {}", raw.magic)));
        }
        let refused = |what: String| FormatError::unsupported(format!("dm-cache {what}"));
        let version = raw.version.get();
        if !(1..=2).contains(&version) {
            return Err(refused(format!("of version {version}")));
        }
        let features = [
            ("compatible", raw.compatible),
            ("read-only compatible", raw.compatible_read_only),
            ("incompatible", raw.incompatible),
        ];
        if let Some((name, bits)) = features.iter().find(|(_, bits)| bits.get() != 0) {
            return Err(refused(format!("with {name} features {bits:#x}")));
        }
        let unknown = raw.flags.get() & !(CLEAN_SHUTDOWN | NEEDS_CHECK);
        if unknown != 0 {
            return Err(refused(format!("with flags {unknown:#x}")));
        }
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
        Ok(Self {
            mappings: raw.mappings.get(),
            dirty: (version == 2).then_some(raw.dirty.get()),
            clean: raw.flags.get() & CLEAN_SHUTDOWN != 0,
            needs_check: raw.flags.get() & NEEDS_CHECK != 0,
            block: bytes,
            count,
            data,
            origin,
            mode,
            metadata,
            kept: Arc::clone(kept),
            map: OnceLock::new(),
        })
    }

    /// Reads which blocks the cache holds. The kernel reads these from the cache, also where the volume holds the same.
    fn load(&self) -> Moved {
        let mut moved = Moved::new(MAPPING, self.block, &self.kept);
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
        moved.sort();
        moved
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

    fn sides(&self) -> Sides<'_> {
        Sides {
            moved: self.map.get_or_init(|| self.load()),
            volume: &self.origin,
            elsewhere: &self.data,
            is_copy: self.mode == Mode::Through,
        }
    }
}

impl ReadAt for Cache {
    fn size(&self) -> u64 {
        self.origin.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size(), offset, buf.len())?;
        match self.mode {
            Mode::Around => self.origin.read_at(buf, offset),
            Mode::Through | Mode::Back => self.sides().read(buf, offset),
        }
    }

    fn will_need(&self, offset: u64, length: u64) {
        match self.mode {
            Mode::Around => self.origin.will_need(offset, length),
            Mode::Through | Mode::Back => self.sides().will_need(offset, length),
        }
    }
}
