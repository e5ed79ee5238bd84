//! Extents of a log: each replaces what the file had in its range.

use zerocopy::{FromBytes, IntoBytes, little_endian as le};

use super::{
    format::{RawExtent, RawExtentPlace},
    key::{EXTENT_DATA, Key},
    replay::{self, Replay, STRUCTURE},
    tree::Item,
};
use crate::{error::FormatError, limits};

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
        let Some(place) = &parts.place else {
            self.drop_extents(number, item.key.offset, parts.end)?;
            return self.overwrite(item);
        };
        if self.find(item.key)?.is_some_and(|old| old.data() == item.data()) {
            return Ok(());
        }
        self.drop_extents(number, item.key.offset, parts.end)?;
        if place.disk_bytenr.get() == 0 && self.no_holes {
            return Ok(());
        }
        self.put(item.key, item.data().to_vec())
    }

    /// Takes a range out of a file's extents, cutting those that reach into it.
    pub(super) fn drop_extents(&mut self, number: u64, start: u64, end: u64) -> Result<(), FormatError> {
        let key = |offset| Key::new(number, EXTENT_DATA, offset);
        let mut items: Vec<Item> = Vec::new();
        items.extend(self.tree.floor(self.nodes, key(start))?.filter(|item| item.key.is_like(key(0))));
        let rest = (key(start.saturating_add(1)), key(end.saturating_sub(1)));
        items.extend(self.tree.items(self.nodes, rest, limits::BTRFS_READ_EXTENTS)?);
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
                self.remove(item.key)?;
                continue;
            };
            if start > from {
                self.put_part(&parts.raw, &place, item.key, start.saturating_sub(from), 0)?;
            } else {
                self.remove(item.key)?;
            }
            if end < parts.end {
                let length = parts.end.saturating_sub(end);
                self.put_part(&parts.raw, &place, key(end), length, end.saturating_sub(from))?;
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
        self.put(key, [raw.as_bytes(), place.as_bytes()].concat())
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
