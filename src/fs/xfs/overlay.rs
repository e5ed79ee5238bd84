//! A volume with its log recovered: what recovery would write is kept in memory, nothing is written.

use std::{collections::BTreeMap, io};

use crate::{
    block::{ReadAt, Source, read_vec},
    error::FormatError,
    limits, num,
};

pub(super) const SECTOR: u64 = 512;

/// A source with some of its sectors replaced.
pub(super) struct Overlay {
    source: Source,
    sectors: BTreeMap<u64, Box<[u8]>>,
}

impl Overlay {
    pub(super) fn new(source: Source) -> Self {
        Self { source, sectors: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sectors.is_empty()
    }

    /// Replaces the bytes from `offset` on.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FormatError> {
        let start = offset.checked_div(SECTOR).unwrap_or(0).saturating_mul(SECTOR);
        let end = offset.saturating_add(num::to_u64(bytes.len())).next_multiple_of(SECTOR);
        let length = num::to_usize(end.saturating_sub(start));
        let before = num::to_usize(offset.saturating_sub(start));
        let whole = match length == bytes.len() {
            true => bytes.to_vec(),
            false => {
                let mut whole = read_vec(self, "XFS log", start, length)?;
                if let Some(part) = whole.get_mut(before..before.saturating_add(bytes.len())) {
                    part.copy_from_slice(bytes);
                }
                whole
            }
        };
        for (sector, bytes) in sectors(start, end).zip(whole.chunks(num::to_usize(SECTOR))) {
            self.sectors.insert(sector, bytes.into());
        }
        let kept = self.sectors.len().saturating_mul(num::to_usize(SECTOR));
        match kept > limits::XFS_LOG_CHANGED_BYTES {
            true => Err(FormatError::limit(format!("XFS log that changes more than {kept} bytes"))),
            false => Ok(()),
        }
    }
}

/// The sectors that lie from `start` to `end`, whole or in part.
fn sectors(start: u64, end: u64) -> std::ops::Range<u64> {
    let first = start.checked_div(SECTOR).unwrap_or(0);
    first..end.div_ceil(SECTOR).max(first)
}

impl ReadAt for Overlay {
    fn size(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.saturating_add(num::to_u64(buf.len()));
        let wanted = sectors(offset, end);
        let replaced = || self.sectors.range(wanted.clone());
        // A sector that is replaced need not be readable.
        if num::to_u64(replaced().count()) < wanted.end.saturating_sub(wanted.start) {
            self.source.read_at(buf, offset)?;
        }
        for (sector, bytes) in replaced() {
            let start = sector.saturating_mul(SECTOR);
            let (from, to) = (start.max(offset), start.saturating_add(SECTOR).min(end));
            let range =
                |base: u64| num::to_usize(from.saturating_sub(base))..num::to_usize(to.saturating_sub(base));
            if let (Some(target), Some(bytes)) = (buf.get_mut(range(offset)), bytes.get(range(start))) {
                target.copy_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn will_need(&self, offset: u64, length: u64) {
        self.source.will_need(offset, length);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::Memory;

    #[test]
    fn reads_see_what_was_written() {
        let mut bytes: Vec<u8> = (0..8u8).flat_map(|n| [n; 512]).collect();
        let mut overlay = Overlay::new(Arc::new(Memory::new(bytes.clone())));
        for (offset, length) in [(512, 1024), (2048 + 100, 300), (3000, 10), (1000, 600)] {
            let new = vec![0xa0 + u8::try_from(length / 100).unwrap(); length];
            overlay.write(num::to_u64(offset), &new).unwrap();
            bytes[offset..offset + length].copy_from_slice(&new);
        }
        for (offset, length) in [(0, 4096), (511, 2), (512, 512), (1030, 3), (2000, 1100)] {
            let mut buf = vec![0; length];
            overlay.read_at(&mut buf, num::to_u64(offset)).unwrap();
            assert_eq!(buf, bytes[offset..offset + length], "{offset} {length}");
        }
        assert!(overlay.write(4090, &[0; 10]).is_err());
    }
}
