//! VMDK (VMware's Virtual Disk Format 5.0): a descriptor, in a file of its own or within an extent, and extents that
//! are flat or in grains, which may be compressed; delta disks lie on a parent. The grains of vSphere's seSparse
//! extents are read as qemu describes them: VMware has not published that format.

mod descriptor;
mod extent;
mod format;
mod hosted;
mod joined;
mod layout;
mod open;
mod tables;
#[cfg(test)]
mod testing;
mod vsphere;

use super::Driver;
use crate::block::ReadAt;

/// The row of [`super::DRIVERS`].
pub(super) const DRIVER: Driver = Driver { name: "vmdk", begins: probe, ends: None, open: open::open };

fn probe(source: &dyn ReadAt) -> bool {
    let magics: [&[u8]; 3] = [&format::HOSTED, &format::COWD, &format::SE_SPARSE];
    magics.iter().any(|magic| super::begins(source, magic, 0)) || descriptor::begins(source)
}
