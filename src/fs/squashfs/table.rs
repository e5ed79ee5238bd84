//! Tables of entries of one size, in blocks of metadata whose places a list tells: owners, fragments, sets of attributes.

use zerocopy::FromBytes;

use super::{
    format::RawFragment,
    metadata::{Cursor, Place, SIZE},
    volume::Volume,
};
use crate::{block::read_vec, error::FormatError, num};

/// Entry `number` of a table of entries of `size` bytes, whose list of blocks begins at `list`.
pub(super) fn entry(
    volume: &Volume,
    structure: &'static str,
    list: u64,
    number: u32,
    size: usize,
) -> Result<Vec<u8>, FormatError> {
    let at = num::index(number).saturating_mul(size);
    let pointer = list.saturating_add(num::to_u64(at.checked_div(SIZE).unwrap_or(0)).saturating_mul(8));
    let block = read_vec(&volume.cached, structure, pointer, 8)?;
    let block = block.first_chunk().map_or(0, |block| u64::from_le_bytes(*block));
    let place = Place { block, at: at.checked_rem(SIZE).unwrap_or(0) };
    Cursor::new(volume, place).take(size)
}

/// An owner or group by its number.
pub(super) fn id(volume: &Volume, number: u16) -> Result<u32, FormatError> {
    const STRUCTURE: &str = "squashfs id table";
    let superblock = &volume.superblock;
    if number >= superblock.ids {
        let problem = format!("{number} of {} owners", superblock.ids);
        return Err(FormatError::corrupt(STRUCTURE, superblock.id_table, problem));
    }
    let bytes = entry(volume, STRUCTURE, superblock.id_table, number.into(), 4)?;
    Ok(bytes.first_chunk().map_or(0, |id| u32::from_le_bytes(*id)))
}

/// Where a block of fragments lies, and the word that tells its length.
pub(super) fn fragment(volume: &Volume, number: u32) -> Result<(u64, u32), FormatError> {
    const STRUCTURE: &str = "squashfs fragment table";
    let superblock = &volume.superblock;
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, superblock.fragment_table, problem);
    if number >= superblock.fragments {
        return Err(corrupt(format!("{number} of {} fragments", superblock.fragments)));
    }
    let bytes = entry(volume, STRUCTURE, superblock.fragment_table, number, size_of::<RawFragment>())?;
    let raw = RawFragment::ref_from_bytes(&bytes).map_err(|_| corrupt(format!("{} bytes", bytes.len())))?;
    Ok((raw.start_block.get(), raw.size.get()))
}
