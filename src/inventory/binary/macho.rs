//! Mach-O: Apple's `mach-o/loader.h` (header, segment commands, sections) and `mach-o/fat.h`.

use super::program::{Bytes, Numbers, Part, Tables, bounded};
use crate::{bytes::be32, error::FormatError, limits, num};

const HEADER: &str = "Mach-O header";
const COMMANDS: &str = "Mach-O load commands";
const SEGMENT: u32 = 1;
const SEGMENT_64: u32 = 0x19;
/// `VM_PROT_READ` and `VM_PROT_WRITE`.
const DATA: u32 = 3;
/// Files of many architectures begin as Java's classes do, whose next number, their version, is never as small.
const ARCHITECTURES: u32 = 32;

/// Offset and size of the first program in a file with those of several architectures.
pub(super) fn first_of_many(head: &[u8]) -> Option<(u64, u64)> {
    let is_fat = be32(head, 0)? == 0xcafe_babe && (1..=ARCHITECTURES).contains(&be32(head, 4)?);
    is_fat.then_some((u64::from(be32(head, 16)?), u64::from(be32(head, 20)?)))
}

/// The tables of a Mach-O; `None` if the file is none.
pub(super) fn tables(magic: &[u8], bytes: &Bytes) -> Result<Option<Tables>, FormatError> {
    let numbers = match magic {
        b"\xfe\xed\xfa\xce" => Numbers { big: true, wide: false },
        b"\xfe\xed\xfa\xcf" => Numbers { big: true, wide: true },
        b"\xce\xfa\xed\xfe" => Numbers { big: false, wide: false },
        b"\xcf\xfa\xed\xfe" => Numbers { big: false, wide: true },
        _ => return Ok(None),
    };
    let number = |at| numbers.u32(&bytes.head, at).map(u64::from);
    let (Some(count), Some(size)) = (number(16), number(20)) else {
        return Err(FormatError::corrupt(HEADER, 0, format!("{} bytes", bytes.head.len())));
    };
    if size > limits::SECTION_NAMES_BYTES {
        return Err(FormatError::limit(format!("{COMMANDS} of {size} bytes")));
    }
    let start = if numbers.wide { 32 } else { 28 };
    let commands = bytes.read(COMMANDS, start, size)?;
    let (mut sections, mut segments) = (Vec::new(), Vec::new());
    let mut rest = commands.as_slice();
    for _ in 0..bounded(COMMANDS, count)? {
        let length = numbers.u32(rest, 4).map(num::index).filter(|length| *length >= 8);
        let Some((command, behind)) = length.and_then(|length| rest.split_at_checked(length)) else {
            return Err(FormatError::corrupt(COMMANDS, start, format!("a command of {length:?} bytes")));
        };
        if matches!(numbers.u32(command, 0), Some(SEGMENT | SEGMENT_64)) {
            let segment = segment(numbers, command);
            segments.push(segment.ok_or_else(|| FormatError::corrupt(COMMANDS, start, "a short segment"))?);
            let (head, each) = if numbers.wide { (72, 80) } else { (56, 68) };
            let table = command.get(head..).unwrap_or_default();
            sections.extend(table.chunks_exact(each).filter_map(|raw| section(numbers, raw)));
        }
        rest = behind;
    }
    bounded(COMMANDS, num::to_u64(sections.len()))?;
    Ok(Some(Tables { numbers, sections, segments, damage: None }))
}

fn segment(numbers: Numbers, raw: &[u8]) -> Option<Part> {
    let protection = numbers.u32(raw, if numbers.wide { 60 } else { 44 })?;
    Some(Part {
        name: Vec::new(),
        address: numbers.address(raw, 24, 24)?,
        offset: numbers.address(raw, 40, 32)?,
        size: numbers.address(raw, 48, 36)?,
        writable: protection == DATA,
    })
}

fn section(numbers: Numbers, raw: &[u8]) -> Option<Part> {
    Some(Part {
        name: raw.get(..16)?.split(|byte| *byte == 0).next()?.to_vec(),
        address: numbers.address(raw, 32, 32)?,
        offset: u64::from(numbers.u32(raw, if numbers.wide { 48 } else { 40 })?),
        size: numbers.address(raw, 40, 36)?,
        writable: false,
    })
}
