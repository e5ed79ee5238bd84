//! Keys ("nk") and the lists of the keys below them ("lf", "lh", "li", and "ri", a list of those).

use std::collections::HashSet;

use super::{
    Found,
    cells::{Budget, Cell, Cells, is_same},
};
use crate::{
    error::{self, FormatError},
    limits,
};

/// Bytes of a key before its name.
const NAME: usize = 76;
/// The name is in Latin-1.
const COMPRESSED: u16 = 0x20;

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name, in the case of letters in which it was made.
    pub name: String,
    at: u32,
    parent: u32,
    children: u32,
    list: u32,
    /// How many values it has, and the cell with the list of them.
    pub(super) values: u32,
    pub(super) value_list: u32,
}

impl Key {
    pub(super) fn read(cells: &Cells, at: u32) -> Result<Self, FormatError> {
        let cell = cells.read_begin(at, NAME.saturating_add(limits::REGISTRY_KEY_NAME_BYTES))?;
        let key = cell.bytes.starts_with(b"nk").then(|| Self::parse(&cell)).flatten();
        key.ok_or_else(|| cell.corrupt("no key, or a cut one, or a name that is too long"))
    }

    fn parse(cell: &Cell) -> Option<Self> {
        let compressed = cell.u16(2)? & COMPRESSED != 0;
        Some(Self {
            name: cell.name(NAME, cell.u16(72)?, compressed)?,
            at: cell.at,
            parent: cell.u32(16)?,
            children: cell.u32(20)?,
            list: cell.u32(28)?,
            values: cell.u32(36)?,
            value_list: cell.u32(40)?,
        })
    }

    /// The keys directly below.
    pub(super) fn children(&self, cells: &Cells) -> Result<Found<Self>, FormatError> {
        let (mut found, mut left) = (Found::default(), Budget::new());
        for at in self.list(cells)? {
            match self.below(cells, at) {
                Ok(key) => {
                    left.take(&key.name, 0)?;
                    found.list.push(key);
                }
                Err(error) => error::note(&mut found.damage, error),
            }
        }
        Ok(found)
    }

    /// The key of a name directly below.
    pub(super) fn child(&self, cells: &Cells, name: &str) -> Result<Option<Self>, FormatError> {
        let mut failure = None;
        for at in self.list(cells)? {
            match self.below(cells, at) {
                Ok(key) if is_same(&key.name, name) => return Ok(Some(key)),
                Ok(_) => {}
                // The one that is looked for may be another.
                Err(error) => drop(failure.get_or_insert(error)),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    fn below(&self, cells: &Cells, at: u32) -> Result<Self, FormatError> {
        let key = Self::read(cells, at)?;
        match key.parent == self.at {
            true => Ok(key),
            false => {
                let problem =
                    format!("a key below {:#x} that says that it is below {:#x}", self.at, key.parent);
                Err(FormatError::corrupt(super::cells::STRUCTURE, at.into(), problem))
            }
        }
    }

    /// The cells of the keys below.
    fn list(&self, cells: &Cells) -> Result<Vec<u32>, FormatError> {
        if self.children == 0 {
            return Ok(Vec::new());
        }
        if self.children > limits::REGISTRY_CHILDREN {
            return Err(FormatError::limit(format!("registry key of {} keys", self.children)));
        }
        let cell = cells.read(self.list)?;
        let mut found = Vec::new();
        match cell.bytes.first_chunk() {
            Some(b"ri") => {
                // A list of lists of keys; no deeper, and none twice.
                let mut seen = HashSet::new();
                for part in elements(&cell, 4)? {
                    if !seen.insert(part) {
                        return Err(cell.corrupt(format!("it has the list at {part:#x} twice")));
                    }
                    found.extend(keys(&cells.read(part)?)?);
                    if u32::try_from(found.len()).is_ok_and(|found| found <= self.children) {
                        continue;
                    }
                    return Err(cell.corrupt(format!("more keys than the {} of its key", self.children)));
                }
            }
            _ => found = keys(&cell)?,
        }
        let mut seen = HashSet::new();
        if let Some(twice) = found.iter().find(|at| !seen.insert(**at)) {
            return Err(cell.corrupt(format!("it has the key at {twice:#x} twice")));
        }
        match u32::try_from(found.len()) == Ok(self.children) {
            true => Ok(found),
            false => Err(cell.corrupt(format!("{} keys, expected {}", found.len(), self.children))),
        }
    }
}

/// The keys of a list that has some.
fn keys(cell: &Cell) -> Result<Vec<u32>, FormatError> {
    match cell.bytes.first_chunk() {
        // With a part of the name, or a hash of it.
        Some(b"lf" | b"lh") => elements(cell, 8),
        Some(b"li") => elements(cell, 4),
        _ => {
            Err(cell.corrupt(format!("{:02x?} is no list of keys", cell.bytes.get(..2).unwrap_or_default())))
        }
    }
}

/// The cells that a list has, each at the start of `size` bytes.
fn elements(cell: &Cell, size: usize) -> Result<Vec<u32>, FormatError> {
    let count = usize::from(cell.u16(2).unwrap_or(0));
    let bytes = crate::bytes::part(&cell.bytes, 4, count.saturating_mul(size));
    let bytes = bytes.ok_or_else(|| cell.corrupt(format!("a list of {count} is cut")))?;
    Ok(bytes
        .chunks_exact(size)
        .filter_map(|raw| raw.first_chunk())
        .map(|raw| u32::from_le_bytes(*raw))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::registry::cells::tests::{bins, offsets};

    /// A key with this name, of `children` keys that the list at `list` has.
    fn key(name: &str, parent: u32, children: u32, list: u32) -> Vec<u8> {
        let mut raw = vec![0; NAME];
        raw[..4].copy_from_slice(b"nk\x20\0");
        for (at, value) in [(16, parent), (20, children), (28, list)] {
            raw[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        raw[72..74].copy_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
        [&raw, name.as_bytes()].concat()
    }

    fn list(magic: &[u8], all: &[u32]) -> Vec<u8> {
        [magic, &u16::try_from(all.len()).unwrap().to_le_bytes(), &offsets(all)].concat()
    }

    /// What is told of the keys below the first, of `children` with this list.
    fn told(children: u32, top: &[u8]) -> (Vec<String>, Vec<String>) {
        let cells = bins(&[
            (0, key("top", 0, children, 128)),
            (128, top.to_vec()),
            (256, list(b"li", &[512, 640])),
            (320, list(b"li", &[768])),
            (512, key("a", 0, 0, 0)),
            (640, key("b", 7, 0, 0)),
            (768, key("c", 0, 0, 0)),
        ]);
        let top = Key::read(&cells, 0).unwrap();
        match top.children(&cells) {
            Ok(found) => (
                found.list.into_iter().map(|key| key.name).collect(),
                found.damage.into_iter().map(|error| error.detail()).collect(),
            ),
            Err(error) => (Vec::new(), vec![error.detail()]),
        }
    }

    #[test]
    fn lists_that_repeat_or_tell_other_numbers_are_refused() {
        for (children, top, what) in [
            (3, list(b"ri", &[256, 256]), "it has the list at 0x100 twice"),
            (2, list(b"ri", &[256, 320]), "more keys than the 2 of its key"),
            (4, list(b"ri", &[256, 320]), "3 keys, expected 4"),
            (2, list(b"li", &[512, 512]), "it has the key at 0x200 twice"),
            (2, list(b"ri", &[128, 128]), "is no list of keys"),
            (9, list(b"li", &[512])[..6].to_vec(), "a list of 1 is cut"),
        ] {
            let (names, told) = told(children, &top);
            assert!(names.is_empty() && told.len() == 1, "{told:?}");
            assert!(
                told[0].starts_with("registry cell at offset 0x1080") && told[0].contains(what),
                "{told:?}"
            );
        }
        let (_, told) = told(limits::REGISTRY_CHILDREN + 1, &[]);
        assert_eq!(told, ["registry key of 1048577 keys"]);
    }

    #[test]
    fn one_key_that_cannot_be_read_is_told_and_the_others_are_listed() {
        let (names, told) = told(3, &list(b"ri", &[256, 320]));
        assert_eq!(names, ["a", "c"]);
        assert!(told.len() == 1 && told[0].contains("says that it is below 0x7"), "{told:?}");
    }

    #[test]
    fn a_name_that_no_key_has_is_refused() {
        let cells = bins(&[(0, key(&"x".repeat(600), 0, 0, 0))]);
        assert!(Key::read(&cells, 0).unwrap_err().detail().contains("too long"));
    }
}
