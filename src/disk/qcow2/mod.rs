//! qcow2, versions 2 and 3 (qemu's docs/interop/qcow2): a sparse disk in clusters that may be compressed, with
//! internal snapshots, on backing files and external data files that the caller names.
//!
//! Reference counts are a writer's business and are not read.

mod entry;
mod extensions;
mod format;
mod geometry;
mod header;
mod image;
mod open;
mod reference;
mod snapshot;
mod tables;
#[cfg(test)]
mod testing;

use super::Driver;
use crate::block::ReadAt;

/// The row of [`super::DRIVERS`].
pub(super) const DRIVER: Driver = Driver { name: "qcow2", begins: probe, ends: None, open: open::open };

fn probe(source: &dyn ReadAt) -> bool {
    super::begins(source, &format::MAGIC, 0)
}
