//! rpm's own `Packages.db` ("ndb"): the layout of rpm's `lib/backend/ndb/rpmpkg.c`. Slots at the front say
//! where each package's blob is; everything is little-endian.

use std::vec;

use super::order::Order;
use crate::{
    block::{self, ReadAt, Source},
    bytes::part,
    error::FormatError,
    limits, num,
};

const LE: Order = Order::Little;
const HEADER: &str = "ndb header";
const SLOT: &str = "ndb slot";
const BLOB: &str = "ndb blob";
/// Slots come in pages; the first two places of the first page are the header.
const SLOT_PAGE: usize = 4096;
const SLOT_BYTES: usize = 16;
const HEADER_BYTES: usize = 32;
/// The unit in which slots count.
const BLOCK: u32 = 16;
/// Magic, package index, time, length.
const BLOB_HEAD: usize = 16;
/// Adler-32 of all before it, length, magic.
const BLOB_TAIL: usize = 12;

/// A package database.
pub struct Packages {
    source: Source,
    slot_pages: u32,
}

/// One package's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The package's number.
    pub index: u32,
    /// rpm's header.
    pub bytes: Vec<u8>,
    /// Where the bytes begin in the file.
    pub offset: u64,
    /// Whether the checksum fits; rpm itself looks at it only when it writes.
    pub intact: bool,
}

struct Slot {
    index: u32,
    start: u32,
    blocks: u32,
}

impl Packages {
    /// Reads the header.
    pub fn open(source: Source) -> Result<Self, FormatError> {
        let header = block::read_vec(&source, HEADER, 0, HEADER_BYTES)?;
        if !header.starts_with(b"RpmP") {
            return Err(FormatError::corrupt(HEADER, 0, "no magic"));
        }
        let word = |at| LE.u32(&header, at).unwrap_or_default();
        if word(4) != 0 {
            return Err(FormatError::unsupported(format!("ndb version {}", word(4))));
        }
        Ok(Self { source, slot_pages: word(12) })
    }

    /// All packages in the order of their slots. An error is one that could not be read; the rest follows.
    pub fn blobs(&self) -> Blobs<'_> {
        let left = self.source.size();
        Blobs { db: self, page: Some(0), slots: Vec::new().into_iter(), left }
    }
}

/// The packages of a database.
pub struct Blobs<'a> {
    db: &'a Packages,
    page: Option<u32>,
    slots: vec::IntoIter<Result<Slot, FormatError>>,
    /// Bytes that the blobs still to come may take: more would be blobs that overlap.
    left: u64,
}

impl Blobs<'_> {
    /// Reads the next page of slots, `None` after the last.
    fn turn(&mut self) -> Option<Result<(), FormatError>> {
        let page = self.page.filter(|page| *page < self.db.slot_pages)?;
        let offset = u64::from(page).saturating_mul(num::to_u64(SLOT_PAGE));
        self.page = page.checked_add(1);
        let bytes = match block::read_vec(&self.db.source, "ndb slot page", offset, SLOT_PAGE) {
            Ok(bytes) => bytes,
            Err(error) => {
                // What follows the first page that is not there is not there either.
                self.page = None;
                return Some(Err(error));
            }
        };
        let skip = if page == 0 { HEADER_BYTES } else { 0 };
        let slots: Vec<_> = bytes
            .chunks_exact(SLOT_BYTES)
            .zip((offset..).step_by(SLOT_BYTES))
            .skip(skip.checked_div(SLOT_BYTES).unwrap_or(0))
            .filter_map(|(slot, offset)| read_slot(slot, offset).transpose())
            .collect();
        self.slots = slots.into_iter();
        Some(Ok(()))
    }

    fn read_blob(&mut self, slot: &Slot) -> Result<Blob, FormatError> {
        let offset = u64::from(slot.start).saturating_mul(u64::from(BLOCK));
        let taken = u64::from(slot.blocks).saturating_mul(u64::from(BLOCK));
        if taken > limits::RPM_HEADER_BYTES {
            return Err(FormatError::limit(format!("an ndb blob of {taken} bytes")));
        }
        let corrupt = |problem: String| FormatError::corrupt(BLOB, offset, problem);
        block::check_range(self.db.source.size(), offset, num::to_usize(taken))
            .map_err(FormatError::reading(BLOB, offset))?;
        self.left = self
            .left
            .checked_sub(taken)
            .ok_or_else(|| corrupt(format!("package {}: blobs overlap", slot.index)))?;
        let mut bytes = block::read_vec(&self.db.source, BLOB, offset, num::to_usize(taken))?;
        let (head, tail) = (BLOB_HEAD, bytes.len().saturating_sub(BLOB_TAIL));
        let word = |at| LE.u32(&bytes, at).unwrap_or_default();
        let length = word(12);
        let fits = num::index(length).checked_add(head).is_some_and(|end| end <= tail)
            && bytes.starts_with(b"BlbS")
            && bytes.ends_with(b"BlbE")
            && word(4) == slot.index
            && word(tail.saturating_add(4)) == length;
        if !fits {
            return Err(corrupt(format!("package {}: head and tail do not fit its slot", slot.index)));
        }
        let intact = adler32(bytes.get(..tail).unwrap_or_default()) == word(tail);
        bytes = part(&bytes, head, num::index(length)).unwrap_or_default().to_vec();
        Ok(Blob { index: slot.index, bytes, offset: offset.saturating_add(num::to_u64(head)), intact })
    }
}

impl Iterator for Blobs<'_> {
    type Item = Result<Blob, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.slots.next() {
                Some(slot) => return Some(slot.and_then(|slot| self.read_blob(&slot))),
                None => match self.turn()? {
                    Ok(()) => {}
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }
}

/// A slot that is in use.
fn read_slot(slot: &[u8], offset: u64) -> Result<Option<Slot>, FormatError> {
    let word = |at| LE.u32(slot, at).unwrap_or_default();
    if !slot.starts_with(b"Slot") {
        return Err(FormatError::corrupt(SLOT, offset, "no magic"));
    }
    let slot = Slot { index: word(4), start: word(8), blocks: word(12) };
    Ok((slot.start != 0).then_some(slot))
}

/// RFC 1950, section 8.
fn adler32(bytes: &[u8]) -> u32 {
    // 5,552 bytes are the most that cannot overflow 32 bits between two reductions.
    let (low, high) = bytes.chunks(5552).fold((1_u32, 0_u32), |sums, chunk| {
        let (low, high) = chunk.iter().fold(sums, |(low, high), byte| {
            let low = low.wrapping_add(u32::from(*byte));
            (low, high.wrapping_add(low))
        });
        (low.checked_rem(65_521).unwrap_or(0), high.checked_rem(65_521).unwrap_or(0))
    });
    (high << 16) | low
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::Memory;

    /// One page of slots, and a blob of three blocks with package 7 in it.
    fn open(change: impl FnOnce(&mut Vec<u8>)) -> Result<Packages, FormatError> {
        let mut bytes = b"RpmP\0\0\0\0\x01\0\0\0\x01\0\0\0".to_vec();
        bytes.resize(HEADER_BYTES, 0);
        while bytes.len() < SLOT_PAGE {
            bytes.extend(b"Slot\0\0\0\0\0\0\0\0\0\0\0\0");
        }
        bytes[48..64].copy_from_slice(b"Slot\x07\0\0\0\0\x01\0\0\x03\0\0\0");
        let mut blob = b"BlbS\x07\0\0\0\x01\0\0\0\x05\0\0\0hello".to_vec();
        blob.resize(36, 0);
        blob.extend(adler32(&blob).to_le_bytes());
        blob.extend(b"\x05\0\0\0BlbE");
        bytes.extend(blob);
        change(&mut bytes);
        Packages::open(Arc::new(Memory::new(bytes)))
    }

    fn database(change: impl FnOnce(&mut Vec<u8>)) -> Packages {
        open(change).unwrap()
    }

    #[test]
    fn a_blob_and_what_can_be_wrong_with_it() {
        let read = |at: usize, value: u8| -> Vec<_> {
            let db = database(|bytes| bytes[at] = value);
            db.blobs()
                .map(|blob| blob.map(|b| (b.index, b.bytes, b.intact)).map_err(|e| e.detail()))
                .collect()
        };
        let hello = |intact| Ok((7, b"hello".to_vec(), intact));
        assert_eq!(read(48, b'S'), [hello(true)]);
        assert_eq!(read(4096 + 25, 1), [hello(false)], "padding is part of the checksum");
        assert_eq!(read(0x20, 0), [Err("ndb slot at offset 0x20: no magic".into()), hello(true)]);
        for (at, value) in [(52, 8), (57, 2), (60, 2), (4096, 0), (4096 + 12, 200), (4096 + 40, 1)] {
            let found = read(at, value);
            assert!(matches!(found.as_slice(), [Err(_)]), "{at}: {found:?}");
        }
    }

    #[test]
    fn blobs_that_overlap_are_not_read_over_and_over() {
        let db = database(|bytes| {
            for slot in 2..256 {
                bytes.copy_within(48..64, slot * 16);
            }
        });
        let good = db.blobs().filter(Result::is_ok).count();
        assert!(good <= (4096 + 48) / 48, "{good}");
    }

    #[test]
    fn more_slot_pages_than_the_file_has_end() {
        let db = database(|bytes| bytes[12..16].fill(0xff));
        assert!(db.blobs().count() <= 512);
    }

    #[test]
    fn adler() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(at in 16usize..4140, tail: Vec<u8>) {
            let change = |all: &mut Vec<u8>| all.splice(at.min(all.len()).., tail).for_each(drop);
            // The tail may end within the header: then there is no database to read.
            if let Ok(database) = open(change) {
                database.blobs().for_each(drop);
            }
        }
    }
}
