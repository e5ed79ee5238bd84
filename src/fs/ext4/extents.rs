//! Extent trees (ifork.rst, "Extent Tree").

use std::ops::Range;

use zerocopy::FromBytes;

use super::{
    checksum,
    format::{RawExtent, RawExtentHeader, RawExtentIndex, join},
    inode::Inode,
    map::{Map, Run},
    volume::Volume,
};
use crate::{bytes::is_sound, error::FormatError, num};

const STRUCTURE: &str = "ext4 extent node";
const MAGIC: u16 = 0xf30a;
const HEADER: usize = 12;
const ENTRY: usize = 12;
/// The kernel's EXT4_MAX_EXTENT_DEPTH.
const MAX_DEPTH: u16 = 5;
/// A length above it means: allocated, not written, and so much shorter.
const MAX_INITIALIZED: u16 = 32_768;

/// Adds the runs of `wanted` to `map`.
pub(super) fn walk(volume: &Volume, inode: &Inode, wanted: Range<u64>, map: &mut Map) {
    let root = inode.raw.i_block;
    let offset = inode.offset.saturating_add(0x28);
    match Node::parse(&root, offset, None) {
        Ok(node) => Walk { volume, inode, wanted, map }.node(&node, 0..u64::MAX),
        Err(error) => map.damaged(error),
    }
}

struct Walk<'a> {
    volume: &'a Volume,
    inode: &'a Inode,
    wanted: Range<u64>,
    map: &'a mut Map,
}

impl Walk<'_> {
    /// `range` is what the parent says that this node covers; the depth falls at each level, so this ends.
    fn node(&mut self, node: &Node<'_>, range: Range<u64>) {
        match node.depth.checked_sub(1) {
            None => self.leaf(node, range),
            Some(below) => self.children(node, below, range),
        }
    }

    fn leaf(&mut self, node: &Node<'_>, range: Range<u64>) {
        let mut end = range.start;
        for (raw, at) in node.entries::<RawExtent>() {
            let logical = u64::from(raw.ee_block.get());
            let length = raw.ee_len.get();
            let written = length <= MAX_INITIALIZED;
            let length = u64::from(if written { length } else { length.saturating_sub(MAX_INITIALIZED) });
            let physical = join(raw.ee_start_hi.get(), raw.ee_start_lo);
            let next = logical.saturating_add(length);
            if length == 0 || logical < end || next > range.end {
                let problem =
                    format!("extent of {length} blocks at block {logical} of the file overlaps or is empty");
                self.map.damaged(FormatError::corrupt(STRUCTURE, at, problem));
                return;
            }
            end = next;
            let from = logical.max(self.wanted.start);
            let to = next.min(self.wanted.end);
            if !written || from >= to {
                continue;
            }
            if !self.volume.is_data(physical, length) {
                let problem = format!("{length} blocks at {physical} are not of a file");
                self.map.damaged(FormatError::corrupt(STRUCTURE, at, problem));
                continue;
            }
            let physical = physical.saturating_add(from.saturating_sub(logical));
            self.map.push(Run { logical: from, physical, count: to.saturating_sub(from) });
        }
    }

    fn children(&mut self, node: &Node<'_>, depth: u16, range: Range<u64>) {
        let mut entries = node.entries::<RawExtentIndex>().peekable();
        let mut end = range.start;
        let mut first = true;
        while let Some((raw, at)) = entries.next() {
            let start = u64::from(raw.ei_block.get());
            let next = entries.peek().map_or(range.end, |(next, _)| u64::from(next.ei_block.get()));
            if start < end || next <= start || next > range.end {
                let problem = format!("index of block {start} of the file is out of order");
                self.map.damaged(FormatError::corrupt(STRUCTURE, at, problem));
                return;
            }
            // A file that begins with a hole: its first node may be asked for blocks before its own.
            let covered = if first { range.start } else { start }..next;
            (end, first) = (start, false);
            if covered.start >= self.wanted.end || covered.end <= self.wanted.start {
                continue;
            }
            let block = join(raw.ei_leaf_hi.get(), raw.ei_leaf_lo);
            if let Err(error) = self.child(block, depth, covered) {
                self.map.damaged(error);
            }
        }
    }

    fn child(&mut self, block: u64, depth: u16, covered: Range<u64>) -> Result<(), FormatError> {
        let bytes = self.volume.block(STRUCTURE, block)?;
        let offset = self.volume.superblock.offset(block);
        let node = Node::parse(&bytes, offset, Some(depth))?;
        if let Some(seed) = self.inode.seed {
            node.check_checksum(seed)?;
        }
        self.node(&node, covered);
        Ok(())
    }
}

/// A node whose header is sound.
struct Node<'a> {
    bytes: &'a [u8],
    offset: u64,
    depth: u16,
    count: usize,
    max: usize,
}

impl<'a> Node<'a> {
    fn parse(bytes: &'a [u8], offset: u64, depth: Option<u16>) -> Result<Self, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
        let Ok((header, entries)) = RawExtentHeader::ref_from_prefix(bytes) else {
            return Err(corrupt(format!("{} bytes", bytes.len())));
        };
        if header.eh_magic.get() != MAGIC {
            return Err(corrupt(format!("magic {:#06x}", header.eh_magic)));
        }
        let seen = header.eh_depth.get();
        if seen > MAX_DEPTH || depth.is_some_and(|depth| depth != seen) {
            return Err(corrupt(format!("depth {seen}")));
        }
        let (count, max) = (usize::from(header.eh_entries.get()), usize::from(header.eh_max.get()));
        if count > max || max.saturating_mul(ENTRY) > entries.len() || (count == 0 && seen > 0) {
            return Err(corrupt(format!("{count} entries of {max}")));
        }
        Ok(Self { bytes, offset, depth: seen, count, max })
    }

    /// The entries with their offsets in the volume.
    fn entries<T: FromBytes + zerocopy::Immutable + zerocopy::KnownLayout + zerocopy::Unaligned + 'a>(
        &self,
    ) -> impl Iterator<Item = (&'a T, u64)> + use<'a, T> {
        let entries = self.bytes.get(HEADER..).unwrap_or_default().chunks_exact(ENTRY).take(self.count);
        let offsets = (self.offset.saturating_add(num::to_u64(HEADER))..).step_by(ENTRY);
        entries.zip(offsets).filter_map(|(bytes, at)| Some((T::ref_from_bytes(bytes).ok()?, at)))
    }

    /// checksums.rst: the checksum follows the last entry that the node has room for.
    fn check_checksum(&self, seed: u32) -> Result<(), FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, self.offset, problem);
        let room = self.max.saturating_mul(ENTRY).saturating_add(HEADER);
        let (covered, tail) = self.bytes.split_at_checked(room).unwrap_or_default();
        let Some(seen) = tail.first_chunk() else {
            return Err(corrupt("no room for its checksum".to_owned()));
        };
        let (seen, sum) = (u32::from_le_bytes(*seen), checksum::crc32c(seed, covered));
        match is_sound(seen == sum) {
            true => Ok(()),
            false => Err(corrupt(format!("checksum {seen:#010x} instead of {sum:#010x}"))),
        }
    }
}
