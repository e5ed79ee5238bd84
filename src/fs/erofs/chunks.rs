//! Files in chunks ("On-disk details", Chunk-based files): of each, a table behind the inode tells the place.

use std::ops::Range;

use zerocopy::FromBytes;

use super::{format::RawChunk, inode::Inode, volume::Volume};
use crate::{error::FormatError, num};

const STRUCTURE: &str = "EROFS chunk table";
/// An address that means no chunk, but zeros.
const HOLE: u32 = u32::MAX;
/// Entries of the table that are read at once.
const BATCH: u64 = 4096;

/// A part of a file that lies side by side, or is a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Bytes of the file.
    pub(super) range: Range<u64>,
    /// Where the first of them lies.
    pub(super) place: Option<u64>,
}

/// The first parts of `wanted`, bytes of the file; the chunks have `1 << bits` bytes, their entries `entry`. There is one at
/// least if any byte is wanted.
pub(super) fn parts(
    volume: &Volume,
    inode: &Inode,
    (bits, entry): (u32, u64),
    wanted: Range<u64>,
) -> Result<Vec<Part>, FormatError> {
    let size = 1u64.unbounded_shl(bits);
    let first = wanted.start.unbounded_shr(bits);
    let last = wanted.end.saturating_sub(1).unbounded_shr(bits);
    let count = last.saturating_sub(first).saturating_add(1).min(BATCH);
    let table = inode.body().next_multiple_of(entry).saturating_add(first.saturating_mul(entry));
    let bytes = volume.read(STRUCTURE, table, num::to_usize(count.saturating_mul(entry)))?;
    let mut parts: Vec<Part> = Vec::new();
    for (raw, number) in bytes.chunks_exact(num::to_usize(entry)).zip(first..) {
        let start = number.saturating_mul(size);
        let range = start.max(wanted.start)..start.saturating_add(size).min(wanted.end);
        let (block, device) = address(raw);
        let place = match block {
            HOLE => None,
            block => {
                let skipped = range.start.saturating_sub(start);
                let place = volume.superblock.offset(block.into()).saturating_add(skipped);
                let length = range.end.saturating_sub(range.start);
                volume.devices.check(device, &(place..place.saturating_add(length)))?;
                Some(place)
            }
        };
        match parts.last_mut() {
            Some(before) if continues(before, place) => before.range.end = range.end,
            _ => parts.push(Part { range, place }),
        }
    }
    Ok(parts)
}

/// The block of an entry, and its device.
fn address(raw: &[u8]) -> (u32, u16) {
    match RawChunk::ref_from_bytes(raw) {
        Ok(raw) => (raw.blkaddr.get(), raw.device_id.get()),
        Err(_) => (raw.first_chunk().map_or(HOLE, |raw| u32::from_le_bytes(*raw)), 0),
    }
}

fn continues(before: &Part, place: Option<u64>) -> bool {
    let length = before.range.end.saturating_sub(before.range.start);
    match (before.place, place) {
        (None, None) => true,
        (Some(before), Some(place)) => before.saturating_add(length) == place,
        _ => false,
    }
}
