//! Pages by number, from the write-ahead log where it has them.

use super::{
    header::{self, Encoding, Header},
    wal::Wal,
};
use crate::{
    block::{self, ReadAt, Source},
    error::FormatError,
};

const PAGE: &str = "sqlite page";

/// Reads pages of a database.
pub(super) struct Pager {
    source: Source,
    wal: Option<Wal>,
    page_size: u32,
    usable: usize,
    count: u32,
    encoding: Encoding,
}

impl Pager {
    /// Reads the header of the first page. A file without bytes is a database without pages, whatever its
    /// log holds: SQLite deletes such a log.
    pub(super) fn open(source: Source, wal: Option<Wal>) -> Result<Self, FormatError> {
        let size = source.size();
        let mut pager = Self { source, wal, page_size: 0, usable: 0, count: 0, encoding: Encoding::Utf8 };
        if size == 0 {
            return Ok(pager);
        }
        let first = pager.wal.as_ref().and_then(|wal| wal.frame(1));
        let (from, offset) = first.unwrap_or((&pager.source, 0));
        let header = Header::parse(&block::read_vec(from, "sqlite header", offset, header::LENGTH)?)?;
        if let Some(wal) = &pager.wal
            && wal.page_size() != header.page_size
        {
            let problem = format!("pages of {}, in its log {}", header.page_size, wal.page_size());
            return Err(FormatError::corrupt("sqlite header", 0, problem));
        }
        pager.page_size = header.page_size;
        pager.usable = header.usable;
        pager.encoding = header.encoding;
        let in_file = || size.div_ceil(u64::from(header.page_size));
        pager.count = match pager.wal.as_ref().map(Wal::pages).or(header.pages) {
            Some(pages) => pages,
            None => u32::try_from(in_file()).unwrap_or(u32::MAX),
        };
        Ok(pager)
    }

    /// The number of pages; they are numbered from 1.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of a page that b-trees use.
    pub(super) fn usable(&self) -> usize {
        self.usable
    }

    /// How text is stored.
    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Where a page lies in the database file.
    pub(super) fn offset(&self, number: u32) -> u64 {
        u64::from(number.saturating_sub(1)).saturating_mul(u64::from(self.page_size))
    }

    /// A page's bytes without the reserved ones at its end.
    pub(super) fn page(&self, number: u32) -> Result<Vec<u8>, FormatError> {
        if number == 0 || number > self.count {
            let problem = format!("page {number} of {}", self.count);
            return Err(FormatError::corrupt(PAGE, self.offset(number), problem));
        }
        match self.wal.as_ref().and_then(|wal| wal.frame(number)) {
            Some((log, offset)) => block::read_vec(log, PAGE, offset, self.usable),
            None => block::read_vec(&self.source, PAGE, self.offset(number), self.usable),
        }
    }
}
