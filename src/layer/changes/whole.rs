//! The changes between two whole trees.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use crate::{
    block::{self, Source},
    error::FormatError,
    fs::{DirEntry, FileKind, FileSystem, GuestPath, Handle, Ino, Listing, Root, Stat, Xattr, settle},
    gap::Code,
    layer::{Sameness, overlay, wants},
    limits, num,
};

/// The upper directory that makes `tree` of `below`: changed and new files, the directories on the way to them, and a
/// whiteout for each name that is gone. What of `below` cannot be read hides nothing, so more may seem new.
pub(super) fn difference(
    tree: &Handle,
    below: Option<&Handle>,
    sameness: Sameness,
) -> Result<Handle, FormatError> {
    let mut comparison = Comparison {
        tree: tree.fs.as_ref(),
        below: below.map(|below| below.fs.as_ref()),
        directories: vec![Directory::new(tree.ino, below.map(|below| below.ino), None)],
        seen: HashSet::from([tree.ino]),
        entries: 0,
        sameness,
    };
    comparison.run()?;
    let shown = comparison.prune();
    let fs = Difference { fs: Arc::clone(&tree.fs), root: tree.ino, shown };
    Ok(Root::new(Arc::new(fs)).top())
}

/// What shows of a directory.
#[derive(Default)]
struct Shown {
    entries: BTreeMap<Vec<u8>, (Ino, FileKind)>,
    damage: Vec<(Code, String)>,
}

struct Directory {
    ino: Ino,
    below: Option<Ino>,
    /// Where it lies: the number of its parent, and its name there.
    parent: Option<(usize, Vec<u8>)>,
    path: GuestPath,
    depth: usize,
    /// Whether it shows even if nothing in it does.
    changed: bool,
    shown: Shown,
}

impl Directory {
    fn new(ino: Ino, below: Option<Ino>, parent: Option<(usize, Vec<u8>)>) -> Self {
        Self {
            ino,
            below,
            parent,
            path: GuestPath::ROOT,
            depth: 0,
            changed: below.is_none(),
            shown: Shown::default(),
        }
    }
}

struct Comparison<'a> {
    tree: &'a dyn FileSystem,
    below: Option<&'a dyn FileSystem>,
    /// Parents before their children.
    directories: Vec<Directory>,
    seen: HashSet<Ino>,
    entries: u64,
    sameness: Sameness,
}

impl Comparison<'_> {
    /// Level by level, so that a reader sees many directories at once and reads them in the disk's order.
    fn run(&mut self) -> Result<(), FormatError> {
        let mut from = 0;
        while from < self.directories.len() {
            let to = self.directories.len().min(from.saturating_add(limits::DIRECTORY_BATCH));
            let batch = self.directories.get(from..to).unwrap_or_default();
            let inos: Vec<Ino> = batch.iter().map(|dir| dir.ino).collect();
            let lower: Vec<Option<Ino>> = batch.iter().map(|dir| dir.below).collect();
            let mut theirs = self.lower_listings(&lower).into_iter();
            for ((number, listing), below) in (from..).zip(self.tree.read_dirs(&inos)).zip(lower) {
                let theirs = below.and_then(|_| theirs.next());
                self.directory(number, listing?, theirs)?;
            }
            from = to;
        }
        Ok(())
    }

    fn lower_listings(&self, dirs: &[Option<Ino>]) -> Vec<Result<Listing, FormatError>> {
        let inos: Vec<Ino> = dirs.iter().flatten().copied().collect();
        self.below.map(|below| below.read_dirs(&inos)).unwrap_or_default()
    }

    fn directory(
        &mut self,
        number: usize,
        mut ours: Listing,
        theirs: Option<Result<Listing, FormatError>>,
    ) -> Result<(), FormatError> {
        settle(self.tree, &mut ours, &|_| false);
        let mut damage: Vec<FormatError> = std::mem::take(&mut ours.damage);
        let mut lower: HashMap<Vec<u8>, (Ino, FileKind)> = HashMap::new();
        match (theirs, self.below) {
            (Some(Ok(mut listing)), Some(below)) => {
                settle(below, &mut listing, &|_| false);
                damage.extend(listing.damage);
                lower.extend(listing.entries.into_iter().map(|e| (e.name, (e.ino, e.kind))));
            }
            (Some(Err(error)), _) => damage.push(error),
            _ => {}
        }
        let here = self.directories.get(number);
        let depth = here.map_or(0, |dir| dir.depth).saturating_add(1);
        let here = here.map(|dir| dir.path.clone()).unwrap_or_default();
        if depth > limits::PATH_DEPTH && ours.entries.iter().any(|e| e.kind == FileKind::Directory) {
            damage.push(FormatError::limit(format!("directories nested deeper than {}", limits::PATH_DEPTH)));
            ours.entries.retain(|entry| entry.kind != FileKind::Directory);
        }
        let mut shown = BTreeMap::new();
        for DirEntry { name, ino, kind } in ours.entries {
            self.entries = self.entries.saturating_add(1);
            if self.entries > limits::TREE_ENTRIES {
                return Err(FormatError::limit(format!("more than {} entries", limits::TREE_ENTRIES)));
            }
            let same_name = lower.remove(&name);
            let same_kind = same_name.filter(|(_, their)| *their == kind).map(|(ino, _)| ino);
            let is_same = match (same_kind, self.below) {
                (Some(theirs), Some(below)) => {
                    match self.is_same(&here.join(&name), ino, (below, theirs), kind) {
                        Ok(same) => same,
                        Err(error) => {
                            damage.push(error);
                            false
                        }
                    }
                }
                _ => false,
            };
            if kind != FileKind::Directory {
                if !is_same {
                    shown.insert(name, (ino, kind));
                }
                continue;
            }
            if !self.seen.insert(ino) {
                let problem = "reached twice: a directory has one name";
                damage.push(FormatError::corrupt("directory", ino.0, problem));
                continue;
            }
            // Names come before what lies in them, so a directory without changes is taken out at the end.
            let mut child = Directory::new(ino, same_kind, Some((number, name.clone())));
            (child.changed, child.depth, child.path) = (!is_same, depth, here.join(&name));
            self.directories.push(child);
            shown.insert(name, (ino, kind));
        }
        for name in lower.into_keys() {
            shown.insert(name, (overlay::WHITEOUT, FileKind::CharDevice));
        }
        if let Some(dir) = self.directories.get_mut(number) {
            let damage = damage.into_iter().map(|error| (error.code(), error.detail())).collect();
            dir.shown = Shown { entries: shown, damage };
        }
        Ok(())
    }

    fn is_same(
        &self,
        path: &GuestPath,
        ours: Ino,
        (below, theirs): (&dyn FileSystem, Ino),
        kind: FileKind,
    ) -> Result<bool, FormatError> {
        let (a, b) = (self.tree.stat(ours)?, below.stat(theirs)?);
        let of = |s: &Stat| (s.kind, s.mode, s.uid, s.gid, s.rdev);
        // The time of a directory changes with its entries, and its size is the file system's affair.
        let data = |s: &Stat| (kind != FileKind::Directory).then_some((s.size, s.mtime));
        if of(&a) != of(&b) || data(&a) != data(&b) {
            return Ok(false);
        }
        if kind == FileKind::Symlink {
            return Ok(self.tree.read_link(ours)? == below.read_link(theirs)?);
        }
        let (mut our_xattrs, mut their_xattrs) = (self.tree.xattrs(ours)?, below.xattrs(theirs)?);
        our_xattrs.sort();
        their_xattrs.sort();
        if our_xattrs != their_xattrs {
            return Ok(false);
        }
        let is_read = kind == FileKind::Regular && a.size > 0;
        if is_read && (self.sameness == Sameness::Content || wants(path, &a)) {
            return same_content(&self.tree.open(ours)?, &below.open(theirs)?);
        }
        Ok(true)
    }

    /// Takes out the directories of which nothing changed, those furthest down first.
    fn prune(self) -> HashMap<Ino, Shown> {
        let mut directories = self.directories;
        let mut all = HashMap::new();
        while let Some(dir) = directories.pop() {
            let Some((parent, name)) = dir
                .parent
                .filter(|_| !dir.changed && dir.shown.entries.is_empty() && dir.shown.damage.is_empty())
            else {
                all.insert(dir.ino, dir.shown);
                continue;
            };
            if let Some(parent) = directories.get_mut(parent) {
                parent.shown.entries.remove(&name);
            }
        }
        all
    }
}

fn same_content(ours: &Source, theirs: &Source) -> Result<bool, FormatError> {
    const PART: u64 = 256 << 10;
    let size = ours.size();
    let mut offset = 0;
    while offset < size {
        let length = num::to_usize(PART.min(size.saturating_sub(offset)));
        let read = |from: &Source| block::read_vec(from, "file", offset, length);
        if read(ours)? != read(theirs)? {
            return Ok(false);
        }
        offset = offset.saturating_add(PART);
    }
    Ok(true)
}

struct Difference {
    fs: Arc<dyn FileSystem>,
    root: Ino,
    /// The directories that show. Inodes keep their numbers.
    shown: HashMap<Ino, Shown>,
}

impl Difference {
    fn dir(&self, dir: Ino) -> Result<&Shown, FormatError> {
        self.shown.get(&dir).ok_or_else(|| FormatError::corrupt("inode", dir.0, "no such directory"))
    }
}

impl FileSystem for Difference {
    fn root(&self) -> Ino {
        self.root
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        if ino == overlay::WHITEOUT { Ok(overlay::whiteout()) } else { self.fs.stat(ino) }
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        Ok(self.dir(dir)?.entries.get(name).map(|(ino, _)| *ino))
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        let Shown { entries, damage } = self.dir(dir)?;
        let entries =
            entries.iter().map(|(name, (ino, kind))| DirEntry { name: name.clone(), ino: *ino, kind: *kind });
        let damage =
            damage.iter().map(|(code, what)| FormatError::Unsupported { code: *code, what: what.clone() });
        Ok(Listing { entries: entries.collect(), damage: damage.collect(), directories: None })
    }

    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        self.fs.read_link(ino)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        if ino == overlay::WHITEOUT { Ok(Vec::new()) } else { self.fs.xattrs(ino) }
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        self.fs.open(ino)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fs::memory::Tree, layer::changes, store::Unpacked};

    #[test]
    fn what_changed_between_two_trees_is_an_upper_directory() {
        let (mut below, mut tree) = (Tree::default(), Tree::default());
        for tree in [&mut below, &mut tree] {
            tree.file("same/deep/file", "same");
            tree.file("changed/a", "old");
            tree.file("swap/x", "directory or file");
        }
        below.file("changed/gone", "");
        below.file("removed/with/all", "");
        tree.file("changed/a", "newer");
        tree.file("new/b", "b");
        tree.remove(&GuestPath::new("swap"));
        tree.file("swap", "now a file");
        let [below, tree] = [below, tree].map(|tree| Root::new(tree.build()).top());
        let seen =
            changes(&Unpacked::whole(tree.clone(), Some(below.clone())), Sameness::Attributes).unwrap();
        let names = |path: &str| -> Vec<String> {
            let dir = Root::below(&seen).find(path.as_bytes()).unwrap().unwrap();
            let entries = dir.read_dir().unwrap().entries;
            entries
                .iter()
                .map(|e| format!("{}{}", e.kind.letter(), String::from_utf8_lossy(&e.name)))
                .collect()
        };
        assert_eq!(names("/"), ["dchanged", "dnew", "cremoved", "-swap"]);
        assert_eq!(names("changed"), ["-a", "cgone"]);
        assert_eq!(names("new"), ["-b"]);
        // With nothing below it, all of a tree is new.
        let all = changes(&Unpacked::whole(tree, None), Sameness::Attributes).unwrap();
        assert_eq!(all.read_dir().unwrap().entries.len(), 4);
    }
}
