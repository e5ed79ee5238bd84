//! L1 and L2 tables: from a guest offset to a run of bytes in one place (specification: Cluster mapping).

use std::{io, sync::Arc};

use super::{
    entry::{Entry, Place},
    format::OFFSET_MASK,
    geometry::Geometry,
    header::Table,
};
use crate::{
    block::{Cache, Key, ReadAt, Source, read_vec},
    error::FormatError,
    num,
};

/// L2 tables are read and kept in parts of at most so many bytes.
const SLICE_BYTES: u64 = 64 << 10;

/// The mapping of one image (or of one of its snapshots).
pub(super) struct Tables {
    file: Source,
    geometry: Geometry,
    l1_offset: u64,
    /// The entries that the file holds; a truncated file may end in them.
    l1: Vec<u64>,
    cache: Arc<Cache>,
    image: u64,
}

impl Tables {
    /// Reads as much of the L1 table as a disk of `size` bytes needs and the file holds.
    pub(super) fn open(
        file: &Source,
        geometry: Geometry,
        l1: Table,
        size: u64,
        (cache, image): (&Arc<Cache>, u64),
    ) -> Result<Self, FormatError> {
        let needed = geometry.l1_entries(size).saturating_mul(8);
        let there = file.size().saturating_sub(l1.offset).min(needed);
        if there < needed.min(8) {
            let problem = format!("past the end of the file at {:#x}", file.size());
            return Err(FormatError::corrupt("L1 table", l1.offset, problem));
        }
        let bytes = read_vec(file, "L1 table", l1.offset, num::to_usize(there))?;
        let (entries, _) = bytes.as_chunks();
        Ok(Self {
            file: Arc::clone(file),
            geometry,
            l1_offset: l1.offset,
            l1: entries.iter().map(|entry| u64::from_be_bytes(*entry)).collect(),
            cache: Arc::clone(cache),
            image,
        })
    }

    /// A reader of the mapping, for one request.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor { tables: self, slice: None }
    }

    /// The part of an L2 table that begins at `offset`; shorter where the file ends.
    fn slice(&self, offset: u64) -> Result<Arc<Vec<u8>>, FormatError> {
        let key = Key { image: self.image, block: offset };
        if let Some(bytes) = self.cache.find(key) {
            return Ok(bytes);
        }
        let length = self.geometry.cluster().min(SLICE_BYTES);
        let length = self.file.size().saturating_sub(offset).min(length);
        let bytes = Arc::new(read_vec(&self.file, "L2 table", offset, num::to_usize(length))?);
        self.cache.keep(key, Arc::clone(&bytes));
        Ok(bytes)
    }
}

/// Looks up neighbours without asking the cache for each.
pub(super) struct Cursor<'a> {
    tables: &'a Tables,
    slice: Option<(u64, Arc<Vec<u8>>)>,
}

impl Cursor<'_> {
    /// Where the bytes from `guest` are, and how many of them (at most `most`, at least one) are there
    /// contiguously. A compressed run ends with its cluster.
    pub(super) fn run(&mut self, guest: u64, most: u64) -> Result<(Place, u64), FormatError> {
        let geometry = self.tables.geometry;
        let place = self.place(guest)?;
        if matches!(place, Place::Compressed(_)) {
            let left = geometry.cluster().saturating_sub(geometry.within(guest));
            return Ok((place, left.min(most)));
        }
        let unit = geometry.unit();
        let mut length = unit.saturating_sub(guest & unit.wrapping_sub(1));
        while length < most {
            let next = guest.checked_add(length).map(|at| self.place(at));
            let goes_on = match (place, next) {
                (Place::Zero, Some(Ok(Place::Zero))) | (Place::Hole, Some(Ok(Place::Hole))) => true,
                (Place::Data(host), Some(Ok(Place::Data(next)))) => host.checked_add(length) == Some(next),
                _ => false,
            };
            if !goes_on {
                break;
            }
            length = length.saturating_add(unit);
        }
        Ok((place, length.min(most)))
    }

    fn place(&mut self, guest: u64) -> Result<Place, FormatError> {
        let Tables { geometry, l1, l1_offset, .. } = self.tables;
        let index = geometry.l1_index(guest);
        let entry = l1.get(num::to_usize(index)).ok_or_else(|| ends_in("L1 table", *l1_offset))?;
        let table = entry & OFFSET_MASK;
        if table == 0 {
            return Ok(Place::Hole);
        }
        if geometry.within(table) != 0 {
            let problem = format!("entry {index}: L2 table at {table:#x} is not aligned");
            return Err(FormatError::corrupt("L1 table", *l1_offset, problem));
        }
        let position = geometry.l2_position(guest);
        let entry = self.entry(table, position)?;
        entry.place(*geometry, guest).map_err(|problem| {
            let at = table.saturating_add(position);
            FormatError::corrupt("L2 entry", at, format!("{problem}, for the disk's offset {guest:#x}"))
        })
    }

    fn entry(&mut self, table: u64, position: u64) -> Result<Entry, FormatError> {
        let within = position & SLICE_BYTES.wrapping_sub(1);
        let start = table.saturating_add(position.saturating_sub(within));
        let bytes = match &self.slice {
            Some((at, bytes)) if *at == start => bytes,
            _ => &self.slice.insert((start, self.tables.slice(start)?)).1,
        };
        let mut words = bytes.get(num::to_usize(within)..).unwrap_or_default();
        let mut word = || {
            let (word, rest) = words.split_first_chunk().ok_or_else(|| ends_in("L2 table", table))?;
            words = rest;
            Ok(u64::from_be_bytes(*word))
        };
        let descriptor = word()?;
        let bitmap = if self.tables.geometry.extended { word()? } else { 0 };
        Ok(Entry { descriptor, bitmap })
    }
}

fn ends_in(structure: &'static str, offset: u64) -> FormatError {
    let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends in it");
    FormatError::Read { structure, offset, source }
}
