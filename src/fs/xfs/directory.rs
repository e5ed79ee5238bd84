//! Directories (XFS Algorithms & Data Structures, "Directories"): entries in the inode ("Short Form") and in blocks. Leaf,
//! node and free-space blocks only help to find entries fast and lie beyond all of them; they are not read.

use std::ops::Range;

use super::{
    format::{DIRECTORY, DIRECTORY_BLOCK, DIRECTORY_BLOCK_V5, DIRECTORY_DATA, DIRECTORY_DATA_V5},
    inode::{Fork, Inode},
    volume::Volume,
};
use crate::{
    bytes::{be16, be32, be64},
    error::FormatError,
    fs::FileKind,
    num,
};

pub(super) const STRUCTURE: &str = "XFS directory block";
/// Where the leaf blocks begin, in bytes of the directory: entries end before.
pub(super) const LEAVES: u64 = 32 << 30;
const HEADER: usize = 16;
const HEADER_V5: usize = 64;
/// The first two bytes of space without an entry.
const FREE: u16 = 0xffff;
/// Bits of an inode's number.
const INODE_NUMBER: u64 = (1 << 56) - 1;

/// One entry, borrowed from its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    pub(super) inode: u64,
    /// `None` if the entry does not say.
    pub(super) kind: Option<FileKind>,
}

/// A block of a directory that was checked.
pub(super) struct Block<'a> {
    bytes: &'a [u8],
    offset: u64,
    /// Where the entries lie.
    entries: Range<usize>,
}

impl<'a> Block<'a> {
    /// Checks the `index`-th block of `owner`; its first byte lies at `offset`.
    pub(super) fn check(
        volume: &Volume,
        owner: u64,
        bytes: &'a [u8],
        index: u64,
        offset: u64,
    ) -> Result<Self, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
        let crc = volume.superblock.features.crc();
        let header = if crc { HEADER_V5 } else { HEADER };
        let (single, data) = match crc {
            true => (DIRECTORY_BLOCK_V5, DIRECTORY_DATA_V5),
            false => (DIRECTORY_BLOCK, DIRECTORY_DATA),
        };
        let is_single = index == 0 && bytes.starts_with(&single);
        if !is_single && !bytes.starts_with(&data) {
            return Err(corrupt(format!("magic {:02x?}", bytes.get(..4).unwrap_or_default())));
        }
        volume.check(bytes, DIRECTORY, offset, Some(owner)).map_err(corrupt)?;
        let end = if is_single { before_leaf(bytes) } else { Some(bytes.len()) };
        let end =
            end.filter(|end| *end >= header).ok_or_else(|| corrupt("its leaf is too long".to_owned()))?;
        Ok(Self { bytes, offset, entries: header..end })
    }

    /// Calls `each` for the entries without `.` and `..`, until it says that it has seen enough. What is wrong ends
    /// the block, as what follows cannot be found.
    pub(super) fn entries(
        &self,
        volume: &Volume,
        mut each: impl FnMut(Entry<'a>) -> bool,
        damage: &mut Vec<FormatError>,
    ) {
        let mut at = self.entries.start;
        while at < self.entries.end {
            match self.entry(volume, at) {
                Ok((entry, length)) => {
                    at = at.saturating_add(length);
                    if let Some(entry) = entry.filter(|entry| entry.name != b"." && entry.name != b"..") {
                        match check(volume, entry) {
                            Ok(()) if each(entry) => return,
                            Ok(()) => {}
                            Err(problem) => damage.push(self.corrupt(at, problem)),
                        }
                    }
                }
                Err(problem) => return damage.push(self.corrupt(at, problem)),
            }
        }
    }

    /// The entry at `at` (`None` for free space) and the distance to the next.
    fn entry(&self, volume: &Volume, at: usize) -> Result<(Option<Entry<'a>>, usize), String> {
        let rest = self.bytes.get(at..self.entries.end).unwrap_or_default();
        let inside = |length: usize| length > 0 && length.is_multiple_of(8) && length <= rest.len();
        if be16(rest, 0) == Some(FREE) {
            let length = usize::from(be16(rest, 2).unwrap_or(0));
            return match inside(length) {
                true => Ok((None, length)),
                false => Err(format!("free space of {length} bytes, {} are left", rest.len())),
            };
        }
        let named = volume.superblock.features.file_types();
        let entry = name_and_kind(rest, 8, 9, named).zip(be64(rest, 0));
        let Some(((name, kind), inode)) = entry else {
            return Err(format!("an entry in {} bytes", rest.len()));
        };
        // Inode, length and name, kind, tag: the entry's own place.
        let length = name.len().saturating_add(11).saturating_add(named.into()).next_multiple_of(8);
        let tag = length.checked_sub(2).and_then(|tag| be16(rest, tag)).map(usize::from);
        match inside(length) && tag == Some(at) && !name.is_empty() {
            true => Ok((Some(Entry { name, inode: inode & INODE_NUMBER, kind }), length)),
            false => Err(format!("entry of {length} bytes with tag {tag:?} at {at}")),
        }
    }

    fn corrupt(&self, at: usize, problem: String) -> FormatError {
        FormatError::corrupt(STRUCTURE, self.offset.saturating_add(num::to_u64(at)), problem)
    }
}

/// Where the entries of a directory of one block end: the leaf's entries and their count are behind them.
fn before_leaf(bytes: &[u8]) -> Option<usize> {
    let tail = bytes.len().checked_sub(8)?;
    let leaf = num::index(be32(bytes, tail)?).checked_mul(8)?;
    tail.checked_sub(leaf)
}

/// Calls `each` for the entries that lie in the inode, until it says that it has seen enough.
pub(super) fn short_form<'a>(
    volume: &Volume,
    inode: &Inode,
    fork: Fork<'a>,
    mut each: impl FnMut(Entry<'a>) -> bool,
    damage: &mut Vec<FormatError>,
) {
    let bytes = fork.bytes.get(..num::to_usize(inode.size)).unwrap_or_default();
    let corrupt = |problem: &str| inode.corrupt(format!("its directory {problem}"));
    let Some((&[count, wide], _)) = bytes.split_first_chunk() else {
        return damage.push(corrupt("has no header"));
    };
    let number: usize = if wide == 0 { 4 } else { 8 };
    let named = volume.superblock.features.file_types();
    // Two counts, the parent's inode.
    let mut at = number.saturating_add(2);
    for _ in 0..count {
        let rest = bytes.get(at..).unwrap_or_default();
        // The length of the name, two bytes of an offset, name, kind, inode.
        let Some((name, kind)) = name_and_kind(rest, 0, 3, named).filter(|(name, _)| !name.is_empty()) else {
            return damage.push(corrupt("ends within an entry"));
        };
        let before = name.len().saturating_add(3).saturating_add(named.into());
        let inode = match number {
            4 => be32(rest, before).map(u64::from),
            _ => be64(rest, before).map(|inode| inode & INODE_NUMBER),
        };
        let Some(inode) = inode else { return damage.push(corrupt("ends within an entry")) };
        at = at.saturating_add(before).saturating_add(number);
        let entry = Entry { name, inode, kind };
        match check(volume, entry) {
            Ok(()) if each(entry) => return,
            Ok(()) => {}
            Err(problem) => damage.push(corrupt(&format!("has {problem}"))),
        }
    }
    if at != bytes.len() {
        damage.push(corrupt(&format!("has {} bytes, {at} are used", bytes.len())));
    }
}

/// A name, the length of which is at `length`, and the kind behind it.
fn name_and_kind(bytes: &[u8], length: usize, name: usize, named: bool) -> Option<(&[u8], Option<FileKind>)> {
    let end = usize::from(*bytes.get(length)?).checked_add(name)?;
    let kind = if named { FileKind::from_entry(*bytes.get(end)?) } else { None };
    Some((bytes.get(name..end)?, kind))
}

/// What no file system holds.
fn check(volume: &Volume, entry: Entry<'_>) -> Result<(), String> {
    let sound = entry.name.iter().all(|byte| !matches!(byte, 0 | b'/'));
    match sound && volume.superblock.place(entry.inode).is_some() {
        true => Ok(()),
        false => Err(format!("name \"{}\" of inode {}", entry.name.escape_ascii(), entry.inode)),
    }
}
