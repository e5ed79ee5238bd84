//! VHDX, version 1 ([MS-VHDX]): fixed, dynamic and differencing disks of up to 64 TiB. The log of a disk that was not
//! closed is replayed in memory; the file is never written.

mod checksum;
mod format;
mod header;
mod image;
mod locator;
mod log;
mod metadata;
mod open;
mod region;
mod replay;
mod sequence;
#[cfg(test)]
mod testing;

use super::Driver;
use crate::block::ReadAt;

/// The row of [`super::DRIVERS`].
pub(super) const DRIVER: Driver = Driver { name: "vhdx", begins: probe, ends: None, open: open::open };

fn probe(source: &dyn ReadAt) -> bool {
    super::begins(source, &format::FILE_TYPE, 0)
}
