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
            Self::Xz => {
                let mut stream = XzReader::new_mem_limit(packed, false, window_kib());
                let filled = read(&mut stream, out)?;
                // The checksum is compared where the data ends; of what goes on, the beginning was wanted.
                stream.read(&mut [0]).map_err(text)?;
                Ok(filled)
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// 450 bytes by liblzma: with a filter for x86 and a window of 64 KiB; with one of 64 MiB; with the header of `.lzma`; with
    /// the first byte as EROFS has it.
    const XZ: &[u8] = &[
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x01, 0x69, 0x22, 0xde, 0x36, 0x02, 0x01, 0x04, 0x00, 0x21,
        0x01, 0x08, 0x00, 0xd2, 0xb9, 0x74, 0xcb, 0xe0, 0x01, 0xc1, 0x00, 0x0b, 0x5d, 0x00, 0x30, 0x98, 0x88,
        0xad, 0x4b, 0x37, 0x03, 0xa3, 0x14, 0x00, 0x00, 0x00, 0x00, 0x17, 0x95, 0xa3, 0x89, 0x00, 0x01, 0x23,
        0xc2, 0x03, 0x00, 0x00, 0x00, 0x10, 0xb7, 0x0d, 0xc3, 0x3e, 0x30, 0x0d, 0x8b, 0x02, 0x00, 0x00, 0x00,
        0x00, 0x01, 0x59, 0x5a,
    ];
    const XZ_64_MIB: &[u8] = &[
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01, 0x1c,
        0x00, 0x00, 0x00, 0x10, 0xcf, 0x58, 0xcc, 0xe0, 0x01, 0xc1, 0x00, 0x0b, 0x5d, 0x00, 0x30, 0x98, 0x88,
        0xad, 0x4b, 0x37, 0x03, 0xa3, 0x14, 0x00, 0x00, 0x00, 0x00, 0x92, 0xde, 0xac, 0x05, 0x43, 0x64, 0x32,
        0x36, 0x00, 0x01, 0x27, 0xc2, 0x03, 0x00, 0x00, 0x00, 0x06, 0xf5, 0x9c, 0x58, 0xb1, 0xc4, 0x67, 0xfb,
        0x02, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
    ];
    const LZMA: &[u8] = &[
        0x5d, 0x00, 0x00, 0x80, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x30, 0x98, 0x88,
        0xad, 0x4b, 0x37, 0x03, 0xb6, 0xe2, 0x7b, 0xff, 0xff, 0xf6, 0xb0, 0x40, 0x00,
    ];
    const MICRO_LZMA: &[u8] = &[
        0xa2, 0x30, 0x98, 0x88, 0xad, 0x4b, 0x37, 0x03, 0xb6, 0xe2, 0x7b, 0xff, 0xff, 0xf6, 0xb0, 0x40, 0x00,
    ];

    #[test]
    fn windows_are_bounded_and_beginnings_are_enough() {
        let data = b"abcabcabc".repeat(50);
        for (codec, packed) in [(Codec::Xz, XZ), (Codec::Lzma, LZMA), (Codec::MicroLzma, MICRO_LZMA)] {
            for room in [0, 1, 100, 450] {
                let mut out = vec![0xee; room];
                assert_eq!(codec.unpack(packed, &mut out), Ok(room), "{codec:?}");
                assert_eq!(out, data[..room], "{codec:?}");
            }
            let cut = &packed[..packed.len() / 3];
            assert_ne!(codec.unpack(cut, &mut vec![0; 450]), Ok(450), "{codec:?}");
        }
        assert!(Codec::Xz.unpack(XZ_64_MIB, &mut [0; 450]).is_err());
        let frame = zstd::bulk::compress(&data, 3).unwrap();
        let mut out = vec![0; 20];
        assert_eq!((Codec::Zstd.unpack(&frame, &mut out), &out[..]), (Ok(20), &data[..20]));
        assert!(Codec::Zstd.unpack(&frame[..frame.len() - 4], &mut vec![0; 450]).is_err());
        for codec in
            [Codec::Lz4, Codec::Lzo, Codec::Zlib, Codec::Deflate, Codec::Zstd, Codec::Xz, Codec::Lzma]
        {
            assert_ne!(codec.unpack(&[0xff; 40], &mut [0; 450]), Ok(450), "{codec:?}");
            assert_ne!(codec.unpack(&[], &mut [0; 450]), Ok(450), "{codec:?}");
        }
    }

    #[test]
    fn the_checksum_of_xz_is_compared_where_its_data_ends() {
        // Before 12 bytes of an index and 12 of a footer.
        for at in XZ.len() - 28..XZ.len() - 24 {
            let mut packed = XZ.to_vec();
            packed[at] ^= 1;
            assert!(Codec::Xz.unpack(&packed, &mut [0; 450]).is_err(), "{at}");
            assert_eq!(
                Codec::Xz.unpack(&packed, &mut [0; 449]),
                Ok(449),
                "of what goes on, the beginning is wanted"
            );
        }
    }
}
