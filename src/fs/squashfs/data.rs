//! A file's bytes: blocks of one size, of which those of zeros are not stored, and an end that may be in a fragment.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use super::{
    blocks::{self, Stored},
    inode::Inode,
    metadata::Cursor,
    volume::Volume,
};
use crate::{
    block::{ReadAt, check_range},
    error::FormatError,
    limits, num,
};

/// A file's data.
pub(super) struct Data {
    volume: Arc<Volume>,
    inode: Inode,
    /// The file's blocks, when they were needed.
    blocks: OnceLock<Vec<Stored>>,
}

impl Data {
    pub(super) fn new(volume: Arc<Volume>, inode: Inode) -> Self {
        Self { volume, inode, blocks: OnceLock::new() }
    }

    fn read(&self, buf: &mut [u8], offset: u64) -> Result<(), FormatError> {
        let block_size = u64::from(self.volume.superblock.block_size);
        let blocks = self.blocks()?;
        let mut rest = buf;
        let mut at = offset;
        while !rest.is_empty() {
            let number = at.checked_div(block_size).unwrap_or(0);
            let start = number.saturating_mul(block_size);
            let size = num::to_usize(self.inode.fields.size.saturating_sub(start).min(block_size));
            let skipped = num::to_usize(at.saturating_sub(start));
            let (part, after) = rest.split_at_mut(size.saturating_sub(skipped).min(rest.len()));
            match (blocks.get(num::to_usize(number)), self.inode.fields.fragment) {
                (Some(block), _) => blocks::read(&self.volume, *block, size, skipped, part)?,
                (None, Some((fragment, offset))) => {
                    let place = num::index(offset).saturating_add(skipped);
                    blocks::read_fragment(&self.volume, fragment, place, part)?;
                }
                (None, None) => return Err(self.inode.corrupt(format!("block {number} is missing"))),
            }
            at = at.saturating_add(num::to_u64(part.len()));
            rest = after;
        }
        Ok(())
    }

    fn blocks(&self) -> Result<&[Stored], FormatError> {
        if let Some(blocks) = self.blocks.get() {
            return Ok(blocks);
        }
        let blocks = self.read_blocks()?;
        Ok(self.blocks.get_or_init(|| blocks))
    }

    /// Blocks lie one behind the other; behind the inode are their lengths.
    fn read_blocks(&self) -> Result<Vec<Stored>, FormatError> {
        let block_size = u64::from(self.volume.superblock.block_size);
        let size = self.inode.fields.size;
        let count = match self.inode.fields.fragment {
            Some(_) => size.checked_div(block_size).unwrap_or(0),
            None => size.div_ceil(block_size),
        };
        if count > limits::SQUASHFS_FILE_BLOCKS {
            return Err(FormatError::limit(format!("squashfs file of {count} blocks")));
        }
        let mut cursor = Cursor::new(&self.volume, self.inode.rest);
        let words = cursor.take(num::to_usize(count.saturating_mul(4)))?;
        let mut place = self.inode.fields.start;
        let blocks = words.as_chunks().0.iter().map(|word| {
            let block = Stored { place, word: u32::from_le_bytes(*word) };
            place = place.saturating_add(block.length().into());
            block
        });
        Ok(blocks.collect())
    }
}

impl ReadAt for Data {
    fn size(&self) -> u64 {
        self.inode.fields.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size(), offset, buf.len())?;
        Ok(self.read(buf, offset)?)
    }
}
