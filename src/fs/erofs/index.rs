//! The index of a compressed file (`z_erofs_map_header` and what follows it): of each cluster of the file, whether compressed
//! data begins in it, and where that lies. There are two forms: eight bytes for each cluster, or packs of 2 clusters in 8 bytes
//! and of 16 in 32.

use zerocopy::FromBytes;

use super::{
    features,
    format::{RawCluster, RawMapHeader},
    inode::{Inode, Layout},
    volume::Volume,
};
use crate::{error::FormatError, num};

pub(super) const STRUCTURE: &str = "EROFS index of compressed data";

const COMPACTED_2B: u16 = 0x1;
const BIG_PCLUSTER_1: u16 = 0x2;
const BIG_PCLUSTER_2: u16 = 0x4;
const INLINE_PCLUSTER: u16 = 0x8;
const INTERLACED_PCLUSTER: u16 = 0x10;
const FRAGMENT_PCLUSTER: u16 = 0x20;
/// Of `h_clusterbits`: the whole file is in the packed inode.
const WHOLE_FRAGMENT: u8 = 0x80;
/// A distance that is the number of compressed blocks instead.
const IS_COUNT: u32 = 1 << 11;

/// Where compressed data begins, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// In this cluster, `at` bytes from its start.
    Head { kind: Kind, at: u64, block: u32 },
    /// `back` clusters before this one; the first of such clusters may tell how many blocks it has.
    Inside { back: u64, blocks: Option<u64> },
}

/// What begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Data that is not compressed.
    Plain,
    /// Data compressed with the first algorithm, …
    First,
    /// … or the second.
    Second,
}

/// The end of a file that does not lie where the index says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    None,
    /// Compressed, behind the index; so many bytes.
    Inline(u64),
    /// In the packed inode, from a byte on.
    Fragment(u64),
}

/// What is at the index's beginning.
#[derive(Debug, Clone)]
pub(super) struct Index {
    advise: u16,
    /// The numbers of the two algorithms.
    pub(super) algorithms: [u8; 2],
    /// Bits of a cluster's size.
    pub(super) cluster_bits: u32,
    /// Whether its form is that of packs.
    pub(super) compact: bool,
    /// The first entry's place.
    start: u64,
    /// Clusters of the file.
    pub(super) clusters: u64,
    pub(super) tail: Tail,
    /// The whole file is in the packed inode, from this byte on.
    pub(super) whole: Option<u64>,
}

impl Index {
    pub(super) fn read(volume: &Volume, inode: &Inode) -> Result<Self, FormatError> {
        const HEADER: u64 = 8;
        let compact = inode.layout == Layout::Compact;
        let place = inode.body().next_multiple_of(8);
        let header = place.saturating_add(HEADER);
        let superblock = &volume.superblock;
        let mut index = Self {
            advise: 0,
            algorithms: [0; 2],
            cluster_bits: superblock.block_bits,
            compact,
            start: if compact { header } else { header.saturating_add(8) },
            clusters: 0,
            tail: Tail::None,
            whole: None,
        };
        // The oldest form has no header, only its place.
        const HEADERS: u32 = features::BIG_PCLUSTER | features::ZTAILPACKING | features::FRAGMENTS;
        if compact || superblock.has(HEADERS) {
            let bytes = volume.read(STRUCTURE, place, num::to_usize(HEADER))?;
            let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, place, problem);
            let raw = RawMapHeader::ref_from_bytes(&bytes);
            index.take(raw.map_err(|_| corrupt("cut off".to_owned()))?).map_err(corrupt)?;
        }
        let size = 1u64.unbounded_shl(index.cluster_bits);
        index.clusters = inode.size.div_ceil(size);
        Ok(index)
    }

    fn take(&mut self, raw: &RawMapHeader) -> Result<(), String> {
        if raw.h_clusterbits & WHOLE_FRAGMENT != 0 {
            let [a, b, c, d] = raw.h_fragmentoff.get().to_le_bytes();
            let [e, f] = raw.h_advise.get().to_le_bytes();
            let high = raw.h_clusterbits & !WHOLE_FRAGMENT;
            self.whole = Some(u64::from_le_bytes([a, b, c, d, e, f, raw.h_algorithmtype, high]));
            return Ok(());
        }
        self.advise = raw.h_advise.get();
        self.algorithms = [raw.h_algorithmtype & 15, raw.h_algorithmtype >> 4];
        self.cluster_bits = self.cluster_bits.saturating_add(u32::from(raw.h_clusterbits & 15));
        const KNOWN: u16 = COMPACTED_2B
            | BIG_PCLUSTER_1
            | BIG_PCLUSTER_2
            | INLINE_PCLUSTER
            | INTERLACED_PCLUSTER
            | FRAGMENT_PCLUSTER;
        let first_of_two = if self.compact { 0 } else { COMPACTED_2B };
        let both = self.has(INLINE_PCLUSTER) && self.has(FRAGMENT_PCLUSTER);
        let one_big = self.compact && self.has(BIG_PCLUSTER_1) != self.has(BIG_PCLUSTER_2);
        if self.advise & (!KNOWN | first_of_two) != 0 || both || one_big || self.cluster_bits > 20 {
            return Err(format!("h_advise {:#x}, h_clusterbits {:#x}", self.advise, raw.h_clusterbits));
        }
        let packed = raw.h_fragmentoff.get();
        if self.has(FRAGMENT_PCLUSTER) {
            self.tail = Tail::Fragment(packed.into());
        } else if self.has(INLINE_PCLUSTER) && packed >> 16 != 0 {
            self.tail = Tail::Inline((packed >> 16).into());
        }
        Ok(())
    }

    fn has(&self, bit: u16) -> bool {
        self.advise & bit != 0
    }

    /// Whether data that is not compressed lies at its place in the block, and goes on at the block's start.
    pub(super) fn interlaced(&self) -> bool {
        self.has(INTERLACED_PCLUSTER)
    }

    /// Whether compressed data of this kind may have more than a cluster's blocks.
    pub(super) fn is_big(&self, kind: Kind) -> bool {
        match kind {
            Kind::Plain => false,
            Kind::First => self.has(BIG_PCLUSTER_1),
            Kind::Second => self.has(BIG_PCLUSTER_2),
        }
    }

    fn any_big(&self) -> bool {
        self.has(BIG_PCLUSTER_1 | BIG_PCLUSTER_2)
    }

    /// The entry of a cluster.
    pub(super) fn entry(&self, volume: &Volume, cluster: u64) -> Result<Entry, FormatError> {
        let (place, length) = self.place(cluster);
        let bytes = volume.read(STRUCTURE, place, num::to_usize(length))?;
        let (entry, what) = match self.compact {
            true => (self.packed(&bytes, cluster), "pack"),
            false => (self.full(&bytes), "entry"),
        };
        let entry = entry.filter(|entry| match entry {
            Entry::Head { at, .. } => *at < 1u64.unbounded_shl(self.cluster_bits),
            Entry::Inside { back, .. } => *back > 0 && *back <= cluster,
        });
        entry.ok_or_else(|| {
            FormatError::corrupt(STRUCTURE, place, format!("{what} of cluster {cluster}: {bytes:02x?}"))
        })
    }

    /// What follows the entry of the last cluster.
    pub(super) fn end(&self) -> u64 {
        let (place, length) = self.place(self.clusters.saturating_sub(1));
        place.saturating_add(length)
    }

    /// Where an entry lies, or the pack that it is in; and its length.
    fn place(&self, cluster: u64) -> (u64, u64) {
        if !self.compact {
            return (self.start.saturating_add(cluster.saturating_mul(8)), 8);
        }
        let (initial, short) = self.sections();
        let small = |first: u64, number: u64| (first.saturating_add(number.saturating_mul(4)) & !7, 8);
        let after = self.start.saturating_add(initial.saturating_mul(4));
        match (cluster.checked_sub(initial), cluster.checked_sub(initial.saturating_add(short))) {
            (None, _) => small(self.start, cluster),
            (Some(number), None) => (after.saturating_add(number.saturating_mul(2)) & !31, 32),
            (_, Some(number)) => small(after.saturating_add(short.saturating_mul(2)), number),
        }
    }

    /// How many clusters have four bytes until a multiple of 32, and how many have two then; the rest has four again.
    fn sections(&self) -> (u64, u64) {
        let initial = (self.start.next_multiple_of(32).saturating_sub(self.start)) >> 2;
        match self.clusters.checked_sub(initial) {
            Some(rest) if rest > 0 && self.has(COMPACTED_2B) => (initial, rest & !15),
            _ => (initial, 0),
        }
    }

    fn full(&self, bytes: &[u8]) -> Option<Entry> {
        let raw = RawCluster::ref_from_bytes(bytes).ok()?;
        // Another bit says that only a beginning of the data is meant; the length says it too.
        let kind = match raw.di_advise.get() & 3 {
            0 => Kind::Plain,
            1 => Kind::First,
            3 => Kind::Second,
            _ => {
                let back = raw.di_u.get() & 0xffff;
                return self.inside(back, Some);
            }
        };
        Some(Entry::Head { kind, at: raw.di_clusterofs.get().into(), block: raw.di_u.get() })
    }

    fn inside(&self, raw: u32, back: impl FnOnce(u64) -> Option<u64>) -> Option<Entry> {
        if raw & IS_COUNT == 0 {
            return Some(Entry::Inside { back: back(raw.into())?, blocks: None });
        }
        // Data in the packed inode has none.
        let blocks = u64::from(raw & !IS_COUNT);
        self.any_big().then_some(Entry::Inside { back: 1, blocks: Some(blocks) })
    }

    /// The entry of a cluster in its pack: items of 16 or 14 bits, then the block before the pack's first.
    fn packed(&self, pack: &[u8], cluster: u64) -> Option<Entry> {
        let (initial, _) = self.sections();
        let is_short = pack.len() == 32;
        let count: u32 = if is_short { 16 } else { 2 };
        let low_bits = self.cluster_bits.max(12);
        if low_bits > if is_short { 12 } else { 14 } {
            return None;
        }
        // Where the pack begins, in clusters: its packs are aligned as its section is.
        let within = match is_short {
            true => cluster.checked_sub(initial)? & 15,
            false => self.small_within(cluster)?,
        };
        let number = u32::try_from(within).ok()?;
        let item = |number: u32| item(pack, number, if is_short { 14 } else { 16 }, low_bits);
        let (low, kind) = item(number)?;
        let kind = match kind {
            0 => Kind::Plain,
            1 => Kind::First,
            3 => Kind::Second,
            _ if number.checked_add(1) == Some(count) => {
                // The last item has the distance to the next; that to the one before follows from its neighbour.
                return self.inside(low, |_| {
                    Some(match item(number.checked_sub(1)?)? {
                        (low, 2) if low & IS_COUNT != 0 => 2,
                        (low, 2) => u64::from(low).checked_add(1)?,
                        _ => 1,
                    })
                });
            }
            _ => return self.inside(low, Some),
        };
        let first = u32::from_le_bytes(*pack.last_chunk()?);
        let block = first.checked_add(self.blocks_before(number, item)?)?;
        Some(Entry::Head { kind, at: low.into(), block })
    }

    /// Which of the two items of a small pack a cluster's is.
    fn small_within(&self, cluster: u64) -> Option<u64> {
        let (initial, short) = self.sections();
        let at = match cluster.checked_sub(initial) {
            None => self.start.checked_add(cluster.checked_mul(4)?)?,
            Some(number) => {
                let after = self.start.checked_add(initial.checked_mul(4)?)?;
                after
                    .checked_add(short.checked_mul(2)?)?
                    .checked_add(number.checked_sub(short)?.checked_mul(4)?)?
            }
        };
        Some(at >> 2 & 1)
    }

    /// Blocks of compressed data that begins in a pack before its item `number`, and 1 more unless it may be big.
    fn blocks_before(&self, number: u32, item: impl Fn(u32) -> Option<(u32, u32)>) -> Option<u32> {
        let big = self.any_big();
        let mut blocks: u32 = if big { 0 } else { 1 };
        let mut at = number;
        while let Some(before) = at.checked_sub(1) {
            at = before;
            let (low, kind) = item(at)?;
            let skipped = match (kind, big) {
                (2, false) => {
                    // Items before the pack's first do not count.
                    match at.checked_sub(low) {
                        None => return Some(blocks),
                        Some(head) => at = head,
                    }
                    1
                }
                (2, true) if low & IS_COUNT != 0 => {
                    at = at.saturating_sub(1);
                    low & !IS_COUNT
                }
                (2, true) => {
                    // The one with the count is the first behind the head.
                    at = at.saturating_sub(low.checked_sub(2)?);
                    0
                }
                _ => 1,
            };
            blocks = blocks.checked_add(skipped)?;
        }
        Some(blocks)
    }
}

/// An item of a pack: its low bits and its kind.
fn item(pack: &[u8], number: u32, width: u32, low_bits: u32) -> Option<(u32, u32)> {
    let bit = number.checked_mul(width)?;
    let word = u32::from_le_bytes(*pack.get(num::index(bit >> 3)..)?.first_chunk()?) >> (bit & 7);
    let mask = 1u32.checked_shl(low_bits)?.checked_sub(1)?;
    Some((word & mask, word >> low_bits & 3))
}
