//! A dynamic or differencing disk as a source (Block Allocation Table and Data Blocks).

use std::io;

use super::{format::UNUSED, header::Header};
use crate::{
    block::{ReadAt, Source},
    disk::{
        pages::{Bits, Cursor, Pages},
        runs::{self, Place, Span},
    },
    error::FormatError,
    num,
};

/// Bytes of the table that are read at once: the entries of 8 GiB in blocks of 2 MiB.
const TABLE_PAGE: u64 = 16 << 10;
/// Bytes of a sector bitmap that are read at once: those of a block of 2 MiB.
const BITMAP_PAGE: u64 = 512;
/// Bytes of the footer's copy and of the header.
const COPY_BYTES: u64 = 512;
const HEADER_BYTES: u64 = 1024;

/// An opened disk.
pub(super) struct Image {
    /// Bytes of the virtual disk.
    pub(super) size: u64,
    pub(super) header: Header,
    pub(super) file: Source,
    pub(super) pages: Pages,
    /// What a differencing disk lies on.
    pub(super) parent: Option<Source>,
}

impl ReadAt for Image {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let stored = runs::stored(&self.file, self.parent.as_ref(), "VHD block");
        runs::read(self.size, buf, offset, self.lookup(), stored)
    }

    fn will_need(&self, offset: u64, length: u64) {
        let end = offset.saturating_add(length).min(self.size);
        runs::announce((offset, end), self.lookup(), (&self.file, self.parent.as_ref()), 0);
    }
}

impl Image {
    fn lookup(&self) -> impl FnMut(u64) -> Result<Span, FormatError> {
        let mut table = self.pages.cursor("VHD block allocation table", TABLE_PAGE);
        let mut bitmap = self.pages.cursor("VHD sector bitmap", BITMAP_PAGE);
        move |at| self.span(at, &mut table, &mut bitmap)
    }

    fn span(&self, at: u64, table: &mut Cursor<'_>, bitmap: &mut Cursor<'_>) -> Result<Span, FormatError> {
        let Header { block, table: offset, .. } = self.header;
        let number = at.unbounded_shr(block.trailing_zeros());
        let within = at & block.wrapping_sub(1);
        let left = block.saturating_sub(within);
        let entry = offset.saturating_add(number.saturating_mul(4));
        let sector = u32::from_be_bytes(table.array(entry)?);
        if sector == UNUSED {
            return Ok((Place::Hole, left));
        }
        let start = u64::from(sector).saturating_mul(512);
        let data = start.saturating_add(self.header.bitmap());
        if let Some(what) = self.overlapped(start, data.saturating_add(block)) {
            let problem = format!("block {number} at {start:#x} lies over the {what}");
            return Err(FormatError::corrupt("VHD block allocation table", entry, problem));
        }
        let found = Place::Data(data.saturating_add(within));
        if self.parent.is_none() {
            // Sectors that were never written are zeros in the file too.
            return Ok((found, left));
        }
        let sector = within.unbounded_shr(9);
        let page = sector.unbounded_shr(3) & !BITMAP_PAGE.wrapping_sub(1);
        let bits = bitmap.rest(start.saturating_add(page))?;
        let (here, alike) = Bits::HighFirst.run(bits, sector.saturating_sub(page.saturating_mul(8)));
        let length = alike.saturating_mul(512).saturating_sub(within & 511).min(left);
        Ok((if here { found } else { Place::Hole }, length))
    }

    /// Which of the disk's own structures a range lies over.
    fn overlapped(&self, start: u64, end: u64) -> Option<&'static str> {
        let Header { offset, table, entries, .. } = self.header;
        let over = |at: u64, length: u64| start < at.saturating_add(length) && at < end;
        let rows = [
            (0, COPY_BYTES, "footer's copy"),
            (offset, HEADER_BYTES, "header"),
            (table, num::to_u64(num::index(entries)).saturating_mul(4), "table itself"),
        ];
        rows.iter().find(|(at, length, _)| over(*at, *length)).map(|(.., what)| *what)
    }
}
