//! Tables of a disk image, read in pages through the cache of its chain: the map of a large disk does not fit in
//! memory and need not.

use std::{io, sync::Arc};

use crate::{
    block::{Cache, Key, ReadAt, Source, read_vec},
    error::FormatError,
    num,
};

/// The tables of one file.
pub(super) struct Pages {
    file: Source,
    cache: Arc<Cache>,
    /// The file's number in its chain.
    image: u64,
}

impl Pages {
    /// Pages of `file`, which is number `image` of those that share the cache.
    pub(super) fn new(file: &Source, cache: &Arc<Cache>, image: u64) -> Self {
        Self { file: Arc::clone(file), cache: Arc::clone(cache), image }
    }

    /// A reader for one request; its pages have `page` bytes, a power of two from 512 on.
    pub(super) fn cursor(&self, structure: &'static str, page: u64) -> Cursor<'_> {
        Cursor { pages: self, structure, page, held: None }
    }
}

/// Reads neighbours without asking the cache for each.
pub(super) struct Cursor<'a> {
    pages: &'a Pages,
    structure: &'static str,
    page: u64,
    held: Option<(u64, Arc<Vec<u8>>)>,
}

impl Cursor<'_> {
    /// What the page of `offset` holds from there on: shorter where the file ends, and never empty.
    pub(super) fn rest(&mut self, offset: u64) -> Result<&[u8], FormatError> {
        let within = offset & self.page.wrapping_sub(1);
        let start = offset.saturating_sub(within);
        let held = match self.held.take() {
            Some(held) if held.0 == start => held,
            _ => (start, self.load(start)?),
        };
        let (_, bytes) = self.held.insert(held);
        let rest = bytes.get(num::to_usize(within)..).filter(|rest| !rest.is_empty());
        rest.ok_or_else(|| ends(self.structure, offset))
    }

    /// The `N` bytes at `offset`, a multiple of `N`, which is a power of two.
    pub(super) fn array<const N: usize>(&mut self, offset: u64) -> Result<[u8; N], FormatError> {
        let structure = self.structure;
        if let Ok(rest) = self.rest(offset) {
            return rest.first_chunk().copied().ok_or_else(|| ends(structure, offset));
        }
        // A bad sector loses what it holds, not the page around it.
        let mut bytes = [0; N];
        self.pages.file.read_at(&mut bytes, offset).map_err(FormatError::reading(structure, offset))?;
        Ok(bytes)
    }

    fn load(&self, start: u64) -> Result<Arc<Vec<u8>>, FormatError> {
        let Pages { file, cache, image } = self.pages;
        // Pages of other sizes may begin at the same offset.
        let key = Key { image: *image, block: start | u64::from(self.page.trailing_zeros()) };
        if let Some(bytes) = cache.find(key) {
            return Ok(bytes);
        }
        let length = file.size().saturating_sub(start).min(self.page);
        let bytes = Arc::new(read_vec(file, self.structure, start, num::to_usize(length))?);
        cache.keep(key, Arc::clone(&bytes));
        Ok(bytes)
    }
}

fn ends(structure: &'static str, offset: u64) -> FormatError {
    let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends before");
    FormatError::Read { structure, offset, source }
}

/// How the bits of a bitmap are numbered within a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bits {
    /// From the most significant one.
    HighFirst,
    /// From the least significant one.
    LowFirst,
}

impl Bits {
    /// Whether bit `first` of `bytes` is set, and how many from there on are alike.
    pub(super) fn run(self, bytes: &[u8], first: u64) -> (bool, u64) {
        let bytes = bytes.get(num::to_usize(first.unbounded_shr(3))..).unwrap_or_default();
        let skipped = u32::from(first.to_le_bytes()[0] & 7);
        // As if the first bit came first, at the top.
        let ordered = |byte: &u8| match self {
            Self::HighFirst => *byte,
            Self::LowFirst => byte.reverse_bits(),
        };
        let Some((start, rest)) = bytes.split_first() else { return (false, 1) };
        let start = ordered(start).unbounded_shl(skipped);
        let value = start & 0x80 != 0;
        let alike = |byte: u8| if value { byte.leading_ones() } else { byte.leading_zeros() };
        let here = alike(start).min(8u32.saturating_sub(skipped));
        if here < 8u32.saturating_sub(skipped) {
            return (value, u64::from(here));
        }
        let full = if value { 0xff } else { 0 };
        let whole = rest.iter().take_while(|byte| **byte == full).count();
        let last = rest.get(whole).map_or(0, |byte| alike(ordered(byte)));
        (value, u64::from(here.saturating_add(last)).saturating_add(num::to_u64(whole).saturating_mul(8)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{
        Counted, Counter, Memory,
        fault::{Fault, Faulty, When},
    };

    fn pages(file: Source) -> Pages {
        Pages::new(&file, &Arc::new(Cache::new(1 << 20)), 0)
    }

    #[test]
    fn neighbours_cost_one_read_and_the_end_is_an_error() {
        let bytes: Vec<u8> = (0..1500u32).flat_map(|n| n.to_le_bytes()).collect();
        let counter = Arc::new(Counter::default());
        let pages = pages(Arc::new(Counted::new(Arc::new(Memory::new(bytes)), Arc::clone(&counter))));
        let mut cursor = pages.cursor("table", 4096);
        for n in 0..1024 {
            assert_eq!(cursor.array(u64::from(n) * 4).unwrap(), u32::to_le_bytes(n));
        }
        assert_eq!(counter.reads(), 1);
        assert_eq!(cursor.rest(5996).unwrap(), 1499u32.to_le_bytes());
        assert_eq!(pages.cursor("table", 4096).array(8).unwrap(), 2u32.to_le_bytes());
        assert_eq!(counter.reads(), 2);
        assert!(cursor.array::<4>(6000).is_err() && cursor.array::<4>(u64::MAX - 3).is_err());
    }

    #[test]
    fn a_bad_sector_loses_its_own_entries() {
        let file: Source = Arc::new(Memory::new(vec![1; 8192]));
        let pages = pages(Arc::new(Faulty::new(file, Fault::Error, When::Touches(100))));
        let mut cursor = pages.cursor("table", 4096);
        assert!(cursor.array::<4>(96).is_ok() && cursor.array::<4>(100).is_err());
    }

    #[test]
    fn runs_of_bits() {
        let bytes = [0b1110_0000, 0x00, 0xff];
        let rows = [(0, (true, 3)), (3, (false, 13)), (16, (true, 8)), (24, (false, 1))];
        for (first, expected) in rows {
            assert_eq!(Bits::HighFirst.run(&bytes, first), expected, "{first}");
        }
        for first in 0..24 {
            let set = |bit: u64| bytes[usize::try_from(bit / 8).unwrap()] & (0x80 >> (bit % 8)) != 0;
            let alike = (first..24).take_while(|bit| set(*bit) == set(first)).count();
            assert_eq!(Bits::HighFirst.run(&bytes, first), (set(first), num::to_u64(alike)), "{first}");
        }
        assert_eq!(Bits::LowFirst.run(&bytes, 0), (false, 5));
        assert_eq!(Bits::LowFirst.run(&bytes, 5), (true, 3));
    }
}
