//! Compressions of file systems that are written once (EROFS, squashfs): blocks whose unpacked length, or a bound of it, is
//! known beforehand.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};
use lzma_rust2::{LzmaReader, XzReader};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

use super::{lz4, lzo};
use crate::limits;

/// Bytes of LZMA's probabilities, beside its window.
const LZMA_SLACK_KIB: u32 = 1024;

/// How a block is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fs) enum Codec {
    /// One LZ4 block.
    Lz4,
    /// One LZO1X stream.
    Lzo,
    /// Deflate with zlib's header and checksum (RFC 1950).
    Zlib,
    /// Raw deflate (RFC 1951).
    Deflate,
    /// A Zstandard frame.
    Zstd,
    /// An xz stream, also with its filters for machine code.
    Xz,
    /// LZMA with the header of `.lzma` files.
    Lzma,
    /// LZMA whose first byte is the complement of its properties in place of the encoder's first, which is always 0.
    MicroLzma,
}

impl Codec {
    /// Unpacks `packed` into `out` until either ends, and gives the number of bytes; `out` behind them has any value.
    pub(in crate::fs) fn unpack(self, packed: &[u8], out: &mut [u8]) -> Result<usize, String> {
        match self {
            Self::Lz4 => lz4::unpack(packed, out).ok_or_else(|| "damaged LZ4".to_owned()),
            Self::Lzo => {
                let mut unpacked = Vec::with_capacity(out.len());
                lzo::unpack(packed, &mut unpacked, out.len()).ok_or("damaged LZO")?;
                let to = out.get_mut(..unpacked.len()).ok_or("more LZO than there is room for")?;
                to.copy_from_slice(&unpacked);
                Ok(unpacked.len())
            }
            Self::Zlib => inflate(Decompress::new(true), packed, out, true),
            Self::Deflate => inflate(Decompress::new(false), packed, out, false),
            Self::Zstd => zstd(packed, out),
            Self::Xz => read(XzReader::new_mem_limit(packed, false, window_kib()), out),
            Self::Lzma => read(LzmaReader::new_mem_limit(packed, window_kib(), None).map_err(text)?, out),
            Self::MicroLzma => {
                let (properties, rest) = packed.split_first().ok_or("no bytes")?;
                let stream = [0u8].as_slice().chain(rest);
                let window = u32::try_from(limits::LZMA_WINDOW_BYTES).unwrap_or(u32::MAX);
                // Its length is not known, only how much of it is wanted.
                let window = window.min(u32::try_from(out.len()).unwrap_or(u32::MAX)).max(4096);
                let reader = LzmaReader::new_with_props(stream, u64::MAX, !properties, window, None);
                read(reader.map_err(text)?, out)
            }
        }
    }
}

fn text(error: io::Error) -> String {
    error.to_string()
}

/// Kibibytes that LZMA may use.
fn window_kib() -> u32 {
    u32::try_from(limits::LZMA_WINDOW_BYTES >> 10).unwrap_or(u32::MAX).saturating_add(LZMA_SLACK_KIB)
}

/// With `to_end`, the stream must end where the output does: only then its checksum was compared.
fn inflate(mut stream: Decompress, packed: &[u8], out: &mut [u8], to_end: bool) -> Result<usize, String> {
    let status =
        stream.decompress(packed, out, FlushDecompress::Finish).map_err(|error| error.to_string())?;
    let filled = usize::try_from(stream.total_out()).unwrap_or(usize::MAX);
    let complete = status == Status::StreamEnd || (!to_end && filled == out.len());
    if complete { Ok(filled) } else { Err(format!("deflate without an end after {filled} bytes")) }
}

fn zstd(packed: &[u8], out: &mut [u8]) -> Result<usize, String> {
    let name = |code| get_error_name(code).to_owned();
    let mut context = DCtx::create();
    if let Ok(filled) = context.decompress(out, packed) {
        return Ok(filled);
    }
    // More than there is room for, or it ends with other data.
    let mut context = DCtx::create();
    context.set_parameter(DParameter::WindowLogMax(limits::ZSTD_WINDOW_LOG)).map_err(name)?;
    let mut input = InBuffer::around(packed);
    let mut output = OutBuffer::around(out);
    loop {
        let before = (input.pos(), output.pos());
        let left = context.decompress_stream(&mut output, &mut input).map_err(name)?;
        if left == 0 || output.pos() == output.capacity() {
            return Ok(output.pos());
        }
        if (input.pos(), output.pos()) == before {
            return Err(format!("zstd without an end after {} bytes", output.pos()));
        }
    }
}

fn read(mut stream: impl Read, out: &mut [u8]) -> Result<usize, String> {
    let mut filled: usize = 0;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest).map_err(text)? {
            0 => break,
            some => filled = filled.saturating_add(some),
        }
    }
    Ok(filled)
}
