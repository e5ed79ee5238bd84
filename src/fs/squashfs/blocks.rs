//! Blocks of data and of fragments, unpacked.

use std::sync::Arc;

use super::{table, volume::Volume};
use crate::{
    block::{Key, read_vec},
    error::FormatError,
    num,
};

pub(super) const STRUCTURE: &str = "squashfs data block";
/// Of a length: the block is not compressed.
const UNCOMPRESSED: u32 = 1 << 24;

/// Where a block lies, and the word that tells its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) place: u64,
    pub(super) word: u32,
}

impl Stored {
    /// Bytes that are stored.
    pub(super) fn length(self) -> u32 {
        self.word & (UNCOMPRESSED - 1)
    }

    fn is_compressed(self) -> bool {
        self.word & UNCOMPRESSED == 0
    }

    fn corrupt(self, problem: impl Into<String>) -> FormatError {
        FormatError::corrupt(STRUCTURE, self.place, problem)
    }

    fn check(self, volume: &Volume) -> Result<(), FormatError> {
        match self.length() <= volume.superblock.block_size && self.word < UNCOMPRESSED << 1 {
            true => Ok(()),
            false => Err(self.corrupt(format!("length {:#x}", self.word))),
        }
    }
}

/// Fills `part` from byte `skipped` on of a block that unpacks to `size` bytes.
pub(super) fn read(
    volume: &Volume,
    block: Stored,
    size: usize,
    skipped: usize,
    part: &mut [u8],
) -> Result<(), FormatError> {
    if block.length() == 0 {
        part.fill(0);
        return Ok(());
    }
    block.check(volume)?;
    if !block.is_compressed() {
        if num::index(block.length()) != size {
            return Err(block.corrupt(format!("{} bytes, not {size}", block.length())));
        }
        let place = block.place.saturating_add(num::to_u64(skipped));
        let reading = FormatError::reading(STRUCTURE, place);
        return volume.source.read_at(part, place).map_err(reading);
    }
    let key = Key { image: num::to_u64(size) << 32 | u64::from(block.word), block: block.place };
    if let Some(kept) = volume.data.find(key) {
        return copy(&kept, skipped, part).ok_or_else(|| block.corrupt("short"));
    }
    // What is wanted whole need not be kept: the next read is of what follows.
    if part.len() == size {
        return unpack(volume, block, part, size);
    }
    let mut unpacked = vec![0; size];
    unpack(volume, block, &mut unpacked, size)?;
    copy(&unpacked, skipped, part).ok_or_else(|| block.corrupt("short"))?;
    volume.data.keep(key, Arc::new(unpacked));
    Ok(())
}

/// Fills `part` from byte `at` on of a block of fragments.
pub(super) fn read_fragment(
    volume: &Volume,
    number: u32,
    at: usize,
    part: &mut [u8],
) -> Result<(), FormatError> {
    let (place, word) = table::fragment(volume, number)?;
    let block = Stored { place, word };
    block.check(volume)?;
    let key = Key { image: u64::from(word), block: place };
    let bytes = match volume.data.find(key) {
        Some(kept) => kept,
        None => {
            let bytes = Arc::new(fragments(volume, block)?);
            volume.data.keep(key, Arc::clone(&bytes));
            bytes
        }
    };
    let short = || block.corrupt(format!("{} bytes from {at} of {} of a fragment", part.len(), bytes.len()));
    let from = bytes.get(at..).and_then(|bytes| bytes.get(..part.len())).ok_or_else(short)?;
    part.copy_from_slice(from);
    Ok(())
}

/// A block of fragments; nothing else says how long it is.
fn fragments(volume: &Volume, block: Stored) -> Result<Vec<u8>, FormatError> {
    let stored = read_vec(&volume.source, STRUCTURE, block.place, num::index(block.length()))?;
    if !block.is_compressed() {
        return Ok(stored);
    }
    let mut unpacked = vec![0; num::index(volume.superblock.block_size)];
    let length = volume.superblock.codec.unpack(&stored, &mut unpacked);
    unpacked.truncate(length.map_err(|problem| block.corrupt(problem))?);
    Ok(unpacked)
}

fn unpack(volume: &Volume, block: Stored, out: &mut [u8], size: usize) -> Result<(), FormatError> {
    let stored = read_vec(&volume.source, STRUCTURE, block.place, num::index(block.length()))?;
    match volume.superblock.codec.unpack(&stored, out) {
        Ok(length) if length == size => Ok(()),
        Ok(length) => Err(block.corrupt(format!("{length} bytes unpacked, not {size}"))),
        Err(problem) => Err(block.corrupt(format!("{problem}, {} bytes to {size}", stored.len()))),
    }
}

fn copy(unpacked: &[u8], skipped: usize, part: &mut [u8]) -> Option<()> {
    part.copy_from_slice(unpacked.get(skipped..)?.get(..part.len())?);
    Some(())
}
