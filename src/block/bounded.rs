//! A bounded cache of byte blocks that were made from what was read: tables and decompressed clusters of the images of a
//! backing chain, unpacked blocks of a file system.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::num;

/// Shards, so that threads seldom wait for each other: 2 to the power of this.
const SHARD_BITS: u32 = 4;

/// Which block: what is unique within one image or table, and which of them it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The image's number in its chain, or another number that tells blocks of one place apart.
    pub(crate) image: u64,
    /// The block's offset or descriptor.
    pub(crate) block: u64,
}

/// Blocks of bytes up to a capacity. Eviction is second-chance first-in first-out, as in
/// [`crate::block::Cached`].
pub(crate) struct Cache {
    shards: Vec<Mutex<Shard>>,
    per_shard: usize,
}

#[derive(Default)]
struct Shard {
    blocks: HashMap<Key, (Arc<Vec<u8>>, bool)>,
    order: VecDeque<Key>,
    bytes: usize,
}

impl Cache {
    /// Keeps at most `capacity` bytes, or one block in each shard.
    pub(crate) fn new(capacity: usize) -> Self {
        let shards = (0..1u32.unbounded_shl(SHARD_BITS)).map(|_| Mutex::default()).collect();
        Self { shards, per_shard: capacity.unbounded_shr(SHARD_BITS) }
    }

    /// The block, if it is kept.
    pub(crate) fn find(&self, key: Key) -> Option<Arc<Vec<u8>>> {
        let mut shard = self.shard(key)?;
        let (bytes, hit) = shard.blocks.get_mut(&key)?;
        *hit = true;
        Some(Arc::clone(bytes))
    }

    /// Keeps a block that was read without the lock: two threads may read the same one, neither waits.
    /// Gives a buffer that was evicted and is used by nobody, for the next block.
    pub(crate) fn keep(&self, key: Key, bytes: Arc<Vec<u8>>) -> Option<Vec<u8>> {
        let mut shard = self.shard(key)?;
        let mut free = None;
        while shard.bytes.saturating_add(bytes.len()) > self.per_shard {
            let Some(oldest) = shard.order.pop_front() else { break };
            if let Some((_, hit)) = shard.blocks.get_mut(&oldest)
                && std::mem::take(hit)
            {
                shard.order.push_back(oldest);
            } else if let Some((evicted, _)) = shard.blocks.remove(&oldest) {
                shard.bytes = shard.bytes.saturating_sub(evicted.len());
                free = free.or_else(|| Arc::into_inner(evicted));
            }
        }
        let length = bytes.len();
        if shard.blocks.insert(key, (bytes, false)).is_none() {
            shard.order.push_back(key);
            shard.bytes = shard.bytes.saturating_add(length);
        }
        free
    }

    fn shard(&self, key: Key) -> Option<MutexGuard<'_, Shard>> {
        // Fibonacci hashing: blocks lie at multiples of a power of two.
        let mixed = (key.block ^ key.image.rotate_right(8)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let number = mixed.unbounded_shr(u64::BITS.saturating_sub(SHARD_BITS));
        let shard = self.shards.get(num::to_usize(number))?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(cache: &Cache) -> usize {
        cache.shards.iter().map(|shard| shard.lock().unwrap().bytes).sum()
    }

    #[test]
    fn capacity_is_kept_and_blocks_that_were_hit_stay_longer() {
        let cache = Cache::new(16 * 4096);
        let often = Key { image: 0, block: 0 };
        cache.keep(often, Arc::new(vec![1; 1024]));
        for block in 1..1000 {
            assert!(cache.find(often).is_some(), "{block}");
            cache.keep(Key { image: 0, block: block << 16 }, Arc::new(vec![2; 1024]));
        }
        assert!(bytes(&cache) <= 16 * 4096, "{}", bytes(&cache));
        assert!(cache.find(Key { image: 1, block: 0 }).is_none());
    }

    #[test]
    fn a_block_larger_than_a_shard_is_kept_alone() {
        let cache = Cache::new(16);
        let key = Key { image: 0, block: 7 };
        cache.keep(key, Arc::new(vec![1; 4096]));
        assert!(cache.find(key).is_some());
        let free = cache.keep(Key { image: 0, block: 8 }, Arc::new(vec![1; 4096]));
        assert!(bytes(&cache) <= 2 * 4096);
        drop(free);
    }
}
