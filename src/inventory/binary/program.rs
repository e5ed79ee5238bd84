//! A program or library as its loader sees it: what of the file lies where in memory, and the named sections of it.

use std::sync::Arc;

use super::{elf, macho, pe};
use crate::{
    block::{self, ReadAt, Slice, Source},
    bytes::{be16, be32, be64, le16, le32, le64},
    error::FormatError,
    limits, num,
};

/// Bytes that are read of any file first: headers of programs are in them, and a linker's table of sections may be.
const HEAD_BYTES: u64 = 4096;
/// Bytes behind all sections: a linker puts the table of them last, and real ones are shorter.
const TABLE_BYTES: u64 = 4096;

/// How a program writes its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    /// Most significant byte first.
    pub(super) big: bool,
    /// Addresses have 64 bits, else 32.
    pub(super) wide: bool,
}

impl Numbers {
    /// Two bytes at `at`, `None` past the end.
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        if self.big { be16(bytes, at) } else { le16(bytes, at) }
    }

    /// Four bytes.
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        if self.big { be32(bytes, at) } else { le32(bytes, at) }
    }

    /// An address: where it is if addresses have 64 bits, and where if they have 32.
    pub(super) fn address(self, bytes: &[u8], wide: usize, narrow: usize) -> Option<u64> {
        match (self.wide, self.big) {
            (true, true) => be64(bytes, wide),
            (true, false) => le64(bytes, wide),
            (false, _) => self.u32(bytes, narrow).map(u64::from),
        }
    }
}

/// A part of a program that has a place in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// A section's name; empty for a segment.
    pub(super) name: Vec<u8>,
    /// Where it lies in memory.
    pub(super) address: u64,
    /// Where it is in the file, …
    pub(super) offset: u64,
    /// … and how many bytes it has there.
    pub(super) size: u64,
    /// Data that the program may change.
    pub(super) writable: bool,
}

/// A program whose tables were read.
pub(super) struct Program {
    bytes: Bytes,
    /// How it writes its numbers.
    pub(super) numbers: Numbers,
    /// What is named. Programs run without.
    pub(super) sections: Vec<Part>,
    /// What is loaded.
    pub(super) segments: Vec<Part>,
    /// Why there are no sections although the program says so.
    pub(super) damage: Option<FormatError>,
}

/// What a format's own reader finds.
pub(super) struct Tables {
    pub(super) numbers: Numbers,
    pub(super) sections: Vec<Part>,
    pub(super) segments: Vec<Part>,
    pub(super) damage: Option<FormatError>,
}

impl Program {
    /// Reads the tables of a file; `None` if it is no program or library.
    pub(super) fn open(source: &Source) -> Result<Option<Self>, FormatError> {
        let mut bytes = Bytes::new(source)?;
        if let Some((offset, size)) = macho::first_of_many(&bytes.head) {
            let size = size.min(source.size().saturating_sub(offset));
            let slice: Source = Arc::new(Slice::new(Arc::clone(source), offset, size));
            bytes = Bytes::new(&slice)?;
        }
        let tables = match bytes.head.get(..4) {
            Some(b"\x7fELF") => elf::tables(&bytes)?,
            Some([b'M', b'Z', ..]) => pe::tables(&bytes)?,
            Some(magic) => macho::tables(magic, &bytes)?,
            None => None,
        };
        let Some(Tables { numbers, sections, segments, damage }) = tables else { return Ok(None) };
        Ok(Some(Self { bytes, numbers, sections, segments, damage }))
    }

    /// Whether UPX packed it: its mark is behind the headers of an ELF without sections, and in names of sections of a PE.
    pub(super) fn is_packed(&self) -> bool {
        let head = self.bytes.head.get(..1024).unwrap_or(&self.bytes.head);
        self.section(&[b"UPX0", b"UPX1"]).is_some()
            || self.sections.is_empty() && memchr::memmem::find(head, b"UPX!").is_some()
    }

    /// Whether the file has more than what its tables name: something that is not loaded with it.
    pub(super) fn has_more(&self) -> bool {
        let parts = self.sections.iter().chain(&self.segments);
        let end = parts.map(|part| part.offset.saturating_add(part.size)).max().unwrap_or(0);
        self.size() > end.saturating_add(TABLE_BYTES)
    }

    /// The bytes of the whole file.
    pub(super) fn size(&self) -> u64 {
        self.bytes.size()
    }

    /// `length` bytes at an offset in the file. The caller bounds `length`.
    pub(super) fn bytes(
        &self,
        structure: &'static str,
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>, FormatError> {
        self.bytes.read(structure, offset, length)
    }

    /// The first section with one of these names.
    pub(super) fn section(&self, names: &[&[u8]]) -> Option<&Part> {
        self.sections.iter().find(|section| names.contains(&section.name.as_slice()))
    }

    /// A section's bytes, refused if there are more than `limit`.
    pub(super) fn read(
        &self,
        part: &Part,
        structure: &'static str,
        limit: u64,
    ) -> Result<Vec<u8>, FormatError> {
        if part.size > limit {
            return Err(FormatError::limit(format!(
                "{structure} has {} bytes, more than {limit}",
                part.size
            )));
        }
        self.bytes.read(structure, part.offset, part.size)
    }

    /// Up to `length` bytes at an offset in a part, fewer where it ends.
    pub(super) fn piece(
        &self,
        part: &Part,
        structure: &'static str,
        at: u64,
        length: u64,
    ) -> Result<Vec<u8>, FormatError> {
        let length = length.min(part.size.saturating_sub(at));
        self.bytes.read(structure, part.offset.saturating_add(at), length)
    }

    /// Up to `length` bytes at an address, fewer where what is loaded there ends; `None` if nothing is.
    pub(super) fn at(
        &self,
        structure: &'static str,
        address: u64,
        length: u64,
    ) -> Result<Option<Vec<u8>>, FormatError> {
        let within = |part: &&Part| address.checked_sub(part.address).is_some_and(|at| at < part.size);
        let Some(part) = self.segments.iter().chain(&self.sections).find(within) else { return Ok(None) };
        self.piece(part, structure, address.saturating_sub(part.address), length).map(Some)
    }
}

/// A file's bytes, of which the first were read.
pub(super) struct Bytes {
    source: Source,
    /// The first bytes.
    pub(super) head: Vec<u8>,
}

impl Bytes {
    fn new(source: &Source) -> Result<Self, FormatError> {
        let length = num::to_usize(source.size().min(HEAD_BYTES));
        let head = block::read_vec(source, "program", 0, length)?;
        Ok(Self { source: source.clone(), head })
    }

    /// The bytes of the whole file.
    pub(super) fn size(&self) -> u64 {
        self.source.size()
    }

    /// `length` bytes at `offset`. The caller bounds `length`.
    pub(super) fn read(
        &self,
        structure: &'static str,
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>, FormatError> {
        let known = self.head.get(num::to_usize(offset)..).and_then(|rest| rest.get(..num::to_usize(length)));
        match known {
            Some(known) => Ok(known.to_vec()),
            None if offset.checked_add(length).is_none_or(|end| end > self.size()) => {
                let problem = format!("{length} bytes, which pass the end of the file at {:#x}", self.size());
                Err(FormatError::corrupt(structure, offset, problem))
            }
            None => block::read_vec(&self.source, structure, offset, num::to_usize(length)),
        }
    }
}

/// A bound on the number of sections or segments, told by what a program says.
pub(super) fn bounded(structure: &'static str, count: u64) -> Result<u64, FormatError> {
    if count > limits::PROGRAM_PARTS {
        return Err(FormatError::limit(format!(
            "{structure} of {count} entries, more than {}",
            limits::PROGRAM_PARTS
        )));
    }
    Ok(count)
}
