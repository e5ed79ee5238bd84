//! Checksums of data ("On-disk format", csum tree): every sector that has one is checked when it is read.

use std::ops::ControlFlow;

use super::{
    key::{EXTENT_CSUM, EXTENT_CSUM_OBJECT, Key},
    tree::Item,
    volume::Volume,
};
use crate::{error::FormatError, num};

const STRUCTURE: &str = "btrfs data";
/// Bytes that are read and checked at a time.
const PIECE: u64 = 1 << 20;

impl Volume {
    /// Reads data from a logical address. With `checked`, each sector is that of its checksum, from whichever
    /// copy has it so; without, from the first copy that can be read.
    pub(super) fn read_data(&self, logical: u64, buf: &mut [u8], checked: bool) -> Result<(), FormatError> {
        let mask = u64::from(self.superblock.sector).saturating_sub(1);
        let end = logical.saturating_add(num::to_u64(buf.len()));
        let mut at = logical;
        while at < end {
            // Pieces end at multiples of their length; those in the middle are whole sectors.
            let until = (at | (PIECE - 1)).saturating_add(1).min(end);
            let (from, to) = (at & !mask, until.saturating_add(mask) & !mask);
            let place =
                num::to_usize(at.saturating_sub(logical))..num::to_usize(until.saturating_sub(logical));
            let part = buf.get_mut(place).unwrap_or_default();
            if (from, to) == (at, until) || !checked {
                self.read_piece(at, part, checked)?;
            } else {
                let mut whole = vec![0; num::to_usize(to.saturating_sub(from))];
                self.read_piece(from, &mut whole, checked)?;
                let start = num::to_usize(at.saturating_sub(from));
                if let Some(wanted) = whole.get(start..start.saturating_add(part.len())) {
                    part.copy_from_slice(wanted);
                }
            }
            at = until;
        }
        Ok(())
    }

    fn read_piece(&self, logical: u64, buf: &mut [u8], checked: bool) -> Result<(), FormatError> {
        let sums = if checked { Some(self.sums(logical, num::to_u64(buf.len()))?) } else { None };
        let sector = num::index(self.superblock.sector);
        let length = self.superblock.csum.length();
        let whole = self.nodes.space.read(STRUCTURE, logical, buf, 0).is_ok();
        let sectors = buf.chunks_mut(sector).zip((logical..).step_by(sector));
        for (number, (bytes, at)) in sectors.enumerate() {
            let sum = sums.as_ref().map(|sums| {
                let start = number.saturating_mul(length);
                sums.get(start..start.saturating_add(length)).unwrap_or_default()
            });
            let is_right = |bytes: &[u8]| sum.is_none_or(|sum| self.superblock.csum.is_of(sum, bytes));
            if !(whole && is_right(bytes)) {
                self.read_sector(at, bytes, &is_right)?;
            }
        }
        Ok(())
    }

    /// One sector from any copy; the error is of the first.
    fn read_sector(
        &self,
        logical: u64,
        bytes: &mut [u8],
        is_right: &dyn Fn(&[u8]) -> bool,
    ) -> Result<(), FormatError> {
        let space = &self.nodes.space;
        let mut first = None;
        for copy in 0..space.copies(logical) {
            let error = match space.read(STRUCTURE, logical, bytes, copy) {
                Ok(()) if is_right(bytes) => return Ok(()),
                Ok(()) => {
                    let problem = format!("checksum of the sector at logical address {logical:#x}");
                    FormatError::corrupt(STRUCTURE, space.offset(logical, copy), problem)
                }
                Err(error) => error,
            };
            first.get_or_insert(error);
        }
        first.map_or(Ok(()), Err)
    }

    /// The checksums of the sectors of a range, one after the other.
    fn sums(&self, logical: u64, length: u64) -> Result<Vec<u8>, FormatError> {
        let sector = u64::from(self.superblock.sector);
        let size = self.superblock.csum.length();
        let count = num::to_usize(length.div_ceil(sector));
        let mut sums = vec![0; count.saturating_mul(size)];
        let mut have = vec![false; count];
        let mut put = |at: u64, sum: &[u8]| {
            let number = at.checked_sub(logical).and_then(|at| at.checked_div(sector)).map(num::to_usize);
            let Some(number) = number.filter(|number| *number < count) else { return };
            let start = number.saturating_mul(size);
            if let (Some(to), Some(have)) =
                (sums.get_mut(start..start.saturating_add(size)), have.get_mut(number))
            {
                to.copy_from_slice(sum);
                *have = true;
            }
        };
        if let Some(tree) = &self.sums {
            let key = |offset| Key::new(EXTENT_CSUM_OBJECT, EXTENT_CSUM, offset);
            let mut add = |item: &Item| {
                let sums = item
                    .data()
                    .chunks_exact(size)
                    .zip((item.key.offset..).step_by(num::index(self.superblock.sector)));
                sums.for_each(|(sum, at)| put(at, sum));
            };
            let before = tree.floor(&self.nodes, key(logical))?;
            before.iter().filter(|item| item.key.is_like(key(0))).for_each(&mut add);
            let last = logical.saturating_add(length).saturating_sub(1);
            let rest = (key(logical.saturating_add(1)), key(last));
            let damage = tree.scan(&self.nodes, rest, &mut |item| {
                add(&item);
                ControlFlow::Continue(())
            });
            if let Some(error) = damage.into_iter().next() {
                return Err(error);
            }
        }
        let end = logical.saturating_add(length);
        for (at, sum) in self.logged_sums.range(logical..end) {
            put(*at, sum.get(..size).unwrap_or_default());
        }
        match have.iter().position(|have| !have) {
            None => Ok(sums),
            Some(number) => {
                let at = logical.saturating_add(num::to_u64(number).saturating_mul(sector));
                let problem = format!("the sector at logical address {at:#x} has no checksum");
                Err(FormatError::corrupt(STRUCTURE, self.nodes.space.offset(at, 0), problem))
            }
        }
    }
}
