//! Pages of a remote object: those that are there, and those that somebody is fetching.

use std::{
    collections::HashSet,
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::{
    block::{Cache, Key},
    limits,
};

/// What is known of the pages.
pub(super) struct Pages {
    kept: Cache,
    coming: Mutex<HashSet<u64>>,
    /// Somebody has fetched pages, or has failed to.
    arrived: Condvar,
}

/// A page that is wanted.
pub(super) enum Wanted {
    /// It is there.
    Here(Arc<Vec<u8>>),
    /// It and the pages after it are to be fetched by who asked.
    Yours(Claim),
}

/// Pages that one thread fetches. Those that were not delivered when it is dropped are anybody's again.
pub(super) struct Claim {
    pages: Arc<Pages>,
    /// Their numbers.
    pub(super) range: Range<u64>,
}

impl Pages {
    pub(super) fn new() -> Arc<Self> {
        let kept = Cache::new(limits::HTTP_CACHE_BYTES);
        Arc::new(Self { kept, coming: Mutex::default(), arrived: Condvar::new() })
    }

    /// A page, waiting for it if somebody is fetching it; or a claim on it and as many of `range` after it as nobody has.
    pub(super) fn want(self: &Arc<Self>, range: Range<u64>) -> Wanted {
        let mut coming = self.lock();
        loop {
            if let Some(bytes) = self.kept.find(key(range.start)) {
                return Wanted::Here(bytes);
            }
            if !coming.contains(&range.start) {
                return Wanted::Yours(self.claim(&mut coming, range));
            }
            coming = self.arrived.wait(coming).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The first `most` claims on the pages of `range` that nobody has or is fetching, each of at most `longest` pages.
    pub(super) fn ahead(self: &Arc<Self>, range: Range<u64>, longest: u64, most: usize) -> Vec<Claim> {
        let mut coming = self.lock();
        let mut claims = Vec::new();
        let mut at = range.start;
        while at < range.end && claims.len() < most {
            if coming.contains(&at) || self.kept.find(key(at)).is_some() {
                at = at.saturating_add(1);
                continue;
            }
            let claim = self.claim(&mut coming, at..range.end.min(at.saturating_add(longest)));
            at = claim.range.end;
            claims.push(claim);
        }
        claims
    }

    fn claim(self: &Arc<Self>, coming: &mut HashSet<u64>, range: Range<u64>) -> Claim {
        let end =
            range.clone().skip(1).find(|page| coming.contains(page) || self.kept.find(key(*page)).is_some());
        let range = range.start..end.unwrap_or(range.end);
        coming.extend(range.clone());
        Claim { pages: Arc::clone(self), range }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Gives the claimed pages to who waits for them.
    pub(super) fn deliver(self, pages: impl Iterator<Item = Vec<u8>>) {
        for (number, bytes) in self.range.clone().zip(pages) {
            self.pages.kept.keep(key(number), Arc::new(bytes));
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut coming = self.pages.lock();
        coming.retain(|page| !self.range.contains(page));
        self.pages.arrived.notify_all();
    }
}

fn key(page: u64) -> Key {
    Key { image: 0, block: page }
}
