//! How much was read: every scan reports it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{ReadAt, Source};
use crate::num;

/// Bytes and calls, counted by all [`Counted`] sources that share it.
#[derive(Debug, Default)]
pub struct Counter {
    bytes: AtomicU64,
    reads: AtomicU64,
    requests: AtomicU64,
    transferred: AtomicU64,
}

impl Counter {
    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Reads made so far.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Requests made to servers so far, and the bytes of their answers; `None` if there were none.
    pub fn network(&self) -> Option<(u64, u64)> {
        let requests = self.requests.load(Ordering::Relaxed);
        (requests > 0).then(|| (requests, self.transferred.load(Ordering::Relaxed)))
    }

    /// Counts a request.
    #[cfg(feature = "http")]
    pub(super) fn requested(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts bytes of an answer.
    #[cfg(feature = "http")]
    pub(super) fn transferred(&self, bytes: u64) {
        self.transferred.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A source whose reads are counted.
pub struct Counted {
    source: Source,
    counter: Arc<Counter>,
}

impl Counted {
    /// Counts the reads of `source` in `counter`.
    pub fn new(source: Source, counter: Arc<Counter>) -> Self {
        Self { source, counter }
    }
}

impl ReadAt for Counted {
    fn size(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.counter.reads.fetch_add(1, Ordering::Relaxed);
        self.counter.bytes.fetch_add(num::to_u64(buf.len()), Ordering::Relaxed);
        self.source.read_at(buf, offset)
    }

    fn will_need(&self, offset: u64, length: u64) {
        self.source.will_need(offset, length);
    }
}
