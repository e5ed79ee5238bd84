//! Cells: all that a hive holds is in one, found by its offset from the first bin.

use super::base::BINS;
use crate::{
    block::{Source, read_vec},
    database::order::Order,
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
        self.read_begin(at, num::to_usize(limits::REGISTRY_CELL_BYTES))
    }

    /// The first bytes of the cell at `at`, `most` at most: cells may overlap, and each be long.
    pub(super) fn read_begin(&self, at: u32, most: usize) -> Result<Cell, FormatError> {
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
        let body = num::to_usize(length.saturating_sub(4)).min(most);
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
        let bytes = crate::bytes::part(&self.bytes, at, length.into())?;
        Some(match compressed {
            true => bytes.iter().map(|byte| char::from(*byte)).collect(),
            false => utf16(bytes),
        })
    }
}

/// What is left for a list of a key.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn new() -> Self {
        Self(limits::REGISTRY_LIST_BYTES)
    }

    /// Takes the bytes of one of them; an error if there is no room left.
    pub(super) fn take(&mut self, name: &str, bytes: usize) -> Result<(), FormatError> {
        // What each takes in memory beside its bytes.
        const LEAST: usize = 64;
        let rest = self.0.checked_sub(bytes.saturating_add(name.len()).saturating_add(LEAST));
        let what =
            || format!("registry key with keys or values of more than {} bytes", limits::REGISTRY_LIST_BYTES);
        self.0 = rest.ok_or_else(|| FormatError::limit(what()))?;
        Ok(())
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

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::Memory;

    /// Bins with these cells, each at its offset.
    pub(in super::super) fn bins(cells: &[(u32, Vec<u8>)]) -> Cells {
        let mut bytes = vec![0; 4096];
        for (at, body) in cells {
            let at = 4096 + *at as usize;
            let length = body.len() + 4;
            bytes.resize(bytes.len().max(at + length), 0);
            bytes[at..at + 4].copy_from_slice(&(-i32::try_from(length).unwrap()).to_le_bytes());
            bytes[at + 4..at + length].copy_from_slice(body);
        }
        let length = num::to_u64(bytes.len() - 4096);
        Cells { source: Arc::new(Memory::new(bytes)), length }
    }

    /// Offsets as a list has them.
    pub(in super::super) fn offsets(all: &[u32]) -> Vec<u8> {
        all.iter().flat_map(|at| at.to_le_bytes()).collect()
    }

    #[test]
    fn cells_that_are_none_are_told_with_their_place() {
        let cells = bins(&[(0, vec![0; 28])]);
        for (size, what) in
            [(8i32, "size 8"), (0, "size 0"), (-4, "size -4"), (-4096, "size -4096"), (i32::MIN, "size")]
        {
            let mut bytes = vec![0; 4128];
            bytes[4096..4100].copy_from_slice(&size.to_le_bytes());
            let cells = Cells { source: Arc::new(Memory::new(bytes)), length: cells.length };
            let error = cells.read(0).err().unwrap().detail();
            assert!(error.starts_with("registry cell at offset 0x1000") && error.contains(what), "{error}");
        }
        let long = Cells { length: 1 << 31, ..bins(&[(0, vec![0; (1 << 20) + 4])]) };
        assert_eq!(long.read(0).err().unwrap().code(), crate::gap::Code::LimitReached);
    }
}
