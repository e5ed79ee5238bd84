//! Attributes of a file ("Attributes"): each has a type, perhaps a name, and a value, which is in the record or in runs of
//! clusters.

use super::runs::{self, Run};
use crate::{
    bytes::{le16, le32, le64, part, units},
    num,
};

/// Types.
pub(super) const STANDARD_INFORMATION: u32 = 0x10;
pub(super) const ATTRIBUTE_LIST: u32 = 0x20;
pub(super) const FILE_NAME: u32 = 0x30;
pub(super) const VOLUME_NAME: u32 = 0x60;
pub(super) const VOLUME_INFORMATION: u32 = 0x70;
pub(super) const DATA: u32 = 0x80;
pub(super) const INDEX_ROOT: u32 = 0x90;
pub(super) const INDEX_ALLOCATION: u32 = 0xa0;
pub(super) const BITMAP: u32 = 0xb0;
pub(super) const REPARSE_POINT: u32 = 0xc0;
/// What follows the last attribute of a record.
pub(super) const END: u32 = u32::MAX;

/// Bytes of the header of an attribute in the record, and of one in runs.
pub(super) const HEADER: usize = 24;
const RUNS_HEADER: usize = 64;

/// Flags of an attribute: the method of compression, and how its value is kept.
const COMPRESSION: u16 = 0xff;
const LZNT1: u16 = 1;
const ENCRYPTED: u16 = 0x4000;
const SPARSE: u16 = 0x8000;

/// An attribute, or a part of one whose runs lie in several records.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) kind: u32,
    pub(super) name: Vec<u16>,
    pub(super) flags: u16,
    /// Its number among the attributes of its record.
    pub(super) instance: u16,
    pub(super) value: Value,
}

/// Where the value is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Here(Vec<u8>),
    Runs(Runs),
}

/// A value in clusters.
#[derive(Debug, Clone)]
pub(super) struct Runs {
    /// The first cluster of the value that these runs are about; 0 but in a later part.
    pub(super) first: u64,
    pub(super) runs: Vec<Run>,
    pub(super) size: u64,
    /// Bytes from the start that were written; behind them it reads as zeros.
    pub(super) initialized: u64,
    /// Clusters that are compressed together, as a power of two; 0 if it is not compressed.
    pub(super) unit: u8,
}

impl Attribute {
    /// The attribute of these bytes of a record, in a volume of `clusters` clusters.
    pub(super) fn parse(raw: &[u8], clusters: u64) -> Result<Self, String> {
        let field = |at| le16(raw, at).map(usize::from).unwrap_or(0);
        let byte = |at: usize| raw.get(at).copied().unwrap_or(0);
        let name = part(raw, field(10), usize::from(byte(9)).saturating_mul(2));
        let name = units(name.ok_or_else(|| format!("a name of {} units", byte(9)))?);
        let value = match byte(8) {
            0 => {
                let length = le32(raw, 16).map_or(0, num::index);
                let value = part(raw, field(20), length);
                let value = value.ok_or_else(|| format!("{length} bytes of value at {:#x}", field(20)))?;
                Value::Here(value.to_vec())
            }
            1 => {
                let header = raw.get(..RUNS_HEADER).ok_or_else(|| "its header is cut".to_owned())?;
                let word = |at| le64(header, at).unwrap_or(0);
                let list = raw.get(field(32)..).filter(|_| field(32) >= RUNS_HEADER);
                let list = list.ok_or_else(|| format!("runs at {:#x}", field(32)))?;
                let (first, last) = (word(16), word(24));
                let decoded = runs::decode(list, first, clusters)?;
                let next = decoded.last().map_or(first, |run| run.end());
                // An empty value ends before its first cluster.
                if next != last.wrapping_add(1) {
                    return Err(format!("its runs end before cluster {next}, not after {last}"));
                }
                let (size, initialized) = (word(48), word(56));
                if first == 0 && (initialized > size || i64::try_from(size).is_err()) {
                    return Err(format!("{initialized} bytes of {size} were written"));
                }
                Value::Runs(Runs { first, runs: decoded, size, initialized, unit: byte(34) })
            }
            other => return Err(format!("{other} for where its value is")),
        };
        let kind = le32(raw, 0).unwrap_or(0);
        Ok(Self {
            kind,
            name,
            flags: le16(raw, 12).unwrap_or(0),
            instance: le16(raw, 14).unwrap_or(0),
            value,
        })
    }

    /// Bytes of its value.
    pub(super) fn size(&self) -> u64 {
        match &self.value {
            Value::Here(bytes) => num::to_u64(bytes.len()),
            Value::Runs(runs) => runs.size,
        }
    }

    /// Its value, if it is in the record.
    pub(super) fn here(&self) -> Option<&[u8]> {
        match &self.value {
            Value::Here(bytes) => Some(bytes),
            Value::Runs(_) => None,
        }
    }

    /// Whether it is of this type and has this name.
    pub(super) fn is(&self, kind: u32, name: &[u16]) -> bool {
        self.kind == kind && self.name == name
    }

    /// Whether the units of its runs may be compressed.
    pub(super) fn is_compressed(&self) -> bool {
        self.flags & COMPRESSION != 0
    }

    /// What of its flags is not read, by name.
    pub(super) fn refused(&self) -> Option<String> {
        let unknown = self.flags & !(COMPRESSION | ENCRYPTED | SPARSE);
        match self.flags & COMPRESSION {
            _ if self.flags & ENCRYPTED != 0 => Some("NTFS encryption (EFS)".to_owned()),
            _ if unknown != 0 => Some(format!("NTFS attribute flags {unknown:#06x}")),
            0 | LZNT1 => None,
            other => Some(format!("NTFS compression method {other}")),
        }
    }
}
