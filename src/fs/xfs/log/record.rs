//! Records of the log (XFS Algorithms & Data Structures, "Log Records"): a header, for large ones more headers, and the
//! operations.

use super::ring::{BLOCK, MAGIC, Ring};
use crate::{
    bytes::{be32, be64, is_sound, le32},
    error::FormatError,
    num,
};

/// Bytes of operations whose first words one header keeps.
const HEADER_COVERS: u32 = 32 << 10;
const VERSION: usize = 8;
const LENGTH: usize = 12;
const LSN: usize = 16;
const TAIL: usize = 24;
const CRC: usize = 32;
const OPERATIONS: usize = 40;
const WORDS: usize = 44;
const FORMAT: usize = 300;
const UUID: usize = 304;
const SIZE: usize = 320;
/// Bytes of the header that its checksum covers: where the compiler of who wrote it pads to 8 bytes, and where it does not.
const COVERED: [usize; 2] = [328, 324];
/// The same of each further header.
const COVERED_FURTHER: usize = 260;
/// `h_fmt`: little-endian, as all of the log's items.
const LINUX_LITTLE_ENDIAN: u32 = 1;

/// A record whose header is sound.
pub(super) struct Record {
    pub(super) block: u32,
    /// All headers.
    headers: Vec<u8>,
    /// Sectors of headers.
    pub(super) header_blocks: u32,
    /// Bytes of operations.
    length: u32,
    /// Number of operations.
    pub(super) operations: u32,
    pub(super) lsn: u64,
    /// The sector where the oldest record lay whose changes had not all been written home.
    pub(super) tail: u32,
}

impl Record {
    /// The record that begins at a sector; `None` if none does.
    pub(super) fn parse(ring: &Ring, block: u32) -> Result<Option<Self>, FormatError> {
        let first = ring.read(block, 1)?;
        let word = |at| be32(&first, at).unwrap_or(0);
        if word(0) != MAGIC {
            return Ok(None);
        }
        let corrupt = |problem: String| Err(ring.corrupt(block, problem));
        let uuid = first.get(UUID..SIZE).unwrap_or_default();
        if uuid != ring.uuid && uuid != [0; 16] {
            return corrupt("a record of another volume (UUID)".to_owned());
        }
        let (version, length, size) = (word(VERSION), word(LENGTH), word(SIZE));
        if !matches!(version, 1 | 2) {
            return corrupt(format!("record of version {version}"));
        }
        let header_blocks = if version == 2 { size.div_ceil(HEADER_COVERS).max(1) } else { 1 };
        let covers = header_blocks.saturating_mul(HEADER_COVERS);
        if length == 0 || length > ring.largest || length > covers || (version == 2 && size > ring.largest) {
            return corrupt(format!("record of {length} bytes, at most {size}"));
        }
        let record = Self {
            block,
            headers: if header_blocks == 1 { first.clone() } else { ring.read(block, header_blocks)? },
            header_blocks,
            length,
            operations: word(OPERATIONS),
            lsn: be64(&first, LSN).unwrap_or(0),
            tail: word(TAIL.saturating_add(4)),
        };
        match record.blocks() > ring.blocks || record.tail >= ring.blocks {
            true => corrupt(format!("{} sectors of {}, tail {}", record.blocks(), ring.blocks, record.tail)),
            false => Ok(Some(record)),
        }
    }

    /// Sectors of the whole record.
    pub(super) fn blocks(&self) -> u32 {
        self.length.div_ceil(512).saturating_add(self.header_blocks)
    }

    /// The operations, checked against the checksum, with their words back where they were.
    pub(super) fn payload(&self, ring: &Ring) -> Result<Vec<u8>, FormatError> {
        let format = be32(&self.headers, FORMAT).unwrap_or(0);
        if format != LINUX_LITTLE_ENDIAN {
            return Err(FormatError::unsupported(format!("XFS log in the byte order of format {format}")));
        }
        let mut bytes = ring.read(ring.after(self.block, self.header_blocks), self.length.div_ceil(512))?;
        bytes.truncate(num::index(self.length));
        self.check(ring, &bytes)?;
        let sector = num::to_usize(BLOCK);
        let headers = self.headers.chunks(sector);
        let words = headers.enumerate().flat_map(|(index, header)| {
            let at = if index == 0 { WORDS } else { 4 };
            header.get(at..).unwrap_or_default().as_chunks::<4>().0.iter().take(64)
        });
        for (sector, word) in bytes.chunks_mut(sector).zip(words) {
            if let Some(first) = sector.first_chunk_mut() {
                *first = *word;
            }
        }
        Ok(bytes)
    }

    /// Whether the checksum is right. That of the record which mkfs writes is 0.
    pub(super) fn is_sound(&self, ring: &Ring) -> Result<bool, FormatError> {
        Ok(self.checksum() == 0 || self.check(ring, &self.stored(ring)?).is_ok())
    }

    fn checksum(&self) -> u32 {
        le32(&self.headers, CRC).unwrap_or(0)
    }

    /// The operations as they are stored.
    fn stored(&self, ring: &Ring) -> Result<Vec<u8>, FormatError> {
        let mut bytes = ring.read(ring.after(self.block, self.header_blocks), self.length.div_ceil(512))?;
        bytes.truncate(num::index(self.length));
        Ok(bytes)
    }

    fn check(&self, ring: &Ring, payload: &[u8]) -> Result<(), FormatError> {
        let seen = self.checksum();
        if seen == 0 && !ring.checksummed {
            return Ok(());
        }
        let part = |range: std::ops::Range<usize>| self.headers.get(range).unwrap_or_default();
        // Only those that keep words of this record.
        let used = num::index(self.length.div_ceil(HEADER_COVERS));
        let further = self.headers.chunks(num::to_usize(BLOCK)).take(used).skip(1);
        let further: Vec<&[u8]> = further.filter_map(|header| header.get(..COVERED_FURTHER)).collect();
        let sum = |covered: usize| {
            let first = [part(0..CRC), &[0; 4], part(CRC.saturating_add(4)..covered)];
            let parts = first.into_iter().chain(further.iter().copied()).chain([payload]);
            parts.fold(0, crc32c::crc32c_append)
        };
        match is_sound(COVERED.into_iter().any(|covered| sum(covered) == seen)) {
            true => Ok(()),
            false => Err(ring.corrupt(self.block, format!("checksum {seen:#010x} of a record is wrong"))),
        }
    }
}
