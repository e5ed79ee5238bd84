//! VHD (Microsoft's Virtual Hard Disk Image Format Specification, version 1.0): fixed, dynamic and differencing
//! disks of up to 2040 GiB. qemu calls it `vpc`, after Virtual PC.

mod footer;
mod format;
mod header;
mod image;
mod locator;
mod open;
#[cfg(test)]
mod testing;

use super::Driver;
use crate::block::ReadAt;

/// The row of [`super::DRIVERS`].
pub(super) const DRIVER: Driver = Driver { name: "vpc", probe, open: open::open };

/// The footer is at the end; what can grow has a copy of it at the beginning.
fn probe(source: &dyn ReadAt) -> bool {
    let ends = format::FOOTER_LENGTHS.iter().filter_map(|length| source.size().checked_sub(*length));
    ends.chain([0]).any(|at| super::begins(source, &format::COOKIE, at))
}
