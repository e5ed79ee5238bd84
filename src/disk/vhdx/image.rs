//! A VHDX as a source: the block allocation table says where in the file each block is ([MS-VHDX] 2.5).

use std::io;

use super::{format::MIB, metadata::Metadata, region::Region};
use crate::{
    block::{ReadAt, Source},
    disk::{
        pages::{Bits, Cursor, Pages},
        runs::{self, Place, Span},
    },
    error::FormatError,
};

const TABLE: &str = "VHDX block allocation table";
/// Bytes of the table that are read at once: the entries of 2 GiB in blocks of 1 MiB.
const TABLE_PAGE: u64 = 16 << 10;
/// Bytes of a sector bitmap that are read at once: those of 16 MiB in sectors of 512 bytes.
const BITMAP_PAGE: u64 = 4096;
/// Sectors that one bitmap block tells of, as a power of two.
const CHUNK_BITS: u32 = 23;

/// An opened disk.
pub(super) struct Image {
    pub(super) metadata: Metadata,
    /// The table.
    pub(super) bat: Region,
    /// What payload must not lie over: the file's other parts.
    pub(super) reserved: Vec<Region>,
    /// The file, with its log replayed.
    pub(super) file: Source,
    pub(super) pages: Pages,
    /// What a differencing disk lies on.
    pub(super) parent: Option<Source>,
}

/// Which entry of the table is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// Where it is.
    at: u64,
    state: u64,
    /// Where in the file the block is.
    offset: u64,
}

impl ReadAt for Image {
    fn size(&self) -> u64 {
        self.metadata.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let stored = runs::stored(&self.file, self.parent.as_ref(), "VHDX payload block");
        runs::read(self.size(), buf, offset, self.lookup(), stored)
    }

    fn will_need(&self, offset: u64, length: u64) {
        let end = offset.saturating_add(length).min(self.size());
        runs::announce((offset, end), self.lookup(), (&self.file, self.parent.as_ref()), 0);
    }
}

impl Image {
    /// Refuses a table that does not map the whole disk.
    pub(super) fn checked(self) -> Result<Self, FormatError> {
        let Metadata { size, block, .. } = self.metadata;
        let blocks = size.div_ceil(block.max(1));
        let needed = match blocks.checked_sub(1) {
            Some(last) => self.index(last).saturating_add(1),
            None => 0,
        };
        if needed.saturating_mul(8) > self.bat.length {
            let problem =
                format!("{} bytes, but a disk of {size} bytes needs {needed} entries", self.bat.length);
            return Err(FormatError::corrupt(TABLE, self.bat.offset, problem));
        }
        Ok(self)
    }

    /// Payload blocks for each bitmap block, as a power of two: the chunk ratio.
    fn ratio_bits(&self) -> u32 {
        let chunk = self.metadata.sector.trailing_zeros().saturating_add(CHUNK_BITS);
        chunk.saturating_sub(self.metadata.block.trailing_zeros())
    }

    /// The number of a payload block's entry: after each chunk there is one for its bitmap.
    fn index(&self, block: u64) -> u64 {
        block.saturating_add(block.unbounded_shr(self.ratio_bits()))
    }

    fn lookup(&self) -> impl FnMut(u64) -> Result<Span, FormatError> {
        let mut table = self.pages.cursor(TABLE, TABLE_PAGE);
        let mut bitmap = self.pages.cursor("VHDX sector bitmap", BITMAP_PAGE);
        move |at| self.span(at, &mut table, &mut bitmap)
    }

    fn span(&self, at: u64, table: &mut Cursor<'_>, bitmap: &mut Cursor<'_>) -> Result<Span, FormatError> {
        let size = self.metadata.block;
        let block = at.unbounded_shr(size.trailing_zeros());
        let within = at & size.wrapping_sub(1);
        let left = size.saturating_sub(within);
        let entry = self.entry(self.index(block), table)?;
        let corrupt = |problem: String| FormatError::corrupt(TABLE, entry.at, problem);
        match entry.state {
            0 => return Ok((Place::Hole, left)),
            // Undefined, zeros, unmapped (and as drafts of the format numbered it): nothing of the guest's is there.
            1 | 2 | 3 | 5 => return Ok((Place::Zero, left)),
            6 => {}
            7 if self.parent.is_some() => {}
            state => return Err(corrupt(format!("payload block {block} is in state {state}"))),
        }
        self.payload(entry, size)?;
        let data = Place::Data(entry.offset.saturating_add(within));
        if entry.state == 6 {
            return Ok((data, left));
        }
        let (here, alike) = self.present(at, table, bitmap)?;
        Ok((if here { data } else { Place::Hole }, alike.min(left)))
    }

    /// Whether the sector at an offset is in this file, and how many bytes from there on are alike.
    fn present(
        &self,
        at: u64,
        table: &mut Cursor<'_>,
        bitmap: &mut Cursor<'_>,
    ) -> Result<(bool, u64), FormatError> {
        let sector = self.metadata.sector;
        let number = at.unbounded_shr(sector.trailing_zeros());
        let chunk = number.unbounded_shr(CHUNK_BITS);
        let ratio = 1u64.unbounded_shl(self.ratio_bits());
        let index = chunk.saturating_mul(ratio.saturating_add(1)).saturating_add(ratio);
        let entry = self.entry(index, table)?;
        if entry.state != 6 {
            let problem = format!("the sector bitmap of chunk {chunk} is in state {}", entry.state);
            return Err(FormatError::corrupt(TABLE, entry.at, problem));
        }
        self.payload(entry, MIB)?;
        let bit = number & 1u64.unbounded_shl(CHUNK_BITS).wrapping_sub(1);
        let page = bit.unbounded_shr(3) & !BITMAP_PAGE.wrapping_sub(1);
        let bits = bitmap.rest(entry.offset.saturating_add(page))?;
        let (here, alike) = Bits::LowFirst.run(bits, bit.saturating_sub(page.saturating_mul(8)));
        let first = at & sector.wrapping_sub(1);
        Ok((here, alike.saturating_mul(sector).saturating_sub(first)))
    }

    fn entry(&self, index: u64, table: &mut Cursor<'_>) -> Result<Entry, FormatError> {
        let position = index.saturating_mul(8);
        let at = self.bat.offset.saturating_add(position);
        if position.saturating_add(8) > self.bat.length {
            return Err(FormatError::corrupt(TABLE, at, format!("entry {index} is past its end")));
        }
        let raw = u64::from_le_bytes(table.array(at)?);
        // 44 bits, in MiB.
        let offset = raw.unbounded_shr(20).checked_mul(MIB);
        let offset = offset.ok_or_else(|| FormatError::corrupt(TABLE, at, format!("entry {raw:#018x}")))?;
        Ok(Entry { at, state: raw & 7, offset })
    }

    /// Refuses a block that lies over another part of the file.
    fn payload(&self, entry: Entry, length: u64) -> Result<(), FormatError> {
        let Entry { at, offset, .. } = entry;
        let end = offset.saturating_add(length);
        let over = self.reserved.iter().find(|region| region.meets(offset, end));
        let Some(region) = over else { return Ok(()) };
        let problem = format!("a block at {offset:#x} lies over what is at {:#x}", region.offset);
        Err(FormatError::corrupt(TABLE, at, problem))
    }
}
