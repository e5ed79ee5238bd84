//! Nodes of trees, checked ("On-disk format", header, leaf and internal nodes): what is found in one is
//! sound.

use std::{ops::Range, sync::Arc};

use zerocopy::FromBytes;

use super::{
    checksum::Kind,
    format::{RawHeader, RawItem, RawPointer},
    key::{self, Key},
    superblock::Superblock,
};
use crate::{error::FormatError, num};

pub(super) const STRUCTURE: &str = "btrfs tree block";
/// No tree has more levels.
pub(super) const LEVELS: u8 = 8;

const HEADER: usize = size_of::<RawHeader>();

/// What all nodes of a file system have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common {
    pub(super) csum: Kind,
    pub(super) uuid: [u8; 16],
    /// Bytes of a node.
    pub(super) size: u32,
    pub(super) sector: u32,
}

impl Common {
    pub(super) fn of(superblock: &Superblock) -> Self {
        let Superblock { csum, metadata_uuid, node, sector, .. } = *superblock;
        Self { csum, uuid: metadata_uuid, size: node, sector }
    }
}

/// What is known of a node before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) logical: u64,
    pub(super) generation: u64,
    pub(super) level: u8,
    /// The tree that it is of.
    pub(super) tree: u64,
    /// Its first key, except of a root.
    pub(super) first: Option<Key>,
    /// The key that all of its keys are below.
    pub(super) end: Option<Key>,
}

impl Pointer {
    /// A tree's root.
    pub(super) fn root((logical, level): (u64, u8), generation: u64, tree: u64) -> Self {
        Self { logical, generation, level, tree, first: None, end: None }
    }
}

/// A node whose checksum, identity, keys and items are right.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) bytes: Arc<[u8]>,
    pub(super) logical: u64,
    /// Where it was read on its device.
    pub(super) offset: u64,
    pub(super) level: u8,
    pub(super) count: usize,
    generation: u64,
    owner: u64,
}

impl Node {
    /// Checks the node that `pointer` leads to and that was read at `offset` of its device.
    pub(super) fn parse(
        common: &Common,
        pointer: &Pointer,
        offset: u64,
        bytes: Arc<[u8]>,
    ) -> Result<Self, FormatError> {
        let corrupt = |problem: String| {
            let problem = format!("{:#x} of tree {}: {problem}", pointer.logical, id_text(pointer.tree));
            FormatError::corrupt(STRUCTURE, offset, problem)
        };
        let (Ok((header, _)), Some(covered)) = (RawHeader::ref_from_prefix(&bytes), bytes.get(32..)) else {
            return Err(corrupt(format!("{} bytes", bytes.len())));
        };
        if !common.csum.is_of(&header.csum, covered) {
            return Err(corrupt("checksum".to_owned()));
        }
        if header.bytenr.get() != pointer.logical || header.fsid != common.uuid {
            return Err(corrupt(format!("bytenr {:#x} of another place or file system", header.bytenr)));
        }
        let node = Self {
            logical: pointer.logical,
            offset,
            level: header.level,
            count: num::index(header.nritems.get()),
            generation: header.generation.get(),
            owner: header.owner.get(),
            bytes: Arc::clone(&bytes),
        };
        node.check_items(common).map_err(corrupt)?;
        node.check(pointer)?;
        Ok(node)
    }

    /// Whether the node is the one that `pointer` means.
    pub(super) fn check(&self, pointer: &Pointer) -> Result<(), FormatError> {
        let corrupt = |problem: String| {
            let problem = format!("{:#x} of tree {}: {problem}", pointer.logical, id_text(pointer.tree));
            Err(FormatError::corrupt(STRUCTURE, self.offset, problem))
        };
        if self.level != pointer.level {
            return corrupt(format!("level {} instead of {}", self.level, pointer.level));
        }
        if self.generation != pointer.generation {
            return corrupt(format!("generation {} instead of {}", self.generation, pointer.generation));
        }
        // Subvolumes share nodes with their snapshots, whose owner is another.
        let shared = key::is_subvolume(self.owner) && key::is_subvolume(pointer.tree);
        if self.owner != pointer.tree && !shared {
            return corrupt(format!("of tree {}", id_text(self.owner)));
        }
        let (first, last) = (self.key(0), self.count.checked_sub(1).and_then(|last| self.key(last)));
        if pointer.first.is_some() && pointer.first != first {
            return corrupt("its first key is not its parent's".to_owned());
        }
        if pointer.end.is_some_and(|end| last.is_some_and(|last| last >= end)) {
            return corrupt("keys of another node".to_owned());
        }
        Ok(())
    }

    fn check_items(&self, common: &Common) -> Result<(), String> {
        let size = self.bytes.len();
        let each = if self.level == 0 { size_of::<RawItem>() } else { size_of::<RawPointer>() };
        let end = self.count.saturating_mul(each).saturating_add(HEADER);
        if self.level >= LEVELS || end > size || (self.level > 0 && self.count == 0) {
            return Err(format!("{} items at level {}", self.count, self.level));
        }
        let mut before: Option<Key> = None;
        for index in 0..self.count {
            let key = self.key(index);
            if before.is_some() && before >= key {
                return Err(format!("keys {} and {} out of order", index.saturating_sub(1), index));
            }
            before = key;
            if self.level == 0 {
                if self.range(index).is_none_or(|range| range.start < end) {
                    return Err(format!("item {index} passes the end"));
                }
            } else if self.pointer(index).is_none_or(|(_, raw)| {
                let logical = raw.blockptr.get();
                logical == 0 || logical & u64::from(common.sector.saturating_sub(1)) != 0
            }) {
                return Err(format!("child {index} out of place"));
            }
        }
        Ok(())
    }

    fn item(&self, index: usize) -> Option<&RawItem> {
        let at = index.checked_mul(size_of::<RawItem>())?.checked_add(HEADER)?;
        RawItem::ref_from_prefix(self.bytes.get(at..)?).ok().map(|(item, _)| item)
    }

    fn pointer(&self, index: usize) -> Option<(Key, &RawPointer)> {
        let at = index.checked_mul(size_of::<RawPointer>())?.checked_add(HEADER)?;
        let (raw, _) = RawPointer::ref_from_prefix(self.bytes.get(at..)?).ok()?;
        Some((Key::from(raw.key), raw))
    }

    /// The key of an item or child.
    pub(super) fn key(&self, index: usize) -> Option<Key> {
        if index >= self.count {
            return None;
        }
        match self.level {
            0 => self.item(index).map(|item| Key::from(item.key)),
            _ => self.pointer(index).map(|(key, _)| key),
        }
    }

    /// The bytes of a leaf's item, as a range of the node's.
    pub(super) fn range(&self, index: usize) -> Option<Range<usize>> {
        let item = self.item(index)?;
        let start = num::index(item.offset.get()).checked_add(HEADER)?;
        let end = start.checked_add(num::index(item.size.get()))?;
        (end <= self.bytes.len()).then_some(start..end)
    }

    /// What is known of a child of a node that `pointer` led to.
    pub(super) fn child(&self, pointer: &Pointer, index: usize) -> Option<Pointer> {
        let (key, raw) = self.pointer(index)?;
        let next = index.checked_add(1).and_then(|next| self.key(next));
        Some(Pointer {
            logical: raw.blockptr.get(),
            generation: raw.generation.get(),
            level: self.level.checked_sub(1)?,
            tree: pointer.tree,
            first: Some(key),
            end: next.or(pointer.end),
        })
    }

    /// How many keys are below `key`.
    pub(super) fn below(&self, key: Key) -> usize {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            match self.key(middle) {
                Some(found) if found < key => low = middle.saturating_add(1),
                _ => high = middle,
            }
        }
        low
    }

    /// The first child that may hold `key` or more.
    pub(super) fn first_child(&self, key: Key) -> usize {
        let below = self.below(key);
        match self.key(below) == Some(key) {
            true => below,
            false => below.saturating_sub(1),
        }
    }
}

/// A tree's number as `btrfs inspect-internal dump-tree` shows it: reserved ones are negative.
pub(super) fn id_text(id: u64) -> String {
    if id >= key::LAST_FREE { id.cast_signed().to_string() } else { id.to_string() }
}
