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
pub(super) const DRIVER: Driver = Driver { name: "vpc", begins, ends: Some(ends), open: open::open };

/// What can grow has a copy of the footer at the beginning.
fn begins(source: &dyn ReadAt) -> bool {
    super::begins(source, &format::COOKIE, 0)
}

fn ends(source: &dyn ReadAt) -> bool {
    let mut places = format::FOOTER_LENGTHS.iter().filter_map(|length| source.size().checked_sub(*length));
    places.any(|at| super::begins(source, &format::COOKIE, at))
}
