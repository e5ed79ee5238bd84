//! The write-ahead log, section 4 of the file format. The log ends at the first frame whose salts or
//! checksum do not fit; what follows its last commit never happened. The index in shared memory (`-shm`) is
//! not needed.

use std::collections::HashMap;

use super::header;
use crate::{
    block::{self, ReadAt, Source},
    bytes::{is_sound, part},
    database::order::Order,
    error::FormatError,
    limits, num,
};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const MAGIC: u32 = 0x377f_0682;
const VERSION: u32 = 3_007_000;
const FRAME: &str = "sqlite wal frame";

/// The committed pages of a write-ahead log.
pub struct Wal {
    page_size: u32,
    pages: u32,
    source: Source,
    /// Page number to where the newest committed version of it lies.
    frames: HashMap<u32, u64>,
}

impl Wal {
    /// Reads the log from front to back. `None` if nothing was committed in it: it is empty, was reset, or
    /// its header is not valid, which SQLite passes over in the same way.
    pub fn read(source: &Source) -> Result<Option<Self>, FormatError> {
        if source.size() < num::to_u64(HEADER) {
            return Ok(None);
        }
        let bytes = block::read_vec(source, "sqlite wal header", 0, HEADER)?;
        let Some(mut log) = Log::open(&bytes)? else { return Ok(None) };
        let mut wal =
            Self { page_size: log.page_size, pages: 0, source: source.clone(), frames: HashMap::new() };
        let length = FRAME_HEADER.saturating_add(num::index(log.page_size));
        let mut pending = HashMap::new();
        let mut offset = num::to_u64(HEADER);
        let mut end = offset.saturating_add(num::to_u64(length));
        while end <= source.size() {
            if end > limits::SQLITE_WAL_BYTES {
                let what = format!("a sqlite wal of more than {} bytes", limits::SQLITE_WAL_BYTES);
                return Err(FormatError::limit(what));
            }
            let frame = block::read_vec(source, FRAME, offset, length)?;
            let Some((page, commit)) = log.accept(&frame) else { break };
            pending.insert(page, offset.saturating_add(num::to_u64(FRAME_HEADER)));
            if commit != 0 {
                wal.pages = commit;
                wal.frames.extend(pending.drain());
            }
            offset = end;
            end = offset.saturating_add(num::to_u64(length));
        }
        Ok((!wal.frames.is_empty()).then_some(wal))
    }

    /// Where the log holds a page, `None` if the database file has its newest version.
    pub(super) fn frame(&self, page: u32) -> Option<(&Source, u64)> {
        Some((&self.source, *self.frames.get(&page)?))
    }

    /// Bytes of a page.
    pub(super) fn page_size(&self) -> u32 {
        self.page_size
    }

    /// Pages of the database after the last commit.
    pub(super) fn pages(&self) -> u32 {
        self.pages
    }
}

/// What every frame of one log shares, and the checksum that runs through it.
struct Log {
    page_size: u32,
    salts: [u8; 8],
    order: Order,
    sum: Checksum,
}

impl Log {
    fn open(header: &[u8]) -> Result<Option<Self>, FormatError> {
        let word = |at| Order::Big.u32(header, at).unwrap_or_default();
        let order = match word(0) {
            MAGIC => Order::Little,
            magic if magic == MAGIC | 1 => Order::Big,
            _ => return Ok(None),
        };
        let Some(page_size) = header::valid_page_size(word(8)) else { return Ok(None) };
        let mut sum = Checksum::default();
        sum.update(header.get(..24).unwrap_or_default(), order);
        if !is_sound(sum == Checksum { s0: word(24), s1: word(28) }) {
            return Ok(None);
        }
        if word(4) != VERSION {
            return Err(FormatError::unsupported(format!("sqlite wal version {}", word(4))));
        }
        let salts = part(header, 16, 8).and_then(|s| s.first_chunk()).copied().unwrap_or_default();
        Ok(Some(Self { page_size, salts, order, sum }))
    }

    /// The page and, after a commit, the size of the database in pages, if the frame belongs to the log.
    fn accept(&mut self, frame: &[u8]) -> Option<(u32, u32)> {
        let word = |at| Order::Big.u32(frame, at);
        let page = word(0).filter(|page| *page != 0)?;
        if part(frame, 8, 8)? != self.salts {
            return None;
        }
        self.sum.update(frame.get(..8)?, self.order);
        self.sum.update(frame.get(FRAME_HEADER..)?, self.order);
        is_sound(self.sum == Checksum { s0: word(16)?, s1: word(20)? }).then_some((page, word(4)?))
    }
}

/// Section 4.2.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Checksum {
    s0: u32,
    s1: u32,
}

impl Checksum {
    /// Goes on over bytes whose number is a multiple of eight.
    fn update(&mut self, bytes: &[u8], order: Order) {
        for pair in bytes.chunks_exact(8) {
            let word = |at| order.u32(pair, at).unwrap_or_default();
            self.s0 = self.s0.wrapping_add(word(0)).wrapping_add(self.s1);
            self.s1 = self.s1.wrapping_add(word(4)).wrapping_add(self.s0);
        }
    }
}
