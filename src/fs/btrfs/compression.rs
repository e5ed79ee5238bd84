//! Compressed extents ("Compression"): zlib, LZO in btrfs's own frame, zstd.

use std::io::Read;

use crate::{error::FormatError, fs::lzo, limits, num};

const STRUCTURE: &str = "btrfs compressed extent";

/// The kernel's own bound of a zstd window, as a power of two.
const ZSTD_WINDOW_LOG: u32 = 17;

/// How an extent is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Zlib,
    Lzo,
    Zstd,
}

impl Compression {
    /// By its number in an extent.
    pub(super) fn of(raw: u8) -> Result<Self, FormatError> {
        Ok(match raw {
            0 => Self::None,
            1 => Self::Zlib,
            2 => Self::Lzo,
            3 => Self::Zstd,
            _ => return Err(FormatError::unsupported(format!("btrfs compression type {raw}"))),
        })
    }

    /// Unpacks an extent of `length` bytes, at most [`limits::BTRFS_UNPACKED_BYTES`]. What the stream lacks
    /// of them are zeros: it ends with the data, the extent with a sector.
    pub(super) fn unpack(
        self,
        packed: &[u8],
        length: u64,
        sector: u32,
        offset: u64,
    ) -> Result<Vec<u8>, FormatError> {
        if length > limits::BTRFS_UNPACKED_BYTES {
            return Err(FormatError::limit(format!("{STRUCTURE} of {length} bytes")));
        }
        let length = num::to_usize(length);
        let unpacked = match self {
            Self::None => packed.get(..length.min(packed.len())).map(<[u8]>::to_vec),
            Self::Zlib => read(flate2::read::ZlibDecoder::new(packed), length),
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(packed);
                decoder.ok().and_then(|mut decoder| {
                    decoder.window_log_max(ZSTD_WINDOW_LOG).ok()?;
                    read(decoder.single_frame(), length)
                })
            }
            Self::Lzo => unpack_lzo(packed, length, num::index(sector)),
        };
        let damaged = || {
            let problem = format!("{self:?} of {} to {length} bytes", packed.len());
            FormatError::corrupt(STRUCTURE, offset, problem)
        };
        let mut unpacked = unpacked.ok_or_else(damaged)?;
        unpacked.resize(length, 0);
        Ok(unpacked)
    }
}

fn read(stream: impl Read, length: usize) -> Option<Vec<u8>> {
    let mut unpacked = Vec::with_capacity(length);
    stream.take(num::to_u64(length)).read_to_end(&mut unpacked).ok()?;
    Some(unpacked)
}

/// The length of all, then segments of one sector of data each, with their length before them. No length
/// crosses the border of a sector: there are zeros before it.
fn unpack_lzo(packed: &[u8], length: usize, sector: usize) -> Option<Vec<u8>> {
    let word = |at: usize| {
        let word = packed.get(at..)?.first_chunk()?;
        Some(num::index(u32::from_le_bytes(*word)))
    };
    let end = word(0).filter(|end| *end <= packed.len())?;
    let mut out = Vec::with_capacity(length);
    let mut at: usize = 4;
    while at < end && out.len() < length {
        let left = sector.checked_sub(at.checked_rem(sector)?)?;
        if left < 4 {
            at = at.checked_add(left)?;
        }
        let start = at.checked_add(4)?;
        at = start.checked_add(word(at)?)?;
        let segment = packed.get(start..at).filter(|_| at <= end)?;
        let limit = sector.min(length.checked_sub(out.len())?);
        lzo::unpack(segment, &mut out, limit)?;
    }
    Some(out)
}
