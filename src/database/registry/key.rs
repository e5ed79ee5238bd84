//! Keys ("nk") and the lists of the keys below them ("lf", "lh", "li", and "ri", a list of those).

use std::collections::HashSet;

use super::cells::{Cell, Cells, is_same};
use crate::{error::FormatError, limits};

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
        let cell = cells.read(at)?;
        let key = cell.bytes.starts_with(b"nk").then(|| Self::parse(&cell)).flatten();
        key.ok_or_else(|| cell.corrupt("no key, or a cut one"))
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
    pub(super) fn children(&self, cells: &Cells) -> Result<Vec<Self>, FormatError> {
        self.list(cells)?.into_iter().map(|at| self.below(cells, at)).collect()
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
    let bytes = crate::database::bytes::part(&cell.bytes, 4, count.saturating_mul(size));
    let bytes = bytes.ok_or_else(|| cell.corrupt(format!("a list of {count} is cut")))?;
    Ok(bytes
        .chunks_exact(size)
        .filter_map(|raw| raw.first_chunk())
        .map(|raw| u32::from_le_bytes(*raw))
        .collect())
}
