//! What one file may cost, however its archives lie in each other or overlap.

use crate::{error::FormatError, limits};

/// What is left of the bounds on one file.
pub(in crate::inventory) struct Budget {
    directories: u64,
    unpacked: u64,
    held: u64,
}

impl Budget {
    /// All that one file may cost.
    pub(in crate::inventory) fn new() -> Self {
        Self {
            directories: limits::ZIP_DIRECTORIES_BYTES,
            unpacked: limits::ZIP_UNPACKED_BYTES,
            held: limits::ZIP_HELD_BYTES,
        }
    }

    /// Pays for bytes that are read to find and list members.
    pub(in crate::inventory) fn list(&mut self, bytes: u64) -> Result<(), FormatError> {
        pay(&mut self.directories, bytes, || {
            format!("directories of archives with more than {} bytes", limits::ZIP_DIRECTORIES_BYTES)
        })
    }

    /// Pays for bytes of members that are read or unpacked.
    pub(in crate::inventory) fn unpack(&mut self, bytes: u64) -> Result<(), FormatError> {
        pay(&mut self.unpacked, bytes, || {
            format!("members that unpack to more than {} bytes", limits::ZIP_UNPACKED_BYTES)
        })
    }

    /// Pays for an archive that lies in memory until it is given [`back`](Self::give_back).
    pub(in crate::inventory) fn hold(&mut self, bytes: u64) -> Result<(), FormatError> {
        pay(&mut self.held, bytes, || {
            format!("a compressed archive in an archive of more than {} bytes", limits::ZIP_HELD_BYTES)
        })
    }

    /// The archive is no longer in memory.
    pub(in crate::inventory) fn give_back(&mut self, bytes: u64) {
        self.held = self.held.saturating_add(bytes);
    }
}

fn pay(left: &mut u64, bytes: u64, bound: impl FnOnce() -> String) -> Result<(), FormatError> {
    *left = left.checked_sub(bytes).ok_or_else(|| FormatError::limit(bound()))?;
    Ok(())
}
