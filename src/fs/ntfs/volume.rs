//! A volume that was opened: its geometry and what all its files share.

use std::sync::OnceLock;

use super::{
    boot::Boot,
    inode::Inode,
    mft::Mft,
    record::Record,
    upcase::{self, Upcase},
};
use crate::{block::Source, error::FormatError};

/// Records that every volume has at these numbers.
pub(super) const LOG: u64 = 2;
pub(super) const VOLUME: u64 = 3;
pub(super) const ROOT: u64 = 5;
pub(super) const UPCASE: u64 = 10;
/// The first record that may be a file; the ones before are the volume's own.
pub(super) const FIRST: u64 = 16;

/// What all files of a volume share.
pub(super) struct Volume {
    pub(super) boot: Boot,
    /// The bytes of files.
    pub(super) source: Source,
    /// The same bytes through a cache, for what is read piecewise.
    pub(super) cached: Source,
    pub(super) mft: Mft,
    /// Read when the first name is looked up.
    pub(super) upcase: OnceLock<Upcase>,
}

impl Volume {
    /// The record that a reference names.
    pub(super) fn record(&self, reference: u64) -> Result<Record, FormatError> {
        self.mft.record(&self.cached, &self.boot, reference)
    }

    /// The file that a reference names.
    pub(super) fn inode(&self, reference: u64) -> Result<Inode, FormatError> {
        Inode::load(self, reference)
    }

    /// The upper case of names.
    pub(super) fn upcase(&self) -> Result<&Upcase, FormatError> {
        if let Some(upcase) = self.upcase.get() {
            return Ok(upcase);
        }
        let upcase = upcase::read(self)?;
        Ok(self.upcase.get_or_init(|| upcase))
    }
}
