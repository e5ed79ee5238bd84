//! Blocks of a volume that lie elsewhere: in a cache, or in the store of a snapshot.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use super::{super::runs, kept::Kept};
use crate::{
    block::{ReadAt, Source, check_range},
    error::FormatError,
    limits,
};

/// Added to a place, which is that of a sector: the volume holds the same.
const COPY: u64 = 1;

/// Which blocks lie elsewhere.
pub(super) struct Moved {
    /// How errors name what says so.
    structure: &'static str,
    /// Each with its place there, in bytes, and [`COPY`]; sorted.
    blocks: Vec<(u64, u64)>,
    /// Bytes of a block.
    block: u64,
    /// Why it is not known of all blocks: where, and what.
    damage: Option<(u64, String)>,
    kept: Arc<Kept>,
}

/// A volume some of whose blocks lie elsewhere.
pub(super) struct Sides<'a> {
    pub(super) moved: &'a Moved,
    pub(super) volume: &'a Source,
    pub(super) elsewhere: &'a Source,
    /// Whether the volume holds everything too.
    pub(super) is_copy: bool,
}

impl Moved {
    pub(super) fn new(structure: &'static str, block: u64, kept: &Arc<Kept>) -> Self {
        Self { structure, blocks: Vec::new(), block, damage: None, kept: Arc::clone(kept) }
    }

    /// Adds a block and its place there. Whether there was room for it: if not, none has to be looked for any more.
    pub(super) fn add(&mut self, block: u64, place: u64, is_copy: bool) -> bool {
        let has_room = self.has_room();
        if has_room {
            self.add_counted(block, place, is_copy);
        }
        has_room
    }

    /// As [`Self::add`], of one for which there is room.
    pub(super) fn add_counted(&mut self, block: u64, place: u64, is_copy: bool) {
        self.blocks.push((block, if is_copy { place | COPY } else { place }));
    }

    /// Whether there is room for one more block, which is taken.
    pub(super) fn has_room(&mut self) -> bool {
        let has_room = self.kept.add_moved();
        if !has_room {
            let what = format!("more than {} blocks in caches and snapshots", limits::DM_MOVED_BLOCKS);
            self.damaged(&FormatError::limit(what));
        }
        has_room
    }

    /// Whether so many more entries may be looked at.
    pub(super) fn may_examine(&mut self, count: u64) -> bool {
        let may = self.kept.examine(count);
        if !may {
            let what = format!("more than {} entries of caches and snapshots", limits::DM_ENTRIES);
            self.damaged(&FormatError::limit(what));
        }
        may
    }

    /// Tells that it is not known of all blocks whether they are elsewhere.
    pub(super) fn damaged(&mut self, error: &FormatError) {
        self.damage.get_or_insert_with(|| (error.offset().unwrap_or(0), error.detail()));
    }

    /// To be called once when all were added.
    pub(super) fn sort(&mut self) {
        self.blocks.sort_unstable();
        let mut pairs = self.blocks.iter().zip(self.blocks.iter().skip(1));
        if let Some((&(block, one), &(_, other))) = pairs.find(|(one, other)| one.0 == other.0) {
            let problem = format!("block {block} lies at {one:#x} and at {other:#x}");
            self.damaged(&FormatError::corrupt(self.structure, one, problem));
        }
    }

    /// Where bytes lie elsewhere, if they do, and whether the volume has them too; and how many of `length` follow there.
    fn run(&self, at: u64, length: u64, is_copy: bool) -> Result<(Option<(u64, bool)>, u64), FormatError> {
        let (number, inside) =
            (at.checked_div(self.block).unwrap_or(0), at.checked_rem(self.block).unwrap_or(0));
        let left = self.block.saturating_sub(inside);
        let entry = self.blocks.partition_point(|(block, _)| *block < number);
        let entries = self.blocks.get(entry..).unwrap_or_default();
        let is_twice = matches!(entries, [(one, _), (other, _), ..] if one == other);
        match (entries.first(), &self.damage) {
            (Some((block, place)), _) if *block == number && !is_twice => {
                let is_copy = is_copy || place & COPY != 0;
                Ok((Some(((place & !COPY).saturating_add(inside), is_copy)), left.min(length)))
            }
            // Any block may be one that is only there.
            (_, Some((offset, problem))) if !is_copy => {
                let problem = format!("{problem}; where block {number} lies is not known");
                Err(FormatError::corrupt(self.structure, *offset, problem))
            }
            (next, _) => {
                let end = next.map_or(u64::MAX, |(block, _)| block.saturating_mul(self.block));
                Ok((None, end.saturating_sub(at).max(left).min(length)))
            }
        }
    }
}

impl Sides<'_> {
    pub(super) fn read(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let run = |at, length| Ok(self.moved.run(at, length, self.is_copy)?);
        runs::read(buf, offset, run, |place, piece, at| match place {
            Some((place, true)) => {
                self.elsewhere.read_at(piece, place).or_else(|_| self.volume.read_at(piece, at))
            }
            Some((place, false)) => self.elsewhere.read_at(piece, place),
            None => self.volume.read_at(piece, at),
        })
    }

    pub(super) fn will_need(&self, offset: u64, length: u64) {
        let length = length.min(self.volume.size().saturating_sub(offset));
        runs::hint(offset, length, |at, left| {
            let (place, here) = self.moved.run(at, left, self.is_copy).ok()?;
            match place {
                Some((place, _)) => self.elsewhere.will_need(place, here),
                None => self.volume.will_need(at, here),
            }
            Some(here)
        });
    }
}

/// What tells which blocks of a volume lie elsewhere.
pub(super) trait Table: Send + Sync {
    /// How errors name it.
    const NAME: &'static str;

    /// Bytes of a block.
    fn block(&self) -> u64;

    /// Reads it, from where the blocks lie too or from what it holds itself.
    fn load(&self, elsewhere: &Source, moved: &mut Moved);
}

/// A volume with a table, which is read when it is first asked for.
pub(super) struct Tabled<T> {
    pub(super) table: T,
    pub(super) volume: Source,
    pub(super) elsewhere: Source,
    /// Whether the volume holds everything too.
    pub(super) is_copy: bool,
    pub(super) kept: Arc<Kept>,
    pub(super) moved: OnceLock<Moved>,
}

impl<T: Table> Tabled<T> {
    fn sides(&self) -> Sides<'_> {
        let moved = self.moved.get_or_init(|| {
            let mut moved = Moved::new(T::NAME, self.table.block(), &self.kept);
            self.table.load(&self.elsewhere, &mut moved);
            moved.sort();
            moved
        });
        Sides { moved, volume: &self.volume, elsewhere: &self.elsewhere, is_copy: self.is_copy }
    }
}

impl<T: Table> ReadAt for Tabled<T> {
    fn size(&self) -> u64 {
        self.volume.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size(), offset, buf.len())?;
        self.sides().read(buf, offset)
    }

    fn will_need(&self, offset: u64, length: u64) {
        self.sides().will_need(offset, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    #[test]
    fn a_volume_is_read_from_both_sides_and_what_is_not_known_is_an_error() {
        let source = |bytes: &[u8]| -> Source { Arc::new(Memory::new(bytes.to_vec())) };
        let (volume, elsewhere) = (source(b"aabbccdd"), source(b"xxBBDDx"));
        let mut moved = Moved::new("map", 2, &Arc::default());
        moved.add(3, 4, false);
        moved.add(1, 2, false);
        moved.sort();
        let read = |moved: &Moved, is_copy, at, length| {
            let mut buf = vec![0; length];
            let sides = Sides { moved, volume: &volume, elsewhere: &elsewhere, is_copy };
            sides.will_need(at, 8);
            sides.read(&mut buf, at).map(|()| buf).map_err(|error| error.to_string())
        };
        assert_eq!(read(&moved, false, 0, 8).unwrap(), b"aaBBccDD");
        assert_eq!(read(&moved, false, 3, 4).unwrap(), b"BccD");
        moved.damaged(&FormatError::corrupt("node", 7, "torn"));
        assert_eq!(read(&moved, false, 2, 2).unwrap(), b"BB");
        assert!(read(&moved, false, 3, 2).unwrap_err().contains("torn; where block 2 lies is not known"));
        assert_eq!(read(&moved, true, 3, 2).unwrap(), b"Bc");
        // What is elsewhere too is read from the volume where that fails.
        let mut copies = Moved::new("map", 2, &Arc::default());
        copies.add(0, 2, true);
        copies.add(2, 100, true);
        copies.sort();
        assert_eq!(read(&copies, false, 0, 6).unwrap(), b"BBbbcc");
        moved.add(1, 0, false);
        moved.sort();
        assert!(read(&moved, false, 2, 1).is_err());
        assert_eq!(read(&moved, true, 2, 1).unwrap(), b"b");
    }
}
