//! Metadata blocks, read through one bounded cache. File data does not pass through it.
//!
//! The cache is direct-mapped: a block has one place, the newest stays. Tables that are read in order lie side
//! by side, a look-up is one lock and one comparison, and nothing is ever searched for a victim.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    block::{ReadAt, Source, read_vec},
    error::FormatError,
    num,
};

/// Bytes that one read of several blocks fetches at most.
pub(in crate::fs) const LONGEST: u64 = 1 << 20;
/// Bytes that are read along rather than making a read of its own.
pub(in crate::fs) const GAP: u64 = 16 << 10;

/// The blocks of one file system.
pub(in crate::fs) struct Blocks {
    source: Source,
    block_size: u32,
    slots: Vec<Slot>,
}

type Slot = Mutex<Option<(u64, Arc<[u8]>)>>;

/// Consecutive blocks: what one read fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fs) struct Span {
    pub(in crate::fs) start: u64,
    pub(in crate::fs) count: u64,
}

impl Span {
    pub(in crate::fs) fn end(self) -> u64 {
        self.start.saturating_add(self.count)
    }
}

impl Blocks {
    /// Blocks of `block_size` bytes; of those read, as many are kept as fit in `cache` bytes.
    pub(in crate::fs) fn new(source: Source, block_size: u32, cache: usize) -> Self {
        let slots = cache.checked_div(num::index(block_size)).unwrap_or(1).max(1);
        Self { source, block_size, slots: (0..slots).map(|_| Mutex::default()).collect() }
    }

    /// The bytes below the cache.
    pub(in crate::fs) fn source(&self) -> &Source {
        &self.source
    }

    pub(in crate::fs) fn offset(&self, block: u64) -> u64 {
        block.saturating_mul(u64::from(self.block_size))
    }

    /// The blocks, from the first to behind the last, that hold the bytes from `start` to `end`.
    pub(in crate::fs) fn around(&self, start: u64, end: u64) -> (u64, u64) {
        let size = u64::from(self.block_size);
        (start.checked_div(size).unwrap_or(0), end.div_ceil(size))
    }

    /// One block, from the cache or the source.
    pub(in crate::fs) fn read(&self, structure: &'static str, block: u64) -> Result<Arc<[u8]>, FormatError> {
        if let Some(bytes) = self.cached(block) {
            return Ok(bytes);
        }
        let bytes = read_vec(&self.source, structure, self.offset(block), num::index(self.block_size))?;
        let bytes: Arc<[u8]> = bytes.into();
        self.keep(block, &bytes);
        Ok(bytes)
    }

    /// Brings spans of blocks into the cache, as far as they can be read and are not there.
    pub(in crate::fs) fn load(&self, spans: &[Span]) {
        for span in spans {
            if (span.start..span.end()).all(|block| self.cached(block).is_some()) {
                continue;
            }
            let Ok(bytes) = self.read_span(*span) else { continue };
            for (block, bytes) in (span.start..).zip(bytes.chunks(num::index(self.block_size))) {
                self.keep(block, &bytes.into());
            }
        }
    }

    /// Brings blocks into the cache in the order of the disk, near ones by one read.
    pub(in crate::fs) fn gather(&self, mut wanted: Vec<u64>) {
        wanted.sort_unstable();
        let (gap, longest) = self.reach();
        let spans = spans(wanted, gap, longest);
        spans.iter().skip(1).for_each(|span| self.will_need(*span));
        self.load(&spans);
    }

    /// [`GAP`] and [`LONGEST`] in blocks.
    pub(in crate::fs) fn reach(&self) -> (u64, u64) {
        let blocks = |bytes: u64| bytes.checked_div(u64::from(self.block_size)).unwrap_or(0);
        (blocks(GAP), blocks(LONGEST).max(1))
    }

    /// Groups of parts near each other, of those that are sorted by place, each with the span that one read fetches; `span`
    /// is that of a part alone.
    pub(in crate::fs) fn join<'a, T>(
        &self,
        parts: &'a [T],
        span: impl Fn(&T) -> Span,
    ) -> Vec<(Span, &'a [T])> {
        let (gap, longest) = self.reach();
        let mut groups = Vec::new();
        let mut rest = parts;
        while let Some(first) = rest.first() {
            let mut all = span(first);
            let fits = |part: &&T| {
                let part = span(part);
                let count = part.end().max(all.end()).saturating_sub(all.start);
                let near = part.start <= all.end().saturating_add(gap) && count <= longest.max(all.count);
                if near {
                    all.count = count;
                }
                near
            };
            let length = rest.iter().take_while(fits).count().max(1);
            let (group, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            groups.push((all, group));
            rest = after;
        }
        groups
    }

    /// A span of blocks straight from the source.
    pub(in crate::fs) fn read_span(&self, span: Span) -> io::Result<Vec<u8>> {
        let length = num::to_usize(span.count).saturating_mul(num::index(self.block_size));
        let mut bytes = vec![0; length];
        self.source.read_at(&mut bytes, self.offset(span.start))?;
        Ok(bytes)
    }

    /// A hint that a span is read soon.
    pub(in crate::fs) fn will_need(&self, span: Span) {
        self.source.will_need(self.offset(span.start), self.offset(span.count));
    }

    fn slot(&self, block: u64) -> Option<&Slot> {
        let index = block.checked_rem(num::to_u64(self.slots.len()))?;
        self.slots.get(num::to_usize(index))
    }

    fn cached(&self, block: u64) -> Option<Arc<[u8]>> {
        let slot = self.slot(block)?.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().filter(|(number, _)| *number == block).map(|(_, bytes)| Arc::clone(bytes))
    }

    fn keep(&self, block: u64, bytes: &Arc<[u8]>) {
        if let Some(slot) = self.slot(block) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((block, Arc::clone(bytes)));
        }
    }
}

/// Joins wanted blocks, sorted, into spans of at most `longest` blocks; gaps of up to `gap` blocks are read
/// along, which is cheaper than another read.
fn spans(blocks: impl IntoIterator<Item = u64>, gap: u64, longest: u64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for block in blocks {
        match spans.last_mut() {
            Some(last)
                if block <= last.end().saturating_add(gap) && block.saturating_sub(last.start) < longest =>
            {
                last.count = last.count.max(block.saturating_sub(last.start).saturating_add(1));
            }
            _ => spans.push(Span { start: block, count: 1 }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Counted, Counter, Memory};

    #[test]
    fn near_blocks_are_joined() {
        let span = |start, count| Span { start, count };
        assert_eq!(spans([1, 2, 2, 5, 9], 2, 100), [span(1, 5), span(9, 1)]);
        assert_eq!(spans([0, 1, 2, 3], 0, 2), [span(0, 2), span(2, 2)]);
    }

    #[test]
    fn near_parts_are_fetched_together() {
        let span = |start, count| Span { start, count };
        let blocks = Blocks::new(Arc::new(Memory::default()), 4096, 1 << 20);
        // Gaps of four blocks at most, reads of 256 unless a part alone is longer.
        let parts =
            [span(0, 2), span(6, 1), span(12, 1), span(300, 300), span(600, 1), span(601, 255), span(856, 1)];
        let groups = blocks.join(&parts, |part| *part);
        assert_eq!(
            groups,
            [
                (span(0, 7), &parts[..2]),
                (span(12, 1), &parts[2..3]),
                (span(300, 300), &parts[3..4]),
                (span(600, 256), &parts[4..6]),
                (span(856, 1), &parts[6..]),
            ]
        );
    }

    #[test]
    fn a_loaded_block_is_not_read_again() {
        let bytes: Vec<u8> = (0..8192u32).map(|n| n.to_le_bytes()[1]).collect();
        let counter = Arc::new(Counter::default());
        let source = Counted::new(Arc::new(Memory::new(bytes)), Arc::clone(&counter));
        let blocks = Blocks::new(Arc::new(source), 1024, 1 << 20);
        blocks.load(&[Span { start: 2, count: 3 }, Span { start: 7, count: 2 }]);
        assert_eq!(counter.reads(), 2);
        assert_eq!(
            blocks.read("block", 3).unwrap()[..],
            [[12u8; 256], [13; 256], [14; 256], [15; 256]].concat()
        );
        assert_eq!(counter.reads(), 2);
        assert!(blocks.read("block", 8).is_err());
        assert_eq!(blocks.read("block", 7).unwrap().len(), 1024);
    }
}
