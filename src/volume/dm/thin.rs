//! Thin pools: volumes whose chunks lie anywhere in a pool, or nowhere (kernel, `drivers/md/dm-thin-metadata.c`;
//! Documentation/admin-guide/device-mapper/thin-provisioning.rst).

use std::{io, sync::Arc};

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U32, U64},
};

use super::{
    super::runs,
    blocks::{BLOCK, Blocks, Kind, check_known, start},
    kept::Kept,
    tree::Tree,
};
use crate::{
    block::{ReadAt, Source, check_range},
    error::FormatError,
    num,
};

const SUPERBLOCK: &str = "thin pool superblock";
const KIND: Kind = Kind { name: SUPERBLOCK, salt: 160_774, number: 8, check: |_| Ok(()) };
const MAGIC: u64 = 27_022_010;
const SECTOR: u64 = 512;
const NEEDS_CHECK: u32 = 1;

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawSuperblock {
    sum: U32,
    flags: U32,
    number: U64,
    uuid: [u8; 16],
    magic: U64,
    version: U32,
    time: U32,
    transaction: U64,
    /// An older state that user space looks at.
    held_root: U64,
    space_maps: [[u8; 128]; 2],
    mappings: U64,
    details: U64,
    /// Sectors of a chunk of data, …
    data_block: U32,
    /// … and of a block of metadata.
    metadata_block: U32,
    metadata_blocks: U64,
    compatible: U32,
    compatible_read_only: U32,
    incompatible: U32,
}

/// A thin pool.
pub(in crate::volume) struct Pool {
    blocks: Blocks,
    data: Source,
    /// Bytes of a chunk.
    pub(in crate::volume) chunk: u64,
    /// Chunks of data.
    chunks: u64,
    /// The root of the tree of the devices' trees, …
    mappings: u64,
    /// … and that of what is known of each device.
    details: u64,
    /// Raised by those who make and remove devices.
    pub(in crate::volume) transaction: u64,
    /// Whether the kernel failed to change it, so that something may not be as it says.
    pub(in crate::volume) needs_check: bool,
}

impl Pool {
    /// Opens a pool by its metadata and its data.
    pub(in crate::volume) fn open(
        metadata: Source,
        data: Source,
        kept: &Arc<Kept>,
    ) -> Result<Self, FormatError> {
        let blocks = Blocks::new(metadata, kept);
        let block = blocks.read(0, &KIND)?;
        let corrupt = |problem: String| FormatError::corrupt(SUPERBLOCK, 0, problem);
        let short = || corrupt("too short".to_owned());
        let raw = RawSuperblock::ref_from_prefix(&block).map_err(|_| short())?.0;
        if raw.magic.get() != MAGIC {
            return Err(corrupt(format!("magic {}", raw.magic)));
        }
        let features = [raw.compatible, raw.compatible_read_only, raw.incompatible];
        check_known("thin pool", raw.version, features, (raw.flags, NEEDS_CHECK))?;
        let metadata_block = u64::from(raw.metadata_block.get()).saturating_mul(SECTOR);
        if metadata_block != num::to_u64(BLOCK) {
            return Err(corrupt(format!("blocks of metadata of {metadata_block} bytes")));
        }
        let chunk = chunk(raw.data_block.get()).map_err(corrupt)?;
        Ok(Self {
            chunk,
            chunks: data.size().checked_div(chunk).unwrap_or(0),
            mappings: raw.mappings.get(),
            details: raw.details.get(),
            transaction: raw.transaction.get(),
            needs_check: raw.flags.get() & NEEDS_CHECK != 0,
            data,
            blocks,
        })
    }

    /// The root of a device's map.
    fn device(&self, device: u64) -> Result<u64, FormatError> {
        let missing = |root| {
            let problem = format!("the pool has no device {device}");
            move || FormatError::corrupt("thin pool", start(root), problem)
        };
        let found = Tree::<24> { blocks: &self.blocks, root: self.details }.find(device)?;
        found.ok_or_else(missing(self.details))?;
        let found = Tree::<8> { blocks: &self.blocks, root: self.mappings }.find(device)?;
        found.map(u64::from_le_bytes).ok_or_else(missing(self.mappings))
    }
}

/// The bytes of a chunk: a multiple of 64 KiB up to 1 GiB, as the kernel wants it.
fn chunk(sectors: u32) -> Result<u64, String> {
    let sound = (128..=1 << 21).contains(&sectors) && sectors.is_multiple_of(128);
    let bytes = u64::from(sectors).saturating_mul(SECTOR);
    if sound { Ok(bytes) } else { Err(format!("chunks of {bytes} bytes")) }
}

/// A device of a pool.
pub(in crate::volume) struct Thin {
    pool: Arc<Pool>,
    /// The root of its map.
    root: u64,
    size: u64,
    /// What it shows where it has no chunk; zeros behind its end.
    origin: Option<Source>,
}

impl Thin {
    /// Device number `device` of `size` bytes.
    pub(in crate::volume) fn open(
        pool: Arc<Pool>,
        device: u64,
        size: u64,
        origin: Option<Source>,
    ) -> Result<Self, FormatError> {
        let root = pool.device(device)?;
        Ok(Self { pool, root, size, origin })
    }

    /// Where a chunk lies in the pool's data, in bytes.
    fn chunk(&self, number: u64) -> Result<Option<u64>, FormatError> {
        let Pool { blocks, chunk, chunks, .. } = &*self.pool;
        let Some(value) = Tree::<8> { blocks, root: self.root }.find(number)? else { return Ok(None) };
        // Below it is the time at which it was written.
        let place = u64::from_le_bytes(value) >> 24;
        if place >= *chunks {
            let problem = format!("chunk {number} is chunk {place} of {chunks}");
            return Err(FormatError::corrupt("thin pool mapping", start(self.root), problem));
        }
        Ok(Some(place.saturating_mul(*chunk)))
    }

    /// Where bytes lie in the pool's data, and how many of `length` follow there.
    fn run(&self, at: u64, length: u64) -> Result<(Option<u64>, u64), FormatError> {
        let size = self.pool.chunk;
        let (number, inside) = (at.checked_div(size).unwrap_or(0), at.checked_rem(size).unwrap_or(0));
        let first = self.chunk(number)?;
        let mut run = size.saturating_sub(inside);
        let mut next = number;
        while run < length {
            next = next.saturating_add(1);
            let expected = first.map(|first| {
                let chunks = next.saturating_sub(number);
                first.saturating_add(chunks.saturating_mul(size))
            });
            if self.chunk(next)? != expected {
                break;
            }
            run = run.saturating_add(size);
        }
        Ok((first.map(|first| first.saturating_add(inside)), run.min(length)))
    }

    fn read_unmapped(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        let Some(origin) = &self.origin else {
            buf.fill(0);
            return Ok(());
        };
        let there = num::to_usize(origin.size().saturating_sub(at)).min(buf.len());
        let (there, behind) = buf.split_at_mut(there);
        behind.fill(0);
        if there.is_empty() { Ok(()) } else { origin.read_at(there, at) }
    }
}

impl ReadAt for Thin {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size, offset, buf.len())?;
        let run = |at, length| Ok(self.run(at, length)?);
        runs::read(buf, offset, run, |place, piece, at| match place {
            Some(place) => self.pool.data.read_at(piece, place),
            None => self.read_unmapped(piece, at),
        })
    }

    fn will_need(&self, offset: u64, length: u64) {
        let length = length.min(self.size.saturating_sub(offset));
        runs::hint(offset, length, |at, left| {
            // No further than a chunk: a hint must not cost what a read of a large hole does.
            let (place, here) = self.run(at, self.pool.chunk.min(left)).ok()?;
            match (place, &self.origin) {
                (Some(place), _) => self.pool.data.will_need(place, here),
                (None, Some(origin)) => origin.will_need(at, here),
                (None, None) => {}
            }
            Some(here)
        });
    }
}
