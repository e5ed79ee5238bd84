//! Disks as what is written on them: an input of some KiB is a disk of many MiB, so that a fuzzer reaches what lies far from
//! the beginning. `scripts/fuzz-seeds.py` makes such inputs of real disks.
//!
//! An input is a number of chunks (`u16`), a table of them, and their bytes one after the other; all numbers are little-endian.
//! A chunk's row is its offset on the disk (`u32`), its length (`u16`), the number of its disk (`u8`), and its kind (`u8`):
//! bytes, or one byte that fills so many sectors. A chunk of no length says where a disk ends.

use std::{io, sync::Arc};

use icecore::block::{ReadAt, Source, check_range};

/// Bytes of a chunk's row.
const ROW: usize = 8;
/// The kind of a chunk that is one byte for all of its sectors.
const FILLED: u8 = 1;
/// Bytes of a sector of such a chunk.
const SECTOR: u64 = 512;
/// Disks of an input; the numbers of others are reduced.
const DISKS: u8 = 8;

/// A part of a disk that is not zeros.
struct Chunk {
    start: u64,
    length: u64,
    bytes: Bytes,
}

enum Bytes {
    Own(Box<[u8]>),
    Filled(u8),
}

/// A disk of zeros with some chunks on it, of which a later one is over an earlier.
struct Sparse {
    size: u64,
    chunks: Vec<Chunk>,
}

impl ReadAt for Sparse {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size, offset, buf.len())?;
        buf.fill(0);
        let end = offset + buf.len() as u64;
        for chunk in &self.chunks {
            let (from, to) = (chunk.start.max(offset), (chunk.start + chunk.length).min(end));
            if from >= to {
                continue;
            }
            let part = &mut buf[(from - offset) as usize..(to - offset) as usize];
            match &chunk.bytes {
                Bytes::Filled(byte) => part.fill(*byte),
                Bytes::Own(bytes) => {
                    part.copy_from_slice(&bytes[(from - chunk.start) as usize..(to - chunk.start) as usize]);
                }
            }
        }
        Ok(())
    }
}

/// The disks of an input; at least one.
pub fn disks(input: &[u8]) -> Vec<Source> {
    let (count, rest) = input.split_first_chunk::<2>().unwrap_or((&[0; 2], input));
    let table = usize::from(u16::from_le_bytes(*count)).min(rest.len() / ROW) * ROW;
    let (table, mut bytes) = rest.split_at(table);
    let mut disks = vec![Sparse { size: 0, chunks: Vec::new() }];
    for row in table.chunks_exact(ROW) {
        let [a, b, c, d, e, f, disk, kind] = row.try_into().expect("a row");
        let (start, length) = (u64::from(u32::from_le_bytes([a, b, c, d])), u16::from_le_bytes([e, f]));
        let own = if kind == FILLED { length.min(1) } else { length };
        let (own, after) = bytes.split_at(bytes.len().min(own.into()));
        bytes = after;
        let (length, own) = match (kind, own.first()) {
            (FILLED, Some(byte)) => (u64::from(length) * SECTOR, Bytes::Filled(*byte)),
            _ => (own.len() as u64, Bytes::Own(own.into())),
        };
        let disk = usize::from(disk % DISKS);
        while disks.len() <= disk {
            disks.push(Sparse { size: 0, chunks: Vec::new() });
        }
        let disk = &mut disks[disk];
        disk.size = disk.size.max(start + length);
        disk.chunks.push(Chunk { start, length, bytes: own });
    }
    disks.into_iter().map(|disk| Arc::new(disk) as Source).collect()
}
