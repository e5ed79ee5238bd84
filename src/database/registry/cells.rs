//! Cells: all that a hive holds is in one, found by its offset from the first bin.

use super::base::BINS;
use crate::{
    block::{Source, read_vec},
    database::bytes::Order,
    error::FormatError,
    limits, num,
};

pub(super) const STRUCTURE: &str = "registry cell";

/// The bins of a hive.
pub(super) struct Cells {
    pub(super) source: Source,
    /// Bytes of all bins.
    pub(super) length: u64,
}

/// A cell in use, without its header.
pub(super) struct Cell {
    pub(super) at: u32,
    pub(super) bytes: Vec<u8>,
}

impl Cells {
    /// The cell at `at`.
    pub(super) fn read(&self, at: u32) -> Result<Cell, FormatError> {
        let offset = BINS.saturating_add(at.into());
        let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
        let header = read_vec(&self.source, STRUCTURE, offset, 4)?;
        let size = Order::Little.u32(&header, 0).map_or(0, u32::cast_signed);
        // A free cell has a positive size.
        let length = u64::from(size.unsigned_abs());
        let inside = u64::from(at).checked_add(length).is_some_and(|end| end <= self.length);
        if size >= 0 || length < 8 || !inside {
            return Err(corrupt(format!("size {size}, of {} bytes of bins", self.length)));
        }
        if length > limits::REGISTRY_CELL_BYTES {
            return Err(FormatError::limit(format!("registry cell of {length} bytes")));
        }
        let body = num::to_usize(length.saturating_sub(4));
        let bytes = read_vec(&self.source, STRUCTURE, offset.saturating_add(4), body)?;
        Ok(Cell { at, bytes })
    }
}

impl Cell {
    /// What is wrong with it.
    pub(super) fn corrupt(&self, problem: impl Into<String>) -> FormatError {
        FormatError::corrupt(STRUCTURE, BINS.saturating_add(self.at.into()), problem)
    }

    pub(super) fn u16(&self, at: usize) -> Option<u16> {
        Order::Little.u16(&self.bytes, at)
    }

    pub(super) fn u32(&self, at: usize) -> Option<u32> {
        Order::Little.u32(&self.bytes, at)
    }

    /// A name at `at`: in Latin-1 if it is `compressed`, else in UTF-16.
    pub(super) fn name(&self, at: usize, length: u16, compressed: bool) -> Option<String> {
        let bytes = crate::database::bytes::part(&self.bytes, at, length.into())?;
        Some(match compressed {
            true => bytes.iter().map(|byte| char::from(*byte)).collect(),
            false => utf16(bytes),
        })
    }
}

/// Text in UTF-16.
pub(super) fn utf16(bytes: &[u8]) -> String {
    String::from_utf16_lossy(&crate::bytes::units(bytes))
}

/// Whether names are the same but for the case of their letters.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    a.chars().flat_map(char::to_uppercase).eq(b.chars().flat_map(char::to_uppercase))
}
