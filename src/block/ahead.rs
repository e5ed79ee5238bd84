//! A source read from front to back by several threads: what is compressed takes longer to read than to use.

use std::{
    io::{self, BufRead, Read},
    mem,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

use super::{ReadAt, Source};
use crate::num;

/// Bytes that a thread reads at once: several extents or clusters of a compressed file.
const PIECE: u64 = 1 << 20;

/// Reads a source ahead of who takes its bytes, in order. Each thread holds two pieces of 1 MiB at most.
pub struct Ahead {
    source: Source,
    /// What the threads have read: the first has every `lanes.len()`-th piece from the first on, and so forth.
    lanes: Vec<Receiver<io::Result<Vec<u8>>>>,
    /// The number of the next piece.
    next: u64,
    /// What is being taken, and how much of it was.
    piece: Vec<u8>,
    taken: usize,
}

impl Ahead {
    /// Begins at the first byte. With one thread, or for what is soon read, it is who takes the bytes that reads them.
    pub fn new(source: Source, threads: usize) -> Self {
        let pieces = num::to_usize(source.size().div_ceil(PIECE));
        let count = Some(threads.min(pieces)).filter(|count| *count > 1).unwrap_or(0);
        let lanes = (0..count).map(|lane| begin(Arc::clone(&source), lane, count)).collect();
        Self { source, lanes, next: 0, piece: Vec::new(), taken: 0 }
    }
}

/// Starts the thread of a lane. It ends with its source, an error, or when nobody takes what it has read.
fn begin(source: Source, lane: usize, lanes: usize) -> Receiver<io::Result<Vec<u8>>> {
    let (give, take) = sync_channel(1);
    let read = move || {
        for number in (num::to_u64(lane)..).step_by(lanes) {
            let piece = read(&source, number, Vec::new());
            let is_last = !piece.as_ref().is_ok_and(|piece| !piece.is_empty());
            if give.send(piece).is_err() || is_last {
                return;
            }
        }
    };
    // Without the thread its pieces are read when they are taken.
    let _ = thread::Builder::new().name(format!("ahead{lane}")).spawn(read);
    take
}

/// A piece, in this memory; an empty one behind the end.
fn read(source: &Source, number: u64, mut piece: Vec<u8>) -> io::Result<Vec<u8>> {
    let start = number.saturating_mul(PIECE);
    piece.resize(num::to_usize(source.size().saturating_sub(start).min(PIECE)), 0);
    if !piece.is_empty() {
        source.read_at(&mut piece, start)?;
    }
    Ok(piece)
}

impl BufRead for Ahead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken >= self.piece.len() {
            let lane =
                num::to_usize(self.next).checked_rem(self.lanes.len()).and_then(|at| self.lanes.get(at));
            self.taken = 0;
            let old = mem::take(&mut self.piece);
            self.piece = match lane.and_then(|lane| lane.recv().ok()) {
                Some(come) => come?,
                None => read(&self.source, self.next, old)?,
            };
            self.next = self.next.saturating_add(1);
        }
        Ok(self.piece.get(self.taken..).unwrap_or_default())
    }

    fn consume(&mut self, length: usize) {
        self.taken = self.taken.saturating_add(length);
    }
}

impl Read for Ahead {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buf)?;
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Memory, check_range};

    fn bytes() -> Vec<u8> {
        let numbers = (0_u32..).map(|number| number.wrapping_mul(2_654_435_761));
        numbers.take(1_400_000).flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn the_bytes_come_in_order_from_any_number_of_threads() {
        let bytes = bytes();
        for length in [0, 1, 1 << 20, (1 << 20) + 1, 3 << 20, bytes.len()] {
            for threads in [0, 1, 2, 3, 16] {
                let part = bytes[..length].to_vec();
                let mut all = Vec::new();
                let mut ahead = Ahead::new(Arc::new(Memory::new(part)), threads);
                ahead.read_to_end(&mut all).unwrap();
                assert!(all == bytes[..length], "{length} bytes, {threads} threads");
                assert_eq!(ahead.read(&mut [0; 9]).unwrap(), 0, "the end is the end");
            }
        }
    }

    /// Fails where a bad sector is.
    struct Bad(Memory, u64);

    impl ReadAt for Bad {
        fn size(&self) -> u64 {
            self.0.size()
        }

        fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
            check_range(self.size(), offset, buf.len())?;
            match (offset..offset + buf.len() as u64).contains(&self.1) {
                true => Err(io::Error::other("bad sector")),
                false => self.0.read_at(buf, offset),
            }
        }
    }

    #[test]
    fn what_lies_before_a_failed_read_is_taken_first_and_the_error_stays() {
        for threads in [1, 2, 3] {
            let bad = Bad(Memory::new(bytes()), 3_500_000);
            let mut ahead = Ahead::new(Arc::new(bad), threads);
            let mut all = Vec::new();
            assert_eq!(ahead.read_to_end(&mut all).unwrap_err().to_string(), "bad sector");
            assert!(all == bytes()[..3 << 20]);
            assert_eq!(ahead.read(&mut [0; 9]).unwrap_err().to_string(), "bad sector");
        }
    }

    #[test]
    fn threads_end_when_nobody_takes_what_they_read() {
        let source: Source = Arc::new(Memory::new(bytes()));
        let mut ahead = Ahead::new(Arc::clone(&source), 3);
        ahead.read_exact(&mut [0; 9]).unwrap();
        drop(ahead);
        while Arc::strong_count(&source) > 1 {
            thread::yield_now();
        }
    }
}
