//! Extents one after the other.

use std::io;

use crate::{
    block::{ReadAt, Source, check_range},
    num,
};

/// A disk of several extents.
#[derive(Default)]
pub(super) struct Joined {
    /// Where each extent ends, and the extent.
    extents: Vec<(u64, Source)>,
}

impl Joined {
    /// Adds an extent behind the others.
    pub(super) fn push(&mut self, extent: Source) {
        self.extents.push((self.size().saturating_add(extent.size()), extent));
    }

    /// Calls `work` with each extent that a range touches, the offset within it, and the length there.
    fn each(
        &self,
        offset: u64,
        length: u64,
        mut work: impl FnMut(&Source, u64, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let first = self.extents.partition_point(|(end, _)| *end <= offset);
        let (mut at, last) = (offset, offset.saturating_add(length));
        for (end, extent) in self.extents.get(first..).unwrap_or_default() {
            if at >= last {
                break;
            }
            let start = end.saturating_sub(extent.size());
            let stop = last.min(*end);
            work(extent, at.saturating_sub(start), stop.saturating_sub(at))?;
            at = stop;
        }
        Ok(())
    }
}

impl ReadAt for Joined {
    fn size(&self) -> u64 {
        self.extents.last().map_or(0, |(end, _)| *end)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size(), offset, buf.len())?;
        let mut rest = buf;
        let length = num::to_u64(rest.len());
        self.each(offset, length, |extent, at, length| {
            let (part, after) = std::mem::take(&mut rest)
                .split_at_mut_checked(num::to_usize(length))
                .ok_or(io::ErrorKind::InvalidData)?;
            rest = after;
            extent.read_at(part, at)
        })
    }

    fn will_need(&self, offset: u64, length: u64) {
        let hinted = self.each(offset, length, |extent, at, length| {
            extent.will_need(at, length);
            Ok(())
        });
        // Nothing above fails.
        hinted.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::Memory;

    #[test]
    fn every_range_reads_across_extents() {
        let mut joined = Joined::default();
        let whole: Vec<u8> = (0..100).collect();
        for part in [&whole[..10], &[], &whole[10..11], &whole[11..]] {
            joined.push(Arc::new(Memory::new(part)));
        }
        assert_eq!(joined.size(), 100);
        for start in 0..100 {
            for end in start..=100 {
                let mut buf = vec![0xee; end - start];
                joined.read_at(&mut buf, num::to_u64(start)).unwrap();
                assert_eq!(buf, whole[start..end]);
            }
        }
        assert!(joined.read_at(&mut [0; 2], 99).is_err());
    }
}
