//! Layers merged as overlayfs merges them (kernel `Documentation/filesystems/overlayfs.rst`): upper entries
//! hide lower ones, directories merge, whiteouts and opaque directories end the search.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    block::Source,
    error::FormatError,
    fs::{DirEntry, FileKind, FileSystem, Handle, Ino, Listing, Stat, Xattr, settle},
    gap::Code,
    layer::overlay,
    num,
};

/// The merged file system of layers given base first. Whiteouts do not show in it; no layer at all is an
/// empty directory.
pub fn merge(layers: &[Handle]) -> Arc<dyn FileSystem> {
    let layers: Vec<Handle> = layers.iter().rev().cloned().collect();
    let stack = layers.iter().enumerate().map(|(number, top)| Part { layer: number, ino: top.ino }).collect();
    let nodes = Nodes { all: vec![Arc::new(Node { stack, at: None })], known: HashMap::new() };
    let mut merged = Merged { layers, nodes: Mutex::new(nodes), root_damage: None };
    merged.root_damage = merged.end_root_at_opaque().err().map(|error| (error.code(), error.detail()));
    Arc::new(merged)
}

struct Merged {
    /// Top first.
    layers: Vec<Handle>,
    nodes: Mutex<Nodes>,
    /// Why it is not known whether a layer's root hides the layers below, if it is not: they show.
    root_damage: Option<(Code, String)>,
}

/// An inode of one layer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Part {
    layer: usize,
    ino: Ino,
}

/// What a merged inode is made of, top first: several parts for a directory, one for anything else.
type Stack = Vec<Part>;

/// A merged inode.
struct Node {
    stack: Stack,
    /// Where it was met: its directory and its name there. The root is in none.
    at: Option<(Ino, Vec<u8>)>,
}

/// Inodes get their numbers as they are met. One that is reached by its top part is always the same.
struct Nodes {
    all: Vec<Arc<Node>>,
    known: HashMap<Part, u64>,
}

impl Nodes {
    fn number(&mut self, stack: Stack, dir: Ino, name: &[u8]) -> Option<Ino> {
        let top = *stack.first()?;
        if let Some(number) = self.known.get(&top) {
            return Some(Ino(*number));
        }
        let number = num::to_u64(self.all.len());
        self.all.push(Arc::new(Node { stack, at: Some((dir, name.to_vec())) }));
        self.known.insert(top, number);
        Some(Ino(number))
    }
}

/// Where the parts of a name are looked for in the layers that are left.
enum Search<'a> {
    /// By a name in the directories that its directory is made of.
    Name(Vec<u8>, &'a [Part]),
    /// By a path from the root of each layer, from this one down.
    Path(Vec<u8>, usize),
}

impl Merged {
    fn lock(&self) -> std::sync::MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node(&self, ino: Ino) -> Result<Arc<Node>, FormatError> {
        let node = self.lock().all.get(num::to_usize(ino.0)).map(Arc::clone);
        node.ok_or_else(|| FormatError::corrupt("inode", ino.0, "no such inode"))
    }

    fn top(&self, ino: Ino) -> Result<(Arc<dyn FileSystem>, Ino), FormatError> {
        let node = self.node(ino)?;
        let part = node.stack.first();
        let part = part.ok_or_else(|| FormatError::corrupt("inode", ino.0, "an image without layers"))?;
        Ok((self.fs(*part)?, part.ino))
    }

    fn layer(&self, number: usize) -> Result<&Handle, FormatError> {
        self.layers.get(number).ok_or_else(|| FormatError::malformed("layer", "no such layer"))
    }

    fn fs(&self, part: Part) -> Result<Arc<dyn FileSystem>, FormatError> {
        self.layer(part.layer).map(|layer| Arc::clone(&layer.fs))
    }

    fn is_whiteout(&self, part: Part, kind: FileKind) -> Result<bool, FormatError> {
        Ok(kind == FileKind::CharDevice && overlay::is_whiteout(&self.fs(part)?.stat(part.ino)?))
    }

    /// Takes what lies below the first opaque root out of the root's stack.
    fn end_root_at_opaque(&self) -> Result<(), FormatError> {
        let node = self.node(Ino(0))?;
        for (number, part) in node.stack.iter().enumerate() {
            if overlay::is_opaque(&self.fs(*part)?.xattrs(part.ino)?) {
                let stack = node.stack.iter().take(number.saturating_add(1)).copied().collect();
                if let Some(root) = self.lock().all.first_mut() {
                    *root = Arc::new(Node { stack, at: None });
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// What a name in a directory of these parts is made of.
    fn child(&self, parents: &[Part], name: &[u8]) -> Result<Stack, FormatError> {
        let mut stack = Stack::new();
        let mut search = Search::Name(name.to_vec(), parents);
        while let Some((part, kind)) = self.next(&mut search)? {
            if self.is_whiteout(part, kind)? {
                break;
            }
            if kind != FileKind::Directory {
                if stack.is_empty() {
                    stack.push(part);
                }
                break;
            }
            stack.push(part);
            let xattrs = self.fs(part)?.xattrs(part.ino)?;
            if overlay::is_opaque(&xattrs) {
                break;
            }
            if let Some(redirect) = overlay::redirect(&xattrs) {
                search = self.redirected(search, redirect, part);
            }
        }
        Ok(stack)
    }

    /// The next part down.
    fn next(&self, search: &mut Search<'_>) -> Result<Option<(Part, FileKind)>, FormatError> {
        match search {
            Search::Name(name, parents) => {
                while let Some((dir, rest)) = parents.split_first() {
                    *parents = rest;
                    let fs = self.fs(*dir)?;
                    if let Some(ino) = fs.lookup(dir.ino, name)? {
                        return Ok(Some((Part { layer: dir.layer, ino }, fs.stat(ino)?.kind)));
                    }
                }
            }
            Search::Path(path, from) => {
                while *from < self.layers.len() {
                    let layer = *from;
                    *from = from.saturating_add(1);
                    if let Some(found) = self.at(layer, path)? {
                        return Ok(Some(found));
                    }
                }
            }
        }
        Ok(None)
    }

    /// What one layer has at a path, no link followed.
    fn at(&self, layer: usize, path: &[u8]) -> Result<Option<(Part, FileKind)>, FormatError> {
        let top = self.layer(layer)?;
        let (mut ino, mut kind) = (top.ino, FileKind::Directory);
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            if kind != FileKind::Directory {
                return Ok(None);
            }
            let Some(next) = top.fs.lookup(ino, name)? else { return Ok(None) };
            (ino, kind) = (next, top.fs.stat(next)?.kind);
        }
        Ok(Some((Part { layer, ino }, kind)))
    }

    /// The search for what lies below a part that says that it was moved: from the root of the layers by a path, or in
    /// the same directory by another name.
    fn redirected<'a>(&self, search: Search<'a>, redirect: &[u8], part: Part) -> Search<'a> {
        match search {
            _ if redirect.starts_with(b"/") => Search::Path(redirect.to_vec(), part.layer.saturating_add(1)),
            Search::Name(_, parents) => Search::Name(redirect.to_vec(), parents),
            Search::Path(path, from) => {
                let dir = path.iter().rposition(|byte| *byte == b'/').and_then(|end| path.get(..end));
                Search::Path([dir.unwrap_or_default(), b"/", redirect].concat(), from)
            }
        }
    }

    /// The part with the data of a file: its own, or for a file of which only the attributes were changed, the next one
    /// down that has data.
    fn data(&self, ino: Ino) -> Result<Part, FormatError> {
        let no_data =
            || FormatError::corrupt("overlay attribute metacopy", ino.0, "no layer below has the data");
        let node = self.node(ino)?;
        let mut part = *node.stack.first().ok_or_else(no_data)?;
        let (dir, name) = node.at.clone().ok_or_else(no_data)?;
        let dir = self.node(dir)?;
        let below: Vec<Part> = dir.stack.iter().filter(|dir| dir.layer > part.layer).copied().collect();
        let mut search = Search::Name(name, &below);
        loop {
            let xattrs = self.fs(part)?.xattrs(part.ino)?;
            if let Some(error) = overlay::indirection(&xattrs) {
                return Err(error);
            }
            if !overlay::is_metacopy(&xattrs) {
                return Ok(part);
            }
            if let Some(redirect) = overlay::redirect(&xattrs) {
                search = self.redirected(search, redirect, part);
            }
            match self.next(&mut search)? {
                Some((found, FileKind::Regular)) => part = found,
                _ => return Err(no_data()),
            }
        }
    }
}

impl FileSystem for Merged {
    fn root(&self) -> Ino {
        Ino(0)
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        let (fs, own) = self.top(ino)?;
        Ok(Stat { ino, ..fs.stat(own)? })
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        let stack = self.child(&self.node(dir)?.stack, name)?;
        Ok(self.lock().number(stack, dir, name))
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        let mut listing = Listing::default();
        if let Some((code, what)) = self.root_damage.as_ref().filter(|_| dir == self.root()) {
            listing.damage.push(FormatError::Unsupported { code: *code, what: what.clone() });
        }
        let node = self.node(dir)?;
        let mut names: BTreeMap<Vec<u8>, Merging> = BTreeMap::new();
        for dir in &node.stack {
            let fs = self.fs(*dir)?;
            let mut part = fs.read_dir(dir.ino)?;
            settle(fs.as_ref(), &mut part, &|_| false);
            listing.damage.extend(part.damage);
            for entry in part.entries {
                let merging = names.entry(entry.name).or_insert_with(|| Merging::new(entry.kind));
                if !merging.ended {
                    self.extend(merging, Part { layer: dir.layer, ino: entry.ino }, entry.kind)?;
                }
            }
        }
        for (name, Merging { mut stack, kind, redirected, .. }) in names {
            if redirected {
                stack = self.child(&node.stack, &name)?;
            }
            if let Some(ino) = self.lock().number(stack, dir, &name) {
                listing.entries.push(DirEntry { name, ino, kind });
            }
        }
        Ok(listing)
    }

    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        let (fs, own) = self.top(ino)?;
        fs.read_link(own)
    }

    /// The overlay's own attributes are its bookkeeping and do not show.
    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        let (fs, own) = self.top(ino)?;
        Ok(overlay::shown(fs.xattrs(own)?))
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        let (fs, own) = self.top(ino)?;
        let xattrs = fs.xattrs(own)?;
        if overlay::is_metacopy(&xattrs) {
            let part = self.data(ino)?;
            return self.fs(part)?.open(part.ino);
        }
        match overlay::indirection(&xattrs) {
            Some(error) => Err(error),
            None => fs.open(own),
        }
    }
}

/// A name of a directory that is being listed.
struct Merging {
    stack: Stack,
    kind: FileKind,
    /// No layer further down has a part in it.
    ended: bool,
    /// Its parts further down have other names.
    redirected: bool,
}

impl Merging {
    fn new(kind: FileKind) -> Self {
        Self { stack: Stack::new(), kind, ended: false, redirected: false }
    }
}

impl Merged {
    /// Adds the next part of a name.
    fn extend(&self, merging: &mut Merging, part: Part, kind: FileKind) -> Result<(), FormatError> {
        merging.ended = true;
        if self.is_whiteout(part, kind)? {
            return Ok(());
        }
        if kind == FileKind::Directory {
            merging.stack.push(part);
            let xattrs = self.fs(part)?.xattrs(part.ino)?;
            merging.redirected = overlay::redirect(&xattrs).is_some();
            merging.ended = merging.redirected || overlay::is_opaque(&xattrs);
            return Ok(());
        }
        if merging.stack.is_empty() {
            merging.stack.push(part);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{
        GuestPath, Root,
        memory::{Entry, Tree},
    };

    fn xattr(name: &str, value: &str) -> Xattr {
        Xattr { name: name.into(), value: value.into() }
    }

    fn metacopy(tree: &mut Tree, path: &str, redirect: Option<&str>) {
        let mut entry = Entry::new(FileKind::Regular);
        entry.stat.mode = 0o600;
        entry.xattrs = vec![xattr("trusted.overlay.metacopy", "")];
        entry.xattrs.extend(redirect.map(|to| xattr("trusted.overlay.redirect", to)));
        tree.insert(&GuestPath::new(path), entry);
    }

    #[test]
    fn moved_directories_and_copied_attributes_lead_to_the_layers_below() {
        let (mut base, mut upper) = (Tree::default(), Tree::default());
        base.file("old/deep/file", "moved with its directory");
        base.file("a/file", "data");
        base.file("b/other", "data elsewhere");
        upper.mark(&GuestPath::new("new"), xattr("trusted.overlay.redirect", "old"));
        upper.mark(&GuestPath::new("far/away"), xattr("trusted.overlay.redirect", "/old/deep"));
        upper.insert(&GuestPath::new("old"), Entry::new(FileKind::CharDevice));
        metacopy(&mut upper, "a/file", None);
        metacopy(&mut upper, "a/linked", Some("/b/other"));
        metacopy(&mut upper, "a/renamed", Some("file"));
        metacopy(&mut upper, "a/lost", Some("nothing"));
        let layers = [base, upper].map(|tree| Root::new(tree.build()).top());
        let merged = Root::new(merge(&layers));
        let read = |path: &str| {
            let bytes = merged.read(path.as_bytes(), "file").unwrap().unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(read("new/deep/file"), "moved with its directory");
        assert_eq!(read("far/away/file"), "moved with its directory");
        assert_eq!(read("a/file"), "data");
        assert_eq!(read("a/linked"), "data elsewhere");
        assert_eq!(read("a/renamed"), "data");
        assert!(merged.read(b"a/lost", "file").is_err());
        assert!(merged.find(b"old").unwrap().is_none());
        let new = merged.find(b"new").unwrap().unwrap();
        assert_eq!(new.read_dir().unwrap().entries.len(), 1);
    }
}
