//! A VDI as a source: the map says where in the file each block is.

use std::io;

use super::header::Header;
use crate::{
    block::{ReadAt, Source},
    disk::{
        pages::{Cursor, Pages},
        runs::{self, Place, Span},
    },
    error::FormatError,
};

/// A block that was never written: the parent's, or zeros.
const FREE: u32 = u32::MAX;
/// A block that was discarded: zeros, whatever the parent has.
const ZERO: u32 = u32::MAX - 1;
/// Bytes of the map that are read at once: the entries of 4 GiB in blocks of 1 MiB.
const MAP_PAGE: u64 = 16 << 10;

/// An opened image.
pub(super) struct Image {
    pub(super) header: Header,
    pub(super) file: Source,
    pub(super) pages: Pages,
    /// What a differencing disk lies on.
    pub(super) parent: Option<Source>,
}

impl ReadAt for Image {
    fn size(&self) -> u64 {
        self.header.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let stored = runs::stored(&self.file, self.parent.as_ref(), "VDI block");
        runs::read(self.size(), buf, offset, self.lookup(), stored)
    }

    fn will_need(&self, offset: u64, length: u64) {
        let end = offset.saturating_add(length).min(self.size());
        runs::announce((offset, end), self.lookup(), (&self.file, self.parent.as_ref()), 0);
    }
}

impl Image {
    fn lookup(&self) -> impl FnMut(u64) -> Result<Span, FormatError> {
        let mut map = self.pages.cursor("VDI block map", MAP_PAGE);
        move |at| self.span(at, &mut map)
    }

    fn span(&self, at: u64, map: &mut Cursor<'_>) -> Result<Span, FormatError> {
        let Header { block, data, map: offset, .. } = self.header;
        let number = at.unbounded_shr(block.trailing_zeros());
        let within = at & block.wrapping_sub(1);
        let place = match u32::from_le_bytes(map.array(offset.saturating_add(number.saturating_mul(4)))?) {
            FREE => Place::Hole,
            ZERO => Place::Zero,
            // 32 bits times 31 bits, and an offset of 32 bits.
            index => Place::Data(
                u64::from(index).saturating_mul(block).saturating_add(data).saturating_add(within),
            ),
        };
        Ok((place, block.saturating_sub(within)))
    }
}
