//! Values ("vk") and their data, which is in the value, in a cell or, if it is large, in several ("db").

use std::collections::HashSet;

use super::{
    Found,
    cells::{Budget, Cell, Cells, is_same, utf16},
    key::Key,
};
use crate::{
    error::{self, FormatError},
    limits, num,
};

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
        match self.kind {
            DWORD => Some(u32::from_le_bytes(self.data[..].try_into().ok()?).into()),
            QWORD => Some(u64::from_le_bytes(self.data[..].try_into().ok()?)),
            _ => None,
        }
    }
}

/// The values of a key.
pub(super) fn all(cells: &Cells, key: &Key) -> Result<Found<Value>, FormatError> {
    let (mut found, mut left) = (Found::default(), Budget::new());
    for at in list(cells, key)? {
        match begin(cells, at).and_then(|cell| read(cells, &cell)) {
            Ok(value) => {
                left.take(&value.name, value.data.len())?;
                found.list.push(value);
            }
            Err(error) => error::note(&mut found.damage, error),
        }
    }
    Ok(found)
}

/// One value of a key. If it is not found, one that could not be read may be it.
pub(super) fn one(cells: &Cells, key: &Key, name: &str) -> Result<Option<Value>, FormatError> {
    let mut failure = None;
    for at in list(cells, key)? {
        match begin(cells, at).and_then(|cell| Ok((named(&cell)?, cell))) {
            Ok((found, cell)) if is_same(&found, name) => return read(cells, &cell).map(Some),
            Ok(_) => {}
            Err(error) => drop(failure.get_or_insert(error)),
        }
    }
    failure.map_or(Ok(None), Err)
}

fn list(cells: &Cells, key: &Key) -> Result<Vec<u32>, FormatError> {
    if key.values == 0 {
        return Ok(Vec::new());
    }
    let cell = cells.read(key.value_list)?;
    let bytes = cell.bytes.get(..num::index(key.values).saturating_mul(4));
    let bytes = bytes.ok_or_else(|| cell.corrupt(format!("a list of {} values is cut", key.values)))?;
    let (offsets, _) = bytes.as_chunks::<4>();
    let offsets: Vec<u32> = offsets.iter().map(|raw| u32::from_le_bytes(*raw)).collect();
    let mut seen = HashSet::new();
    match offsets.iter().find(|at| !seen.insert(**at)) {
        Some(twice) => Err(cell.corrupt(format!("it has the value at {twice:#x} twice"))),
        None => Ok(offsets),
    }
}

/// The cell of a value, as far as its name goes.
fn begin(cells: &Cells, at: u32) -> Result<Cell, FormatError> {
    cells.read_begin(at, NAME.saturating_add(limits::REGISTRY_VALUE_NAME_BYTES))
}

fn named(cell: &Cell) -> Result<String, FormatError> {
    let name = || {
        let compressed = cell.u16(16)? & COMPRESSED != 0;
        cell.name(NAME, cell.u16(2)?, compressed)
    };
    let name = cell.bytes.starts_with(b"vk").then(name).flatten();
    name.ok_or_else(|| cell.corrupt("no value, or a cut one, or a name that is too long"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        database::registry::cells::tests::{bins, offsets},
        gap::Code,
    };

    /// A value with `length` bytes of data at `data`.
    fn value(name: &str, length: u32, data: u32) -> Vec<u8> {
        let mut raw = vec![0; NAME];
        raw[..2].copy_from_slice(b"vk");
        raw[2..4].copy_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
        raw[4..8].copy_from_slice(&length.to_le_bytes());
        raw[8..12].copy_from_slice(&data.to_le_bytes());
        raw[16] = 1;
        [&raw, name.as_bytes()].concat()
    }

    /// Bins with a key of these values, in the order of a list at 128.
    fn key(values: &[u32], more: Vec<(u32, Vec<u8>)>) -> (Cells, Key) {
        let mut raw = vec![0; 76];
        raw[..2].copy_from_slice(b"nk");
        raw[36..40].copy_from_slice(&u32::try_from(values.len()).unwrap().to_le_bytes());
        raw[40..44].copy_from_slice(&128u32.to_le_bytes());
        let mut cells = vec![(0, raw), (128, offsets(values))];
        cells.extend(more);
        let cells = bins(&cells);
        let key = Key::read(&cells, 0).unwrap();
        (cells, key)
    }

    #[test]
    fn one_value_that_cannot_be_read_is_told_and_the_others_are_found() {
        let more = vec![(512, value("a", 4, 1 << 20)), (640, b"none".to_vec()), (768, value("c", 0, 0))];
        let (cells, key) = key(&[512, 640, 768], more);
        let found = all(&cells, &key).unwrap();
        assert_eq!(found.list.into_iter().map(|value| value.name).collect::<Vec<_>>(), ["c"]);
        let told: Vec<String> = found.damage.iter().map(FormatError::detail).collect();
        assert!(
            told.len() == 2 && told[1].starts_with("registry cell at offset 0x1280: no value"),
            "{told:?}"
        );
        assert!(one(&cells, &key, "C").unwrap().is_some());
        assert!(one(&cells, &key, "a").is_err());
        assert!(one(&cells, &key, "d").is_err(), "it may be what could not be read");
    }

    #[test]
    fn a_list_with_one_value_twice_is_refused() {
        let (cells, key) = key(&[512, 512], vec![(512, value("a", 0, 0))]);
        let told = all(&cells, &key).unwrap_err().detail();
        assert_eq!(told, "registry cell at offset 0x1080: it has the value at 0x200 twice");
    }

    #[test]
    fn values_that_share_their_data_are_not_listed_without_end() {
        let places: Vec<u32> = (0..80).map(|n| 1024 + n * 32).collect();
        let mut more: Vec<_> = places.iter().map(|at| (*at, value("a", 1_000_000, 8192))).collect();
        more.push((8192, vec![0; 1_000_000]));
        let (cells, key) = key(&places, more);
        assert_eq!(all(&cells, &key).unwrap_err().code(), Code::LimitReached);
        let (cells, key) = self::key(&[512], vec![(512, value("a", 2 << 20, 0))]);
        assert_eq!(all(&cells, &key).unwrap().damage[0].code(), Code::LimitReached);
    }

    #[test]
    fn numbers_have_the_bytes_of_their_type() {
        let number = |kind, data: &[u8]| Value { name: String::new(), kind, data: data.to_vec() }.number();
        assert_eq!(number(DWORD, &[1, 0, 0, 0]), Some(1));
        assert_eq!(number(QWORD, &[1, 0, 0, 0, 0, 0, 0, 1]), Some(1 + (1 << 56)));
        assert_eq!(
            (number(DWORD, &[1, 0, 0]), number(DWORD, &[0; 8]), number(SZ, &[1, 0, 0, 0])),
            (None, None, None)
        );
    }
}
