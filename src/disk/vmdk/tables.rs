//! The grain directory and grain tables: where the bytes of a grain are (Hosted Sparse Extents, Grain Directory and
//! Grain Tables).

use super::layout::{Entries, Layout, SECTOR};
use crate::{
    block::{ReadAt, Source, read_vec},
    bytes::{le32, le64},
    disk::{
        pages::{Cursor, Pages},
        runs::{Place, Span},
    },
    error::FormatError,
    num,
};

const DIRECTORY: &str = "VMDK grain directory";
const TABLE: &str = "VMDK grain table";
/// Bytes of grain tables that are read at once: two of a hosted extent, which map 64 MiB.
const TABLE_PAGE: u64 = 4096;

/// The map of one sparse extent.
pub(super) struct Tables {
    layout: Layout,
    /// Where the directory was read.
    offset: u64,
    /// Its entries as they lie on disk.
    directory: Vec<u8>,
    pages: Pages,
}

impl Tables {
    /// Reads the grain directory, or the other one if only that is right, which is then to be told.
    pub(super) fn open(
        file: &Source,
        layout: Layout,
        pages: Pages,
    ) -> Result<(Self, Option<FormatError>), FormatError> {
        let length = num::to_usize(layout.directory_bytes());
        let load = |at: u64| read_vec(file, DIRECTORY, at, length);
        let mut offset = layout.directory;
        let (directory, note) = match (load(offset), layout.redundant.map(|at| (at, load(at)))) {
            (Err(error), Some((at, Ok(other)))) => {
                offset = at;
                (other, Some(replaced(layout.directory, &error.detail())))
            }
            (Err(error), _) => return Err(error),
            (Ok(first), Some((at, Ok(other)))) => {
                match (wrong(file, layout, &first, &other), wrong(file, layout, &other, &first)) {
                    (None, _) => (first, None),
                    (Some(problem), None) => {
                        offset = at;
                        (other, Some(replaced(layout.directory, &problem)))
                    }
                    (Some(problem), Some(_)) => {
                        let problem = format!("{problem}, and the redundant one is damaged too");
                        (first, Some(FormatError::corrupt(DIRECTORY, offset, problem)))
                    }
                }
            }
            (Ok(first), _) => (first, None),
        };
        Ok((Self { layout, offset, directory, pages }, note))
    }

    /// A reader of the map, for one request.
    pub(super) fn lookup(&self) -> impl FnMut(u64) -> Result<Span, FormatError> {
        let mut table = self.pages.cursor(TABLE, TABLE_PAGE);
        move |at| self.span(at, &mut table)
    }

    fn span(&self, at: u64, table: &mut Cursor<'_>) -> Result<Span, FormatError> {
        let Layout { grain, capacity, .. } = self.layout;
        let covered = self.layout.covered();
        let number = at.checked_div(covered).unwrap_or(0);
        let within = at.checked_rem(covered).unwrap_or(0);
        let Some(offset) = self.table(number)? else {
            let left = covered.saturating_sub(within).min(capacity.saturating_sub(at));
            return Ok((Place::Hole, left));
        };
        let index = within.unbounded_shr(grain.trailing_zeros());
        let entry = offset.saturating_add(index.saturating_mul(self.layout.entry()));
        let part = at & grain.wrapping_sub(1);
        let left = grain.saturating_sub(part).min(capacity.saturating_sub(at));
        Ok((self.place(entry, part, table)?, left))
    }

    /// Where the grain table with this number is, if there is one.
    fn table(&self, number: u64) -> Result<Option<u64>, FormatError> {
        let at = number.saturating_mul(self.layout.entry());
        let entries = self.directory.get(num::to_usize(at)..).unwrap_or_default();
        let entry = first(&self.layout, entries).unwrap_or(0);
        let corrupt = |problem| FormatError::corrupt(DIRECTORY, self.offset.saturating_add(at), problem);
        match self.layout.entries {
            _ if entry == 0 => Ok(None),
            Entries::Typed { tables, .. } => match (entry.unbounded_shr(32), entry & 0xffff_ffff) {
                (0x1000_0000, table) => {
                    let length = self.layout.per_table.saturating_mul(8);
                    Ok(Some(tables.saturating_add(table.saturating_mul(length))))
                }
                _ => Err(corrupt(format!("entry {number} is {entry:#018x}"))),
            },
            _ => Ok(Some(entry.saturating_mul(SECTOR))),
        }
    }

    /// Where the byte `part` of the grain is whose entry of a table is at `at`.
    fn place(&self, at: u64, part: u64, table: &mut Cursor<'_>) -> Result<Place, FormatError> {
        if let Entries::Typed { grains, .. } = self.layout.entries {
            let entry = u64::from_le_bytes(table.array(at)?);
            return match entry.unbounded_shr(60) {
                0 if entry == 0 => Ok(Place::Hole),
                // Unmapped by the guest, or zeros.
                1 | 2 => Ok(Place::Zero),
                3 => {
                    // The lowest bits of the number are at the top.
                    let low = entry.unbounded_shr(48) & 0xfff;
                    let number = (entry & 0xffff_ffff_ffff).unbounded_shl(12) | low;
                    let start = number.checked_mul(self.layout.grain).and_then(|at| at.checked_add(grains));
                    let host = start.and_then(|at| at.checked_add(part));
                    let corrupt = || FormatError::corrupt(TABLE, at, format!("entry {entry:#018x}"));
                    host.map(Place::Data).ok_or_else(corrupt)
                }
                _ => Err(FormatError::corrupt(TABLE, at, format!("entry {entry:#018x}"))),
            };
        }
        let sector = u32::from_le_bytes(table.array(at)?);
        let host = u64::from(sector).saturating_mul(SECTOR);
        Ok(match (sector, self.layout.entries) {
            (0, _) => Place::Hole,
            (1, Entries::Sectors { zeroed: true } | Entries::Compressed { zeroed: true, .. }) => Place::Zero,
            (_, Entries::Compressed { .. }) => Place::Packed(host),
            _ => Place::Data(host.saturating_add(part)),
        })
    }
}

/// The first entry of what is left of a directory.
fn first(layout: &Layout, entries: &[u8]) -> Option<u64> {
    match layout.entries {
        Entries::Typed { .. } => le64(entries, 0),
        _ => le32(entries, 0).map(u64::from),
    }
}

/// What is wrong with a directory of sectors, beside its twin.
fn wrong(file: &Source, layout: Layout, directory: &[u8], twin: &[u8]) -> Option<String> {
    let table = layout.per_table.saturating_mul(4);
    let last = file.size().saturating_sub(table).checked_div(SECTOR).unwrap_or(0);
    let entries = directory.as_chunks().0.iter().zip(twin.as_chunks().0);
    let rows = entries.map(|(entry, other)| (u32::from_le_bytes(*entry), u32::from_le_bytes(*other)));
    rows.enumerate().find_map(|(number, (sector, other))| match sector {
        0 if other != 0 => Some(format!("entry {number} is missing")),
        0 => None,
        _ if u64::from(sector) > last => Some(format!("entry {number}, sector {sector}, is not in the file")),
        _ => None,
    })
}

fn replaced(at: u64, problem: &str) -> FormatError {
    FormatError::corrupt(DIRECTORY, at, format!("the redundant one is used: {problem}"))
}
