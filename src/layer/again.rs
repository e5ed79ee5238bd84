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
    block::{self, ReadAt, Source},
    error::FormatError,
    limits, num,
};

/// Decompresses a blob again for files that were not kept. One decoder is shared: files read in the order of
/// the archive cost one pass.
pub(super) struct Again {
    source: Source,
    compression: Compression,
    decoder: Mutex<Option<(Decoded, u64)>>,
    /// Bytes that were passed over to reach others.
    skipped: AtomicU64,
}

impl Again {
    /// Decompresses nothing yet.
    pub(super) fn new(source: &Source, compression: Compression) -> Self {
        let source = Arc::clone(source);
        Self { source, compression, decoder: Mutex::new(None), skipped: AtomicU64::new(0) }
    }

    fn read(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let mut held = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut decoder, at) = match held.take() {
            Some((decoder, at)) if at <= offset => (decoder, at),
            _ => (Decoded::new(&self.source, self.compression)?, 0),
        };
        let skip = offset.saturating_sub(at);
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
        *held = Some((decoder, offset.saturating_add(num::to_u64(buf.len()))));
        Ok(())
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
        self.again.read(buf, self.offset.saturating_add(offset))
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
