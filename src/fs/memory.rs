//! A file system in memory: the tree of a tar, and fixtures of tests.

use std::{collections::BTreeMap, sync::Arc};

use super::{Device, DirEntry, FileKind, FileSystem, GuestPath, Ino, Listing, Stat, Timestamp, Xattr};
use crate::{
    block::{self, Source},
    error::FormatError,
    limits, num,
};

/// A tree under construction. Directories that a path needs are made on the way.
pub struct Tree {
    nodes: Vec<Node>,
}

struct Node {
    stat: Stat,
    entries: BTreeMap<Vec<u8>, usize>,
    target: Vec<u8>,
    content: Option<Source>,
    xattrs: Vec<Xattr>,
}

/// What is added to a [`Tree`], beside its path.
pub struct Entry {
    /// Attributes; `ino` and `links` are the tree's own.
    pub stat: Stat,
    /// The target of a symbolic link.
    pub target: Vec<u8>,
    /// The bytes of a regular file.
    pub content: Option<Source>,
    /// Extended attributes.
    pub xattrs: Vec<Xattr>,
}

impl Entry {
    /// An entry of this kind with plain attributes, no data.
    pub fn new(kind: FileKind) -> Self {
        let mode = if kind == FileKind::Directory { 0o755 } else { 0o644 };
        let stat = Stat {
            ino: Ino(0),
            kind,
            mode,
            uid: 0,
            gid: 0,
            links: 1,
            size: 0,
            rdev: Device::default(),
            mtime: Timestamp::default(),
        };
        Self { stat, target: Vec::new(), content: None, xattrs: Vec::new() }
    }
}

impl Default for Tree {
    fn default() -> Self {
        let mut tree = Self { nodes: Vec::new() };
        tree.add_node(Entry::new(FileKind::Directory));
        tree
    }
}

impl Tree {
    /// Adds (or replaces) what is at `path`. A directory that is there already keeps its entries.
    pub fn insert(&mut self, path: &GuestPath, entry: Entry) {
        let Some(parent) = path.parent() else {
            if let Some(root) = self.nodes.first_mut() {
                root.stat = Stat { ino: root.stat.ino, ..entry.stat };
                root.xattrs = entry.xattrs;
            }
            return;
        };
        let dir = self.directory(&parent);
        let old = self.nodes.get(dir).and_then(|node| node.entries.get(path.name()).copied());
        if let Some(old) = old.and_then(|old| self.nodes.get_mut(old))
            && old.stat.kind == FileKind::Directory
            && entry.stat.kind == FileKind::Directory
        {
            // An opaque marker may precede the directory that it is in.
            old.stat = Stat { ino: old.stat.ino, ..entry.stat };
            old.xattrs.retain(|mark| entry.xattrs.iter().all(|new| new.name != mark.name));
            old.xattrs.extend(entry.xattrs);
            return;
        }
        let node = self.add_node(entry);
        self.name(dir, path.name(), node);
    }

    /// Gives what is at `existing` a second name. False if nothing is there or it is a directory.
    pub fn hard_link(&mut self, path: &GuestPath, existing: &GuestPath) -> bool {
        let Some(node) = self.find(existing) else { return false };
        let Some(parent) = path.parent() else { return false };
        if self.nodes.get(node).is_none_or(|node| node.stat.kind == FileKind::Directory) {
            return false;
        }
        if let Some(node) = self.nodes.get_mut(node) {
            node.stat.links = node.stat.links.saturating_add(1);
        }
        let dir = self.directory(&parent);
        self.name(dir, path.name(), node);
        true
    }

    /// Adds an extended attribute to the directory at `path`, which is made if it is not there.
    pub fn mark(&mut self, path: &GuestPath, xattr: Xattr) {
        let dir = self.directory(path);
        if let Some(dir) = self.nodes.get_mut(dir) {
            dir.xattrs.retain(|old| old.name != xattr.name);
            dir.xattrs.push(xattr);
        }
    }

    /// Where a path leads when the symbolic links above its last name are followed inside the tree; names that
    /// are not there stand for themselves. `None` if the links do not end.
    pub fn resolve(&self, path: &GuestPath) -> Option<GuestPath> {
        let mut todo: Vec<&[u8]> = path.components().rev().collect();
        let mut above: Vec<(&[u8], Option<usize>)> = Vec::new();
        let mut links: usize = 0;
        while let Some(name) = todo.pop() {
            if matches!(name, b"" | b".") {
                continue;
            }
            if name == b".." {
                above.pop();
                continue;
            }
            let dir = above.last().map_or(Some(0), |(_, node)| *node);
            let found = dir.and_then(|dir| self.nodes.get(dir)?.entries.get(name).copied());
            let node = found.and_then(|found| self.nodes.get(found));
            match node.filter(|node| node.stat.kind == FileKind::Symlink && !todo.is_empty()) {
                Some(link) => {
                    links = links.saturating_add(1);
                    if links > limits::SYMLINKS || link.target.len() > limits::PATH_BYTES {
                        return None;
                    }
                    if link.target.starts_with(b"/") {
                        above.clear();
                    }
                    todo.extend(link.target.split(|byte| *byte == b'/').rev());
                }
                None => above.push((name, found)),
            }
        }
        let names: Vec<&[u8]> = above.into_iter().map(|(name, _)| name).collect();
        Some(GuestPath::new(names.join(&b'/')))
    }

    /// Removes a name and what only it reaches.
    pub fn remove(&mut self, path: &GuestPath) {
        let Some(dir) = path.parent().and_then(|parent| self.find(&parent)) else { return };
        if let Some(dir) = self.nodes.get_mut(dir) {
            dir.entries.remove(path.name());
        }
    }

    /// Gives what is at a path another one.
    #[cfg(test)]
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        let (from, to) = (GuestPath::new(from), GuestPath::new(to));
        let (Some(node), Some(parent)) = (self.find(&from), to.parent()) else { return };
        self.remove(&from);
        let dir = self.directory(&parent);
        self.name(dir, to.name(), node);
    }

    /// Whether something is at `path`.
    pub fn contains(&self, path: &GuestPath) -> bool {
        self.find(path).is_some()
    }

    /// A regular file with this content.
    pub fn file(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        let content = content.into();
        let mut entry = Entry::new(FileKind::Regular);
        entry.stat.size = num::to_u64(content.len());
        entry.content = Some(Arc::new(block::Memory::new(content)));
        self.insert(&GuestPath::new(path), entry);
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        let mut entry = Entry::new(FileKind::Symlink);
        entry.stat.size = num::to_u64(target.len());
        entry.target = target.as_bytes().to_vec();
        self.insert(&GuestPath::new(path), entry);
    }

    /// The finished file system.
    pub fn build(self) -> Arc<dyn FileSystem> {
        Arc::new(MemoryFs { nodes: self.nodes })
    }

    fn add_node(&mut self, entry: Entry) -> usize {
        let number = self.nodes.len();
        let stat = Stat { ino: Ino(num::to_u64(number)), links: 1, ..entry.stat };
        let Entry { target, content, xattrs, .. } = entry;
        self.nodes.push(Node { stat, entries: BTreeMap::new(), target, content, xattrs });
        number
    }

    fn name(&mut self, dir: usize, name: &[u8], node: usize) {
        if let Some(dir) = self.nodes.get_mut(dir) {
            dir.entries.insert(name.to_vec(), node);
        }
    }

    fn find(&self, path: &GuestPath) -> Option<usize> {
        path.components().try_fold(0, |dir, name| self.nodes.get(dir)?.entries.get(name).copied())
    }

    fn directory(&mut self, path: &GuestPath) -> usize {
        let mut dir = 0;
        for name in path.components() {
            let next = self.nodes.get(dir).and_then(|node| node.entries.get(name).copied());
            dir = match next {
                Some(next) if self.nodes.get(next).is_some_and(|n| n.stat.kind == FileKind::Directory) => {
                    next
                }
                _ => {
                    let new = self.add_node(Entry::new(FileKind::Directory));
                    self.name(dir, name, new);
                    new
                }
            };
        }
        dir
    }
}

struct MemoryFs {
    nodes: Vec<Node>,
}

impl MemoryFs {
    fn node(&self, ino: Ino) -> Result<&Node, FormatError> {
        let node = self.nodes.get(num::to_usize(ino.0));
        node.ok_or_else(|| FormatError::corrupt("inode", ino.0, "no such inode"))
    }
}

impl FileSystem for MemoryFs {
    fn root(&self) -> Ino {
        Ino(0)
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        Ok(self.node(ino)?.stat)
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        Ok(self.node(dir)?.entries.get(name).map(|node| Ino(num::to_u64(*node))))
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        let mut listing = Listing::default();
        for (name, number) in &self.node(dir)?.entries {
            let ino = Ino(num::to_u64(*number));
            let kind = self.node(ino)?.stat.kind;
            listing.entries.push(DirEntry { name: name.clone(), ino, kind });
        }
        Ok(listing)
    }

    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        Ok(self.node(ino)?.target.clone())
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        Ok(self.node(ino)?.xattrs.clone())
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        let content = self.node(ino)?.content.as_ref().map(Arc::clone);
        Ok(content.unwrap_or_else(|| Arc::new(block::Memory::default())))
    }
}
