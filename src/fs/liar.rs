//! For tests: a tree whose listings and files are not what they should be.

use std::sync::Arc;

use super::{FileSystem, Ino, Listing, Stat, Xattr};
use crate::{
    block::{
        Source,
        fault::{Fault, Faulty, When},
    },
    error::FormatError,
};

/// What is made of the listing of a directory.
type Lie = Box<dyn Fn(Ino, &mut Listing) + Send + Sync>;

/// A tree that tells something else than it holds.
pub(crate) struct Liar {
    tree: Arc<dyn FileSystem>,
    lie: Lie,
    /// A file whose bytes, or a directory whose names, cannot be read.
    pub(crate) unreadable: Option<Ino>,
}

impl Liar {
    /// A tree with listings changed.
    pub(crate) fn new(
        tree: Arc<dyn FileSystem>,
        lie: impl Fn(Ino, &mut Listing) + Send + Sync + 'static,
    ) -> Self {
        Self { tree, lie: Box::new(lie), unreadable: None }
    }

    /// A tree in which a part of every directory is damaged.
    pub(crate) fn damaged(tree: Arc<dyn FileSystem>) -> Self {
        Self::new(tree, |ino, listing| {
            listing.damage.push(FormatError::corrupt("directory", ino.0, "a lost block"));
        })
    }
}

impl FileSystem for Liar {
    fn root(&self) -> Ino {
        self.tree.root()
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        self.tree.stat(ino)
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        match self.unreadable == Some(dir) {
            true => Err(FormatError::corrupt("directory", dir.0, "a lost block")),
            false => self.tree.lookup(dir, name),
        }
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        let mut listing = self.tree.read_dir(dir)?;
        (self.lie)(dir, &mut listing);
        Ok(listing)
    }

    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        self.tree.read_link(ino)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        self.tree.xattrs(ino)
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        let file = self.tree.open(ino)?;
        Ok(match self.unreadable == Some(ino) {
            true => Arc::new(Faulty::new(file, Fault::Error, When::Nth(0))),
            false => file,
        })
    }
}
