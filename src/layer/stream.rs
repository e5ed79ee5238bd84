//! A layer blob's bytes, decompressed from front to back.

use std::{
    io::{self, BufReader, Read},
    sync::{Arc, Mutex, PoisonError},
};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use crate::{
    Digest,
    block::{ReadAt, Source, Stream},
    error::FormatError,
    limits, num,
};

const NAME: &str = "layer blob";

/// How a blob is compressed: told by its first bytes, as runtimes do; the media type may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// A plain tar.
    None,
    /// gzip (RFC 1952), one or more members; eStargz is one of these.
    Gzip,
    /// Zstandard (RFC 8878), one or more frames; zstd:chunked is one of these.
    Zstd,
}

impl Compression {
    /// By the magic number.
    pub fn detect(source: &dyn ReadAt) -> Result<Self, FormatError> {
        let mut magic = [0; 6];
        let length = num::to_usize(source.size().min(6));
        let head = magic.get_mut(..length).unwrap_or_default();
        source.read_at(head, 0).map_err(FormatError::reading(NAME, 0))?;
        match magic {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => Err(FormatError::unsupported("a layer compressed with xz")),
            [b'B', b'Z', b'h', ..] => Err(FormatError::unsupported("a layer compressed with bzip2")),
            _ => Ok(Self::None),
        }
    }
}

/// The decompressed bytes, with digests of both forms and a bound on the larger one.
pub(super) struct Decoded {
    inner: Box<dyn Read + Send>,
    plain: Sha256,
    left: u64,
    compressed: Arc<Mutex<Sha256>>,
}

/// Sums what the decoder takes in; the decoder owns it, so the sum is shared. Its errors are marked as the
/// source's own: others are the decoder's.
struct Summing {
    inner: Stream,
    sum: Arc<Mutex<Sha256>>,
}

impl Read for Summing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buf).map_err(FormatError::reading(NAME, 0)).map_err(io::Error::from)?;
        let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        sum.update(buf.get(..length).unwrap_or_default());
        Ok(length)
    }
}

impl Decoded {
    pub(super) fn new(source: &Source, compression: Compression) -> Result<Self, FormatError> {
        let compressed = Arc::new(Mutex::new(Sha256::new()));
        let input = Summing { inner: Stream::new(Arc::clone(source)), sum: Arc::clone(&compressed) };
        let input = BufReader::with_capacity(256 << 10, input);
        let inner: Box<dyn Read + Send> = match compression {
            Compression::None => Box::new(input),
            Compression::Gzip => Box::new(MultiGzDecoder::new(input)),
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(input)
                    .and_then(|mut decoder| decoder.window_log_max(limits::ZSTD_WINDOW_LOG).map(|()| decoder))
                    .map_err(FormatError::reading("zstd frame", 0))?;
                Box::new(decoder)
            }
        };
        let left = source.size().saturating_mul(limits::LAYER_RATIO).saturating_add(limits::LAYER_SLACK);
        Ok(Self { inner, plain: Sha256::new(), left, compressed })
    }

    /// Reads on to the end and tells the digests: of the blob and of the tar inside.
    pub(super) fn finish(mut self) -> io::Result<(Digest, Digest)> {
        io::copy(&mut self, &mut io::sink())?;
        let mut sum = self.compressed.lock().unwrap_or_else(PoisonError::into_inner);
        let compressed = std::mem::take(&mut *sum).finalize();
        Ok((Digest::from_bytes(compressed.into()), Digest::from_bytes(self.plain.finalize().into())))
    }
}

/// What a decoder does not understand is damage; the storage is not at fault.
fn damaged(error: io::Error) -> io::Error {
    match error.downcast::<FormatError>() {
        Ok(own) => own.into(),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => error,
        Err(error) => FormatError::malformed(NAME, error.to_string()).into(),
    }
}

impl Read for Decoded {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buf).map_err(damaged)?;
        self.left = self.left.checked_sub(num::to_u64(length)).ok_or_else(|| {
            io::Error::from(FormatError::limit("a layer that unpacks to far more than layers do"))
        })?;
        self.plain.update(buf.get(..length).unwrap_or_default());
        Ok(length)
    }
}
