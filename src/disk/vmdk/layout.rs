//! How a sparse extent is divided: what the headers of its three forms have in common.

use super::format::RawRegion;
use crate::{error::FormatError, limits};

/// Bytes of a sector, in which headers count.
pub(super) const SECTOR: u64 = 512;

/// The sizes and places of a sparse extent, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bytes of the virtual disk that it holds.
    pub(super) capacity: u64,
    /// Bytes of a grain, a power of two.
    pub(super) grain: u64,
    /// Entries of a grain table.
    pub(super) per_table: u64,
    /// Where the grain directory is, and another one if there is.
    pub(super) directory: u64,
    pub(super) redundant: Option<u64>,
    /// What entries mean.
    pub(super) entries: Entries,
}

/// What the entries of directories and tables mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entries {
    /// 32 bits: the number of a sector, or 1 for zeros where these are said to be in use.
    Sectors {
        /// 1 means zeros.
        zeroed: bool,
    },
    /// The same, of compressed grains.
    Compressed {
        /// 1 means zeros.
        zeroed: bool,
        /// Each grain has a marker before it.
        markers: bool,
    },
    /// 64 bits with a type in the highest four.
    Typed {
        /// Where the first grain table is.
        tables: u64,
        /// Where the first grain is.
        grains: u64,
    },
}

impl Layout {
    /// Bytes of an entry.
    pub(super) fn entry(&self) -> u64 {
        match self.entries {
            Entries::Typed { .. } => 8,
            _ => 4,
        }
    }

    /// Bytes of the disk that one grain table maps.
    pub(super) fn covered(&self) -> u64 {
        self.grain.saturating_mul(self.per_table)
    }

    /// Bytes of the grain directory.
    pub(super) fn directory_bytes(&self) -> u64 {
        self.capacity.div_ceil(self.covered().max(1)).saturating_mul(self.entry())
    }

    /// Refuses what no extent has; `name` is the header's.
    pub(super) fn checked(self, name: &'static str) -> Result<Self, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(name, 0, problem);
        if self.capacity == 0 {
            return Err(corrupt("a capacity of 0".to_owned()));
        }
        if !self.grain.is_power_of_two() || self.grain < SECTOR {
            return Err(corrupt(format!("grains of {} bytes", self.grain)));
        }
        if self.per_table == 0 || self.per_table > 4096 {
            return Err(corrupt(format!("grain tables of {} entries", self.per_table)));
        }
        if matches!(self.entries, Entries::Compressed { .. }) && self.grain > limits::VMDK_GRAIN_BYTES {
            let (grain, limit) = (self.grain, limits::VMDK_GRAIN_BYTES);
            return Err(FormatError::limit(format!("compressed grains of {grain} bytes, more than {limit}")));
        }
        Ok(self)
    }
}

/// A number of sectors in bytes; `what` of the header `name` says it.
pub(super) fn bytes(name: &'static str, what: &str, sectors: u64) -> Result<u64, FormatError> {
    // No file and no disk has more than 2^63 - 1 bytes.
    let bytes = sectors.checked_mul(SECTOR).filter(|bytes| *bytes < 1 << 63);
    bytes.ok_or_else(|| FormatError::corrupt(name, 0, format!("{what} of {sectors} sectors")))
}

/// Where a region of a seSparse extent begins.
pub(super) fn region(name: &'static str, what: &str, region: &RawRegion) -> Result<u64, FormatError> {
    bytes(name, what, region.offset.get())
}
