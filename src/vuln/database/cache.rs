//! What was read lately: unpacked blocks, since packages that are asked for one after the other are often
//! neighbours, and packages' entries, since the same packages are in many images.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{schema::Entry, table::Table};
use crate::{block::ReadAt, error::FormatError, limits, num};

/// Unpacked blocks by the place of their table's section and their number.
#[derive(Debug, Default)]
pub(super) struct Blocks(Held<(u64, usize), [u8]>);

/// Entries by the key of their package.
#[derive(Debug, Default)]
pub(super) struct Answers(Held<String, [Entry]>);

/// Bytes that an entry takes in memory for each of its encoded ones, as seen with whole feeds.
const DECODED: u64 = 6;
/// Bytes that an answer takes whatever is in it.
const ANSWER: u64 = 128;

impl Blocks {
    /// A block, read if it is not held.
    pub(super) fn block(
        &self,
        table: &Table,
        number: usize,
        source: &dyn ReadAt,
    ) -> Result<Arc<[u8]>, FormatError> {
        let key = (table.offset(), number);
        if let Some(block) = self.0.lock().all.get(&key) {
            return Ok(Arc::clone(block));
        }
        let block: Arc<[u8]> = table.read(source, number)?.into();
        self.0.keep(key, num::to_u64(block.len()), &block, limits::DATABASE_CACHE_BYTES);
        Ok(block)
    }
}

impl Answers {
    /// The entries of a package, if they are held.
    pub(super) fn get(&self, key: &str) -> Option<Arc<[Entry]>> {
        self.0.lock().all.get(key).map(Arc::clone)
    }

    /// Holds the entries of a package, which took `size` bytes encoded.
    pub(super) fn keep(&self, key: String, size: usize, entries: &Arc<[Entry]>) {
        let size = num::to_u64(size).saturating_mul(DECODED).saturating_add(ANSWER);
        self.0.keep(key, size, entries, limits::DATABASE_CACHE_BYTES);
    }
}

/// Values up to a number of bytes. When it is exceeded all are let go: a scan works through one image's
/// distribution at a time.
#[derive(Debug)]
struct Held<K, V: ?Sized>(Mutex<Values<K, V>>);

#[derive(Debug)]
struct Values<K, V: ?Sized> {
    all: HashMap<K, Arc<V>>,
    bytes: u64,
}

impl<K, V: ?Sized> Default for Held<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Values { all: HashMap::new(), bytes: 0 }))
    }
}

impl<K: Eq + Hash, V: ?Sized> Held<K, V> {
    fn keep(&self, key: K, size: u64, value: &Arc<V>, limit: u64) {
        let mut values = self.lock();
        if values.bytes.saturating_add(size) > limit {
            values.all.clear();
            values.bytes = 0;
        }
        if size <= limit && values.all.insert(key, Arc::clone(value)).is_none() {
            values.bytes = values.bytes.saturating_add(size);
        }
    }
}

impl<K, V: ?Sized> Held<K, V> {
    /// A thread that died elsewhere leaves the map whole: values are put in by one call.
    fn lock(&self) -> MutexGuard<'_, Values<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
