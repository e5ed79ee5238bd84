//! A remote object as a source.

use std::{
    io,
    ops::Range,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use super::{
    client::{Client, Effort},
    pages::{Claim, Pages, Wanted},
};
use crate::{
    block::{ReadAt, check_range},
    num,
};

/// Bytes of a page: what one request fetches at least.
const PAGE: u64 = 256 << 10;
/// Pages that one request fetches at most.
const LONGEST: u64 = 8;
/// Requests for hinted pages at once.
const THREADS: usize = 8;
/// Requests for hinted pages that wait; what is hinted beyond is fetched when it is read. With those under way they are
/// half of what is kept.
const WAITING: usize = 8;

/// The object, its pages and what fetches them.
pub(super) struct Remote {
    shared: Arc<Shared>,
    ahead: SyncSender<Claim>,
    queue: Arc<Mutex<Receiver<Claim>>>,
    /// Threads begin with the first hint; whether there are any.
    begun: OnceLock<bool>,
}

struct Shared {
    client: Client,
    size: u64,
    /// What of the object was written, in order; the rest is zeros.
    written: Vec<Range<u64>>,
    pages: Arc<Pages>,
}

impl Remote {
    pub(super) fn new(client: Client, size: u64, written: Vec<Range<u64>>) -> Self {
        let (ahead, queue) = sync_channel(WAITING);
        let shared = Shared { client, size, written, pages: Pages::new() };
        Self { shared: Arc::new(shared), ahead, queue: Arc::new(Mutex::new(queue)), begun: OnceLock::new() }
    }

    fn begin(&self) -> bool {
        let mut begun = false;
        for number in 0..THREADS {
            let (shared, queue) = (Arc::clone(&self.shared), Arc::clone(&self.queue));
            let fetch = move || {
                // Ends when the source is dropped.
                while let Some(claim) = next(&queue) {
                    // Who reads the pages makes the request again, and tells its failure.
                    let _ = shared.fetch(claim, Effort::Once);
                }
            };
            // With fewer threads more is fetched when it is read.
            begun |= thread::Builder::new().name(format!("fetch{number}")).spawn(fetch).is_ok();
        }
        begun
    }
}

fn next(queue: &Mutex<Receiver<Claim>>) -> Option<Claim> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

impl Shared {
    /// The parts of a range of bytes that were written.
    fn parts(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let first = self.written.partition_point(|written| written.end <= range.start);
        let written = self.written.get(first..).unwrap_or_default().iter();
        let cut = move |written: &Range<u64>| written.start.max(range.start)..written.end.min(range.end);
        let end = range.end;
        written.take_while(move |written| written.start < end).map(cut)
    }

    /// Fetches claimed pages and gives them to who waits; the bytes of all.
    fn fetch(&self, claim: Claim, effort: Effort) -> io::Result<Vec<u8>> {
        let start = claim.range.start.saturating_mul(PAGE);
        let end = claim.range.end.saturating_mul(PAGE).min(self.size);
        let mut bytes = vec![0; num::to_usize(end.saturating_sub(start))];
        for part in joined(self.parts(start..end)) {
            let fetched = self.client.range(part.clone(), effort)?;
            let at = num::to_usize(part.start.saturating_sub(start));
            if let Some(place) = bytes.get_mut(at..at.saturating_add(fetched.len())) {
                place.copy_from_slice(&fetched);
            }
        }
        claim.deliver(bytes.chunks(num::to_usize(PAGE)).map(<[u8]>::to_vec));
        Ok(bytes)
    }
}

/// Parts with less than a page between them are asked for together.
fn joined(parts: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut all: Vec<Range<u64>> = Vec::new();
    for part in parts {
        match all.last_mut() {
            Some(last) if part.start.saturating_sub(last.end) < PAGE => last.end = part.end,
            _ => all.push(part),
        }
    }
    all
}

impl ReadAt for Remote {
    fn size(&self) -> u64 {
        self.shared.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.shared.size, offset, buf.len())?;
        let mut rest = buf;
        let mut at = offset;
        while !rest.is_empty() {
            let end = at.saturating_add(num::to_u64(rest.len()));
            let page = at.checked_div(PAGE).unwrap_or(0);
            let last = end.div_ceil(PAGE).min(page.saturating_add(LONGEST));
            if self.shared.parts(at..end.min(last.saturating_mul(PAGE))).next().is_none() {
                // Nothing of it was written.
                let length = end.min(last.saturating_mul(PAGE)).saturating_sub(at);
                let (part, after) = rest.split_at_mut(num::to_usize(length).min(rest.len()));
                part.fill(0);
                at = at.saturating_add(length);
                rest = after;
                continue;
            }
            let skipped = num::to_usize(at.saturating_sub(page.saturating_mul(PAGE)));
            let copied = match self.shared.pages.want(page..last) {
                Wanted::Here(bytes) => copy(&bytes, skipped, rest),
                Wanted::Yours(claim) => copy(&self.shared.fetch(claim, Effort::All)?, skipped, rest),
            };
            if copied == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at = at.saturating_add(num::to_u64(copied));
            rest = rest.split_at_mut(copied).1;
        }
        Ok(())
    }

    fn will_need(&self, offset: u64, length: u64) {
        let end = offset.saturating_add(length).min(self.shared.size);
        // What is claimed and fetched by nobody would be waited for without end.
        if !*self.begun.get_or_init(|| self.begin()) {
            return;
        }
        for part in self.shared.parts(offset..end) {
            let pages = part.start.checked_div(PAGE).unwrap_or(0)..part.end.div_ceil(PAGE);
            for claim in self.shared.pages.ahead(pages, LONGEST, THREADS.saturating_add(WAITING)) {
                if self.ahead.try_send(claim).is_err() {
                    return;
                }
            }
        }
    }
}

/// Copies what `bytes` has from `skipped` on, as far as there is room; how much that was.
fn copy(bytes: &[u8], skipped: usize, to: &mut [u8]) -> usize {
    let from = bytes.get(skipped..).unwrap_or_default();
    let length = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..length), to.get_mut(..length)) {
        to.copy_from_slice(from);
    }
    length
}
