//! Write caches: blocks that were written and not yet moved to their volume (kernel, `drivers/md/dm-writecache.c`;
//! Documentation/admin-guide/device-mapper/writecache.rst).

use std::sync::{Arc, OnceLock};

use super::{
    blocks::{le32, le64},
    kept::Kept,
    moved::{Moved, Table, Tabled},
};
use crate::{
    block::{Source, read_vec},
    error::FormatError,
    limits, num,
};

const SUPERBLOCK: &str = "dm-writecache superblock";
const TABLE: &str = "dm-writecache entries";
const MAGIC: u32 = 0x2348_9321;
/// Bytes before the entries, …
const HEADER: u64 = 64;
/// … and of each: the sector that it holds, and when it was written.
const ENTRY: u64 = 16;
const SECTOR: u64 = 512;
/// The sector of an entry that is free.
const FREE: u64 = u64::MAX;
/// Entries that are read at once.
const BATCH: u64 = 1 << 16;

/// The table of what a write cache holds.
pub(in crate::volume) struct Writecache {
    /// Bytes of a block.
    block: u64,
    count: u64,
    /// What was written at this time or later was never finished.
    time: u64,
}

impl Writecache {
    pub(in crate::volume) fn open(
        cache: Source,
        origin: Source,
        kept: &Arc<Kept>,
    ) -> Result<Source, FormatError> {
        let header = read_vec(&cache, SUPERBLOCK, 0, num::to_usize(HEADER))?;
        let [magic, version, block] = [0, 4, 8].map(|at| le32(&header, at));
        let (count, time) = (le64(&header, 16), le64(&header, 24));
        let corrupt = |problem: String| FormatError::corrupt(SUPERBLOCK, 0, problem);
        if magic != MAGIC {
            return Err(corrupt(format!("magic {magic:#x}")));
        }
        if version != 1 {
            return Err(FormatError::unsupported(format!("dm-writecache of version {version}")));
        }
        if !(512..=4096).contains(&block) || !block.is_power_of_two() {
            return Err(corrupt(format!("blocks of {block} bytes")));
        }
        if count > limits::DM_CACHE_BLOCKS {
            let bound = limits::DM_CACHE_BLOCKS;
            return Err(FormatError::limit(format!("dm-writecache of {count} blocks, more than {bound}")));
        }
        let table = Self { block: u64::from(block), count, time };
        if table.place(count) > cache.size() {
            return Err(corrupt(format!("{count} blocks of {block} bytes in {}", cache.size())));
        }
        let (kept, moved) = (Arc::clone(kept), OnceLock::new());
        Ok(Arc::new(Tabled { table, volume: origin, elsewhere: cache, is_copy: false, kept, moved }))
    }

    /// Where a block of the cache lies: behind the entries.
    fn place(&self, number: u64) -> u64 {
        let entries = HEADER.saturating_add(self.count.saturating_mul(ENTRY));
        let first = entries.checked_next_multiple_of(self.block).unwrap_or(u64::MAX);
        first.saturating_add(number.saturating_mul(self.block))
    }
}

impl Table for Writecache {
    const NAME: &'static str = TABLE;

    fn block(&self) -> u64 {
        self.block
    }

    fn load(&self, cache: &Source, moved: &mut Moved) {
        // Of several entries of one block the newest counts.
        let mut entries = Vec::new();
        let mut first = 0;
        'all: while first < self.count {
            let count = BATCH.min(self.count.saturating_sub(first));
            if !moved.may_examine(count) {
                break;
            }
            let at = HEADER.saturating_add(first.saturating_mul(ENTRY));
            match read_vec(cache, TABLE, at, num::to_usize(count.saturating_mul(ENTRY))) {
                Err(error) => moved.damaged(&error),
                Ok(table) => {
                    for (number, entry) in (first..).zip(table.chunks_exact(num::to_usize(ENTRY))) {
                        let (sector, time) = (le64(entry, 0), le64(entry, 8));
                        if sector == FREE || time >= self.time {
                            continue;
                        }
                        let block = sector.checked_mul(SECTOR).filter(|at| at.is_multiple_of(self.block));
                        let Some(block) = block.and_then(|at| at.checked_div(self.block)) else {
                            let problem = format!("entry {number} of sector {sector}");
                            moved.damaged(&FormatError::corrupt(TABLE, at, problem));
                            continue;
                        };
                        if !moved.has_room() {
                            break 'all;
                        }
                        entries.push((block, time, number));
                    }
                }
            }
            first = first.saturating_add(count);
        }
        entries.sort_unstable();
        let nexts = entries.iter().skip(1).map(|(block, ..)| Some(*block)).chain([None]);
        for ((block, _, number), _) in
            entries.iter().zip(nexts).filter(|((block, ..), next)| Some(*block) != *next)
        {
            moved.add_counted(*block, self.place(*number), false);
        }
    }
}
