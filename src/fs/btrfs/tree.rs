//! A tree: items by their keys, as they are on the disk with what the log changed.

use std::{
    collections::{BTreeMap, btree_map},
    iter::Peekable,
    ops::{ControlFlow, Range},
    sync::Arc,
};

use super::{
    key::Key,
    node::{Node, Pointer},
    nodes::Nodes,
};
use crate::error::{self, FormatError};

/// Items that were changed, and those that were removed.
pub(super) type Changes = BTreeMap<Key, Option<Arc<[u8]>>>;

/// The extents of a file, by where they begin in it.
pub(super) type Extents = BTreeMap<u64, Arc<[u8]>>;

/// A tree's root, and what lies over the tree.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) root: Pointer,
    /// All changes but those of extents.
    pub(super) changes: Changes,
    /// All extents of the files some of which changed, by the number of the inode.
    pub(super) files: BTreeMap<u64, Extents>,
}

/// An item that was found.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) key: Key,
    bytes: Arc<[u8]>,
    range: Range<usize>,
    /// Where its node lies on its device.
    pub(super) offset: u64,
}

impl Item {
    pub(super) fn data(&self) -> &[u8] {
        self.bytes.get(self.range.clone()).unwrap_or_default()
    }

    /// An item of a change.
    pub(super) fn changed(key: Key, bytes: &Arc<[u8]>, offset: u64) -> Self {
        Self { key, bytes: Arc::clone(bytes), range: 0..bytes.len(), offset }
    }

    /// The item of a leaf.
    fn of(node: &Node, index: usize) -> Option<Self> {
        let (key, range) = (node.key(index)?, node.range(index)?);
        Some(Self { key, bytes: Arc::clone(&node.bytes), range, offset: node.offset })
    }
}

/// What a visitor does after an item.
type Visit<'a> = dyn FnMut(Item) -> ControlFlow<()> + 'a;

impl Tree {
    pub(super) fn new(root: Pointer) -> Self {
        Self { root, changes: Changes::new(), files: BTreeMap::new() }
    }

    /// The item of a key.
    pub(super) fn find(&self, nodes: &Nodes, key: Key) -> Result<Option<Item>, FormatError> {
        if let Some(changed) = self.changes.get(&key) {
            return Ok(changed.as_ref().map(|bytes| Item::changed(key, bytes, 0)));
        }
        Ok(self.floor(nodes, key)?.filter(|item| item.key == key))
    }

    /// The item with the greatest key that is not above `key`, as it is on the disk.
    pub(super) fn floor(&self, nodes: &Nodes, key: Key) -> Result<Option<Item>, FormatError> {
        let mut pointer = self.root;
        // Levels fall by one with each step, and a root's is bounded.
        loop {
            let node = nodes.read(&pointer)?;
            if node.key(0).is_none_or(|first| first > key) {
                return Ok(None);
            }
            let index = node.first_child(key);
            match node.child(&pointer, index).filter(|_| node.level > 0) {
                Some(child) => pointer = child,
                None => return Ok(Item::of(&node, index)),
            }
        }
    }

    /// Visits the items between two keys, both included, in order. What could not be read is the answer: a
    /// bad node loses its own items only.
    pub(super) fn scan(
        &self,
        nodes: &Nodes,
        (from, to): (Key, Key),
        visit: &mut Visit<'_>,
    ) -> Vec<FormatError> {
        let mut damage = Vec::new();
        if from > to {
            return damage;
        }
        let mut merged = Merged { changes: self.changes.range(from..=to).peekable(), visit };
        let flow = walk(nodes, &self.root, (from, to), &mut merged, &mut damage);
        if flow.is_continue() {
            let _ = merged.rest();
        }
        damage
    }

    /// The items between two keys, both included; at most `limit`, and none if one cannot be read.
    pub(super) fn items(
        &self,
        nodes: &Nodes,
        range: (Key, Key),
        limit: usize,
    ) -> Result<Vec<Item>, FormatError> {
        let mut items = Vec::new();
        let mut too_many = false;
        let damage = self.scan(nodes, range, &mut |item| {
            too_many = items.len() >= limit;
            if too_many {
                return ControlFlow::Break(());
            }
            items.push(item);
            ControlFlow::Continue(())
        });
        match damage.into_iter().next() {
            Some(error) => Err(error),
            None if too_many => Err(FormatError::limit(format!("more than {limit} items from {}", range.0))),
            None => Ok(items),
        }
    }
}

/// The items of the disk with the changes among them.
struct Merged<'a, 'b> {
    changes: Peekable<btree_map::Range<'a, Key, Option<Arc<[u8]>>>>,
    visit: &'a mut Visit<'b>,
}

impl Merged<'_, '_> {
    fn item(&mut self, item: Item) -> ControlFlow<()> {
        while let Some((key, bytes)) = self.changes.next_if(|(key, _)| **key < item.key) {
            if let Some(bytes) = bytes {
                (self.visit)(Item::changed(*key, bytes, item.offset))?;
            }
        }
        match self.changes.next_if(|(key, _)| **key == item.key) {
            Some((_, None)) => ControlFlow::Continue(()),
            Some((key, Some(bytes))) => (self.visit)(Item::changed(*key, bytes, item.offset)),
            None => (self.visit)(item),
        }
    }

    fn rest(&mut self) -> ControlFlow<()> {
        for (key, bytes) in self.changes.by_ref() {
            if let Some(bytes) = bytes {
                (self.visit)(Item::changed(*key, bytes, 0))?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Recursion is bounded by the level, which falls by one.
fn walk(
    nodes: &Nodes,
    pointer: &Pointer,
    (from, to): (Key, Key),
    merged: &mut Merged<'_, '_>,
    damage: &mut Vec<FormatError>,
) -> ControlFlow<()> {
    let node = match nodes.read(pointer) {
        Ok(node) => node,
        Err(error) => {
            error::note(damage, error);
            return ControlFlow::Continue(());
        }
    };
    let start = if node.level == 0 { node.below(from) } else { node.first_child(from) };
    for index in start..node.count {
        if node.key(index).is_none_or(|key| key > to) {
            break;
        }
        if node.level > 0
            && let Some(child) = node.child(pointer, index)
        {
            walk(nodes, &child, (from, to), merged, damage)?;
        } else if let Some(item) = Item::of(&node, index) {
            merged.item(item)?;
        }
    }
    ControlFlow::Continue(())
}
