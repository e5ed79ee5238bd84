//! VDI, version 1.1 (VirtualBox's VDICore.h): dynamic, fixed and differencing disks in blocks of one size.

mod header;
mod image;
mod open;
#[cfg(test)]
mod testing;

use super::Driver;
use crate::block::ReadAt;

/// The row of [`super::DRIVERS`].
pub(super) const DRIVER: Driver = Driver { name: "vdi", begins: probe, ends: None, open: open::open };

fn probe(source: &dyn ReadAt) -> bool {
    super::begins(source, &header::SIGNATURE, header::SIGNATURE_AT)
}
