//! A file's bytes.

use std::{io, ops::Range, sync::Arc};

use super::{
    compression::Compression,
    extents::{self, Body, Disk, Extent},
    format::RawExtent,
    inode::Inode,
    volume::Volume,
};
use crate::{
    block::{ReadAt, check_range},
    error::FormatError,
    num,
};

/// An extent, unpacked.
pub(super) struct Unpacked {
    disk: Disk,
    bytes: Vec<u8>,
}

/// A file's or symbolic link's data.
pub(super) struct Data {
    volume: Arc<Volume>,
    inode: Inode,
}

impl Data {
    pub(super) fn new(volume: Arc<Volume>, inode: Inode) -> Self {
        Self { volume, inode }
    }

    fn read(&self, buf: &mut [u8], offset: u64) -> Result<(), FormatError> {
        let end = offset.saturating_add(num::to_u64(buf.len()));
        let mut filled = 0;
        for extent in extents::extents(&self.volume, &self.inode, offset..end)? {
            let from = extent.start.max(offset);
            let to = extent.end().min(end);
            if from >= to {
                continue;
            }
            let start = num::to_usize(from.saturating_sub(offset));
            buf.get_mut(filled..start).unwrap_or_default().fill(0);
            filled = num::to_usize(to.saturating_sub(offset));
            let part = buf.get_mut(start..filled).unwrap_or_default();
            self.read_extent(&extent, from.saturating_sub(extent.start), part)?;
        }
        buf.get_mut(filled..).unwrap_or_default().fill(0);
        Ok(())
    }

    /// Fills `part` from byte `at` of an extent.
    fn read_extent(&self, extent: &Extent, at: u64, part: &mut [u8]) -> Result<(), FormatError> {
        match &extent.body {
            Body::Zeros => part.fill(0),
            Body::Inline(item, compression) => {
                let packed = item.data().get(size_of::<RawExtent>()..).unwrap_or_default();
                let sector = self.volume.superblock.sector;
                let bytes = compression.unpack(packed, extent.length, sector, extent.offset)?;
                copy(&bytes, at, part);
            }
            Body::Disk(disk) if disk.compression == Compression::None => {
                let logical = disk.logical.saturating_add(disk.skipped).saturating_add(at);
                self.volume.read_data(logical, part, self.inode.has_sums())?;
            }
            Body::Disk(disk) => copy(&self.unpacked(disk)?.bytes, disk.skipped.saturating_add(at), part),
        }
        Ok(())
    }

    /// A compressed extent, of which the last ones are kept: small reads must not unpack it each time.
    fn unpacked(&self, disk: &Disk) -> Result<Arc<Unpacked>, FormatError> {
        let disk = Disk { skipped: 0, ..*disk };
        if let Some(kept) = self.volume.unpacked.find(disk.logical).filter(|kept| kept.disk == disk) {
            return Ok(kept);
        }
        let mut packed = vec![0; num::to_usize(disk.packed)];
        self.volume.read_data(disk.logical, &mut packed, self.inode.has_sums())?;
        let offset = self.volume.nodes.space.offset(disk.logical, 0);
        let bytes = disk.compression.unpack(&packed, disk.unpacked, self.volume.superblock.sector, offset)?;
        let unpacked = Arc::new(Unpacked { disk, bytes });
        self.volume.unpacked.keep(disk.logical, &unpacked);
        Ok(unpacked)
    }

    fn hint(&self, wanted: Range<u64>) {
        // An error shows when the bytes are read.
        for extent in extents::extents(&self.volume, &self.inode, wanted.clone()).unwrap_or_default() {
            let Body::Disk(disk) = extent.body else { continue };
            let (logical, length) = match disk.compression {
                Compression::None => {
                    let from = extent.start.max(wanted.start);
                    let skipped = from.saturating_sub(extent.start).saturating_add(disk.skipped);
                    (disk.logical.saturating_add(skipped), extent.end().min(wanted.end).saturating_sub(from))
                }
                _ => (disk.logical, disk.packed),
            };
            self.volume.nodes.space.will_need(logical, length);
        }
    }
}

/// Copies what `bytes` has from byte `at` on; the rest of `part` are zeros.
fn copy(bytes: &[u8], at: u64, part: &mut [u8]) {
    let bytes = bytes.get(num::to_usize(at)..).unwrap_or_default();
    let (to, rest) = part.split_at_mut(bytes.len().min(part.len()));
    to.copy_from_slice(bytes.get(..to.len()).unwrap_or_default());
    rest.fill(0);
}

impl ReadAt for Data {
    fn size(&self) -> u64 {
        self.inode.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.inode.size, offset, buf.len())?;
        Ok(self.read(buf, offset)?)
    }

    fn will_need(&self, offset: u64, length: u64) {
        // Only what a single read would fetch: a hint must not cost a walk through a large map.
        const LONGEST: u64 = 8 << 20;
        self.hint(offset..offset.saturating_add(length.min(LONGEST)).min(self.inode.size));
    }
}
