//! B-trees of 64-bit keys (kernel, `dm-btree-internal.h` and `dm-btree.c`).

use super::blocks::{BLOCK, Blocks, Kind, le32, le64, start};
use crate::{error::FormatError, limits, num};

const NODE: Kind = Kind { name: "dm B-tree node", salt: 121_107, number: 8, check };
const HEADER: usize = 32;
const INTERNAL: u32 = 1;
const LEAF: u32 = 2;

/// A tree whose leaves hold values of `N` bytes.
pub(super) struct Tree<'a, const N: usize> {
    pub(super) blocks: &'a Blocks,
    /// The number of its root's block.
    pub(super) root: u64,
}

impl<const N: usize> Tree<'_, N> {
    /// The value of a key; `None` if it has none. What is wrong with a node is told of its keys only.
    pub(super) fn find(&self, key: u64) -> Result<Option<[u8; N]>, FormatError> {
        let mut number = self.root;
        // The keys that a node may have, as its parent says.
        let (mut low, mut high) = (0, u64::MAX);
        for _ in 0..limits::DM_TREE_DEPTH {
            let node = Node::new(self.blocks, number)?;
            let corrupt = |problem: String| FormatError::corrupt(NODE.name, start(number), problem);
            let (first, last) = (node.key(0), node.key(node.entries.saturating_sub(1)));
            if node.entries > 0 && (first < low || last > high) {
                return Err(corrupt(format!("keys {first} to {last} where {low} to {high} were looked for")));
            }
            // The last entry that is not behind the key.
            let Some(entry) = node.behind(key).checked_sub(1) else { return Ok(None) };
            let value = num::index(node.value);
            let wanted = if node.is_leaf { N } else { size_of::<u64>() };
            if value != wanted {
                return Err(corrupt(format!("values of {value} bytes, expected {wanted}")));
            }
            if node.is_leaf {
                let bytes = node.value(entry).and_then(|bytes| bytes.first_chunk().copied());
                let bytes = bytes.ok_or_else(|| corrupt(format!("no value {entry}")))?;
                return Ok((node.key(entry) == key).then_some(bytes));
            }
            low = node.key(entry);
            let next = entry.saturating_add(1);
            if next < node.entries {
                high = node.key(next).saturating_sub(1);
            }
            number = le64(node.value(entry).unwrap_or_default(), 0);
        }
        let bound = limits::DM_TREE_DEPTH;
        Err(FormatError::limit(format!("{} of a tree of more than {bound} levels", NODE.name)))
    }
}

struct Node {
    block: std::sync::Arc<Vec<u8>>,
    entries: usize,
    /// Entries that there is room for.
    room: usize,
    /// Bytes of a value.
    value: u32,
    is_leaf: bool,
}

impl Node {
    fn new(blocks: &Blocks, number: u64) -> Result<Self, FormatError> {
        let block = blocks.read(number, &NODE)?;
        let [entries, room] = [16, 20].map(|at| num::index(le32(&block, at)));
        let (value, is_leaf) = (le32(&block, 24), le32(&block, 4) == LEAF);
        Ok(Self { block, entries, room, value, is_leaf })
    }

    fn key(&self, entry: usize) -> u64 {
        le64(&self.block, place(entry))
    }

    /// How many keys are at most `key`.
    fn behind(&self, key: u64) -> usize {
        let (mut low, mut high) = (0, self.entries);
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle) <= key {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }

    fn value(&self, entry: usize) -> Option<&[u8]> {
        let size = num::index(self.value);
        let at = place(self.room).saturating_add(entry.saturating_mul(size));
        self.block.get(at..)?.get(..size)
    }
}

fn place(entry: usize) -> usize {
    HEADER.saturating_add(entry.saturating_mul(size_of::<u64>()))
}

fn check(block: &[u8]) -> Result<(), String> {
    let flags = le32(block, 4);
    if ![INTERNAL, LEAF].contains(&flags) {
        return Err(format!("flags {flags:#x}"));
    }
    let [entries, room, value] = [16, 20, 24].map(|at| le32(block, at));
    let end = num::index(value).saturating_add(size_of::<u64>()).saturating_mul(num::index(room));
    if entries > room || end.saturating_add(HEADER) > BLOCK || (entries == 0 && flags == INTERNAL) {
        return Err(format!("{entries} of {room} entries with values of {value} bytes"));
    }
    let keys = (0..num::index(entries)).map(|entry| le64(block, place(entry)));
    if !keys.is_sorted_by(|one, next| one < next) {
        return Err("its keys are out of order".to_owned());
    }
    Ok(())
}
