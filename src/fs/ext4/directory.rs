//! Blocks of directories (directory.rst): linear entries and the nodes of hash trees, which look like a block
//! with one unused entry to readers that do not know them.

use zerocopy::FromBytes;

use super::{checksum, format::RawDirEntry};
use crate::{
    bytes::{is_sound, le16},
    error::FormatError,
    fs::FileKind,
    num,
};

pub(super) const STRUCTURE: &str = "ext4 directory block";
const HEADER: usize = 8;
/// The length of an entry with a one-byte name: what is shorter holds no entry.
const SHORTEST: usize = 12;
const TAIL: usize = 12;
const TAIL_TYPE: u8 = 0xde;

/// What is needed to read a directory's blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// The seed of its blocks' checksums, if they have them.
    pub(super) seed: Option<u32>,
    /// It has a hash tree.
    pub(super) indexed: bool,
    /// Names hold the kind of what they name.
    pub(super) file_types: bool,
    /// The file system's number of inodes.
    pub(super) inodes: u32,
}

/// One entry, borrowed from its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    pub(super) inode: u32,
    /// `None` if the entry does not say.
    pub(super) kind: Option<FileKind>,
}

impl Rules {
    /// Checks the checksum of a block; `first` is the directory's first block.
    pub(super) fn check(&self, block: &[u8], first: bool, offset: u64) -> Result<(), FormatError> {
        let Some(seed) = self.seed else { return Ok(()) };
        let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
        let (sum, seen) = match self.is_hash_node(block, first) {
            true => hash_node_checksum(seed, block),
            false => leaf_checksum(seed, block),
        }
        .ok_or_else(|| corrupt("no room for its checksum".to_owned()))?;
        match is_sound(sum == seen) {
            true => Ok(()),
            false => Err(corrupt(format!("checksum {seen:#010x} instead of {sum:#010x}"))),
        }
    }

    fn is_hash_node(&self, block: &[u8], first: bool) -> bool {
        let whole = || record_length(block, 0).is_some_and(|length| length == block.len());
        self.indexed && (first || whole())
    }

    /// Calls `each` for the entries of a block (or of inline data) without `.` and `..`, until it says that
    /// it has seen enough. A record that is wrong ends the block, as what follows cannot be found.
    pub(super) fn entries<'a>(
        &self,
        block: &'a [u8],
        offset: u64,
        mut each: impl FnMut(Entry<'a>) -> bool,
        damage: &mut Vec<FormatError>,
    ) {
        let mut at = 0;
        while at < block.len() {
            match self.entry(block, at) {
                Ok((entry, length)) => {
                    at = at.saturating_add(length);
                    if let Some(entry) = entry.filter(|entry| entry.name != b"." && entry.name != b"..") {
                        if entry.name.iter().any(|byte| matches!(byte, 0 | b'/')) || entry.inode > self.inodes
                        {
                            let name = entry.name.escape_ascii();
                            let problem = format!("name \"{name}\" of inode {}", entry.inode);
                            damage.push(FormatError::corrupt(STRUCTURE, offset, problem));
                        } else if each(entry) {
                            return;
                        }
                    }
                }
                Err(problem) => {
                    let at = offset.saturating_add(num::to_u64(at));
                    damage.push(FormatError::corrupt(STRUCTURE, at, problem));
                    return;
                }
            }
        }
    }

    /// The entry at `at` (`None` if it is unused) and the distance to the next.
    fn entry<'a>(&self, block: &'a [u8], at: usize) -> Result<(Option<Entry<'a>>, usize), String> {
        let rest = block.get(at..).unwrap_or_default();
        let Ok((raw, names)) = RawDirEntry::ref_from_prefix(rest) else {
            return Err(format!("{} bytes after the last entry", rest.len()));
        };
        let length = record_length(block, at).unwrap_or(0);
        let name_length = usize::from(raw.name_len);
        let needed = name_length.saturating_add(HEADER).max(SHORTEST);
        if !length.is_multiple_of(4) || length < needed || length > rest.len() {
            return Err(format!("entry of {length} bytes with a name of {name_length}"));
        }
        let inode = raw.inode.get();
        if inode == 0 {
            return Ok((None, length));
        }
        let name = names.get(..name_length).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| format!("name of {name_length} bytes"))?;
        let kind = if self.file_types { FileKind::from_entry(raw.file_type) } else { None };
        Ok((Some(Entry { name, inode, kind }), length))
    }
}

/// The distance from the entry at `at` to the next. Blocks of 64 KiB do not fit in its 16 bits: 0 and 65,535
/// mean the whole block, and the two low bits, always 0 in a length, are the high ones.
fn record_length(block: &[u8], at: usize) -> Option<usize> {
    let (raw, _) = RawDirEntry::ref_from_prefix(block.get(at..)?).ok()?;
    let length = usize::from(raw.rec_len.get());
    Some(match length {
        0 | 0xffff if block.len() == 0x1_0000 => block.len(),
        length if block.len() == 0x1_0000 => (length & 0xfffc) | ((length & 3) << 16),
        length => length,
    })
}

/// The checksum that a leaf should have and the one that it has, in a last entry that names nothing.
fn leaf_checksum(seed: u32, block: &[u8]) -> Option<(u32, u32)> {
    let (covered, tail) = block.split_at_checked(block.len().checked_sub(TAIL)?)?;
    let (raw, seen) = RawDirEntry::ref_from_prefix(tail).ok()?;
    let is_tail = raw.inode.get() == 0
        && usize::from(raw.rec_len.get()) == TAIL
        && raw.name_len == 0
        && raw.file_type == TAIL_TYPE;
    let seen = u32::from_le_bytes(*seen.first_chunk().filter(|_| is_tail)?);
    Some((checksum::crc32c(seed, covered), seen))
}

/// The same of a node of a hash tree, whose checksum follows the last entry that it has room for.
fn hash_node_checksum(seed: u32, block: &[u8]) -> Option<(u32, u32)> {
    let first = record_length(block, 0)?;
    let countlimit = match first == block.len() {
        true => HEADER,
        // The root: `.`, `..` and 8 bytes about the tree come first.
        false => (first == 12).then_some(0x20)?,
    };
    let limit = usize::from(le16(block, countlimit)?);
    let count = usize::from(le16(block, countlimit.checked_add(2)?)?);
    let end = |entries: usize| entries.checked_mul(8)?.checked_add(countlimit);
    let (reserved, seen) = block.get(end(limit)?..)?.split_at_checked(4)?;
    let seen = u32::from_le_bytes(*seen.first_chunk()?);
    let covered = block.get(..end(count.min(limit))?)?;
    Some((checksum::crc32c_parts(seed, &[covered, reserved, &[0; 4]]), seen))
}
