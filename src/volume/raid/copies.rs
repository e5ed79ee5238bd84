//! RAID 10: copies of each chunk, near each other, far apart or in the next row (`md(4)`, "RAID10"; kernel,
//! `drivers/md/raid10.c`).

use std::io;

use super::{
    super::{mapped::Part, runs},
    by_pages,
};
use crate::{error::FormatError, num};

const NAME: &str = "RAID 10";

/// Parts that hold copies of each other's chunks.
pub(in crate::volume) struct Copies {
    parts: Vec<Part>,
    chunk: u64,
    layout: Layout,
    /// Bytes from a chunk to its next far copy.
    stride: u64,
}

/// MD's layout number, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    /// Copies in one row.
    near: u64,
    /// Copies of rows, …
    far: u64,
    /// … each in the next row instead of the next section.
    offset: bool,
    /// Parts among which far copies go round.
    set: u64,
}

impl Layout {
    fn new(layout: u32, count: u64) -> Result<Self, FormatError> {
        let corrupt = || FormatError::corrupt(NAME, 0, format!("layout {layout:#x} of {count} parts"));
        let byte = |shift: u32| u64::from(layout.unbounded_shr(shift) & 0xff);
        let (near, far) = (byte(0), byte(8));
        let set = match layout >> 17 {
            0 => count,
            // As it was first written, and corrected.
            1 => count.checked_div(far).ok_or_else(corrupt)?,
            2 => near.checked_mul(far).ok_or_else(corrupt)?,
            _ => return Err(FormatError::unsupported(format!("{NAME} of layout {layout:#x}"))),
        };
        let copies = near.checked_mul(far).ok_or_else(corrupt)?;
        if copies == 0 || copies > count || set == 0 || set > count {
            return Err(corrupt());
        }
        Ok(Self { near, far, offset: layout & 1 << 16 != 0, set })
    }

    /// The part of the next far copy of what lies on `part`.
    fn next(&self, part: u64, count: u64) -> Option<u64> {
        let rest = count.checked_rem(self.set)?;
        let next = part.checked_add(self.near)?;
        let last = count.checked_div(self.set)?.checked_sub(1)?.checked_mul(self.set)?;
        if rest != 0 && next > last {
            // The last set takes the parts that are too few for one of their own.
            let size = self.set.checked_add(rest)?;
            return next.checked_sub(last)?.checked_rem(size)?.checked_add(last);
        }
        let set = part.checked_div(self.set)?.checked_mul(self.set)?;
        next.checked_rem(self.set)?.checked_add(set)
    }
}

impl Copies {
    /// Parts of `size` bytes each in the order of their roles, and the bytes that they hold together.
    pub(in crate::volume) fn new(
        parts: Vec<Part>,
        chunk: u64,
        layout: u32,
        size: u64,
    ) -> Result<(Self, u64), FormatError> {
        let count = num::to_u64(parts.len());
        let layout = Layout::new(layout, count)?;
        let sizes = (|| {
            let rows = size.checked_div(chunk)?.checked_div(layout.far)?;
            let chunks = rows.checked_mul(count)?.checked_div(layout.near)?;
            // Of each part this many chunks are used, in as many sections as there are far copies.
            let used = chunks.checked_mul(layout.near.checked_mul(layout.far)?)?.div_ceil(count);
            let stride = if layout.offset { 1 } else { used.checked_div(layout.far)? };
            Some((stride.checked_mul(chunk)?, chunks.checked_mul(chunk)?))
        })();
        let (stride, total) = sizes.ok_or_else(|| {
            let what = format!("{count} parts of {size} bytes with chunks of {chunk} bytes");
            FormatError::corrupt(NAME, 0, what)
        })?;
        Ok((Self { parts, chunk, layout, stride }, total))
    }

    /// Calls `visit` with the places of each copy of each chunk, until it says that one served.
    fn places(&self, at: u64, mut visit: impl FnMut(&Part, u64) -> bool) -> Option<()> {
        let Layout { near, far, offset, .. } = self.layout;
        let count = num::to_u64(self.parts.len());
        let (chunk, inside) = (at.checked_div(self.chunk)?, at.checked_rem(self.chunk)?);
        let first = chunk.checked_mul(near)?;
        for copy in 0..near {
            let slot = first.checked_add(copy)?;
            let (row, mut part) = (slot.checked_div(count)?, slot.checked_rem(count)?);
            // With far copies in the next row, rows of data are as far apart. What begins in one row and goes on
            // in the next is one chunk further there, as the kernel has it.
            let begin = first.checked_div(count)?.checked_mul(if offset { far } else { 1 })?;
            let row = begin.checked_add(row.checked_sub(first.checked_div(count)?)?)?;
            let mut place = row.checked_mul(self.chunk)?.checked_add(inside)?;
            for copy in 0..far {
                if copy > 0 {
                    part = self.layout.next(part, count)?;
                    place = place.checked_add(self.stride)?;
                }
                if visit(self.parts.get(num::to_usize(part))?, place) {
                    return Some(());
                }
            }
        }
        Some(())
    }

    pub(in crate::volume) fn read(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        let mut position = at;
        let mut rest = buf;
        while !rest.is_empty() {
            let length = self.left(position, num::to_u64(rest.len()))?;
            let (piece, behind) = rest.split_at_mut(num::to_usize(length));
            by_pages(piece, position, |piece, at| self.first_that_reads(piece, at))?;
            position = position.saturating_add(length);
            rest = behind;
        }
        Ok(())
    }

    fn first_that_reads(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        let mut failure: Option<io::Error> = None;
        let mut served = false;
        let places = self.places(at, |part, place| {
            match part.read(buf, place) {
                Ok(()) => served = true,
                // A copy that is there tells more than one that is not.
                Err(error) if failure.is_none() || part.is_there() => failure = Some(error),
                Err(_) => {}
            }
            served
        });
        match (places, served, failure) {
            (Some(()), true, _) => Ok(()),
            (_, _, Some(failure)) => Err(failure),
            _ => Err(FormatError::corrupt(NAME, at, "no such chunk").into()),
        }
    }

    pub(in crate::volume) fn will_need(&self, at: u64, length: u64) {
        runs::hint(at, length, |at, left| {
            let here = self.left(at, left).ok()?;
            self.places(at, |part, place| {
                part.will_need(place, here);
                part.is_there()
            });
            Some(here)
        });
    }

    /// Bytes of the chunk from `at` on, at most `length`.
    fn left(&self, at: u64, length: u64) -> io::Result<u64> {
        let left = at.checked_rem(self.chunk).and_then(|inside| self.chunk.checked_sub(inside));
        left.map(|left| left.min(length)).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_taken_apart_or_refused() {
        assert_eq!(Layout::new(0x102, 4).unwrap(), Layout { near: 2, far: 1, offset: false, set: 4 });
        assert_eq!(Layout::new(0x1_0201, 3).unwrap(), Layout { near: 1, far: 2, offset: true, set: 3 });
        assert_eq!(Layout::new(0x2_0201, 5).unwrap().set, 2);
        for layout in [0, 0x100, 0x303, 0x8_0102, 0x505] {
            assert!(Layout::new(layout, 4).is_err(), "{layout:#x}");
        }
        let far = Layout { near: 1, far: 2, offset: false, set: 2 };
        let next = |part| far.next(part, 5).unwrap();
        assert_eq!([0, 1, 2, 3, 4].map(next), [1, 0, 3, 4, 2]);
    }
}
