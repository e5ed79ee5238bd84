//! Decompression of clusters and grains into buffers of exactly their length (qcow2: Compressed Clusters
//! Descriptor, compression_type; VMDK: Stream-Optimized Compressed Sparse Extents).

use std::sync::{Mutex, PoisonError};

use flate2::{Decompress, FlushDecompress};
use zstd::zstd_safe::{DCtx, find_frame_compressed_size, get_error_name};

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// Raw deflate (RFC 1951), as qcow2's zlib clusters.
    Deflate,
    /// Deflate with zlib's header and checksum (RFC 1950), as VMDK's grains.
    Zlib,
    /// Zstandard frames.
    Zstd,
}

/// Decoders that are used again, one for each thread that reads at the same time.
pub(super) struct Inflater {
    compression: Compression,
    idle: Mutex<Vec<Decoder>>,
}

/// A decoder and the memory for its input.
pub(super) struct Decoder {
    codec: Codec,
    /// What is to be decompressed.
    pub(super) input: Vec<u8>,
}

enum Codec {
    Inflate { stream: Decompress, wrapped: bool },
    Zstd(DCtx<'static>),
}

impl Inflater {
    /// A pool of decoders.
    pub(super) fn new(compression: Compression) -> Self {
        Self { compression, idle: Mutex::default() }
    }

    /// Runs `work` with a decoder that nobody else uses.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Decoder) -> T) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let reused = idle().pop();
        let mut decoder = reused.unwrap_or_else(|| Decoder::new(self.compression));
        let result = work(&mut decoder);
        idle().push(decoder);
        result
    }
}

impl Decoder {
    fn new(compression: Compression) -> Self {
        let codec = match compression {
            Compression::Deflate => Codec::Inflate { stream: Decompress::new(false), wrapped: false },
            Compression::Zlib => Codec::Inflate { stream: Decompress::new(true), wrapped: true },
            Compression::Zstd => Codec::Zstd(DCtx::create()),
        };
        Self { codec, input: Vec::new() }
    }

    /// Fills all of `cluster` from [`Self::input`], which may end with other data.
    pub(super) fn fill(&mut self, cluster: &mut [u8]) -> Result<(), String> {
        match &mut self.codec {
            Codec::Inflate { stream, wrapped } => {
                stream.reset(*wrapped);
                let done = stream.decompress(&self.input, cluster, FlushDecompress::Finish);
                done.map_err(|error| error.to_string())?;
                let filled = usize::try_from(stream.total_out()).unwrap_or(usize::MAX);
                if filled == cluster.len() { Ok(()) } else { Err(short(filled, cluster.len())) }
            }
            Codec::Zstd(context) => frames(context, &self.input, cluster),
        }
    }
}

/// qemu reads as many frames as fill the cluster.
fn frames(context: &mut DCtx<'_>, mut input: &[u8], cluster: &mut [u8]) -> Result<(), String> {
    let length = cluster.len();
    let mut filled = 0usize;
    while let Some(rest) = cluster.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        if input.is_empty() {
            return Err(short(filled, length));
        }
        let name = |code| get_error_name(code).to_owned();
        let size = find_frame_compressed_size(input).map_err(name)?;
        let (frame, after) = input.split_at_checked(size).ok_or_else(|| short(filled, length))?;
        filled = filled.saturating_add(context.decompress(rest, frame).map_err(name)?);
        input = after;
    }
    Ok(())
}

fn short(filled: usize, length: usize) -> String {
    format!("compressed data ends after {filled} of {length} bytes")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression as Level,
        write::{DeflateEncoder, ZlibEncoder},
    };

    use super::*;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Level::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn wrapped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Level::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn fill(compression: Compression, input: Vec<u8>, length: usize) -> Result<Vec<u8>, String> {
        Inflater::new(compression).with(|decoder| {
            decoder.input = input;
            let mut cluster = vec![0xee; length];
            decoder.fill(&mut cluster).map(|()| cluster)
        })
    }

    #[test]
    fn data_may_be_followed_by_other_data_but_not_be_short() {
        let bytes: Vec<u8> = (0..4096u32).map(|n| n.wrapping_mul(n).to_le_bytes()[1]).collect();
        let both = [
            (Compression::Deflate, deflated(&bytes)),
            (Compression::Zlib, wrapped(&bytes)),
            (Compression::Zstd, zstd::bulk::compress(&bytes, 3).unwrap()),
            (
                Compression::Zstd,
                [
                    zstd::bulk::compress(&bytes[..100], 3).unwrap(),
                    zstd::bulk::compress(&bytes[100..], 3).unwrap(),
                ]
                .concat(),
            ),
        ];
        for (compression, data) in both {
            let followed = [data.clone(), vec![0xa5; 300]].concat();
            assert_eq!(fill(compression, followed, 4096).unwrap(), bytes);
            assert!(fill(compression, data[..data.len() / 2].to_vec(), 4096).is_err());
            assert!(fill(compression, data, 8192).is_err());
            assert!(fill(compression, vec![0xff; 64], 4096).is_err());
            assert!(fill(compression, vec![], 4096).is_err());
        }
    }
}
