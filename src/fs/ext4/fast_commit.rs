//! Fast commits (journal.rst, "Fast commits"; the kernel's `fs/ext4/fast_commit.h`): changes of single inodes,
//! ranges and names on top of the last whole transaction, kept beside the volume.

use std::collections::{HashMap, HashSet};

use zerocopy::FromBytes;

use super::{
    checksum,
    format::{RawExtent, join},
    journal::Journal,
    map::Run,
    volume::Volume,
};
use crate::{
    bytes::{is_sound, le32},
    error::FormatError,
    fs::Ino,
    limits,
};

const ADD_RANGE: u16 = 1;
const DEL_RANGE: u16 = 2;
const CREAT: u16 = 3;
const LINK: u16 = 4;
const INODE: u16 = 6;
const PAD: u16 = 7;
const TAIL: u16 = 8;
const HEAD: u16 = 9;
/// Where `i_flags` and `i_block` lie in an inode.
const FLAGS: usize = 0x20;
const I_BLOCK: std::ops::Range<usize> = 0x28..0x64;
const EXTENTS: u32 = 0x8_0000;
/// An extent header without entries, with room for four.
const NO_EXTENTS: [u8; 12] = [0x0a, 0xf3, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0];
const MAX_INITIALIZED: u16 = 32_768;

/// A tag and its value.
pub(super) struct Record {
    tag: u16,
    value: Vec<u8>,
}

/// A range of a file's blocks that was mapped anew.
struct Range {
    logical: u64,
    count: u64,
    /// `None` if it was unmapped, or mapped and not written.
    physical: Option<u64>,
}

/// A name that was added to a directory or, without an inode, removed.
struct Name {
    name: Vec<u8>,
    inode: Option<u32>,
}

/// What fast commits changed.
#[derive(Default)]
pub(super) struct Changes {
    inodes: HashMap<u32, Vec<u8>>,
    ranges: HashMap<u32, Vec<Range>>,
    names: HashMap<u32, Vec<Name>>,
    created: HashSet<u32>,
}

/// The records of all complete fast commits on top of transaction `expected`; `notes` gets what could not be read.
pub(super) fn records(journal: &Journal<'_>, expected: u32, notes: &mut Vec<FormatError>) -> Vec<Record> {
    let mut complete = Vec::new();
    let mut pending = Vec::new();
    let mut sum = 0;
    for number in journal.end.saturating_add(1)..journal.length {
        let block = match journal.block(number) {
            Ok((block, _)) => block,
            Err(error) => {
                notes.push(super::replay::not_replayed("fast commits", &error));
                return complete;
            }
        };
        let mut rest = &block[..];
        while let Some((tag, bytes, after)) = split(rest) {
            let value = bytes.get(4..).unwrap_or_default();
            match tag {
                // The head's features come before its transaction.
                HEAD if le32(value, 4) != Some(expected) => return complete,
                TAIL => {
                    let sound =
                        le32(value, 4) == Some(checksum::crc32c(sum, bytes.get(..8).unwrap_or_default()));
                    if le32(value, 0) != Some(expected) || !is_sound(sound) {
                        return complete;
                    }
                    complete.append(&mut pending);
                    sum = 0;
                    // What follows in the block is padding; the next commit begins a block.
                    break;
                }
                ADD_RANGE..=PAD | HEAD => sum = checksum::crc32c(sum, bytes),
                _ => return complete,
            }
            if (ADD_RANGE..PAD).contains(&tag) {
                pending.push(Record { tag, value: value.to_vec() });
            }
            rest = after;
        }
    }
    complete
}

/// The first tag, the bytes of its whole record, and what follows.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (header, _) = bytes.split_first_chunk::<4>()?;
    let [tag_low, tag_high, length_low, length_high] = *header;
    let length = usize::from(u16::from_le_bytes([length_low, length_high])).saturating_add(4);
    let (record, after) = bytes.split_at_checked(length)?;
    Some((u16::from_le_bytes([tag_low, tag_high]), record, after))
}

impl Changes {
    /// The changes of `records` to a volume whose whole transactions were replayed.
    pub(super) fn new(volume: &Volume, records: &[Record]) -> Result<Self, FormatError> {
        let mut changes = Self::default();
        for Record { tag, value } in records {
            let wrong = || FormatError::corrupt("ext4 fast commit", 0, format!("record of tag {tag}"));
            changes.add(volume, *tag, value).ok_or_else(wrong)?;
        }
        Ok(changes)
    }

    fn add(&mut self, volume: &Volume, tag: u16, value: &[u8]) -> Option<()> {
        let first = le32(value, 0)?;
        match tag {
            INODE => self.inode_record(volume, first, value.get(4..)?)?,
            ADD_RANGE => {
                let (extent, _) = RawExtent::ref_from_prefix(value.get(4..)?).ok()?;
                let length = extent.ee_len.get();
                let written = length <= MAX_INITIALIZED;
                let count = u64::from(if written { length } else { length.saturating_sub(MAX_INITIALIZED) });
                let physical = join(extent.ee_start_hi.get(), extent.ee_start_lo);
                let physical = written.then_some(physical);
                let logical = u64::from(extent.ee_block.get());
                self.range(first, Range { logical, count, physical })?;
            }
            DEL_RANGE => {
                let (logical, count) = (u64::from(le32(value, 4)?), u64::from(le32(value, 8)?));
                self.range(first, Range { logical, count, physical: None })?;
            }
            // Names: created, linked, unlinked.
            _ => {
                let inode = le32(value, 4)?;
                let name = value.get(8..)?.to_vec();
                if tag == CREAT {
                    self.created.insert(inode);
                }
                let inode = matches!(tag, CREAT | LINK).then_some(inode);
                self.names.entry(first).or_default().push(Name { name, inode });
            }
        }
        Some(())
    }

    /// `None` for more ranges than are applied: each is, whenever the file is read.
    fn range(&mut self, inode: u32, range: Range) -> Option<()> {
        let ranges = self.ranges.entry(inode).or_default();
        ranges.push(range);
        (ranges.len() <= limits::EXT4_FAST_COMMIT_RANGES).then_some(())
    }

    /// The record's inode, with what is not of it as it is on the disk: the map, for ranges have records of their own, and what
    /// is behind the fixed fields, where a record ends: extended attributes.
    fn inode_record(&mut self, volume: &Volume, number: u32, record: &[u8]) -> Option<()> {
        let size = usize::from(volume.superblock.inode_size);
        let place = volume.place(number).ok()?;
        let table = volume.blocks.read("ext4 inode", place.block).ok()?;
        let disk = table.get(place.at..place.at.checked_add(size)?)?;
        let mut bytes = record.get(..record.len().min(size))?.to_vec();
        bytes.extend_from_slice(disk.get(bytes.len()..)?);
        if le32(&bytes, FLAGS)? & EXTENTS != 0 {
            let disk = disk.get(I_BLOCK)?;
            let to = bytes.get_mut(I_BLOCK)?;
            match disk.starts_with(&[0x0a, 0xf3]) {
                true => to.copy_from_slice(disk),
                false => {
                    to.fill(0);
                    to.get_mut(..NO_EXTENTS.len())?.copy_from_slice(&NO_EXTENTS);
                }
            }
        }
        self.inodes.insert(number, bytes);
        Some(())
    }

    /// The bytes of an inode that was changed.
    pub(super) fn inode(&self, number: u32) -> Option<&[u8]> {
        self.inodes.get(&number).map(Vec::as_slice)
    }

    /// Whether an inode was made by a fast commit: a directory that was has no blocks yet.
    pub(super) fn is_created(&self, number: u32) -> bool {
        self.created.contains(&number)
    }

    /// Applies changed ranges to the runs of `wanted`, a range of blocks of an inode.
    pub(super) fn remap(&self, number: u32, wanted: &std::ops::Range<u64>, runs: &mut Vec<Run>) {
        for range in self.ranges.get(&number).into_iter().flatten() {
            let from = range.logical.max(wanted.start);
            let to = range.logical.saturating_add(range.count).min(wanted.end);
            if from >= to {
                continue;
            }
            let mut kept: Vec<Run> = runs.iter().flat_map(|run| around(*run, from, to)).flatten().collect();
            if let Some(physical) = range.physical {
                let physical = physical.saturating_add(from.saturating_sub(range.logical));
                kept.push(Run { logical: from, physical, count: to.saturating_sub(from) });
            }
            kept.sort_unstable_by_key(|run| run.logical);
            *runs = kept;
        }
    }

    /// The names that a directory gained (with their inodes) or lost, in order.
    pub(super) fn names(&self, directory: u32) -> impl DoubleEndedIterator<Item = (&[u8], Option<Ino>)> {
        let names = self.names.get(&directory).map(Vec::as_slice).unwrap_or_default();
        names.iter().map(|name| (&name.name[..], name.inode.map(|inode| Ino(u64::from(inode)))))
    }
}

/// The parts of a run before block `from` and from block `to` on.
fn around(run: Run, from: u64, to: u64) -> [Option<Run>; 2] {
    let before = from.saturating_sub(run.logical).min(run.count);
    let skipped = to.saturating_sub(run.logical).min(run.count);
    let part = |skipped: u64, count: u64| {
        let run = Run {
            logical: run.logical.saturating_add(skipped),
            physical: run.physical.saturating_add(skipped),
            count,
        };
        (count > 0).then_some(run)
    };
    [part(0, before), part(skipped, run.count.saturating_sub(skipped))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_replace_what_was_mapped() {
        let run = |logical, physical, count| Run { logical, physical, count };
        let changed = |ranges: Vec<Range>| {
            let changes = Changes { ranges: HashMap::from([(12, ranges)]), ..Changes::default() };
            let mut runs = vec![run(0, 100, 10)];
            changes.remap(12, &(0..20), &mut runs);
            runs
        };
        let range = |logical, count, physical| Range { logical, count, physical };
        assert_eq!(changed(vec![range(4, 2, Some(50))]), [run(0, 100, 4), run(4, 50, 2), run(6, 106, 4)]);
        assert_eq!(changed(vec![range(8, 100, None)]), [run(0, 100, 8)]);
        assert_eq!(changed(vec![range(15, 9, Some(7))]), [run(0, 100, 10), run(15, 7, 5)]);
        assert_eq!(changed(vec![range(0, 10, None), range(3, 1, Some(9))]), [run(3, 9, 1)]);
    }
}
