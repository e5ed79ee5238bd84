//! What the readers of all devices may keep in memory together: one disk can describe any number of them over the same blocks.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    block::{Cache, Key},
    limits,
};

/// Shared by the devices of one machine.
pub(in crate::volume) struct Kept {
    blocks: Cache,
    /// How many devices keep blocks.
    devices: AtomicU64,
    /// Blocks that lie elsewhere than in their volumes, and are known.
    moved: AtomicU64,
    /// Entries of tables that were looked at.
    examined: AtomicU64,
}

impl Default for Kept {
    fn default() -> Self {
        let blocks = Cache::new(limits::DM_METADATA_CACHE_BYTES);
        Self { blocks, devices: AtomicU64::new(0), moved: AtomicU64::new(0), examined: AtomicU64::new(0) }
    }
}

impl Kept {
    /// A number for a device's blocks.
    pub(super) fn device(&self) -> u64 {
        self.devices.fetch_add(1, Ordering::Relaxed)
    }

    /// A block of a device, if it is kept.
    pub(super) fn find(&self, key: Key) -> Option<Arc<Vec<u8>>> {
        self.blocks.find(key)
    }

    pub(super) fn keep(&self, key: Key, block: Arc<Vec<u8>>) {
        self.blocks.keep(key, block);
    }

    /// Whether there is room for one more block that lies elsewhere.
    pub(super) fn add_moved(&self) -> bool {
        self.moved.fetch_add(1, Ordering::Relaxed) < limits::DM_MOVED_BLOCKS
    }

    /// Whether so many more entries of tables may be looked at: any number of devices can name one table.
    pub(super) fn examine(&self, count: u64) -> bool {
        self.examined.fetch_add(count, Ordering::Relaxed) < limits::DM_ENTRIES
    }
}
