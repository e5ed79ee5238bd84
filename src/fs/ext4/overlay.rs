//! A volume with its journal replayed: what the journal holds is read from there, nothing is written.

use std::{collections::BTreeMap, io};

use crate::{
    block::{ReadAt, Source},
    num,
};

/// Where the newest content of a block lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patch {
    /// In bytes from the volume's start, within the journal.
    pub(super) at: u64,
    /// Its first four bytes were replaced by zeros, as they are the magic number of journal blocks.
    pub(super) escaped: bool,
}

/// A source with some of its blocks replaced.
pub(super) struct Overlay {
    source: Source,
    block_size: u64,
    patches: BTreeMap<u64, Patch>,
}

impl Overlay {
    pub(super) fn new(source: Source, block_size: u32, patches: BTreeMap<u64, Patch>) -> Self {
        Self { source, block_size: u64::from(block_size), patches }
    }

    /// Replaces the part of `buf` (which begins at `offset`) that lies in `block`.
    fn apply(&self, block: u64, patch: Patch, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let start = block.saturating_mul(self.block_size);
        let from = start.max(offset);
        let to = start.saturating_add(self.block_size).min(offset.saturating_add(num::to_u64(buf.len())));
        let range = num::to_usize(from.saturating_sub(offset))..num::to_usize(to.saturating_sub(offset));
        let Some(part) = buf.get_mut(range) else { return Ok(()) };
        let within = from.saturating_sub(start);
        self.source.read_at(part, patch.at.saturating_add(within))?;
        if patch.escaped {
            let magic = super::jbd2::MAGIC.to_be_bytes();
            let hidden = magic.get(num::to_usize(within.min(4))..).unwrap_or_default();
            part.iter_mut().zip(hidden).for_each(|(byte, magic)| *byte = *magic);
        }
        Ok(())
    }
}

impl ReadAt for Overlay {
    fn size(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let first = offset.checked_div(self.block_size).unwrap_or(0);
        let end = offset.saturating_add(num::to_u64(buf.len())).div_ceil(self.block_size);
        let mut patches = self.patches.range(first..end.max(first)).peekable();
        // A block that is replaced need not be readable.
        if end.saturating_sub(first) > 1 || patches.peek().is_none() {
            self.source.read_at(buf, offset)?;
        }
        patches.try_for_each(|(block, patch)| self.apply(*block, *patch, buf, offset))
    }

    fn will_need(&self, offset: u64, length: u64) {
        self.source.will_need(offset, length);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::Memory;

    #[test]
    fn reads_see_the_journals_blocks() {
        let source: Vec<u8> = (0..16u8).flat_map(|n| [n; 1024]).collect();
        let plain = Patch { at: 8 * 1024, escaped: false };
        let escaped = Patch { at: 9 * 1024, escaped: true };
        let overlay =
            Overlay::new(Arc::new(Memory::new(source)), 1024, BTreeMap::from([(2, plain), (3, escaped)]));
        let read = |offset, length| {
            let mut buf = vec![0; length];
            overlay.read_at(&mut buf, offset).unwrap();
            buf
        };
        let expected = [&[1; 4][..], &[8; 1024], &[0xc0, 0x3b, 0x39, 0x98], &[9; 1020], &[4; 4]].concat();
        assert_eq!(read(2 * 1024 - 4, 2056), expected);
        for (offset, length) in [(2 * 1024, 1), (3 * 1024 + 2, 3), (3 * 1024 + 4, 4), (4 * 1024 - 1, 2)] {
            let at = offset - (2 * 1024 - 4);
            assert_eq!(read(num::to_u64(offset), length), expected[at..at + length], "{offset} {length}");
        }
    }
}
