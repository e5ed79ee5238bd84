//! Compressed pieces of a section, each with its checksum: every byte that is read is checked first.

use serde::{Deserialize, Serialize};

use super::table::checksum;
use crate::{
    block::{self, ReadAt},
    error::FormatError,
    num,
};

/// How a table is packed: a database is built once and read many times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packing {
    /// Unpacked bytes at which a block is closed: a lookup unpacks and walks through one.
    pub(super) block: usize,
    /// How hard zstd tries.
    level: i32,
}

impl Packing {
    /// For what every match looks up.
    pub(super) const QUICK: Self = Self { block: 32 << 10, level: 15 };
    /// For texts that few ask for.
    pub(super) const SMALL: Self = Self { block: 256 << 10, level: 19 };
}

/// Where a piece is in its section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    /// From the start of the section, in bytes.
    #[serde(rename = "o")]
    offset: u64,
    /// Packed bytes.
    #[serde(rename = "l")]
    length: u64,
    /// Unpacked bytes.
    #[serde(rename = "u")]
    unpacked: u64,
    /// XXH3-64 of the packed bytes.
    #[serde(rename = "x")]
    checksum: u64,
}

/// The bytes, packed.
pub(super) fn pack(bytes: &[u8], packing: Packing) -> Result<Vec<u8>, FormatError> {
    zstd::bulk::compress(bytes, packing.level).map_err(FormatError::reading("database block", 0))
}

/// Puts packed bytes, `unpacked` before they were packed, at the end of a section.
pub(super) fn append(section: &mut Vec<u8>, packed: &[u8], unpacked: usize) -> Piece {
    let offset = num::to_u64(section.len());
    section.extend(packed);
    Piece {
        offset,
        length: num::to_u64(packed.len()),
        unpacked: num::to_u64(unpacked),
        checksum: checksum(packed),
    }
}

/// Reads a piece of the section that begins at `section` and unpacks it to at most `limit` bytes.
pub(super) fn read(
    source: &dyn ReadAt,
    structure: &'static str,
    section: u64,
    piece: &Piece,
    limit: u64,
) -> Result<Vec<u8>, FormatError> {
    let offset = section.saturating_add(piece.offset);
    if piece.unpacked > limit || piece.length > limit {
        return Err(FormatError::limit(format!(
            "{structure} of {} bytes, more than {limit}",
            piece.unpacked
        )));
    }
    let packed = block::read_vec(source, structure, offset, num::to_usize(piece.length.min(source.size())))?;
    if checksum(&packed) != piece.checksum {
        return Err(FormatError::corrupt(structure, offset, "checksum does not match"));
    }
    let unpacked = zstd::bulk::decompress(&packed, num::to_usize(piece.unpacked))
        .map_err(|error| FormatError::corrupt(structure, offset, error.to_string()))?;
    if num::to_u64(unpacked.len()) != piece.unpacked {
        return Err(FormatError::corrupt(structure, offset, format!("unpacks to {} bytes", unpacked.len())));
    }
    Ok(unpacked)
}
