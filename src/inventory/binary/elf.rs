//! ELF: System V Application Binary Interface, "Object files" (ELF header, sections, program header), in both classes and
//! byte orders.

use super::program::{Bytes, Numbers, Part, Tables, bounded};
use crate::{error::FormatError, limits, num};

const HEADER: &str = "ELF header";
const SEGMENTS: &str = "ELF program header";
const SECTIONS: &str = "ELF section table";
const NAMES: &str = "ELF section names";

/// What is run or loaded: `ET_EXEC` and `ET_DYN`, not objects and not cores.
const PROGRAMS: [u16; 2] = [2, 3];
const PT_LOAD: u32 = 1;
/// `PF_W` without `PF_X`.
const WRITE: u32 = 2;
const EXECUTE: u32 = 1;
/// The section has no bytes in the file.
const SHT_NOBITS: u32 = 8;
/// Bytes before the table of sections that are read with it: linkers put the names there.
const NAMES_BEFORE: u64 = 1024;
/// Bytes of a section's name that are kept.
const NAME_BYTES: usize = 32;

/// The tables of an ELF; `None` if it is not to be run or loaded.
pub(super) fn tables(bytes: &Bytes) -> Result<Option<Tables>, FormatError> {
    let head = &bytes.head;
    let short = || FormatError::corrupt(HEADER, 0, format!("{} bytes", head.len()));
    let (Some([class @ (1 | 2), order @ (1 | 2)]), Some(_)) = (head.get(4..6), head.get(..52)) else {
        return Err(FormatError::corrupt(HEADER, 4, format!("class and byte order {:?}", head.get(4..6))));
    };
    let numbers = Numbers { wide: *class == 2, big: *order == 2 };
    let header = Header::parse(numbers, head).ok_or_else(short)?;
    if !PROGRAMS.contains(&header.kind) {
        return Ok(None);
    }
    let segments = segments(&header, bytes)?;
    // The kernel needs no sections: a table that lies loses itself only.
    let (sections, damage) = match sections(&header, bytes) {
        Ok(sections) => (sections, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    Ok(Some(Tables { numbers, sections, segments, damage }))
}

struct Header {
    numbers: Numbers,
    kind: u16,
    segments: Table,
    sections: Table,
    names: u16,
}

struct Table {
    offset: u64,
    entry: u64,
    count: u64,
}

impl Header {
    fn parse(numbers: Numbers, head: &[u8]) -> Option<Self> {
        let at = |wide, narrow| if numbers.wide { wide } else { narrow };
        let short = |wide, narrow| numbers.u16(head, at(wide, narrow)).map(u64::from);
        Some(Self {
            numbers,
            kind: numbers.u16(head, 16)?,
            segments: Table {
                offset: numbers.address(head, 32, 28)?,
                entry: short(54, 42)?,
                count: short(56, 44)?,
            },
            sections: Table {
                offset: numbers.address(head, 40, 32)?,
                entry: short(58, 46)?,
                count: short(60, 48)?,
            },
            names: numbers.u16(head, at(62, 50))?,
        })
    }
}

fn segments(header: &Header, bytes: &Bytes) -> Result<Vec<Part>, FormatError> {
    let Header { numbers, segments: Table { offset, entry, count }, .. } = *header;
    let count = bounded(SEGMENTS, count)?;
    let table = bytes.read(SEGMENTS, offset, entry.saturating_mul(count))?;
    let mut parts = Vec::new();
    for raw in rows(&table, entry) {
        let part = || {
            let flags = numbers.u32(raw, if numbers.wide { 4 } else { 24 })?;
            let part = Part {
                name: Vec::new(),
                address: numbers.address(raw, 16, 8)?,
                offset: numbers.address(raw, 8, 4)?,
                size: numbers.address(raw, 32, 16)?,
                writable: flags & WRITE != 0 && flags & EXECUTE == 0,
            };
            Some((numbers.u32(raw, 0)?, part))
        };
        let (kind, part) = part()
            .ok_or_else(|| FormatError::corrupt(SEGMENTS, offset, format!("entries of {entry} bytes")))?;
        if kind == PT_LOAD {
            parts.push(part);
        }
    }
    Ok(parts)
}

fn sections(header: &Header, bytes: &Bytes) -> Result<Vec<Part>, FormatError> {
    let Header { numbers, sections: Table { offset, entry, count }, names, .. } = *header;
    if offset == 0 || count == 0 {
        return Ok(Vec::new());
    }
    let size = entry.saturating_mul(bounded(SECTIONS, count)?);
    let before = NAMES_BEFORE.min(offset);
    let from = offset.saturating_sub(before);
    // In one read with what is before it, if it is not in what was read already.
    let window = bytes.read(SECTIONS, from, before.saturating_add(size))?;
    let table = window.get(num::to_usize(before)..).unwrap_or_default();
    let mut parts = Vec::new();
    for raw in rows(table, entry) {
        let row = section(numbers, raw)
            .ok_or_else(|| FormatError::corrupt(SECTIONS, offset, format!("entries of {entry} bytes")))?;
        parts.push(row);
    }
    let Some((_, strings)) = parts.get(usize::from(names)) else {
        return Err(FormatError::corrupt(SECTIONS, offset, format!("names in section {names} of {count}")));
    };
    if strings.size > limits::SECTION_NAMES_BYTES {
        return Err(FormatError::limit(format!("{NAMES} of {} bytes", strings.size)));
    }
    let known = strings.offset.checked_sub(from).and_then(|at| window.get(num::to_usize(at)..));
    let strings = match known.and_then(|rest| rest.get(..num::to_usize(strings.size))) {
        Some(known) => known.to_vec(),
        None => bytes.read(NAMES, strings.offset, strings.size)?,
    };
    let named = |(name, mut part): (u32, Part)| {
        let name = strings.get(num::index(name)..).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        // No name that is asked for is as long, and all may be one.
        part.name = name.get(..NAME_BYTES).unwrap_or(name).to_vec();
        part
    };
    Ok(parts.into_iter().map(named).collect())
}

fn section(numbers: Numbers, raw: &[u8]) -> Option<(u32, Part)> {
    let kind = numbers.u32(raw, 4)?;
    let size = numbers.address(raw, 32, 20)?;
    let part = Part {
        name: Vec::new(),
        address: numbers.address(raw, 16, 12)?,
        offset: numbers.address(raw, 24, 16)?,
        size: if kind == SHT_NOBITS { 0 } else { size },
        writable: numbers.address(raw, 8, 8)? & 1 != 0,
    };
    Some((numbers.u32(raw, 0)?, part))
}

fn rows(table: &[u8], entry: u64) -> impl Iterator<Item = &[u8]> {
    table.chunks_exact(num::to_usize(entry.max(1)))
}
