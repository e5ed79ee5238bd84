//! Extents of a log: each replaces what the file had in its range.

use std::ops::ControlFlow;

use zerocopy::{FromBytes, IntoBytes, little_endian as le};

use super::{
    extents,
    format::{RawExtent, RawExtentPlace},
    key::{EXTENT_DATA, Key},
    replay::{self, Replay, STRUCTURE},
    tree::{Extents, Item},
};
use crate::error::FormatError;

/// An extent's item in its parts.
struct Parts {
    raw: RawExtent,
    /// Absent for inline data.
    place: Option<RawExtentPlace>,
    end: u64,
}

impl Replay<'_> {
    /// Puts an extent of the log into its file.
    pub(super) fn extent(&mut self, item: &Item) -> Result<(), FormatError> {
        let number = item.key.objectid;
        if !self.exists(number)? {
            return Err(replay::missing(number));
        }
        let parts = self.parts(item)?;
        let start = item.key.offset;
        let is_data = parts.place.is_some();
        if is_data && self.file(number)?.get(&start).is_some_and(|old| **old == *item.data()) {
            return Ok(());
        }
        self.drop_extents(number, start, parts.end)?;
        let is_hole = parts.place.is_some_and(|place| place.disk_bytenr.get() == 0);
        match is_hole && self.no_holes {
            true => Ok(()),
            false => self.put_extent(number, start, item.data().to_vec()),
        }
    }

    /// The extents of a file, all of which are looked through once.
    fn file(&mut self, number: u64) -> Result<&mut Extents, FormatError> {
        if !self.tree.files.contains_key(&number) {
            let mut file = Extents::new();
            let mut left = Some(self.left);
            let damage = self.tree.scan(self.nodes, Key::all(number, EXTENT_DATA), &mut |item| {
                left = left.and_then(|left| left.checked_sub(replay::cost(item.data())));
                file.insert(item.key.offset, item.data().into());
                if left.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            if let Some(error) = damage.into_iter().next() {
                return Err(error);
            }
            self.left = left.ok_or_else(replay::too_much)?;
            self.tree.files.insert(number, file);
        }
        Ok(self.tree.files.entry(number).or_default())
    }

    fn put_extent(&mut self, number: u64, start: u64, bytes: Vec<u8>) -> Result<(), FormatError> {
        self.left = self.left.checked_sub(replay::cost(&bytes)).ok_or_else(replay::too_much)?;
        self.file(number)?.insert(start, bytes.into());
        Ok(())
    }

    /// Takes a range out of a file's extents, cutting those that reach into it.
    pub(super) fn drop_extents(&mut self, number: u64, start: u64, end: u64) -> Result<(), FormatError> {
        let Some(last) = end.checked_sub(1) else { return Ok(()) };
        let items = extents::overlapping(self.file(number)?, number, start, last);
        for item in items {
            let parts = self.parts(&item)?;
            let from = item.key.offset;
            if parts.end <= start || from >= end {
                continue;
            }
            let Some(place) = parts.place else {
                if start > from || end < parts.end {
                    let problem = format!("{} is inline and cut at {start} and {end}", item.key);
                    return Err(FormatError::corrupt(STRUCTURE, item.offset, problem));
                }
                self.file(number)?.remove(&from);
                continue;
            };
            self.file(number)?.remove(&from);
            if start > from {
                self.put_part(&parts.raw, &place, item.key, start.saturating_sub(from), 0)?;
            }
            if end < parts.end {
                let length = parts.end.saturating_sub(end);
                let key = Key::new(number, EXTENT_DATA, end);
                self.put_part(&parts.raw, &place, key, length, end.saturating_sub(from))?;
            }
        }
        Ok(())
    }

    /// Puts `length` bytes of an extent, from byte `skipped` of its part in the file on.
    fn put_part(
        &mut self,
        raw: &RawExtent,
        place: &RawExtentPlace,
        key: Key,
        length: u64,
        skipped: u64,
    ) -> Result<(), FormatError> {
        let mut place = place.clone();
        place.num_bytes = le::U64::new(length);
        place.offset = le::U64::new(place.offset.get().saturating_add(skipped));
        self.put_extent(key.objectid, key.offset, [raw.as_bytes(), place.as_bytes()].concat())
    }

    fn parts(&self, item: &Item) -> Result<Parts, FormatError> {
        let cut = || FormatError::corrupt(STRUCTURE, item.offset, format!("{} is cut off", item.key));
        let (raw, rest) = RawExtent::read_from_prefix(item.data()).map_err(|_| cut())?;
        let start = item.key.offset;
        if raw.kind == 0 {
            let mask = u64::from(self.nodes.common.sector).saturating_sub(1);
            let end = start.saturating_add(raw.ram_bytes.get()).saturating_add(mask) & !mask;
            return Ok(Parts { raw, place: None, end });
        }
        let (place, _) = RawExtentPlace::read_from_prefix(rest).map_err(|_| cut())?;
        let end = start.saturating_add(place.num_bytes.get());
        Ok(Parts { raw, place: Some(place), end })
    }
}
