//! A record of the master file table ("File Record"): its header, and its attributes as they lie in it.

use super::{
    attribute::{Attribute, END, HEADER},
    fixup,
};
use crate::{
    bytes::{le16, le32, le64, part},
    error::FormatError,
    num,
};

pub(super) const STRUCTURE: &str = "NTFS file record";

/// Flags of a record.
const IN_USE: u16 = 0x1;
const DIRECTORY: u16 = 0x2;
/// Since version 3.1 the number of the record follows the header, before the fixups.
const NUMBER: usize = 44;
const HEADER_3_1: usize = 48;

/// The number of a record, in a reference of 48 bits for it and 16 for how often it was used before.
pub(super) fn number(reference: u64) -> u64 {
    reference & ((1 << 48) - 1)
}

/// How often the record that a reference means was used before; 0 says nothing.
pub(super) fn sequence(reference: u64) -> u64 {
    reference >> 48
}

/// A record that is in use.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) number: u64,
    /// Where it is in the volume, for messages.
    pub(super) offset: u64,
    pub(super) sequence: u16,
    pub(super) is_directory: bool,
    /// The record that this one has further attributes of; 0 for one that stands for itself.
    pub(super) base: u64,
    pub(super) attributes: Vec<Attribute>,
}

impl Record {
    /// The record `number` of these bytes, which lie at `offset` of a volume of `clusters` clusters.
    pub(super) fn parse(
        mut bytes: Vec<u8>,
        number: u64,
        offset: u64,
        clusters: u64,
    ) -> Result<Self, FormatError> {
        let corrupt =
            |problem: String| FormatError::corrupt(STRUCTURE, offset, format!("record {number}: {problem}"));
        if !bytes.starts_with(b"FILE") {
            return Err(corrupt(format!("magic {:02x?}", bytes.get(..4).unwrap_or_default())));
        }
        fixup::apply(&mut bytes).map_err(corrupt)?;
        let field = |at| le16(&bytes, at).unwrap_or(0);
        let has_number = field(4) >= 48;
        let said = le32(&bytes, NUMBER).unwrap_or(0);
        if has_number && u64::from(said) != number & u64::from(u32::MAX) {
            return Err(corrupt(format!("it says that it is record {said}")));
        }
        if field(22) & IN_USE == 0 {
            return Err(corrupt("it is not in use".to_owned()));
        }
        let used = le32(&bytes, 24).map_or(0, num::index);
        let first = usize::from(field(20));
        let body = bytes.get(..used).filter(|_| first >= HEADER_3_1.saturating_sub(8));
        let body = body.ok_or_else(|| corrupt(format!("{used} bytes in use, from {first:#x}")))?;
        let mut attributes = Vec::new();
        let mut at = first;
        while le32(body, at).ok_or_else(|| corrupt("its attributes have no end".to_owned()))? != END {
            let length = le32(body, at.saturating_add(4)).map_or(0, num::index);
            let raw = part(body, at, length).filter(|raw| raw.len() >= HEADER);
            let problem = || format!("an attribute of {length} bytes at {at:#x}");
            let raw = raw.ok_or_else(|| corrupt(problem()))?;
            let attribute = Attribute::parse(raw, clusters);
            let attribute = attribute.map_err(|error| corrupt(format!("{}: {error}", problem())))?;
            attributes.push(attribute);
            at = at.saturating_add(length);
        }
        Ok(Self {
            number,
            offset,
            sequence: field(16),
            is_directory: field(22) & DIRECTORY != 0,
            base: le64(&bytes, 32).unwrap_or(0),
            attributes,
        })
    }

    /// Whether a reference that names this record was made since it is in use.
    pub(super) fn is(&self, reference: u64) -> bool {
        let said = sequence(reference);
        number(reference) == self.number && (said == 0 || said == u64::from(self.sequence))
    }

    /// The reference that names it.
    pub(super) fn reference(&self) -> u64 {
        self.number | u64::from(self.sequence) << 48
    }

    pub(super) fn corrupt(&self, problem: impl std::fmt::Display) -> FormatError {
        FormatError::corrupt(STRUCTURE, self.offset, format!("record {}: {problem}", self.number))
    }
}
