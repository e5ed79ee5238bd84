//! Bytes at offsets, shared by threads: what every reader right of here is handed.
//!
//! A source is never written to, has no cursor and is not mapped into memory (a file that shrinks under a
//! mapping is a signal, under a read it is an error).

mod ahead;
mod bounded;
mod cache;
mod count;
mod download;
pub mod fault;
mod file;
#[cfg(feature = "http")]
mod http;
mod memory;
mod place;
mod probe;
mod slice;
mod url;

use std::{io, sync::Arc};

pub use ahead::Ahead;
pub(crate) use bounded::{Cache, Key};
pub use cache::Cached;
pub use count::{Counted, Counter};
pub use download::{Download, Outcome, Sink, Version, download};
pub use file::{open, open_no_follow};
pub use memory::{Memory, Zeros};
pub use place::{common_end, is_same, location, referred};
pub use probe::Probed;
pub use slice::Slice;
pub use url::{file_name, shown, shown_word, url};

use crate::{error::FormatError, num};

/// Read-only bytes that many threads may read at once. Exact reads, no cursor.
pub trait ReadAt: Send + Sync {
    /// The number of bytes; it does not change.
    fn size(&self) -> u64;

    /// Fills all of `buf` from `offset`, or fails: with `UnexpectedEof` if the source ends before, in which
    /// case the content of `buf` is unspecified.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// A hint that this range is read soon, so that slow storage can begin. Never an error.
    fn will_need(&self, _offset: u64, _length: u64) {}
}

/// A source that is shared: a disk by its volumes, a volume by its files.
pub type Source = Arc<dyn ReadAt>;

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn size(&self) -> u64 {
        (**self).size()
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_at(buf, offset)
    }
    fn will_need(&self, offset: u64, length: u64) {
        (**self).will_need(offset, length);
    }
}

/// Opens what the caller named: a host's file or device, or what a URL names. `counter` gets what is asked of servers.
pub fn open_place(place: &std::path::Path, counter: &Arc<Counter>) -> io::Result<Source> {
    match url(place) {
        None => open(place),
        #[cfg(feature = "http")]
        Some(url) => http::open(url, counter),
        #[cfg(not(feature = "http"))]
        Some(_) => {
            let _ = counter;
            Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "this icecore was built without the feature \"http\", which reads URLs",
            ))
        }
    }
}

/// Reads `length` bytes of `structure` at `offset` into memory. The caller bounds `length`.
pub fn read_vec(
    source: &dyn ReadAt,
    structure: &'static str,
    offset: u64,
    length: usize,
) -> Result<Vec<u8>, FormatError> {
    let mut buf = Vec::new();
    buf.try_reserve_exact(length)
        .map_err(|_| FormatError::limit(format!("{structure} of {length} bytes does not fit in memory")))?;
    buf.resize(length, 0);
    source.read_at(&mut buf, offset).map_err(FormatError::reading(structure, offset))?;
    Ok(buf)
}

/// Reads all of a source that holds at most `limit` bytes.
pub fn read_all(source: &dyn ReadAt, structure: &'static str, limit: u64) -> Result<Vec<u8>, FormatError> {
    let size = source.size();
    if size > limit {
        return Err(FormatError::limit(format!("{structure} has {size} bytes, more than {limit}")));
    }
    read_vec(source, structure, 0, num::to_usize(size))
}

/// Whether the first `length` bytes can be read and are zeros: what begins so was wiped, or never had what is sought there.
pub(crate) fn begins_blank(source: &dyn ReadAt, length: usize) -> bool {
    let mut start = vec![0; length];
    source.read_at(&mut start, 0).is_ok() && start.iter().all(|byte| *byte == 0)
}

/// The error for a read that passes the end of a source of `size` bytes, if it does.
pub fn check_range(size: u64, offset: u64, length: usize) -> io::Result<()> {
    match offset.checked_add(num::to_u64(length)) {
        Some(end) if end <= size => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{length} bytes at {offset:#x} pass the end at {size:#x}"),
        )),
    }
}

/// A source read from front to back, for decoders that want `std::io::Read`.
pub struct Stream {
    source: Source,
    position: u64,
}

impl Stream {
    /// Begins at the first byte.
    pub fn new(source: Source) -> Self {
        Self { source, position: 0 }
    }
}

impl io::Seek for Stream {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            io::SeekFrom::Start(offset) => (offset, 0),
            io::SeekFrom::Current(by) => (self.position, by),
            io::SeekFrom::End(by) => (self.source.size(), by),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "a position before the beginning");
        self.position = from.checked_add_signed(by).ok_or_else(before)?;
        Ok(self.position)
    }
}

impl io::Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.source.size().saturating_sub(self.position);
        let length = left.min(num::to_u64(buf.len()));
        let Some(part) = buf.get_mut(..num::to_usize(length)) else { return Ok(0) };
        self.source.read_at(part, self.position)?;
        self.position = self.position.saturating_add(length);
        Ok(part.len())
    }
}

#[cfg(all(test, not(feature = "http")))]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_refused_by_the_name_of_what_is_missing() {
        let place = std::path::Path::new("https://me:s3cr3t@host/disk?sig=s3cr3t");
        let error = open_place(place, &Arc::default()).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("\"http\"") && !error.to_string().contains("s3cr3t"), "{error}");
    }
}
