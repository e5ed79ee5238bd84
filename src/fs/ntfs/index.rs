//! Indexes of names ("$INDEX_ROOT", "$INDEX_ALLOCATION"): a B-tree whose root is in the file's record and whose other
//! blocks are in runs. An entry is the reference to a file and a copy of its name attribute.

use super::{
    attribute::{Attribute, BITMAP, FILE_NAME, INDEX_ALLOCATION, INDEX_ROOT},
    data, fixup,
    inode::{Inode, value},
    volume::Volume,
};
use crate::{
    bytes::{le16, le32, le64, part, units},
    error::FormatError,
    limits, num,
};

pub(super) const STRUCTURE: &str = "NTFS index block";
/// `$I30`, the name of an index of names.
pub(super) const I30: [u16; 4] = [0x24, 0x49, 0x33, 0x30];

/// Flags of an entry.
const HAS_CHILD: u16 = 0x1;
const LAST: u16 = 0x2;
/// Bytes of an entry without its name, and of a name attribute without its units.
const ENTRY: usize = 16;
const NAME: usize = 66;
/// The short name that Windows makes for DOS, and the flag of a directory in a name attribute.
const DOS: u8 = 2;
const DIRECTORY: u32 = 0x1000_0000;

/// A name attribute ("$FILE_NAME").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The directory that has this name.
    pub(super) parent: u64,
    pub(super) flags: u32,
    pub(super) is_dos: bool,
    pub(super) units: Vec<u16>,
}

impl Name {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let length = usize::from(*bytes.get(64)?).checked_mul(2)?;
        Some(Self {
            parent: le64(bytes, 0)?,
            flags: le32(bytes, 56)?,
            is_dos: *bytes.get(65)? == DOS,
            units: units(part(bytes, NAME, length)?),
        })
    }

    pub(super) fn is_directory(&self) -> bool {
        self.flags & DIRECTORY != 0
    }
}

/// Whether a name attribute is none that only DOS sees.
pub(super) fn is_no_dos_name(bytes: &[u8]) -> bool {
    Name::parse(bytes).is_none_or(|name| !name.is_dos)
}

/// An entry; the last of a block has no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) reference: u64,
    pub(super) name: Option<Name>,
    /// The block with the entries before this one, by its number among the clusters of the index.
    pub(super) child: Option<u64>,
}

/// The entries of a block or root, and why they end before the last, if they do.
pub(super) struct Entries {
    pub(super) list: Vec<Entry>,
    pub(super) problem: Option<String>,
}

/// The entries behind an index header at `header`.
fn entries(bytes: &[u8], header: usize) -> Entries {
    let mut list = Vec::new();
    let field = |at: usize| le32(bytes, header.saturating_add(at)).map_or(0, num::index);
    let (start, used) = (header.saturating_add(field(0)), header.saturating_add(field(4)));
    let Some(used) = bytes.get(..used).filter(|_| field(0) >= ENTRY) else {
        return Entries { list, problem: Some(format!("{} bytes in use, from {:#x}", field(4), field(0))) };
    };
    let mut at = start;
    let problem = loop {
        match entry(used, at) {
            Some((entry, length)) => {
                let is_last = entry.name.is_none();
                list.push(entry);
                at = at.saturating_add(length);
                if is_last {
                    break None;
                }
            }
            None => break Some(format!("the entry at {at:#x} contradicts itself")),
        }
    };
    Entries { list, problem }
}

fn entry(bytes: &[u8], at: usize) -> Option<(Entry, usize)> {
    let length = usize::from(le16(bytes, at.checked_add(8)?)?);
    let raw = part(bytes, at, length).filter(|raw| raw.len() >= ENTRY)?;
    let (key, flags) = (usize::from(le16(raw, 10)?), le16(raw, 12)?);
    let child = match flags & HAS_CHILD {
        0 => None,
        _ => Some(le64(raw, length.checked_sub(8)?)?),
    };
    let room = length.checked_sub(if child.is_some() { 8 } else { 0 })?;
    let name = match flags & LAST {
        0 => Some(Name::parse(part(raw.get(..room)?, ENTRY, key)?)?),
        _ => None,
    };
    Some((Entry { reference: le64(raw, 0)?, name, child }, length))
}

/// The index of a directory.
pub(super) struct Index<'a> {
    volume: &'a Volume,
    pub(super) inode: &'a Inode,
    pub(super) root: Entries,
    allocation: Option<&'a Attribute>,
    /// Bytes of a block, and of what children are counted in.
    block: u64,
    unit: u64,
}

impl<'a> Index<'a> {
    /// The index of a directory by its root.
    pub(super) fn of(volume: &'a Volume, inode: &'a Inode) -> Result<Self, FormatError> {
        let root = inode.attribute(INDEX_ROOT, &I30).and_then(Attribute::here);
        let root = root.filter(|root| root.len() >= 32);
        let root = root.ok_or_else(|| inode.corrupt("it has no index of names"))?;
        let (kind, block) = (le32(root, 0).unwrap_or(0), u64::from(le32(root, 8).unwrap_or(0)));
        if kind != FILE_NAME || !block.is_power_of_two() || block < 512 {
            return Err(inode.corrupt(format!("its index is of type {kind:#x} in blocks of {block} bytes")));
        }
        if block > limits::NTFS_RECORD_BYTES {
            return Err(FormatError::limit(format!("NTFS index blocks of {block} bytes")));
        }
        let allocation = inode.attribute(INDEX_ALLOCATION, &I30);
        if allocation.is_some_and(|attribute| attribute.is_compressed() || attribute.refused().is_some()) {
            return Err(FormatError::unsupported("NTFS index that is compressed or encrypted"));
        }
        let unit = if block >= volume.boot.cluster { volume.boot.cluster } else { 512 };
        Ok(Self { volume, inode, root: entries(root, 16), allocation, block, unit })
    }

    /// The number of blocks that there is room for.
    pub(super) fn blocks(&self) -> u64 {
        self.allocation.map_or(0, Attribute::size).checked_div(self.block).unwrap_or(0)
    }

    /// Bytes of all blocks.
    pub(super) fn bytes(&self) -> u64 {
        self.blocks().saturating_mul(self.block)
    }

    /// The number of a block by what an entry calls its child; `None` if there is none.
    pub(super) fn number(&self, child: u64) -> Option<u64> {
        let at = child.checked_mul(self.unit).filter(|at| at.is_multiple_of(self.block))?;
        at.checked_div(self.block).filter(|number| *number < self.blocks())
    }

    /// Which blocks are in use, by their number.
    pub(super) fn in_use(&self) -> Result<Vec<u64>, FormatError> {
        if self.blocks() == 0 {
            return Ok(Vec::new());
        }
        let bitmap = self.inode.attribute(BITMAP, &I30);
        let bitmap = bitmap.ok_or_else(|| self.inode.corrupt("its index has no map of its blocks"))?;
        let bytes = value(self.volume, bitmap, limits::DIRECTORY_BYTES >> 12)?;
        let bits = (0..8u8).map(|bit| 1u8 << bit);
        let all = bytes.iter().flat_map(|byte| bits.clone().map(move |bit| byte & bit != 0));
        Ok((0..self.blocks()).zip(all).filter(|(_, used)| *used).map(|(number, _)| number).collect())
    }

    /// The entries of a block.
    pub(super) fn read(&self, number: u64) -> Result<Entries, FormatError> {
        let Some(allocation) = self.allocation.filter(|_| number < self.blocks()) else {
            return Err(self.inode.corrupt(format!("its index has no block {number}")));
        };
        let start = number.saturating_mul(self.block);
        let mut bytes = vec![0; num::to_usize(self.block)];
        data::read_plain(&self.volume.cached, &self.volume.boot, allocation, &mut bytes, start)?;
        let corrupt = |problem: String| self.corrupt(number, problem);
        if !bytes.starts_with(b"INDX") {
            return Err(corrupt(format!("magic {:02x?}", bytes.get(..4).unwrap_or_default())));
        }
        fixup::apply(&mut bytes).map_err(corrupt)?;
        let said = le64(&bytes, 16).unwrap_or(0);
        if self.number(said) != Some(number) {
            return Err(corrupt(format!("it says that it is at cluster {said}")));
        }
        Ok(entries(&bytes, 24))
    }

    /// What is wrong with a block.
    pub(super) fn corrupt(&self, number: u64, problem: impl std::fmt::Display) -> FormatError {
        let start = number.saturating_mul(self.block);
        let offset =
            self.allocation.map_or(0, |allocation| data::place(&self.volume.boot, allocation, start));
        let problem = format!("block {number} of record {}: {problem}", self.inode.record.number);
        FormatError::corrupt(STRUCTURE, offset, problem)
    }
}
