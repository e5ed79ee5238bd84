//! The files of a layer blob that were not kept while it was read: it is decompressed again when they are.

use std::{
    io::{self, Read},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::stream::{Compression, Decoded};
use crate::{
    block::{self, Memory, ReadAt, Source},
    error::FormatError,
    limits, num,
};

/// Decompresses a blob again for files that were not kept. One decoder is shared: files read in the order of
/// the archive cost one pass.
pub(super) struct Again {
    source: Source,
    compression: Compression,
    held: Mutex<Held>,
    /// Bytes that were passed over to reach others.
    skipped: AtomicU64,
}

impl Again {
    /// Decompresses nothing yet.
    pub(super) fn new(source: &Source, compression: Compression) -> Self {
        let source = Arc::clone(source);
        Self { source, compression, held: Mutex::default(), skipped: AtomicU64::new(0) }
    }

    /// Reads a part of a file that begins at `start` of the tar.
    fn read(&self, buf: &mut [u8], start: u64, offset: u64, size: u64) -> io::Result<()> {
        let held = &mut *self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.whole.as_ref().is_none_or(|(known, _)| *known != start) {
            held.whole = None;
            let place = start.saturating_add(offset);
            if held.is_ahead(start, place) || size > limits::TAR_AGAIN_BYTES {
                return self.read_on(held, buf, place);
            }
            let mut file = Vec::new();
            file.try_reserve_exact(num::to_usize(size)).map_err(|_| io::ErrorKind::OutOfMemory)?;
            file.resize(num::to_usize(size), 0);
            self.read_on(held, &mut file, start)?;
            held.whole = Some((start, Memory::new(file)));
        }
        match &held.whole {
            Some((_, file)) => file.read_at(buf, offset),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Reads at a place of the tar, from where the decoder is or from the beginning.
    fn read_on(&self, held: &mut Held, buf: &mut [u8], place: u64) -> io::Result<()> {
        let (mut decoder, at) = match held.decoder.take() {
            Some((decoder, at)) if at <= place => (decoder, at),
            _ => (Decoded::new(&self.source, self.compression)?, 0),
        };
        let skip = place.saturating_sub(at);
        if self.skipped.fetch_add(skip, Relaxed) > limits::LAYER_AGAIN_BYTES {
            let bound = limits::LAYER_AGAIN_BYTES;
            let what =
                format!("files of a layer blob for which more than {bound} bytes are decompressed again");
            return Err(FormatError::limit(what).into());
        }
        if io::copy(&mut decoder.by_ref().take(skip), &mut io::sink())? < skip {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        decoder.read_exact(buf)?;
        held.decoder = Some((decoder, place.saturating_add(num::to_u64(buf.len()))));
        Ok(())
    }
}

/// What is held between two reads.
#[derive(Default)]
struct Held {
    /// A decoder, and where in the tar it is.
    decoder: Option<(Decoded, u64)>,
    /// The file that is being read here and there, and where in the tar it begins.
    whole: Option<(u64, Memory)>,
}

impl Held {
    /// Whether a file is read from front to back: at its beginning, or where the last read of it ended. An archive is not,
    /// and is unpacked whole: for each read back the blob would be decompressed from its beginning.
    fn is_ahead(&self, start: u64, place: u64) -> bool {
        place == start || self.decoder.as_ref().is_some_and(|(_, at)| *at > start && *at <= place)
    }
}

/// The data of a member that was not kept.
pub(super) struct Packed {
    again: Arc<Again>,
    offset: u64,
    size: u64,
}

impl Packed {
    /// `size` bytes at `offset` of the tar.
    pub(super) fn new(again: &Arc<Again>, offset: u64, size: u64) -> Self {
        Self { again: Arc::clone(again), offset, size }
    }
}

impl ReadAt for Packed {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        block::check_range(self.size, offset, buf.len())?;
        self.again.read(buf, self.offset, offset, self.size)
    }
}

/// The data of a sparse member of so many bytes: there, but not read.
pub(super) struct Sparse(pub u64);

impl ReadAt for Sparse {
    fn size(&self) -> u64 {
        self.0
    }

    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        Err(io::Error::other(FormatError::unsupported("a sparse member of a tar")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Counted, Counter};

    #[test]
    fn a_file_that_is_read_from_its_end_is_decompressed_once() {
        let tar: Vec<u8> = (0..100_000u32).map(|n| n.to_le_bytes()[0]).collect();
        let counter = Arc::new(Counter::default());
        let source: Source = Arc::new(Counted::new(Arc::new(Memory::new(tar.clone())), Arc::clone(&counter)));
        let again = Arc::new(Again::new(&source, Compression::None));
        let file = Packed::new(&again, 1000, 50_000);
        let later = Packed::new(&again, 60_000, 10_000);
        for (file, start, offset) in [
            (&file, 1000, 49_000),
            (&file, 1000, 20_000),
            (&file, 1000, 0),
            (&later, 60_000, 9_000),
            (&later, 60_000, 10),
        ] {
            let mut buf = [0; 500];
            file.read_at(&mut buf, num::to_u64(offset)).unwrap();
            assert_eq!(buf, tar[start + offset..][..500], "{start} {offset}");
        }
        assert!(counter.bytes() <= 100_000, "{}", counter.bytes());
        assert!(file.read_at(&mut [0; 2], 49_999).is_err());
    }
}
