//! Blocks of metadata, and reading on from one to the next: a block has two bytes of length and the bit that it is not
//! compressed, then its data, which unpacks to 8 KiB at most.

use std::sync::Arc;

use super::volume::Volume;
use crate::{
    block::{Key, read_vec},
    error::FormatError,
    num,
};

pub(super) const STRUCTURE: &str = "squashfs metadata block";
/// Bytes of a block when it is unpacked.
pub(super) const SIZE: usize = 8192;
const HEADER: u64 = 2;
const UNCOMPRESSED: u16 = 0x8000;

/// A place in metadata: where a block begins in the volume, and a byte in what it unpacks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) block: u64,
    pub(super) at: usize,
}

impl Place {
    /// A place as inodes and tables name it: a block's distance from the table's start in the upper 48 bits.
    pub(super) fn of(table: u64, reference: u64) -> Self {
        Self { block: table.saturating_add(reference >> 16), at: num::to_usize(reference & 0xffff) }
    }
}

/// Reads metadata from a place on.
pub(super) struct Cursor<'a> {
    volume: &'a Volume,
    place: Place,
    /// The block that the place is in, and where the next begins.
    open: Option<(Arc<Vec<u8>>, u64)>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(volume: &'a Volume, place: Place) -> Self {
        Self { volume, place, open: None }
    }

    /// The place of what is read next.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The next `length` bytes. The caller bounds `length`.
    pub(super) fn take(&mut self, length: usize) -> Result<Vec<u8>, FormatError> {
        let mut bytes = Vec::new();
        // A hostile length ends with the metadata; until then memory grows with what was read.
        while bytes.len() < length {
            let (block, next) = match self.open.take() {
                Some(open) => open,
                None => read(self.volume, self.place.block)?,
            };
            let rest = block.get(self.place.at..).unwrap_or_default();
            if rest.is_empty() {
                if self.place.at > block.len() || block.is_empty() {
                    let problem = format!("byte {} of {}", self.place.at, block.len());
                    return Err(FormatError::corrupt(STRUCTURE, self.place.block, problem));
                }
                self.place = Place { block: next, at: 0 };
                continue;
            }
            let part = rest.get(..length.saturating_sub(bytes.len())).unwrap_or(rest);
            bytes.extend_from_slice(part);
            self.place.at = self.place.at.saturating_add(part.len());
            self.open = Some((block, next));
        }
        Ok(bytes)
    }
}

/// The block that begins at `place`, unpacked, and where the next one begins.
fn read(volume: &Volume, place: u64) -> Result<(Arc<Vec<u8>>, u64), FormatError> {
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, place, problem);
    let header = read_vec(&volume.cached, STRUCTURE, place, num::to_usize(HEADER))?;
    let header = header.first_chunk().map_or(0, |header| u16::from_le_bytes(*header));
    let length = usize::from(header & !UNCOMPRESSED);
    if length == 0 || length > SIZE {
        return Err(corrupt(format!("header {header:#06x}")));
    }
    let start = place.saturating_add(HEADER);
    let next = start.saturating_add(num::to_u64(length));
    let key = Key { image: 0, block: place };
    if let Some(kept) = volume.metadata.find(key) {
        return Ok((kept, next));
    }
    let stored = read_vec(&volume.cached, STRUCTURE, start, length)?;
    let block = match header & UNCOMPRESSED {
        0 => {
            let mut block = vec![0; SIZE];
            let codec = volume.superblock.codec;
            let unpacked = codec
                .unpack(&stored, &mut block)
                .map_err(|problem| corrupt(format!("{problem}, {length} bytes")))?;
            block.truncate(unpacked);
            block
        }
        _ => stored,
    };
    let block = Arc::new(block);
    volume.metadata.keep(key, Arc::clone(&block));
    Ok((block, next))
}
