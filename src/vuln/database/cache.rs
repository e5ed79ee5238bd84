//! Unpacked blocks that were read lately: packages of one distribution are neighbours in the table.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::table::Table;
use crate::{block::ReadAt, error::FormatError, limits, num};

#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Blocks>);

#[derive(Debug, Default)]
struct Blocks {
    /// By the place of the table's section and the block's number.
    held: HashMap<(u64, usize), Arc<[u8]>>,
    bytes: u64,
}

impl Cache {
    /// A block, read if it is not held. When more than [`limits::DATABASE_CACHE_BYTES`] would be held, all
    /// are let go: a scan works through one image's distribution at a time.
    pub(super) fn block(
        &self,
        table: &Table,
        number: usize,
        source: &dyn ReadAt,
    ) -> Result<Arc<[u8]>, FormatError> {
        let key = (table.offset(), number);
        if let Some(block) = self.lock().held.get(&key) {
            return Ok(Arc::clone(block));
        }
        let block: Arc<[u8]> = table.read(source, number)?.into();
        let size = num::to_u64(block.len());
        let mut blocks = self.lock();
        if blocks.bytes.saturating_add(size) > limits::DATABASE_CACHE_BYTES {
            blocks.held.clear();
            blocks.bytes = 0;
        }
        if blocks.held.insert(key, Arc::clone(&block)).is_none() {
            blocks.bytes = blocks.bytes.saturating_add(size);
        }
        Ok(block)
    }

    /// A thread that died elsewhere leaves the map whole: entries are put in by one call.
    fn lock(&self) -> std::sync::MutexGuard<'_, Blocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
