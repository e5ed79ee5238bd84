//! Master boot record with extended and logical partitions (as Linux reads them, `block/partitions/msdos.c`).

use std::collections::HashSet;

use super::{Extent, Partition};
use crate::{
    block::{ReadAt, read_vec},
    error::FormatError,
    limits,
};

const NAME: &str = "master boot record";
const SECTOR: u64 = 512;
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];

/// One of the four entries of a boot record, in sectors.
struct Entry {
    kind: u8,
    start: u64,
    length: u64,
}

/// The partitions, `None` if the first sector is no boot record with partitions.
pub(super) fn read(
    source: &dyn ReadAt,
    notes: &mut Vec<FormatError>,
) -> Result<Option<Vec<Extent>>, FormatError> {
    if source.size() < SECTOR {
        return Ok(None);
    }
    let sector = read_vec(source, NAME, 0, 512)?;
    let Some(entries) = entries(&sector).filter(|_| !is_boot_sector(&sector)) else { return Ok(None) };
    let id = sector.get(440..444).and_then(|id| id.first_chunk()).map_or(0, |id| u32::from_le_bytes(*id));
    let mut extents = Vec::new();
    let mut logical = Vec::new();
    for (entry, number) in entries.iter().zip(1..) {
        if entry.kind == 0 || entry.length == 0 {
            continue;
        }
        if EXTENDED.contains(&entry.kind) {
            if let Err(error) = chain(source, entry.start, &mut logical) {
                notes.push(error);
            }
        } else {
            extents.push(extent(entry, number, id));
        }
    }
    extents.extend(logical.iter().zip(5..).map(|(entry, number)| extent(entry, number, id)));
    Ok((!extents.is_empty()).then_some(extents))
}

/// The four entries, if the signature is there and the entries can be ones.
fn entries(sector: &[u8]) -> Option<Vec<Entry>> {
    if sector.get(510..512) != Some(&[0x55, 0xaa]) {
        return None;
    }
    sector
        .get(446..510)?
        .chunks_exact(16)
        .map(|bytes| {
            let number =
                |at: usize| bytes.get(at..)?.first_chunk().map(|n| u64::from(u32::from_le_bytes(*n)));
            // The boot indicator tells a table from code or text that happens to lie here.
            matches!(bytes.first(), Some(0 | 0x80)).then_some(())?;
            Some(Entry { kind: *bytes.get(4)?, start: number(8)?, length: number(12)? })
        })
        .collect()
}

/// A FAT or NTFS boot sector ends like a boot record and is none.
fn is_boot_sector(sector: &[u8]) -> bool {
    let at = |from: usize, text: &[u8]| sector.get(from..).is_some_and(|rest| rest.starts_with(text));
    at(3, b"NTFS    ") || at(3, b"EXFAT   ") || at(54, b"FAT") || at(82, b"FAT32")
}

/// Logical partitions: a chain of boot records, each with one partition (relative to the record) and a link
/// to the next record (relative to the extended partition).
fn chain(source: &dyn ReadAt, base: u64, logical: &mut Vec<Entry>) -> Result<(), FormatError> {
    let mut seen = HashSet::new();
    let mut next = Some(base);
    while let Some(at) = next {
        let offset = at.saturating_mul(SECTOR);
        let corrupt = |problem: &str| FormatError::corrupt("extended boot record", offset, problem);
        if !seen.insert(at) {
            return Err(corrupt("the chain of logical partitions is a cycle"));
        }
        if logical.len() >= limits::PARTITIONS {
            return Err(FormatError::limit(format!("more than {} logical partitions", limits::PARTITIONS)));
        }
        let sector = read_vec(source, "extended boot record", offset, 512)?;
        let entries = entries(&sector).ok_or_else(|| corrupt("no signature"))?;
        next = None;
        for entry in entries.into_iter().take(2).filter(|entry| entry.kind != 0 && entry.length != 0) {
            if EXTENDED.contains(&entry.kind) {
                next = Some(base.saturating_add(entry.start));
            } else {
                logical.push(Entry { start: at.saturating_add(entry.start), ..entry });
            }
        }
    }
    Ok(())
}

fn extent(entry: &Entry, number: u32, id: u32) -> Extent {
    Extent {
        start: entry.start.saturating_mul(SECTOR),
        length: entry.length.saturating_mul(SECTOR),
        partition: Partition {
            number,
            kind: format!("{:02x}", entry.kind),
            uuid: Some(format!("{id:08x}-{number:02x}")),
            name: None,
        },
    }
}
