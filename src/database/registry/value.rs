//! Values ("vk") and their data, which is in the value, in a cell or, if it is large, in several ("db").

use super::{
    cells::{Cell, Cells, is_same, utf16},
    key::Key,
};
use crate::{error::FormatError, limits, num};

/// Bytes of a value before its name.
const NAME: usize = 20;
const COMPRESSED: u16 = 0x1;
/// In the size: the data is in place of its cell's offset.
const HERE: u32 = 1 << 31;
/// Bytes that one cell of large data has.
const SEGMENT: usize = 16_344;

/// Types.
const SZ: u32 = 1;
const EXPAND_SZ: u32 = 2;
const DWORD: u32 = 4;
const QWORD: u32 = 11;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Its name; empty for the key's default.
    pub name: String,
    /// Its type, by the number that Windows gives it.
    pub kind: u32,
    /// Its data.
    pub data: Vec<u8>,
}

impl Value {
    /// The text of a value that is one, up to its first NUL.
    pub fn text(&self) -> Option<String> {
        let text = utf16(&self.data);
        let end = text.find('\0').unwrap_or(text.len());
        matches!(self.kind, SZ | EXPAND_SZ).then(|| text.get(..end).unwrap_or_default().to_owned())
    }

    /// The number of a value that is one.
    pub fn number(&self) -> Option<u64> {
        match (self.kind, self.data.first_chunk(), self.data.first_chunk()) {
            (DWORD, Some(raw), _) => Some(u32::from_le_bytes(*raw).into()),
            (QWORD, _, Some(raw)) => Some(u64::from_le_bytes(*raw)),
            _ => None,
        }
    }
}

/// The values of a key.
pub(super) fn all(cells: &Cells, key: &Key) -> Result<Vec<Value>, FormatError> {
    list(cells, key)?.into_iter().map(|at| read(cells, &cells.read(at)?)).collect()
}

/// One value of a key.
pub(super) fn one(cells: &Cells, key: &Key, name: &str) -> Result<Option<Value>, FormatError> {
    for at in list(cells, key)? {
        let cell = cells.read(at)?;
        if is_same(&named(&cell)?, name) {
            return read(cells, &cell).map(Some);
        }
    }
    Ok(None)
}

fn list(cells: &Cells, key: &Key) -> Result<Vec<u32>, FormatError> {
    if key.values == 0 {
        return Ok(Vec::new());
    }
    let cell = cells.read(key.value_list)?;
    let bytes = cell.bytes.get(..num::index(key.values).saturating_mul(4));
    let bytes = bytes.ok_or_else(|| cell.corrupt(format!("a list of {} values is cut", key.values)))?;
    let (offsets, _) = bytes.as_chunks::<4>();
    Ok(offsets.iter().map(|raw| u32::from_le_bytes(*raw)).collect())
}

fn named(cell: &Cell) -> Result<String, FormatError> {
    let name = || {
        let compressed = cell.u16(16)? & COMPRESSED != 0;
        cell.name(NAME, cell.u16(2)?, compressed)
    };
    let name = cell.bytes.starts_with(b"vk").then(name).flatten();
    name.ok_or_else(|| cell.corrupt("no value, or a cut one"))
}

fn read(cells: &Cells, cell: &Cell) -> Result<Value, FormatError> {
    let name = named(cell)?;
    let field = |at| cell.u32(at).unwrap_or(0);
    let (size, at) = (field(4), field(8));
    let length = num::index(size & !HERE);
    let data = match size & HERE {
        0 if length == 0 => Vec::new(),
        0 => data(cells, cell, at, length)?,
        _ => {
            let here = at.to_le_bytes();
            let here = here.get(..length);
            here.ok_or_else(|| cell.corrupt(format!("{length} bytes of data in four")))?.to_vec()
        }
    };
    Ok(Value { name, kind: field(12), data })
}

fn data(cells: &Cells, value: &Cell, at: u32, length: usize) -> Result<Vec<u8>, FormatError> {
    if num::to_u64(length) > limits::REGISTRY_VALUE_BYTES {
        return Err(FormatError::limit(format!("registry value of {length} bytes")));
    }
    let cut = || value.corrupt(format!("its {length} bytes of data are cut"));
    let mut cell = cells.read(at)?;
    if length <= SEGMENT || !cell.bytes.starts_with(b"db") {
        cell.bytes.truncate(length);
        return if cell.bytes.len() == length { Ok(cell.bytes) } else { Err(cut()) };
    }
    let segments = cells.read(cell.u32(4).ok_or_else(cut)?)?;
    let (offsets, _) = segments.bytes.as_chunks::<4>();
    let mut data = Vec::new();
    for offset in offsets.iter().take(cell.u16(2).unwrap_or(0).into()) {
        let segment = cells.read(u32::from_le_bytes(*offset))?;
        let left = length.saturating_sub(data.len()).min(SEGMENT);
        data.extend_from_slice(segment.bytes.get(..left).ok_or_else(cut)?);
    }
    if data.len() == length { Ok(data) } else { Err(cut()) }
}
