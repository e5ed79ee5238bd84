//! Master boot record with extended and logical partitions (as Linux reads them, `block/partitions/msdos.c`), on disks of 512
//! and 4096-byte sectors.

use std::{collections::HashSet, sync::Arc};

use super::{Extent, Partition, signature, whole};
use crate::{
    block::{ReadAt, Slice, Source, read_vec},
    bytes::le32,
    error::FormatError,
    limits,
};

const NAME: &str = "master boot record";
/// A boot record is as long as this in sectors of any size.
const SECTOR: u64 = 512;
/// The sizes of sectors in which a record may count; it does not say which.
const SECTOR_SIZES: [u64; 2] = [512, 4096];
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
/// The type of the entry that covers a GPT.
const PROTECTIVE: u8 = 0xee;

/// What the first sector says of a GPT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// It is no boot record with partitions.
    None,
    /// It protects a GPT, and may name some of its partitions (hybrid).
    Protective,
    /// It has partitions of its own.
    Partitions,
}

/// One of the four entries of a boot record, in sectors.
struct Entry {
    kind: u8,
    start: u64,
    length: u64,
}

/// What the first sector is.
pub(super) fn record(source: &dyn ReadAt) -> Record {
    let Ok(sector) = read_vec(source, NAME, 0, 512) else { return Record::None };
    match used(source, &sector) {
        entries if entries.is_empty() => Record::None,
        entries if entries.iter().any(|(entry, _)| entry.kind == PROTECTIVE) => Record::Protective,
        _ => Record::Partitions,
    }
}

/// The partitions, `None` if the first sector is no boot record with partitions.
pub(super) fn read(
    source: &Source,
    notes: &mut Vec<FormatError>,
) -> Result<Option<Vec<Extent>>, FormatError> {
    if source.size() < SECTOR {
        return Ok(None);
    }
    let sector = read_vec(source, NAME, 0, 512)?;
    let (protective, entries): (Vec<_>, Vec<_>) =
        used(source, &sector).into_iter().partition(|(entry, _)| entry.kind == PROTECTIVE);
    if !protective.is_empty() {
        let error = FormatError::corrupt(NAME, 0, "it protects a GPT, and there is none");
        if entries.is_empty() {
            return Err(error);
        }
        notes.push(error);
    }
    let bytes = sector_size(source, &entries);
    let id = le32(&sector, 440).unwrap_or(0);
    let mut extents = Vec::new();
    let mut logical = Vec::new();
    for (entry, number) in &entries {
        if EXTENDED.contains(&entry.kind) {
            if let Err(error) = chain(source, entry.start, bytes, &mut logical) {
                notes.push(error);
            }
        } else {
            extents.push(extent(entry, *number, bytes, id));
        }
    }
    extents.extend(logical.iter().zip(5..).map(|(entry, number)| extent(entry, number, bytes, id)));
    Ok((!entries.is_empty()).then_some(extents))
}

/// Bytes of a sector: 512, unless nothing that is known begins where the entries say in those, and something does in 4096.
fn sector_size(source: &Source, entries: &[(Entry, u32)]) -> u64 {
    let is_there = |bytes: u64| {
        entries.iter().any(|(entry, _)| {
            let (start, length) = (entry.start.saturating_mul(bytes), entry.length.saturating_mul(bytes));
            if EXTENDED.contains(&entry.kind) {
                return read_vec(source, NAME, start, 512)
                    .is_ok_and(|sector| self::entries(&sector).is_some());
            }
            whole::is_known(&Slice::new(Arc::clone(source), start, length))
        })
    };
    SECTOR_SIZES.into_iter().find(|bytes| is_there(*bytes)).unwrap_or(SECTOR)
}

/// The entries that are used, with their numbers; none if the sector is no boot record.
fn used(source: &dyn ReadAt, sector: &[u8]) -> Vec<(Entry, u32)> {
    // The boot indicator tells a table from code or text that happens to lie here.
    let table = sector.get(446..510).unwrap_or_default();
    let plausible = table.iter().step_by(16).all(|flag| matches!(flag, 0 | 0x80));
    if !plausible || is_boot_sector(sector) {
        return Vec::new();
    }
    let entries = entries(sector).unwrap_or_default();
    // The table of a hybrid image is there for firmware: an entry is the whole image, another may be what it boots from.
    let is_whole = |entry: &Entry| entry.kind != 0 && entry.length != 0 && entry.start == 0;
    if entries.iter().any(is_whole) && signature::is_iso_9660(source) {
        return Vec::new();
    }
    let entries = entries.into_iter().zip(1..);
    let is_used = |entry: &Entry| entry.kind != 0 && entry.length != 0 && entry.start != 0;
    entries.filter(|(entry, _)| entry.kind == PROTECTIVE || is_used(entry)).collect()
}

/// The four entries, if the signature is there.
fn entries(sector: &[u8]) -> Option<Vec<Entry>> {
    if sector.get(510..512) != Some(&[0x55, 0xaa]) {
        return None;
    }
    sector
        .get(446..510)?
        .chunks_exact(16)
        .map(|bytes| {
            let number = |at: usize| le32(bytes, at).map(u64::from);
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
fn chain(source: &dyn ReadAt, base: u64, bytes: u64, logical: &mut Vec<Entry>) -> Result<(), FormatError> {
    let mut seen = HashSet::new();
    let mut next = Some(base);
    while let Some(at) = next {
        let offset = at.saturating_mul(bytes);
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

fn extent(entry: &Entry, number: u32, bytes: u64, id: u32) -> Extent {
    Extent {
        start: entry.start.saturating_mul(bytes),
        length: entry.length.saturating_mul(bytes),
        partition: Partition {
            number,
            kind: format!("{:02x}", entry.kind),
            uuid: Some(format!("{id:08x}-{number:02x}")),
            name: None,
            attributes: 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    /// A disk of 64 sectors with entries (sector, slot, type, start, length).
    fn disk(entries: &[(usize, usize, u8, u32, u32)]) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 512];
        for (sector, slot, kind, start, length) in entries {
            let at = sector * 512 + 446 + slot * 16;
            bytes[at + 4] = *kind;
            bytes[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
            bytes[at + 12..at + 16].copy_from_slice(&length.to_le_bytes());
            bytes[sector * 512 + 510..sector * 512 + 512].copy_from_slice(&[0x55, 0xaa]);
        }
        bytes
    }

    /// Numbers and first sectors, and how many notes.
    fn found(bytes: Vec<u8>) -> Option<(Vec<(u32, u64)>, usize)> {
        let mut notes = Vec::new();
        let extents = read(&(Arc::new(Memory::new(bytes)) as Source), &mut notes).unwrap()?;
        Some((extents.iter().map(|e| (e.partition.number, e.start / 512)).collect(), notes.len()))
    }

    #[test]
    fn logical_partitions_count_from_five_and_a_cycle_ends() {
        let mut entries = vec![
            (0, 1, 0x83, 2, 4),
            (0, 3, 0x05, 10, 50),
            (10, 0, 0x83, 1, 2),
            (10, 1, 0x05, 10, 10),
            (20, 0, 0x82, 2, 2),
        ];
        assert_eq!(found(disk(&entries)), Some((vec![(2, 2), (5, 11), (6, 22)], 0)));
        // Back to the first record of the chain, which is at the extended partition's start.
        entries.push((20, 1, 0x0f, 0, 10));
        assert_eq!(found(disk(&entries)), Some((vec![(2, 2), (5, 11), (6, 22)], 1)));
        // A record that was written over loses what follows.
        let mut damaged = disk(&entries);
        damaged[20 * 512 + 510] = 0;
        assert_eq!(found(damaged), Some((vec![(2, 2), (5, 11)], 1)));
    }

    #[test]
    fn sectors_are_as_large_as_what_lies_at_their_places_says() {
        let mut bytes = disk(&[(0, 0, 0x83, 1, 2), (0, 1, 0x83, 4, 4)]);
        bytes[4 * 4096..4 * 4096 + 4].copy_from_slice(b"XFSB");
        let mut notes = Vec::new();
        let extents = |bytes: &[u8], notes: &mut Vec<_>| {
            let source: Source = Arc::new(Memory::new(bytes.to_vec()));
            let extents = read(&source, notes).unwrap().unwrap();
            extents.iter().map(|e| (e.start, e.length)).collect::<Vec<_>>()
        };
        assert_eq!(extents(&bytes, &mut notes), [(4096, 8192), (16384, 16384)]);
        // What is known in small sectors goes before.
        bytes[4 * 512..4 * 512 + 4].copy_from_slice(b"XFSB");
        assert_eq!(extents(&bytes, &mut notes), [(512, 1024), (2048, 2048)]);
        assert!(notes.is_empty());
    }

    #[test]
    fn a_signature_alone_is_no_partition_table() {
        assert_eq!(found(disk(&[(0, 0, 0, 0, 0)])), None);
        assert_eq!(found(disk(&[(0, 0, 0x83, 0, 10)])), None);
        let mut code = disk(&[(0, 0, 0x83, 1, 10)]);
        code[446] = 0x31;
        assert_eq!(found(code), None);
        assert_eq!(found(vec![]), None);
    }

    #[test]
    fn a_gpt_that_is_gone_is_told() {
        let mut notes = Vec::new();
        assert!(read(&(Arc::new(Memory::new(disk(&[(0, 0, 0xee, 1, 63)]))) as Source), &mut notes).is_err());
        assert_eq!(found(disk(&[(0, 0, 0xee, 1, 9), (0, 1, 0x83, 10, 9)])), Some((vec![(2, 10)], 1)));
    }

    #[test]
    fn a_hybrid_image_is_what_it_is() {
        let mut bytes = disk(&[(0, 0, 0x17, 0, 96), (0, 1, 0xef, 80, 8)]);
        bytes.resize(96 * 512, 0);
        assert_eq!(found(bytes.clone()).unwrap().0, [(2, 80)]);
        bytes[32_769..32_774].copy_from_slice(b"CD001");
        assert_eq!(found(bytes.clone()), None);
        assert_eq!(record(&Memory::new(bytes)), Record::None);
        // A disk on which an image once was.
        let mut bytes = disk(&[(0, 0, 0x83, 80, 8)]);
        bytes.resize(96 * 512, 0);
        bytes[32_769..32_774].copy_from_slice(b"CD001");
        assert!(found(bytes).is_some());
    }
}
