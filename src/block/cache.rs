//! A bounded cache of aligned chunks, for structures that are read piecewise (inode tables, B-trees).

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Mutex, PoisonError},
};

use super::{ReadAt, Source};
use crate::num;

/// Shards, so that threads seldom wait for each other.
const SHARDS: u64 = 16;

/// A source whose recently read chunks are kept. Eviction is second-chance first-in first-out: a chunk that
/// was hit since it came in stays one round longer.
pub struct Cached {
    source: Source,
    chunk: u64,
    shards: Vec<Mutex<Shard>>,
    per_shard: usize,
}

#[derive(Default)]
struct Shard {
    chunks: HashMap<u64, (Arc<[u8]>, bool)>,
    order: VecDeque<u64>,
}

impl Cached {
    /// Keeps at most `capacity` bytes of `source` in chunks of `chunk` bytes (a power of two).
    pub fn new(source: Source, chunk: u32, capacity: usize) -> Self {
        let chunk = chunk.next_power_of_two().max(512);
        let shards: Vec<Mutex<Shard>> = (0..SHARDS).map(|_| Mutex::default()).collect();
        let per_shard =
            capacity.checked_div(num::index(chunk).saturating_mul(shards.len())).unwrap_or(0).max(1);
        Self { source, chunk: u64::from(chunk), shards, per_shard }
    }

    fn chunk_at(&self, number: u64) -> io::Result<Arc<[u8]>> {
        let shard = self.shards.get(num::to_usize(number & SHARDS.saturating_sub(1)));
        let shard = shard.ok_or(io::ErrorKind::InvalidInput)?;
        if let Some((bytes, hit)) = lock(shard).chunks.get_mut(&number) {
            *hit = true;
            return Ok(Arc::clone(bytes));
        }
        // Read without the lock: two threads may read the same chunk, none waits for the disk of another.
        let start = number.saturating_mul(self.chunk);
        let length = self.chunk.min(self.source.size().saturating_sub(start));
        let mut bytes = vec![0; num::to_usize(length)];
        self.source.read_at(&mut bytes, start)?;
        let bytes: Arc<[u8]> = bytes.into();
        let mut shard = lock(shard);
        while shard.order.len() >= self.per_shard {
            let Some(oldest) = shard.order.pop_front() else { break };
            match shard.chunks.get_mut(&oldest) {
                Some((_, hit)) if *hit => {
                    *hit = false;
                    shard.order.push_back(oldest);
                }
                _ => {
                    shard.chunks.remove(&oldest);
                }
            }
        }
        if shard.chunks.insert(number, (Arc::clone(&bytes), false)).is_none() {
            shard.order.push_back(number);
        }
        Ok(bytes)
    }
}

fn lock(shard: &Mutex<Shard>) -> std::sync::MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReadAt for Cached {
    fn size(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        super::check_range(self.size(), offset, buf.len())?;
        // What is larger than a few chunks is read once and would only push out what is read often.
        if num::to_u64(buf.len()) > self.chunk.saturating_mul(4) {
            return self.source.read_at(buf, offset);
        }
        let mut filled = 0;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(num::to_u64(filled));
            let Ok(chunk) = self.chunk_at(at.checked_div(self.chunk).unwrap_or(0)) else {
                // A bad sector or a truncated disk loses what it hits, not the chunk around it.
                return self.source.read_at(rest, at);
            };
            let within = num::to_usize(at & self.chunk.saturating_sub(1));
            let part =
                chunk.get(within..).filter(|part| !part.is_empty()).ok_or(io::ErrorKind::UnexpectedEof)?;
            let length = part.len().min(rest.len());
            if let (Some(to), Some(from)) = (rest.get_mut(..length), part.get(..length)) {
                to.copy_from_slice(from);
            }
            filled = filled.saturating_add(length);
        }
        Ok(())
    }

    fn will_need(&self, offset: u64, length: u64) {
        self.source.will_need(offset, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Counted, Counter, Memory};

    #[test]
    fn every_range_reads_as_from_the_source_and_hits_do_not_read_again() {
        let bytes: Vec<u8> = (0..10_000u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        let counter = Arc::new(Counter::default());
        let counted = Counted::new(Arc::new(Memory::new(bytes.clone())), Arc::clone(&counter));
        let cached = Cached::new(Arc::new(counted), 512, 1 << 20);
        for (offset, length) in [(0, 10), (500, 30), (511, 1), (512, 1024), (9_990, 10), (1, 9_999)] {
            let mut buf = vec![0; length];
            cached.read_at(&mut buf, num::to_u64(offset)).unwrap();
            assert_eq!(buf, bytes[offset..offset + length], "{offset} {length}");
        }
        let before = counter.reads();
        cached.read_at(&mut [0; 10], 3).unwrap();
        assert_eq!(counter.reads(), before);
        assert!(cached.read_at(&mut [0; 11], 9_990).is_err());
    }

    #[test]
    fn memory_stays_within_capacity() {
        let cached = Cached::new(Arc::new(Memory::new(vec![7; 1 << 20])), 512, 64 * 1024);
        for offset in (0..1 << 20).step_by(512) {
            cached.read_at(&mut [0; 8], offset).unwrap();
        }
        let kept: usize = cached.shards.iter().map(|shard| lock(shard).chunks.len()).sum();
        assert!(kept * 512 <= 64 * 1024, "{kept}");
    }
}
