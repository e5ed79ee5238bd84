//! A sorted table in a section of the database: keys and values in compressed blocks, and an index of the
//! blocks' first keys. A lookup reads one block.
//!
//! ```text
//! section = block* index          each a zstd frame; the place of the index is in the header
//! index   = block*                in postcard's encoding: first key, place, checksum
//! block   = entry*                sorted by key; a key is in one block only
//! entry   = key length (u32 LE), value length (u32 LE), key, value
//! ```

use std::mem;

use rayon::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use xxhash_rust::xxh3::xxh3_64;

use super::packed::{self, Packing, Piece};
use crate::{block::ReadAt, error::FormatError, limits, num};

/// Blocks that wait to be packed together.
const WAITING: usize = 256;

/// A block in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Block {
    /// The first key.
    key: String,
    piece: Piece,
}

/// Puts a table together; keys come in ascending order.
pub(super) struct Writer {
    packing: Packing,
    section: Vec<u8>,
    index: Vec<Block>,
    /// Closed blocks with their first keys.
    waiting: Vec<(String, Vec<u8>)>,
    open: Vec<u8>,
    first: Option<String>,
}

impl Writer {
    pub(super) fn new(packing: Packing) -> Self {
        Self {
            packing,
            section: Vec::new(),
            index: Vec::new(),
            waiting: Vec::new(),
            open: Vec::new(),
            first: None,
        }
    }

    /// Adds an entry. The key is greater than all before it.
    pub(super) fn add(&mut self, key: &str, value: &[u8]) -> Result<(), FormatError> {
        let entry = key.len().saturating_add(value.len());
        if !self.open.is_empty() && self.open.len().saturating_add(entry) > self.packing.block {
            self.close();
            if self.waiting.len() >= WAITING {
                self.pack()?;
            }
        }
        self.first.get_or_insert_with(|| key.to_owned());
        self.open.extend(length(key.len())?.to_le_bytes());
        self.open.extend(length(value.len())?.to_le_bytes());
        self.open.extend(key.as_bytes());
        self.open.extend(value);
        Ok(())
    }

    fn close(&mut self) {
        if let Some(key) = self.first.take() {
            self.waiting.push((key, mem::take(&mut self.open)));
        }
    }

    fn pack(&mut self) -> Result<(), FormatError> {
        let waiting = mem::take(&mut self.waiting);
        let packed =
            waiting.par_iter().map(|(_, block)| packed::pack(block, self.packing)).collect::<Vec<_>>();
        for ((key, block), packed) in waiting.into_iter().zip(packed) {
            let piece = packed::append(&mut self.section, &packed?, block.len());
            self.index.push(Block { key, piece });
        }
        Ok(())
    }

    /// The section's bytes and where in it its index is.
    pub(super) fn finish(mut self) -> Result<(Vec<u8>, Piece), FormatError> {
        self.close();
        self.pack()?;
        let index = encode(&self.index)?;
        let root = packed::append(&mut self.section, &packed::pack(&index, self.packing)?, index.len());
        Ok((self.section, root))
    }
}

fn length(value: usize) -> Result<u32, FormatError> {
    u32::try_from(value).map_err(|_| FormatError::limit(format!("database entry of {value} bytes")))
}

/// A value as it is stored.
pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, FormatError> {
    postcard::to_stdvec(value).map_err(|error| FormatError::malformed("database entry", error.to_string()))
}

/// A stored value.
pub(super) fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, FormatError> {
    postcard::from_bytes(value).map_err(|error| FormatError::malformed("database entry", error.to_string()))
}

/// An opened table.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Where the section begins.
    offset: u64,
    index: Vec<Block>,
}

impl Table {
    /// Reads the index. `offset` is where the section begins in the database.
    pub(super) fn open(source: &dyn ReadAt, offset: u64, root: &Piece) -> Result<Self, FormatError> {
        let index = packed::read(source, "database index", offset, root, limits::DATABASE_INDEX_BYTES)?;
        let index: Vec<Block> = decode(&index)?;
        if !index.is_sorted_by(|a, b| a.key < b.key) {
            return Err(FormatError::corrupt("database index", offset, "keys out of order"));
        }
        Ok(Self { offset, index })
    }

    /// The number of the block that holds a key, if one can.
    pub(super) fn find(&self, key: &str) -> Option<usize> {
        self.index.partition_point(|block| block.key.as_str() <= key).checked_sub(1)
    }

    /// Where its section begins: tells the tables of one database apart.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of blocks.
    pub(super) fn blocks(&self) -> usize {
        self.index.len()
    }

    /// The unpacked bytes of a block.
    pub(super) fn read(&self, source: &dyn ReadAt, number: usize) -> Result<Vec<u8>, FormatError> {
        let Some(block) = self.index.get(number) else {
            return Err(FormatError::corrupt("database block", self.offset, format!("no block {number}")));
        };
        packed::read(source, "database block", self.offset, &block.piece, limits::DATABASE_BLOCK_BYTES)
    }
}

/// The entries of an unpacked block; the iteration ends at the first that is cut short.
pub(super) fn entries(block: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = block;
    std::iter::from_fn(move || {
        let (key, tail) = rest.split_first_chunk::<4>()?;
        let (value, tail) = tail.split_first_chunk::<4>()?;
        let (key, tail) = tail.split_at_checked(num::index(u32::from_le_bytes(*key)))?;
        let (value, tail) = tail.split_at_checked(num::index(u32::from_le_bytes(*value)))?;
        rest = tail;
        Some((key, value))
    })
}

/// The checksum that every piece of the database carries.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    #[test]
    fn what_was_written_is_found_and_nothing_else() {
        let mut writer = Writer::new(Packing::QUICK);
        let value = |n: u32| format!("value {n} {}", "x".repeat(100)).into_bytes();
        for n in (0..5000).step_by(2) {
            writer.add(&format!("key {n:05}"), &value(n)).unwrap();
        }
        let (section, root) = writer.finish().unwrap();
        let source = Memory::new(section);
        let table = Table::open(&source, 0, &root).unwrap();
        assert!(table.blocks() > 3);
        for n in 0..5000_u32 {
            let key = format!("key {n:05}");
            let block = table.read(&source, table.find(&key).unwrap()).unwrap();
            let found =
                entries(&block).find(|(at, _)| *at == key.as_bytes()).map(|(_, value)| value.to_vec());
            assert_eq!(found, n.is_multiple_of(2).then(|| value(n)), "{key}");
        }
        assert_eq!(table.find("a"), None);
    }
}
