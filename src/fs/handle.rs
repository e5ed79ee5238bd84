//! One file of a guest, found: its file system, inode and canonical path.

use std::sync::Arc;

use super::{FileKind, FileSystem, GuestPath, Ino, Listing, Stat, settle};
use crate::{
    block::{self, Source},
    error::FormatError,
    limits,
};

/// A file, directory or other inode that a path led to.
#[derive(Clone)]
pub struct Handle {
    /// The file system that holds it.
    pub fs: Arc<dyn FileSystem>,
    /// Its inode there.
    pub ino: Ino,
    /// The path within the [`super::Root`] that found it, free of links.
    pub path: GuestPath,
}

impl Handle {
    /// Whether another path led to the same inode.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.fs, &other.fs) && self.ino == other.ino
    }

    /// Its attributes.
    pub fn stat(&self) -> Result<Stat, FormatError> {
        self.fs.stat(self.ino)
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> Result<bool, FormatError> {
        Ok(self.stat()?.kind == FileKind::Directory)
    }

    /// A directory's entries.
    pub fn read_dir(&self) -> Result<Listing, FormatError> {
        let mut listing = self.fs.read_dir(self.ino)?;
        settle(self.fs.as_ref(), &mut listing, &|_| false);
        Ok(listing)
    }

    /// A regular file's bytes.
    pub fn open(&self) -> Result<Source, FormatError> {
        self.fs.open(self.ino)
    }

    /// A regular file's bytes in memory, for files of at most [`limits::TEXT_FILE_BYTES`].
    pub fn read(&self, structure: &'static str) -> Result<Vec<u8>, FormatError> {
        block::read_all(&self.open()?, structure, limits::TEXT_FILE_BYTES)
    }
}
