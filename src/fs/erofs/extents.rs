//! Extents of a compressed file: what was compressed at once, from one head in the index to the next.

use super::{
    index::{Entry, Index, Kind, STRUCTURE, Tail},
    inode::Inode,
    volume::Volume,
};
use crate::{error::FormatError, fs::unpack::Codec, limits};

/// Bytes of a file that are found in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// The first of them in the file, and what is behind the last.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) body: Body,
}

/// Where and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// `length` bytes of the volume.
    Stored { place: u64, length: u64, form: Form },
    /// As many bytes of the packed inode, from one on.
    Fragment(u64),
}

/// What the stored bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The data, from the first byte on.
    Shifted,
    /// The data, each byte at its place in the block; what passes the block's end is at its start.
    Interlaced,
    Compressed(Codec),
}

/// The extent that has the byte at `offset`, which the file has.
pub(super) fn at(volume: &Volume, inode: &Inode, index: &Index, offset: u64) -> Result<Extent, FormatError> {
    if let Some(place) = index.whole {
        return Ok(Extent { start: 0, end: inode.size, body: Body::Fragment(place) });
    }
    let (cluster, kind, start, block) = head(volume, inode, index, offset)?;
    let end = end(volume, inode, index, cluster, start)?;
    let corrupt = |problem: String| {
        FormatError::corrupt(STRUCTURE, inode.body(), format!("bytes {start} to {end}: {problem}"))
    };
    if end <= offset || end.saturating_sub(start) > limits::EROFS_UNPACKED_BYTES {
        return Err(corrupt(format!("of {} bytes, sought for byte {offset}", inode.size)));
    }
    let is_last = end >= inode.size;
    let (place, length) = match index.tail {
        Tail::Fragment(low) if is_last => {
            // A full index has no other use for the block.
            let high = if index.compact { 0 } else { u64::from(block).unbounded_shl(32) };
            return Ok(Extent { start, end, body: Body::Fragment(high | low) });
        }
        Tail::Inline(length) if is_last => {
            let place = index.end();
            if volume.superblock.within(place).saturating_add(length) > volume.superblock.block_size() {
                return Err(corrupt(format!("{length} bytes behind the index pass the end of their block")));
            }
            (place, length)
        }
        _ => (volume.superblock.offset(block.into()), stored_length(volume, index, cluster, kind)?),
    };
    if length > limits::EROFS_PACKED_BYTES {
        return Err(corrupt(format!("{length} bytes are stored")));
    }
    let form = form(inode, index, kind)?;
    if !matches!(form, Form::Compressed(_)) && end.saturating_sub(start) > length {
        return Err(corrupt(format!("{length} bytes are stored without compression")));
    }
    volume.devices.check(0, &(place..place.saturating_add(length)))?;
    Ok(Extent { start, end, body: Body::Stored { place, length, form } })
}

/// The head that a byte belongs to: its cluster, kind, first byte in the file, and block.
fn head(
    volume: &Volume,
    inode: &Inode,
    index: &Index,
    offset: u64,
) -> Result<(u64, Kind, u64, u32), FormatError> {
    let mut cluster = offset.unbounded_shr(index.cluster_bits);
    let first = cluster;
    // The number falls at each step.
    loop {
        let back = match index.entry(volume, cluster)? {
            Entry::Head { kind, at, block } => {
                let start = cluster.unbounded_shl(index.cluster_bits).saturating_add(at);
                if start <= offset {
                    return Ok((cluster, kind, start, block));
                }
                1
            }
            Entry::Inside { back, .. } => back,
        };
        let far = first.saturating_sub(cluster).unbounded_shl(index.cluster_bits);
        match cluster.checked_sub(back) {
            Some(before) if far <= limits::EROFS_UNPACKED_BYTES => cluster = before,
            _ => {
                let problem = format!("no compressed data begins before byte {offset}");
                return Err(FormatError::corrupt(STRUCTURE, inode.body(), problem));
            }
        }
    }
}

/// Where the next head begins, or the file ends.
fn end(volume: &Volume, inode: &Inode, index: &Index, head: u64, start: u64) -> Result<u64, FormatError> {
    let mut cluster = head.saturating_add(1);
    while cluster < index.clusters {
        let first = cluster.unbounded_shl(index.cluster_bits);
        if let Entry::Head { at, .. } = index.entry(volume, cluster)? {
            return Ok(first.saturating_add(at).min(inode.size));
        }
        if first.saturating_sub(start) > limits::EROFS_UNPACKED_BYTES {
            return Ok(first);
        }
        cluster = cluster.saturating_add(1);
    }
    Ok(inode.size)
}

/// Bytes that are stored for the head in a cluster: the next cluster tells how many blocks they have, if they may be many.
fn stored_length(volume: &Volume, index: &Index, head: u64, kind: Kind) -> Result<u64, FormatError> {
    let cluster = 1u64.unbounded_shl(index.cluster_bits);
    let next = head.saturating_add(1);
    if !index.is_big(kind) || next >= index.clusters {
        return Ok(cluster);
    }
    match index.entry(volume, next)? {
        Entry::Head { .. } => Ok(cluster),
        Entry::Inside { blocks: Some(blocks @ 1..), .. } => Ok(volume.superblock.offset(blocks)),
        Entry::Inside { back, .. } => {
            let problem = format!("cluster {next} tells no length, {back} behind its head");
            Err(FormatError::corrupt(STRUCTURE, index.end(), problem))
        }
    }
}

fn form(inode: &Inode, index: &Index, kind: Kind) -> Result<Form, FormatError> {
    let [first, second] = index.algorithms;
    let algorithm = match kind {
        Kind::Plain if index.interlaced() => return Ok(Form::Interlaced),
        Kind::Plain => return Ok(Form::Shifted),
        Kind::First => first,
        Kind::Second => second,
    };
    Ok(Form::Compressed(match algorithm {
        0 => Codec::Lz4,
        1 => Codec::MicroLzma,
        2 => Codec::Deflate,
        3 => Codec::Zstd,
        other => {
            let what = format!("EROFS inode {}: compression algorithm {other}", inode.number);
            return Err(FormatError::unsupported(what));
        }
    }))
}
