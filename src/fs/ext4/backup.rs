//! Copies of the superblock (super.rst, "sparse_super"), for when the first is damaged.

use super::{
    features,
    superblock::{self, BYTES, Superblock},
};
use crate::{
    block::{ReadAt, begins_blank},
    num,
};

/// The groups in which copies are looked for; every layout has one in the first of them.
const GROUPS: [u64; 4] = [1, 3, 5, 7];
/// Blocks of a cluster: without bigalloc, and as `mke2fs` makes bigalloc.
const CLUSTERS: [u64; 2] = [1, 16];

/// The first sound copy and its group, with the block sizes and group sizes that `mke2fs` uses by default.
///
/// Copies do not say whether the journal is needed: the one found says that it is, if there is one.
pub(super) fn find(source: &dyn ReadAt) -> Option<(Superblock, u64)> {
    let block_sizes = (0..=6).map(|log| 1024u64 << log);
    let places = block_sizes.flat_map(|size| CLUSTERS.map(|cluster| (size, cluster)));
    let places = places.flat_map(|(size, cluster)| GROUPS.map(|group| (size, cluster, group)));
    let mut found = places.filter_map(|(size, cluster, group)| {
        let blocks = size.saturating_mul(8).saturating_mul(cluster).saturating_mul(group);
        // With blocks of 1 KiB the first one is not of any group, except with bigalloc.
        let blocks = blocks.saturating_add(u64::from(size == 1024));
        let offset = blocks.saturating_mul(size);
        if offset >= source.size() {
            return None;
        }
        let mut bytes = [0; BYTES];
        source.read_at(&mut bytes, offset).ok()?;
        let copy = superblock::parse(&bytes, offset).ok()?;
        let expected = copy.group_start(group).saturating_mul(size) == offset || copy.first_data_block == 0;
        let ours = copy.group.is_none_or(|number| u64::from(number) == group);
        (u64::from(copy.block_size) == size && ours && expected).then_some((copy, group))
    });
    let (mut copy, group) = found.next()?;
    if copy.features.compat(features::HAS_JOURNAL) && copy.journal_inode != 0 {
        copy.features.incompat |= features::RECOVER;
    }
    Some((copy, group))
}

/// Whether the place of the first superblock was wiped and nothing else was put there, but a copy is left.
pub(super) fn is_wiped(source: &dyn ReadAt) -> bool {
    const BTRFS: (u64, &[u8]) = (0x1_0040, b"_BHRfS_M");
    const SWAP: (u64, &[u8]) = (0xff6, b"SWAPSPACE2");
    const START: usize = 2 * BYTES;
    let is = |(offset, magic): (u64, &[u8])| {
        let mut bytes = vec![0; magic.len()];
        source.read_at(&mut bytes, offset).is_ok() && bytes == magic
    };
    begins_blank(source, START)
        && num::to_u64(START) < source.size()
        && !is(BTRFS)
        && !is(SWAP)
        && find(source).is_some()
}
