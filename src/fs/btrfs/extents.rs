//! The extents of a file ("On-disk format", EXTENT_DATA).

use std::ops::{Bound, Range};

use zerocopy::FromBytes;

use super::{
    compression::Compression,
    format::{RawExtent, RawExtentPlace},
    inode::Inode,
    key::{EXTENT_DATA, Key},
    nodes::Nodes,
    tree::{Extents, Item, Tree},
    volume::Volume,
};
use crate::{error::FormatError, limits, num};

pub(super) const STRUCTURE: &str = "btrfs file extent";
const PREALLOCATED: u8 = 2;

/// A part of a file.
#[derive(Debug, Clone)]
pub(super) struct Extent {
    /// Its first byte in the file.
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) body: Body,
    /// Where its item's node lies.
    pub(super) offset: u64,
}

/// Where the bytes are.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// Nowhere: a hole, or never written.
    Zeros,
    /// In the item, behind its header.
    Inline(Item, Compression),
    Disk(Disk),
}

/// Bytes on the disk, of which the file may have a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) logical: u64,
    /// Bytes there.
    pub(super) packed: u64,
    /// Bytes when unpacked.
    pub(super) unpacked: u64,
    pub(super) compression: Compression,
    /// The file's part begins here, in what is unpacked.
    pub(super) skipped: u64,
}

impl Extent {
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }

    /// The extent of an item.
    pub(super) fn parse(item: &Item, sector: u32) -> Result<Self, FormatError> {
        let corrupt = |problem: String| {
            FormatError::corrupt(STRUCTURE, item.offset, format!("{}: {problem}", item.key))
        };
        let Ok((raw, rest)) = RawExtent::ref_from_prefix(item.data()) else {
            return Err(corrupt(format!("{} bytes", item.data().len())));
        };
        if raw.encryption != 0 || raw.other_encoding.get() != 0 {
            let what = format!("btrfs encoding {} {} of {}", raw.encryption, raw.other_encoding, item.key);
            return Err(FormatError::unsupported(what));
        }
        let compression = Compression::of(raw.compression)?;
        let unpacked = raw.ram_bytes.get();
        let extent = |length, body| Self { start: item.key.offset, length, body, offset: item.offset };
        if raw.kind == 0 {
            let is_whole = compression != Compression::None || unpacked == num::to_u64(rest.len());
            if item.key.offset != 0 || unpacked > limits::BTRFS_UNPACKED_BYTES || !is_whole {
                return Err(corrupt(format!("inline, {} of {unpacked} bytes", rest.len())));
            }
            return Ok(extent(unpacked, Body::Inline(item.clone(), compression)));
        }
        let Ok((place, _)) = RawExtentPlace::ref_from_prefix(rest) else {
            return Err(corrupt(format!("{} bytes", item.data().len())));
        };
        let (logical, packed) = (place.disk_bytenr.get(), place.disk_num_bytes.get());
        let (skipped, length) = (place.offset.get(), place.num_bytes.get());
        if raw.kind > PREALLOCATED || length == 0 || item.key.offset.checked_add(length).is_none() {
            return Err(corrupt(format!("type {}, {length} bytes", raw.kind)));
        }
        if logical == 0 || raw.kind == PREALLOCATED {
            return Ok(extent(length, Body::Zeros));
        }
        let whole = if compression == Compression::None { packed } else { unpacked };
        let inside = skipped.checked_add(length).is_some_and(|end| end <= whole);
        let aligned = [logical, packed, length, skipped, item.key.offset];
        let sector = u64::from(sector);
        if !inside
            || logical.checked_add(packed).is_none()
            || aligned.iter().any(|n| !n.is_multiple_of(sector))
        {
            return Err(corrupt(format!(
                "{length} bytes from {skipped} of {packed} at {logical:#x} ({unpacked} unpacked)"
            )));
        }
        if compression != Compression::None && packed.max(unpacked) > limits::BTRFS_UNPACKED_BYTES {
            return Err(FormatError::limit(format!("{STRUCTURE} of {packed} bytes, {unpacked} unpacked")));
        }
        Ok(extent(length, Body::Disk(Disk { logical, packed, unpacked, compression, skipped })))
    }
}

/// The extents that have a part of `wanted`, in order. What is between them is a hole.
pub(super) fn extents(
    volume: &Volume,
    inode: &Inode,
    wanted: Range<u64>,
) -> Result<Vec<Extent>, FormatError> {
    let Some(last) = wanted.end.checked_sub(1) else { return Ok(Vec::new()) };
    let tree = volume.tree(inode.place)?;
    let items = match tree.files.get(&inode.place.number) {
        Some(file) => overlapping(file, inode.place.number, wanted.start, last),
        None => on_disk(&volume.nodes, tree, inode.place.number, wanted.start, last)?,
    };
    let mut found: Vec<Extent> = Vec::with_capacity(items.len());
    for item in items {
        let extent = Extent::parse(&item, volume.superblock.sector)?;
        if let Some(last) = found.last().filter(|last| last.end() > extent.start) {
            let problem = format!("{} overlaps one at {}", item.key, last.start);
            return Err(FormatError::corrupt(STRUCTURE, item.offset, problem));
        }
        found.push(extent);
    }
    Ok(found)
}

fn on_disk(nodes: &Nodes, tree: &Tree, number: u64, start: u64, last: u64) -> Result<Vec<Item>, FormatError> {
    let key = |offset| Key::new(number, EXTENT_DATA, offset);
    let mut items: Vec<Item> = Vec::new();
    items.extend(tree.floor(nodes, key(start))?.filter(|item| item.key.is_like(key(0))));
    let rest = (key(start.saturating_add(1)), key(last));
    items.extend(tree.items(nodes, rest, limits::BTRFS_READ_EXTENTS)?);
    Ok(items)
}

/// Of a file's extents the one that begins at `start` or before it, and those up to `last`.
pub(super) fn overlapping(file: &Extents, number: u64, start: u64, last: u64) -> Vec<Item> {
    let first = file.range(..=start).next_back();
    let rest = (start < last).then(|| file.range((Bound::Excluded(start), Bound::Included(last))));
    let items = first.into_iter().chain(rest.into_iter().flatten());
    items.map(|(at, bytes)| Item::changed(Key::new(number, EXTENT_DATA, *at), bytes, 0)).collect()
}
