//! A source for probes. A probe takes bytes that it cannot read for "not this format"; what the storage failed to
//! give must not end as "no format that is known".

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use super::ReadAt;

/// Passes reads on and remembers the first that failed for another reason than the source's end.
pub struct Probed<'a> {
    inner: &'a dyn ReadAt,
    failure: Mutex<Option<io::Error>>,
}

impl<'a> Probed<'a> {
    /// Nothing has failed yet.
    pub fn new(inner: &'a dyn ReadAt) -> Self {
        Self { inner, failure: Mutex::new(None) }
    }

    /// The first failure.
    pub fn failure(self) -> Option<io::Error> {
        self.failure.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadAt for Probed<'_> {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_at(buf, offset).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::UnexpectedEof {
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
            }
            kind.into()
        })
    }
}
