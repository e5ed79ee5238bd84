//! The bytes of extents, unpacked.

use std::sync::Arc;

use super::{
    extents::{Extent, Form},
    features,
    volume::Volume,
};
use crate::{
    block::{Key, read_vec},
    error::FormatError,
    fs::unpack::Codec,
    num,
};

const STRUCTURE: &str = "EROFS compressed data";

/// Fills `part` with the bytes of an extent from `skipped` on, of which `length` are stored at `place`.
pub(super) fn read(
    volume: &Volume,
    extent: &Extent,
    (place, length, form): (u64, u64, Form),
    skipped: u64,
    part: &mut [u8],
) -> Result<(), FormatError> {
    let size = num::to_usize(extent.end.saturating_sub(extent.start));
    // One pair of a place and a length is unpacked to one content.
    let key = Key { image: num::to_u64(size) << 8 | number(extent, form), block: place };
    if let Some(kept) = volume.unpacked.find(key) {
        return copy(&kept, skipped, part);
    }
    let stored = read_vec(&volume.source, STRUCTURE, place, num::to_usize(length))?;
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, place, problem);
    // What is wanted whole need not be kept: the next read is of what follows.
    if part.len() == size {
        return fill(volume, extent, form, &stored, part).map_err(corrupt);
    }
    let mut unpacked = vec![0; size];
    fill(volume, extent, form, &stored, &mut unpacked).map_err(corrupt)?;
    copy(&unpacked, skipped, part)?;
    volume.unpacked.keep(key, Arc::new(unpacked));
    Ok(())
}

/// A number that tells forms apart.
fn number(extent: &Extent, form: Form) -> u64 {
    match form {
        Form::Shifted => 0,
        // Where it begins in its block decides what it is.
        Form::Interlaced => 1 | (extent.start & 0xffff) << 40,
        Form::Compressed(Codec::Lz4) => 2,
        Form::Compressed(Codec::MicroLzma) => 3,
        Form::Compressed(Codec::Deflate) => 4,
        Form::Compressed(_) => 5,
    }
}

fn copy(unpacked: &[u8], skipped: u64, part: &mut [u8]) -> Result<(), FormatError> {
    let start = num::to_usize(skipped);
    let from = unpacked.get(start..start.saturating_add(part.len()));
    let from = from.ok_or_else(|| FormatError::corrupt(STRUCTURE, skipped, "shorter than its extent"))?;
    part.copy_from_slice(from);
    Ok(())
}

/// Fills `out` with the whole extent.
fn fill(volume: &Volume, extent: &Extent, form: Form, stored: &[u8], out: &mut [u8]) -> Result<(), String> {
    match form {
        Form::Shifted => put(stored, out),
        Form::Interlaced => {
            let block = num::to_usize(volume.superblock.block_size());
            let within = num::to_usize(volume.superblock.within(extent.start));
            let (first, rest) = out.split_at_mut(block.saturating_sub(within).min(out.len()));
            put(stored.get(within..).unwrap_or_default(), first)?;
            put(stored, rest)
        }
        Form::Compressed(codec) => {
            let padded = codec != Codec::Lz4 || volume.superblock.has(features::ZERO_PADDING);
            let zeros = stored.iter().take_while(|byte| padded && **byte == 0).count();
            let data = stored.get(zeros..).unwrap_or_default();
            match codec.unpack(data, out) {
                Ok(length) if length == out.len() => Ok(()),
                Ok(length) => Err(format!("{length} bytes unpacked, not {}", out.len())),
                Err(problem) => Err(format!("{problem}, {} bytes to {}", data.len(), out.len())),
            }
        }
    }
}

fn put(stored: &[u8], out: &mut [u8]) -> Result<(), String> {
    let from = stored.get(..out.len());
    let from = from.ok_or_else(|| format!("{} bytes stored, not {}", stored.len(), out.len()))?;
    out.copy_from_slice(from);
    Ok(())
}
