//! The log ("Tree log"): what was synced since the last commit, brought into the subvolumes in memory as the
//! kernel does when it mounts.
//!
//! For each subvolume there is a tree of copied items and of ranges of directories that were logged whole.
//! The stages are the kernel's: inodes with what was deleted of them, names, and then attributes, references
//! and extents; at last links are counted again.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::Arc,
};

use zerocopy::FromBytes;

use super::{
    checksum::Sum,
    directory,
    format::RawInode,
    key::{
        DIR_INDEX, EXTENT_CSUM, EXTENT_DATA, INODE_EXTREF, INODE_ITEM, INODE_REF, Key, ROOT_ITEM, TREE_LOG,
        XATTR_ITEM,
    },
    node::Pointer,
    nodes::Nodes,
    subvolumes,
    tree::{Item, Tree},
    volume::Volume,
};
use crate::{error::FormatError, fs::FileKind, gap::Code, limits, num};

pub(super) const STRUCTURE: &str = "btrfs log";

/// The note for a log, or a subvolume's part of it, that is not replayed.
pub(super) fn not_replayed(error: &FormatError) -> FormatError {
    let what = format!("the btrfs log is not replayed: {}", error.detail());
    FormatError::Unsupported { code: Code::JournalNotReplayed, what }
}

/// Replays the log whose root is given. A subvolume whose part of it cannot be replayed stays as it was
/// committed, and that is noted.
pub(super) fn replay(volume: &mut Volume, root: (u64, u8), notes: &mut Vec<FormatError>) {
    let generation = volume.superblock.generation.saturating_add(1);
    let logs = Tree::new(Pointer::root(root, generation, TREE_LOG));
    let range = Key::all(TREE_LOG, ROOT_ITEM);
    let logs = match logs.items(&volume.nodes, range, limits::BTRFS_SUBVOLUMES) {
        Ok(logs) => logs,
        Err(error) => return notes.push(not_replayed(&error)),
    };
    let mut left = limits::BTRFS_LOG_BYTES;
    for log in logs {
        // The log of a subvolume that was deleted.
        let Some(subvolume) = volume.subvolumes.find(log.key.offset) else { continue };
        let Some(subvolume) = volume.subvolumes.list.get_mut(subvolume) else { continue };
        let replayed = Replay::new(&volume.nodes, &log, &subvolume.tree, volume.superblock.no_holes, left)
            .and_then(Replay::finish);
        match replayed {
            Ok(replayed) => {
                left = replayed.left;
                subvolume.tree = replayed.tree;
                volume.logged_sums.extend(replayed.sums);
            }
            Err(error) => notes.push(not_replayed(&error)),
        }
    }
}

/// A subvolume whose log is being replayed.
pub(super) struct Replay<'a> {
    pub(super) nodes: &'a Nodes,
    /// The subvolume, as far as it is replayed.
    pub(super) tree: Tree,
    pub(super) log: Tree,
    /// The items of the log, in order.
    items: Vec<Item>,
    pub(super) no_holes: bool,
    /// Bytes that items may still have.
    pub(super) left: usize,
    /// Inodes whose links must be counted.
    pub(super) fixups: BTreeSet<u64>,
    sums: BTreeMap<u64, Sum>,
}

impl<'a> Replay<'a> {
    fn new(
        nodes: &'a Nodes,
        log: &Item,
        tree: &Tree,
        no_holes: bool,
        left: usize,
    ) -> Result<Self, FormatError> {
        let log = Tree::new(subvolumes::root(log, TREE_LOG)?.0);
        let mut replay = Self {
            nodes,
            tree: tree.clone(),
            log,
            items: Vec::new(),
            no_holes,
            left,
            fixups: BTreeSet::new(),
            sums: BTreeMap::new(),
        };
        replay.load()?;
        Ok(replay)
    }

    /// Reads the log.
    fn load(&mut self) -> Result<(), FormatError> {
        let (mut items, mut left) = (Vec::new(), Some(self.left));
        let all = (Key::new(0, 0, 0), Key::new(u64::MAX, u8::MAX, u64::MAX));
        let damage = self.log.scan(self.nodes, all, &mut |item| {
            left = left.and_then(|left| left.checked_sub(cost(item.data())));
            items.push(item);
            if left.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if let Some(error) = damage.into_iter().next() {
            return Err(error);
        }
        self.left = left.ok_or_else(too_much)?;
        self.items = items;
        Ok(())
    }

    fn finish(mut self) -> Result<Self, FormatError> {
        let items = std::mem::take(&mut self.items);
        // A file that was synced without a name, and was never given one, is not brought back.
        let mut nameless = BTreeSet::new();
        for item in items.iter().filter(|item| item.key.kind == INODE_ITEM) {
            if inode(item)?.nlink.get() == 0 {
                nameless.insert(item.key.objectid);
            } else {
                self.inode(item)?;
            }
        }
        let named = || items.iter().filter(|item| !nameless.contains(&item.key.objectid));
        for item in named().filter(|item| item.key.kind == DIR_INDEX) {
            self.directory_item(item)?;
        }
        for item in named() {
            match item.key.kind {
                XATTR_ITEM => self.overwrite(item)?,
                INODE_REF | INODE_EXTREF => self.references(item)?,
                EXTENT_DATA => self.extent(item)?,
                EXTENT_CSUM => self.sums(item),
                _ => {}
            }
        }
        self.count_links()?;
        Ok(self)
    }

    fn inode(&mut self, item: &Item) -> Result<(), FormatError> {
        let number = item.key.objectid;
        self.delete_xattrs(number)?;
        let kind = FileKind::from_mode(inode(item)?.mode.get());
        if kind == Some(FileKind::Directory) {
            self.delete_names(number)?;
        }
        self.overwrite(item)?;
        if kind == Some(FileKind::Regular)
            && let Some(item) = self.find(Key::new(number, INODE_ITEM, 0))?
        {
            // What was preallocated past the end comes with the extents.
            let mask = u64::from(self.nodes.common.sector).saturating_sub(1);
            let end = inode(&item)?.size.get().saturating_add(mask) & !mask;
            self.drop_extents(number, end, u64::MAX)?;
        }
        self.fix_later(number)
    }

    /// Removes the attributes that the log's inode does not have: all of those that it has are logged.
    fn delete_xattrs(&mut self, number: u64) -> Result<(), FormatError> {
        for item in self.items(Key::all(number, XATTR_ITEM))? {
            let logged = self.log.find(self.nodes, item.key)?;
            let kept = |name: &[u8]| match &logged {
                Some(logged) => directory::find(logged, name).map(|found| found.is_some()),
                None => Ok(false),
            };
            let mut rest = Vec::new();
            for named in directory::all(item.key, item.data(), item.offset)? {
                if kept(named.name)? {
                    rest.extend_from_slice(named.bytes);
                }
            }
            if rest.len() != item.data().len() {
                self.put_or_remove(item.key, rest)?;
            }
        }
        Ok(())
    }

    /// Copies an item of the log. Of an inode that was only logged to exist (its generation is 0) little
    /// counts, and the size of a directory follows from its names.
    pub(super) fn overwrite(&mut self, item: &Item) -> Result<(), FormatError> {
        let mut bytes = item.data().to_vec();
        if item.key.kind == INODE_ITEM {
            let new = inode(item)?;
            let is = |raw: &RawInode, kind| FileKind::from_mode(raw.mode.get()) == Some(kind);
            let old = self.find(item.key)?;
            let old_inode = old.as_ref().map(inode).transpose()?;
            let size = match &old_inode {
                Some(old) if new.generation.get() == 0 => {
                    let both = is(&new, FileKind::Regular) && is(old, FileKind::Regular);
                    let bytes = self.find(item.key)?.map(|item| item.data().to_vec()).unwrap_or_default();
                    let size = if both && new.size.get() != 0 { new.size.get() } else { old.size.get() };
                    return self.put(item.key, sized(bytes, size));
                }
                Some(old) if is(&new, FileKind::Directory) && is(old, FileKind::Directory) => old.size.get(),
                None if is(&new, FileKind::Directory) => 0,
                _ => new.size.get(),
            };
            bytes = sized(bytes, size);
        }
        self.put(item.key, bytes)
    }

    fn sums(&mut self, item: &Item) {
        let size = self.nodes.common.csum.length();
        let sums = item.data().chunks_exact(size);
        for (sum, at) in sums.zip((item.key.offset..).step_by(num::index(self.nodes.common.sector))) {
            let mut whole = Sum::default();
            whole.iter_mut().zip(sum).for_each(|(to, from)| *to = *from);
            self.sums.insert(at, whole);
        }
    }

    pub(super) fn find(&self, key: Key) -> Result<Option<Item>, FormatError> {
        self.tree.find(self.nodes, key)
    }

    pub(super) fn items(&self, range: (Key, Key)) -> Result<Vec<Item>, FormatError> {
        self.tree.items(self.nodes, range, limits::BTRFS_REPLAY_ITEMS)
    }

    /// Replaces or adds an item.
    pub(super) fn put(&mut self, key: Key, bytes: Vec<u8>) -> Result<(), FormatError> {
        self.left = self.left.checked_sub(cost(&bytes)).ok_or_else(too_much)?;
        self.tree.changes.insert(key, Some(Arc::from(bytes)));
        Ok(())
    }

    pub(super) fn remove(&mut self, key: Key) -> Result<(), FormatError> {
        self.left = self.left.checked_sub(cost(&[])).ok_or_else(too_much)?;
        self.tree.changes.insert(key, None);
        Ok(())
    }

    /// Replaces an item by what is left of it.
    pub(super) fn put_or_remove(&mut self, key: Key, bytes: Vec<u8>) -> Result<(), FormatError> {
        if bytes.is_empty() { self.remove(key) } else { self.put(key, bytes) }
    }

    /// Whether an inode is in the subvolume.
    pub(super) fn exists(&self, number: u64) -> Result<bool, FormatError> {
        Ok(self.find(Key::new(number, INODE_ITEM, 0))?.is_some())
    }

    /// Has the links of an inode, which must be there, counted at last.
    pub(super) fn fix_later(&mut self, number: u64) -> Result<(), FormatError> {
        if !self.exists(number)? {
            return Err(missing(number));
        }
        self.fixups.insert(number);
        Ok(())
    }
}

/// What keeping an item takes.
pub(super) fn cost(bytes: &[u8]) -> usize {
    bytes.len().saturating_add(64)
}

pub(super) fn too_much() -> FormatError {
    FormatError::limit(format!("{STRUCTURE} of more than {} bytes", limits::BTRFS_LOG_BYTES))
}

/// The error for an inode that the log needs and that is neither in it nor in the subvolume.
pub(super) fn missing(number: u64) -> FormatError {
    FormatError::corrupt(STRUCTURE, 0, format!("inode {number} is missing"))
}

/// The inode of an item.
pub(super) fn inode(item: &Item) -> Result<RawInode, FormatError> {
    let raw = RawInode::read_from_prefix(item.data()).map(|(raw, _)| raw);
    raw.map_err(|_| FormatError::corrupt(STRUCTURE, item.offset, format!("{} is cut off", item.key)))
}

/// An inode's item with another size.
pub(super) fn sized(mut bytes: Vec<u8>, size: u64) -> Vec<u8> {
    const AT: usize = std::mem::offset_of!(RawInode, size);
    if let Some(field) = bytes.get_mut(AT..AT.saturating_add(8)) {
        field.copy_from_slice(&size.to_le_bytes());
    }
    bytes
}
