//! A source that fails on purpose, for tests of the rooms above: a read error in the middle must lose only
//! what it hit.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{ReadAt, Source};
use crate::num;

/// What happens to a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The storage fails with `EIO`.
    Error,
    /// The source ends too early.
    Short,
    /// One bit of what is read is flipped.
    Flip,
}

/// When it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// On the n-th read, counted from 0.
    Nth(u64),
    /// On every read that touches this byte.
    Touches(u64),
}

/// A source with one fault.
pub struct Faulty {
    source: Source,
    fault: Fault,
    when: When,
    reads: AtomicU64,
}

impl Faulty {
    /// `source` with a fault.
    pub fn new(source: Source, fault: Fault, when: When) -> Self {
        Self { source, fault, when, reads: AtomicU64::new(0) }
    }

    /// Reads made so far, to know how many there are to fail.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl ReadAt for Faulty {
    fn size(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let nth = self.reads.fetch_add(1, Ordering::Relaxed);
        let end = offset.saturating_add(num::to_u64(buf.len()));
        let (hit, at) = match self.when {
            When::Nth(n) => (n == nth, 0),
            When::Touches(byte) => ((offset..end).contains(&byte), byte.saturating_sub(offset)),
        };
        match self.fault {
            Fault::Error if hit => Err(io::Error::from_raw_os_error(5)),
            Fault::Short if hit => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => {
                self.source.read_at(buf, offset)?;
                if hit && let Some(byte) = buf.get_mut(num::to_usize(at)) {
                    *byte ^= 0x10;
                }
                Ok(())
            }
        }
    }
}
