//! PE: Microsoft's "PE Format" (headers, section table).

use super::program::{Bytes, Numbers, Part, Tables, bounded};
use crate::{
    bytes::{le16, le32, le64},
    error::FormatError,
    num,
};

const HEADER: &str = "PE header";
const SECTIONS: &str = "PE section table";
/// Bytes of a header up to what is read of it, the optional one included.
const HEADER_BYTES: u64 = 24 + 32;
const SECTION_BYTES: u64 = 40;
/// `IMAGE_SCN_MEM_EXECUTE` and `IMAGE_SCN_MEM_WRITE`.
const EXECUTE: u32 = 0x2000_0000;
const WRITE: u32 = 0x8000_0000;

/// The tables of a PE; `None` of what only begins like one (a program for DOS).
pub(super) fn tables(bytes: &Bytes) -> Result<Option<Tables>, FormatError> {
    let Some(start) = le32(&bytes.head, 0x3c).map(u64::from) else { return Ok(None) };
    if start.saturating_add(HEADER_BYTES) > bytes.size() {
        return Ok(None);
    }
    let header = bytes.read(HEADER, start, HEADER_BYTES)?;
    if !header.starts_with(b"PE\0\0") {
        return Ok(None);
    }
    let Some((wide, base, count, optional)) = parse(&header) else {
        return Err(FormatError::corrupt(HEADER, start, "an optional header of an unknown kind"));
    };
    let count = bounded(SECTIONS, count)?;
    let table_at = start.saturating_add(24).saturating_add(optional);
    let table = bytes.read(SECTIONS, table_at, count.saturating_mul(SECTION_BYTES))?;
    let sections: Vec<Part> =
        table.chunks_exact(num::to_usize(SECTION_BYTES)).filter_map(|raw| section(base, raw)).collect();
    Ok(Some(Tables {
        numbers: Numbers { big: false, wide },
        segments: sections.clone(),
        sections,
        damage: None,
    }))
}

/// Whether it has 64-bit addresses, where it is loaded, the number of its sections and the bytes of the optional header.
fn parse(header: &[u8]) -> Option<(bool, u64, u64, u64)> {
    let (count, optional) = (u64::from(le16(header, 6)?), u64::from(le16(header, 20)?));
    match le16(header, 24)? {
        0x10b => Some((false, u64::from(le32(header, 24 + 28)?), count, optional)),
        0x20b => Some((true, le64(header, 24 + 24)?, count, optional)),
        _ => None,
    }
}

fn section(base: u64, raw: &[u8]) -> Option<Part> {
    let name = raw.get(..8)?.split(|byte| *byte == 0).next()?.to_vec();
    let flags = le32(raw, 36)?;
    Some(Part {
        name,
        address: base.wrapping_add(u64::from(le32(raw, 12)?)),
        offset: u64::from(le32(raw, 20)?),
        // What is behind the size in memory pads the file.
        size: u64::from(le32(raw, 16)?.min(le32(raw, 8)?)),
        writable: flags & WRITE != 0 && flags & EXECUTE == 0,
    })
}
