//! BoltDB (bbolt file format, version 2): containerd's `meta.db` and its snapshotters' `metadata.db`.
//!
//! A file of pages: two meta pages, of which the valid one with the higher transaction id counts, then
//! B+trees of buckets. A bucket is a tree of its own or, if small, a page inlined in its parent's value. The
//! free list is not needed to read, and newer versions do not write it. Numbers are in the writer's byte
//! order, which is little-endian on every platform that runs containers.

mod format;
mod meta;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;

use self::{meta::Meta, tree::Reader};
use crate::{
    block::{Cached, ReadAt, Source},
    error::FormatError,
    limits,
};

/// A bucket with all that it holds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Plain values by key.
    pub values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Nested buckets by key.
    pub buckets: BTreeMap<Vec<u8>, Bucket>,
}

impl Bucket {
    /// A nested bucket.
    pub fn bucket(&self, key: &str) -> Option<&Self> {
        self.buckets.get(key.as_bytes())
    }

    /// A plain value.
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.values.get(key.as_bytes()).map(Vec::as_slice)
    }

    /// A plain value that is text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.value(key).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// All plain values as text: a bucket of labels.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        self.values.iter().map(|(key, value)| (text(key), text(value))).collect()
    }
}

/// A database in memory, and the pages that could not be read.
#[derive(Debug, Default)]
pub struct Database {
    /// The root bucket.
    pub root: Bucket,
    /// What of it was lost.
    pub damage: Vec<FormatError>,
}

/// Reads a whole database of at most [`limits::BOLT_BYTES`].
pub fn read(source: Source) -> Result<Database, FormatError> {
    let size = source.size();
    if size > limits::BOLT_BYTES {
        return Err(FormatError::limit(format!(
            "a bolt database of {size} bytes, more than {}",
            limits::BOLT_BYTES
        )));
    }
    let source = Cached::new(source, 64 << 10, 4 << 20);
    let meta = Meta::find(&source)?;
    let root_page = meta.root;
    let mut reader = Reader::new(source, meta);
    let mut root = Bucket::default();
    reader.page_tree(root_page, &mut root, 0);
    Ok(Database { root, damage: reader.damage })
}
