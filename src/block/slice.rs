//! A part of a source: a partition of a disk, a member of an archive.

use std::io;

use super::{ReadAt, Source, check_range};

/// `length` bytes of a source from `start`. A slice may reach past the end of its source (a truncated
/// disk): its size is the nominal one, and reads past the end fail.
#[derive(Clone)]
pub struct Slice {
    source: Source,
    start: u64,
    length: u64,
}

impl Slice {
    /// The part of `source` that begins at `start`.
    pub fn new(source: Source, start: u64, length: u64) -> Self {
        Self { source, start, length }
    }
}

impl ReadAt for Slice {
    fn size(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.length, offset, buf.len())?;
        let absolute = self.start.checked_add(offset).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.source.read_at(buf, absolute)
    }

    fn will_need(&self, offset: u64, length: u64) {
        if let Some(absolute) = self.start.checked_add(offset) {
            self.source.will_need(absolute, length);
        }
    }
}
