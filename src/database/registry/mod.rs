//! Registry hives ("regf"), in which Windows keeps its configuration: keys, and values of keys. After what is known of
//! the format ("Windows registry file format specification", M. Suhanov).
//!
//! A hive that was in use has transaction logs beside it. They are not read: that is noted.

mod base;
mod cells;
mod key;
mod value;

use std::sync::Arc;

pub use key::Key;
pub use value::Value;

use crate::{
    block::{Cached, Source},
    error::FormatError,
    limits,
};

/// Bytes that are read at once.
const CHUNK: u32 = 4096;

/// A hive.
pub struct Hive {
    cells: cells::Cells,
    root: u32,
    /// What does not stop the reading but must be told: logs that were not replayed.
    pub notes: Vec<FormatError>,
}

/// What a list of a key leads to: one that cannot be read loses itself only.
#[derive(Debug)]
pub struct Found<T> {
    /// What was read.
    pub list: Vec<T>,
    /// What was not.
    pub damage: Vec<FormatError>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { list: Vec::new(), damage: Vec::new() }
    }
}

impl Hive {
    /// Opens a hive by its base block.
    pub fn open(source: Source) -> Result<Self, FormatError> {
        let base = base::read(&source)?;
        let source: Source = Arc::new(Cached::new(source, CHUNK, limits::REGISTRY_CACHE_BYTES));
        let cells = cells::Cells { source, length: base.length };
        Ok(Self { cells, root: base.root, notes: base.notes })
    }

    /// The key that all others are below.
    pub fn root(&self) -> Result<Key, FormatError> {
        Key::read(&self.cells, self.root)
    }

    /// The key at a path of names below the root, in any case of their letters; `None` if there is none.
    pub fn key(&self, path: &[&str]) -> Result<Option<Key>, FormatError> {
        let mut key = self.root()?;
        for name in path {
            match key.child(&self.cells, name)? {
                Some(child) => key = child,
                None => return Ok(None),
            }
        }
        Ok(Some(key))
    }

    /// The keys directly below a key.
    pub fn children(&self, key: &Key) -> Result<Found<Key>, FormatError> {
        key.children(&self.cells)
    }

    /// The values of a key.
    pub fn values(&self, key: &Key) -> Result<Found<Value>, FormatError> {
        value::all(&self.cells, key)
    }

    /// One value of a key, by its name in any case of its letters; `None` if it has none of it.
    pub fn value(&self, key: &Key, name: &str) -> Result<Option<Value>, FormatError> {
        value::one(&self.cells, key, name)
    }
}
