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
    let nodes = Nodes { all: vec![Arc::new(stack)], known: HashMap::new() };
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

/// Inodes get their numbers as they are met. One that is reached by its top part is always the same.
struct Nodes {
    all: Vec<Arc<Stack>>,
    known: HashMap<Part, u64>,
}

impl Nodes {
    fn number(&mut self, stack: Stack) -> Option<Ino> {
        let top = *stack.first()?;
        if let Some(number) = self.known.get(&top) {
            return Some(Ino(*number));
        }
        let number = num::to_u64(self.all.len());
        self.all.push(Arc::new(stack));
        self.known.insert(top, number);
        Some(Ino(number))
    }
}

impl Merged {
    fn lock(&self) -> std::sync::MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stack(&self, ino: Ino) -> Result<Arc<Stack>, FormatError> {
        let node = self.lock().all.get(num::to_usize(ino.0)).map(Arc::clone);
        node.ok_or_else(|| FormatError::corrupt("inode", ino.0, "no such inode"))
    }

    fn top(&self, ino: Ino) -> Result<(Arc<dyn FileSystem>, Ino), FormatError> {
        let stack = self.stack(ino)?;
        let part =
            stack.first().ok_or_else(|| FormatError::corrupt("inode", ino.0, "an image without layers"))?;
        Ok((self.fs(*part)?, part.ino))
    }

    fn fs(&self, part: Part) -> Result<Arc<dyn FileSystem>, FormatError> {
        let layer = self.layers.get(part.layer).map(|layer| Arc::clone(&layer.fs));
        layer.ok_or_else(|| FormatError::corrupt("inode", part.ino.0, "no such layer"))
    }

    /// Whether a directory hides what lies below it.
    fn is_opaque(&self, part: Part) -> Result<bool, FormatError> {
        let xattrs = self.fs(part)?.xattrs(part.ino)?;
        match overlay::indirection(&xattrs) {
            Some(error) => Err(error),
            None => Ok(overlay::is_opaque(&xattrs)),
        }
    }

    fn is_whiteout(&self, part: Part, kind: FileKind) -> Result<bool, FormatError> {
        Ok(kind == FileKind::CharDevice && overlay::is_whiteout(&self.fs(part)?.stat(part.ino)?))
    }

    /// Takes what lies below the first opaque root out of the root's stack.
    fn end_root_at_opaque(&self) -> Result<(), FormatError> {
        let stack = self.stack(Ino(0))?;
        for (number, part) in stack.iter().enumerate() {
            if self.is_opaque(*part)? {
                let kept = stack.iter().take(number.saturating_add(1)).copied().collect();
                if let Some(root) = self.lock().all.first_mut() {
                    *root = Arc::new(kept);
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// Adds the next part of an entry; true when no lower part can follow.
    fn extend(&self, stack: &mut Stack, part: Part, kind: FileKind) -> Result<bool, FormatError> {
        if self.is_whiteout(part, kind)? {
            return Ok(true);
        }
        if kind == FileKind::Directory {
            stack.push(part);
            return self.is_opaque(part);
        }
        if stack.is_empty() {
            stack.push(part);
        }
        Ok(true)
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
        let mut stack = Stack::new();
        for dir in self.stack(dir)?.iter() {
            let fs = self.fs(*dir)?;
            let Some(ino) = fs.lookup(dir.ino, name)? else { continue };
            let kind = fs.stat(ino)?.kind;
            if self.extend(&mut stack, Part { layer: dir.layer, ino }, kind)? {
                break;
            }
        }
        Ok(self.lock().number(stack))
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        let mut listing = Listing::default();
        if let Some((code, what)) = self.root_damage.as_ref().filter(|_| dir == self.root()) {
            listing.damage.push(FormatError::Unsupported { code: *code, what: what.clone() });
        }
        let mut names: BTreeMap<Vec<u8>, (Stack, FileKind, bool)> = BTreeMap::new();
        for dir in self.stack(dir)?.iter() {
            let fs = self.fs(*dir)?;
            let mut part = fs.read_dir(dir.ino)?;
            settle(fs.as_ref(), &mut part, &|_| false);
            listing.damage.extend(part.damage);
            for entry in part.entries {
                let (stack, _, ended) =
                    names.entry(entry.name).or_insert_with(|| (Stack::new(), entry.kind, false));
                if !*ended {
                    *ended = self.extend(stack, Part { layer: dir.layer, ino: entry.ino }, entry.kind)?;
                }
            }
        }
        for (name, (stack, kind, _)) in names {
            if let Some(ino) = self.lock().number(stack) {
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
        match overlay::indirection(&fs.xattrs(own)?) {
            Some(error) => Err(error),
            None => fs.open(own),
        }
    }
}
