//! Paths, `..`, symbolic links and mounts are resolved here, once, inside the guest.

use std::sync::Arc;

use super::{FileKind, FileSystem, GuestPath, Handle, Ino, Listing};
use crate::{block, error::FormatError, limits};

/// A directory of a file system that shows up at a path.
#[derive(Clone)]
pub struct Mount {
    /// Where, in the tree of the [`Root`].
    pub at: GuestPath,
    /// The file system.
    pub fs: Arc<dyn FileSystem>,
    /// The directory of it that shows up there (another than its root for a bind mount).
    pub ino: Ino,
}

/// A tree of files with a root that nothing leads out of: a volume, an assembled node, an unpacked layer.
#[derive(Clone)]
pub struct Root {
    base: Mount,
    mounts: Arc<[Mount]>,
    /// The directories from the root to the one where paths begin, for a tree that is seen from within; else none.
    begin: Arc<[Handle]>,
}

impl Root {
    /// A whole file system.
    pub fn new(fs: Arc<dyn FileSystem>) -> Self {
        let ino = fs.root();
        Self { base: Mount { at: GuestPath::ROOT, fs, ino }, mounts: Arc::default(), begin: Arc::default() }
    }

    /// What lies below a directory. Mounts of the tree that it came from are not seen in it.
    pub fn below(dir: &Handle) -> Self {
        let base = Mount { at: GuestPath::ROOT, fs: Arc::clone(&dir.fs), ino: dir.ino };
        Self { base, mounts: Arc::default(), begin: Arc::default() }
    }

    /// This tree as seen from one of its directories: paths begin there and do not lead above it, but links and mounts
    /// below it lead where they do on the whole tree. Of a directory of another tree, what lies below it.
    #[must_use]
    pub fn within(&self, dir: &Handle) -> Self {
        let whole = Self { begin: Arc::default(), ..self.clone() };
        match whole.way(dir.path.as_bytes(), false) {
            Ok(Some(way)) if way.last().is_some_and(|last| last.is_same(dir)) => {
                Self { begin: way.into(), ..whole }
            }
            _ => Self::below(dir),
        }
    }

    /// The same tree with mounts on it; of two at one path, the later one is seen.
    #[must_use]
    pub fn with_mounts(self, mounts: Vec<Mount>) -> Self {
        Self { mounts: mounts.into(), ..self }
    }

    /// The mounts on this tree, the root's own excluded.
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// The directory where paths begin: the root itself, unless the tree is seen from within.
    pub fn top(&self) -> Handle {
        if let Some(begin) = self.begin.last() {
            return begin.clone();
        }
        let mount = self.mount_at(&GuestPath::ROOT).unwrap_or(&self.base);
        Handle { fs: Arc::clone(&mount.fs), ino: mount.ino, path: GuestPath::ROOT }
    }

    /// What a path leads to, every symbolic link followed; `None` if a component does not exist.
    pub fn find(&self, path: &[u8]) -> Result<Option<Handle>, FormatError> {
        self.resolve(path, true)
    }

    /// Like [`Self::find`], but a symbolic link in the last component is the answer itself.
    pub fn find_no_follow(&self, path: &[u8]) -> Result<Option<Handle>, FormatError> {
        self.resolve(path, false)
    }

    /// The content of a small file, `None` if the path leads to no regular file.
    pub fn read(&self, path: &[u8], structure: &'static str) -> Result<Option<Vec<u8>>, FormatError> {
        self.read_within(path, structure, limits::TEXT_FILE_BYTES)
    }

    /// As [`Self::read`], of a file of at most so many bytes; a larger one is an error.
    pub fn read_within(
        &self,
        path: &[u8],
        structure: &'static str,
        most: u64,
    ) -> Result<Option<Vec<u8>>, FormatError> {
        match self.find(path)? {
            Some(file) if file.stat()?.kind == FileKind::Regular => {
                block::read_all(&file.open()?, structure, most).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// As [`Self::read_within`], of a file that a program makes as a regular one: `None` only if nothing is there, and an error
    /// for anything else in its place, also a link that leads nowhere.
    pub fn read_regular(
        &self,
        path: &[u8],
        structure: &'static str,
        most: u64,
    ) -> Result<Option<Vec<u8>>, FormatError> {
        let found = match self.find(path)? {
            Some(file) => Some(file),
            None => self.find_no_follow(path)?,
        };
        let Some(file) = found else { return Ok(None) };
        match file.stat()?.kind {
            FileKind::Regular => block::read_all(&file.open()?, structure, most).map(Some),
            kind => {
                let problem = format!("{}: {} in the place of a file", GuestPath::new(path), kind.noun());
                Err(FormatError::corrupt(structure, 0, problem))
            }
        }
    }

    /// A directory, where it really is, and what it holds; `None` if the path leads to none.
    pub fn list(&self, path: &[u8]) -> Result<Option<(Handle, Listing)>, FormatError> {
        match self.find(path)? {
            Some(dir) if dir.is_dir()? => dir.read_dir().map(|listing| Some((dir, listing))),
            _ => Ok(None),
        }
    }

    fn mount_at(&self, path: &GuestPath) -> Option<&Mount> {
        self.mounts.iter().rev().find(|mount| mount.at == *path)
    }

    fn resolve(&self, path: &[u8], follow_last: bool) -> Result<Option<Handle>, FormatError> {
        Ok(self.way(path, follow_last)?.and_then(|mut way| way.pop()))
    }

    /// The directories from the root to what a path leads to, and that.
    fn way(&self, path: &[u8], follow_last: bool) -> Result<Option<Vec<Handle>>, FormatError> {
        // They are kept so that `..` needs no entry of that name.
        let mut above = if self.begin.is_empty() { vec![self.top()] } else { self.begin.to_vec() };
        // Only links lead above the directory where paths begin.
        let mut highest = above.len();
        let mut todo: Vec<Vec<u8>> = split(path);
        let mut links: usize = 0;
        while let Some(name) = todo.pop() {
            if name == b".." {
                if above.len() > highest {
                    above.pop();
                }
                continue;
            }
            let Some(dir) = above.last() else { return Ok(None) };
            let here = dir.path.join(&name);
            let found = match self.mount_at(&here) {
                Some(mount) => Handle { fs: Arc::clone(&mount.fs), ino: mount.ino, path: here },
                None => {
                    if dir.stat()?.kind != FileKind::Directory {
                        return Ok(None);
                    }
                    let Some(ino) = dir.fs.lookup(dir.ino, &name)? else { return Ok(None) };
                    Handle { fs: Arc::clone(&dir.fs), ino, path: here }
                }
            };
            if (follow_last || !todo.is_empty()) && found.stat()?.kind == FileKind::Symlink {
                links = links.saturating_add(1);
                if links > limits::SYMLINKS {
                    return Err(FormatError::limit(format!(
                        "{} leads through more than {} symbolic links",
                        GuestPath::new(path),
                        limits::SYMLINKS
                    )));
                }
                let target = found.fs.read_link(found.ino)?;
                highest = 1;
                if target.starts_with(b"/") {
                    above.truncate(1);
                }
                todo.extend(split(&target));
            } else {
                if above.len() >= limits::PATH_DEPTH {
                    return Err(FormatError::limit(format!("a path deeper than {}", limits::PATH_DEPTH)));
                }
                above.push(found);
            }
        }
        Ok(Some(above))
    }
}

/// Components in reverse, so that the next one is popped.
fn split(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.rev().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::memory::Tree;

    fn root() -> Root {
        let mut tree = Tree::default();
        tree.file("etc/os-release", "ID=debian");
        tree.link("etc/abs", "/etc/os-release");
        tree.link("out", "../../../etc");
        tree.link("loop", "loop");
        tree.link("usr/deep", "../out/./os-release");
        Root::new(tree.build())
    }

    fn path(root: &Root, text: &str) -> Option<String> {
        root.find(text.as_bytes()).unwrap().map(|found| found.path.to_string())
    }

    #[test]
    fn links_stay_inside() {
        let root = root();
        assert_eq!(path(&root, "/etc/abs").as_deref(), Some("/etc/os-release"));
        assert_eq!(path(&root, "out/os-release").as_deref(), Some("/etc/os-release"));
        assert_eq!(path(&root, "/usr/deep").as_deref(), Some("/etc/os-release"));
        assert_eq!(path(&root, "../../etc/../etc").as_deref(), Some("/etc"));
        assert_eq!(path(&root, "etc/os-release/x"), None);
        assert_eq!(path(&root, "missing"), None);
        assert!(root.find(b"loop").is_err());
        let link = root.find_no_follow(b"loop").unwrap().unwrap();
        assert_eq!(link.stat().unwrap().kind, FileKind::Symlink);
    }

    #[test]
    fn a_tree_seen_from_within_is_left_by_links_only() {
        let mut data = Tree::default();
        data.file("state", "x");
        let data = data.build();
        let ino = data.root();
        let mut tree = Tree::default();
        tree.file("srv/store/own", "");
        tree.file("srv/store/data/hidden", "");
        tree.file("srv/other/moved", "");
        tree.link("srv/store/near", "../other");
        tree.link("srv/store/far", "/srv/other");
        tree.link("srv/store/up", "../../../..");
        let root = Root::new(tree.build());
        let root = root.with_mounts(vec![Mount { at: GuestPath::new("/srv/store/data"), fs: data, ino }]);
        let within = root.within(&root.find(b"srv/store").unwrap().unwrap());
        assert_eq!(within.top().path.to_string(), "/srv/store");
        assert_eq!(path(&within, "own").as_deref(), Some("/srv/store/own"));
        assert_eq!(path(&within, "/own").as_deref(), Some("/srv/store/own"));
        assert_eq!(path(&within, "near/moved").as_deref(), Some("/srv/other/moved"));
        assert_eq!(path(&within, "far/moved").as_deref(), Some("/srv/other/moved"));
        assert_eq!(path(&within, "up").as_deref(), Some("/"));
        assert_eq!((path(&within, "data/hidden"), path(&within, "data/state").is_some()), (None, true));
        // What names of a store spell leads nowhere else.
        assert_eq!((path(&within, "../other/moved"), path(&within, "../../srv")), (None, None));
        let deeper = within.within(&within.find(b"far").unwrap().unwrap());
        assert_eq!(path(&deeper, "moved").as_deref(), Some("/srv/other/moved"));
        let foreign = Root::new(Tree::default().build()).top();
        assert_eq!(path(&root.within(&foreign), "own"), None);
    }

    #[test]
    fn mounts_are_crossed_also_through_links() {
        let mut data = Tree::default();
        data.file("docker/state", "x");
        let data = data.build();
        let ino = data.root();
        let mut tree = Tree::default();
        tree.link("var/lib/docker", "/mnt/docker");
        let root = Root::new(tree.build());
        let root = root.with_mounts(vec![Mount { at: GuestPath::new("/mnt"), fs: data, ino }]);
        assert_eq!(root.read(b"/var/lib/docker/state", "state").unwrap().as_deref(), Some(&b"x"[..]));
        assert_eq!(path(&root, "/var/lib/docker/../../var").as_deref(), Some("/var"));
    }
}
