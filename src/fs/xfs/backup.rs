//! Copies of the superblock, one at the start of each allocation group, for when the first is damaged.

use super::superblock::{self, Superblock};
use crate::{
    block::{ReadAt, begins_blank},
    bytes::be32,
};

/// Sectors of the sizes that `mkfs.xfs` makes.
const SECTORS: [u64; 4] = [512, 1024, 2048, 4096];
/// The headers in the second and third sector of a group ("AG Free Space Management", "AG Inode Management"): both hold
/// the group's length at the same place.
const HEADERS: [(u64, &[u8]); 2] = [(1, b"XAGF"), (2, b"XAGI")];
const LENGTH: usize = 12;

/// A sound copy and its offset: that of the second group, which the first group's headers tell where it begins.
pub(super) fn find(source: &dyn ReadAt) -> Option<(Superblock, u64)> {
    let lengths = group_lengths(source).chain(default_lengths(source.size()));
    let mut places = lengths.flat_map(|length| (9..=16).map(move |log| (length, 1u64 << log)));
    places.find_map(|(length, block_size)| {
        let offset = u64::from(length).checked_mul(block_size).filter(|offset| *offset < source.size())?;
        let copy = superblock::read(source, offset).ok()?;
        let ours = u64::from(copy.block_size) == block_size && copy.group_blocks() == u64::from(length);
        ours.then_some((copy, offset))
    })
}

/// Whether the first superblock was wiped and nothing else was put there, but its group is left.
pub(super) fn is_wiped(source: &dyn ReadAt) -> bool {
    begins_blank(source, superblock::SECTOR)
        && group_lengths(source).next().is_some()
        && find(source).is_some()
}

fn group_lengths(source: &dyn ReadAt) -> impl Iterator<Item = u32> {
    let places =
        SECTORS.into_iter().flat_map(|sector| HEADERS.map(|(number, magic)| (sector, number, magic)));
    places.filter_map(|(sector, number, magic)| {
        let mut bytes = [0; 16];
        source.read_at(&mut bytes, sector.checked_mul(number)?).ok()?;
        let length = be32(&bytes, LENGTH).filter(|length| *length != 0)?;
        bytes.starts_with(magic).then_some(length)
    })
}

/// By default `mkfs.xfs` makes four groups of a volume.
fn default_lengths(bytes: u64) -> impl Iterator<Item = u32> {
    [512, 1024, 4096].into_iter().flat_map(move |block_size| {
        let quarter = bytes.checked_div(block_size).unwrap_or(0).div_ceil(4);
        [quarter, quarter.saturating_sub(1)].into_iter().filter_map(|length| u32::try_from(length).ok())
    })
}
