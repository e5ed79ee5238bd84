//! The journal (journal.rst): found, checked and opened.

use zerocopy::FromBytes;

use super::{
    checksum, features,
    inode::Inode,
    jbd2::{self, Layout, RawJournalSuperblock},
    map::{self, Run},
    volume::Volume,
};
use crate::{block::ReadAt, bytes::is_sound, error::FormatError, limits, num};

pub(super) const STRUCTURE: &str = "jbd2 journal";
/// Bytes of the superblock that its checksum covers.
const SUPERBLOCK: usize = 1024;
/// Blocks for fast commits, if the superblock does not say.
const FAST_COMMIT_BLOCKS: u32 = 256;

/// A journal that is to be replayed.
pub(super) struct Journal<'a> {
    volume: &'a Volume,
    runs: Vec<Run>,
    pub(super) layout: Layout,
    /// Commit blocks hold checksums of the first kind.
    pub(super) transaction_checksums: bool,
    pub(super) seed: u32,
    /// The first block of the log.
    pub(super) first: u32,
    /// The block after the log's last.
    pub(super) end: u32,
    /// The block after the journal's last; fast commits lie between [`Self::end`] and it.
    pub(super) length: u32,
    /// The log block where the oldest transaction begins, and its number.
    pub(super) start: u32,
    pub(super) sequence: u32,
}

impl<'a> Journal<'a> {
    /// The journal of a file system that needs it replayed; `None` if it is empty.
    pub(super) fn open(volume: &'a Volume) -> Result<Option<Self>, FormatError> {
        let superblock = &volume.superblock;
        if superblock.journal_inode == 0 {
            return Err(FormatError::unsupported("the journal is on another device (external journal)"));
        }
        let inode = match volume.reserved_inode(superblock.journal_inode) {
            Ok(inode) if inode.raw.i_links_count.get() != 0 => inode,
            other => backup_inode(volume, other)?,
        };
        let count = inode.size.checked_div(u64::from(superblock.block_size)).unwrap_or(0);
        if count > num::to_u64(limits::EXT4_JOURNAL_BLOCKS) {
            return Err(FormatError::limit(format!("journal of {count} blocks")));
        }
        let map = map::of(volume, &inode, 0..count);
        if let Some(error) = map.damage.into_iter().next() {
            return Err(error);
        }
        let mut journal = Self {
            volume,
            runs: map.runs,
            layout: Layout { incompat: 0 },
            transaction_checksums: false,
            seed: 0,
            first: 0,
            end: 0,
            length: 0,
            start: 0,
            sequence: 0,
        };
        let (block, offset) = journal.block(0)?;
        let start = journal.read_superblock(&block, offset, count)?;
        Ok((start != 0).then_some(journal))
    }

    fn read_superblock(&mut self, block: &[u8], offset: u64, count: u64) -> Result<u32, FormatError> {
        let corrupt = |problem: String| Err(FormatError::corrupt("jbd2 superblock", offset, problem));
        let Ok((raw, _)) = RawJournalSuperblock::ref_from_prefix(block) else {
            return corrupt(format!("{} bytes", block.len()));
        };
        let kind = raw.header.h_blocktype.get();
        if raw.header.h_magic.get() != jbd2::MAGIC
            || !matches!(kind, jbd2::SUPERBLOCK_V1 | jbd2::SUPERBLOCK_V2)
        {
            return corrupt(format!("magic {:#010x}, type {kind}", raw.header.h_magic));
        }
        let (compat, ro_compat, incompat) = match kind {
            jbd2::SUPERBLOCK_V1 => (0, 0, 0),
            _ => (raw.s_feature_compat.get(), raw.s_feature_ro_compat.get(), raw.s_feature_incompat.get()),
        };
        if incompat & !jbd2::KNOWN != 0 {
            return Err(FormatError::unsupported(format!("jbd2 features {:#x}", incompat & !jbd2::KNOWN)));
        }
        // None is known; the kernel replays nothing either.
        if ro_compat != 0 {
            return Err(FormatError::unsupported(format!("jbd2 read-only features {ro_compat:#x}")));
        }
        self.layout = Layout { incompat };
        self.transaction_checksums = compat & jbd2::COMPAT_CHECKSUM != 0 && !self.layout.checksummed();
        self.seed = checksum::crc32c(checksum::START, &raw.s_uuid);
        if self.layout.checksummed() {
            let part = |range: std::ops::Range<usize>| block.get(range).unwrap_or_default();
            let parts = [part(0..0xfc), &[0; 4], part(0x100..SUPERBLOCK)];
            let sum = checksum::crc32c_parts(checksum::START, &parts);
            if raw.s_checksum_type != 4 {
                return corrupt(format!("s_checksum_type {}", raw.s_checksum_type));
            }
            if !is_sound(sum == raw.s_checksum.get()) {
                return corrupt(format!("checksum {:#010x} instead of {sum:#010x}", raw.s_checksum));
            }
        }
        let block_size = raw.s_blocksize.get();
        if block_size != self.volume.superblock.block_size {
            return corrupt(format!("s_blocksize {block_size}"));
        }
        self.length = raw.s_maxlen.get();
        let fast = match (self.layout.has(jbd2::FAST_COMMIT), raw.s_num_fc_blks.get()) {
            (false, _) => 0,
            (true, 0) => FAST_COMMIT_BLOCKS,
            (true, blocks) => blocks,
        };
        if fast > limits::EXT4_FAST_COMMIT_BLOCKS {
            return Err(FormatError::limit(format!("journal with {fast} blocks for fast commits")));
        }
        self.end = self.length.saturating_sub(fast);
        (self.first, self.start) = (raw.s_first.get(), raw.s_start.get());
        self.sequence = raw.s_sequence.get();
        let sound = self.first > 0 && self.first < self.end && u64::from(self.length) <= count;
        if !sound || (self.start != 0 && !(self.first..self.end).contains(&self.start)) {
            let (first, start, length) = (self.first, self.start, self.length);
            return corrupt(format!("s_first {first}, s_start {start}, s_maxlen {length} of {count} blocks"));
        }
        Ok(self.start)
    }

    /// Where a block of the journal lies, in bytes from the volume's start.
    pub(super) fn offset(&self, block: u32) -> Result<u64, FormatError> {
        let block = u64::from(block);
        let after = self.runs.partition_point(|run| run.logical_end() <= block);
        let run = self.runs.get(after).filter(|run| run.logical <= block);
        let run = run.ok_or_else(|| FormatError::corrupt(STRUCTURE, 0, format!("no block {block}")))?;
        let within = block.saturating_sub(run.logical);
        Ok(self.volume.superblock.offset(run.physical.saturating_add(within)))
    }

    /// A block of the journal and where it lies.
    pub(super) fn block(&self, block: u32) -> Result<(Vec<u8>, u64), FormatError> {
        let offset = self.offset(block)?;
        let mut bytes = vec![0; num::index(self.volume.superblock.block_size)];
        let read = self.volume.blocks.source().read_at(&mut bytes, offset);
        read.map_err(FormatError::reading(STRUCTURE, offset))?;
        Ok((bytes, offset))
    }

    /// The log block after `block`: the log is a ring.
    pub(super) fn next(&self, block: u32) -> u32 {
        let next = block.saturating_add(1);
        if next >= self.end { self.first } else { next }
    }

    /// Whether a block can be written to: the volume has it.
    pub(super) fn is_block(&self, block: u64) -> bool {
        block < self.volume.superblock.blocks
    }
}

/// The journal's inode from its copy in the superblock (super.rst, "s_jnl_blocks").
fn backup_inode(volume: &Volume, damaged: Result<Inode, FormatError>) -> Result<Inode, FormatError> {
    let superblock = &volume.superblock;
    let Some(words) = superblock.journal_backup else {
        return damaged.and_then(|inode| Err(inode.corrupt("is the journal's and deleted")));
    };
    // An empty inode with the copy's map and size, of the only two kinds that journals have.
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let extents = bytes.first_chunk() == Some(&[0x0a, 0xf3]);
    let part = |range: std::ops::Range<usize>| bytes.get(range).unwrap_or_default();
    let flags: u32 = if extents && superblock.features.incompat(features::EXTENTS) { 0x8_0000 } else { 0 };
    let raw = [
        &[0; 4][..],
        part(64..68),
        &[0; 24],
        &flags.to_le_bytes(),
        &[0; 4],
        part(0..60),
        &[0; 8],
        part(60..64),
        &[0; 16],
    ]
    .concat();
    let table = volume.place(superblock.journal_inode).map_or(0, |place| superblock.offset(place.block));
    Inode::unchecked(superblock.journal_inode, table, raw)
}
