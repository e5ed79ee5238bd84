//! GUID partition table (UEFI specification 2.10, section 5.3), on disks of 512 and 4096-byte sectors.

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

use super::{
    Extent, Partition,
    mbr::{self, Record},
    whole,
};
use crate::{
    block::{ReadAt, begins_blank, read_vec},
    bytes,
    error::FormatError,
    limits, num,
};

const HEADER: &str = "GPT header";
const ENTRIES: &str = "GPT partition entries";
const SIGNATURE: [u8; 8] = *b"EFI PART";
/// Where the first record and header lie on disks of 512-byte sectors, and the record on others.
const FIRST_BYTES: usize = 1024;
const SECTOR_SIZES: [u64; 2] = [512, 4096];

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawHeader {
    signature: [u8; 8],
    revision: U32,
    header_size: U32,
    header_crc32: U32,
    reserved: U32,
    my_lba: U64,
    alternate_lba: U64,
    first_usable_lba: U64,
    last_usable_lba: U64,
    disk_guid: [u8; 16],
    partition_entry_lba: U64,
    number_of_partition_entries: U32,
    size_of_partition_entry: U32,
    partition_entry_array_crc32: U32,
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawEntry {
    partition_type_guid: [u8; 16],
    unique_partition_guid: [u8; 16],
    starting_lba: U64,
    ending_lba: U64,
    attributes: U64,
    partition_name: [U16; 36],
}

/// The partitions, `None` if the disk has no GPT. What is not as it should be is noted.
pub(super) fn read(
    source: &dyn ReadAt,
    notes: &mut Vec<FormatError>,
) -> Result<Option<Vec<Extent>>, FormatError> {
    let record = mbr::record(source);
    let mut backups: Vec<(u64, u64)> = Vec::new();
    let mut broken = None;
    for sector in SECTOR_SIZES {
        let found = header(source, sector, sector).and_then(|found| {
            let Some(header) = found else { return Ok(None) };
            // A disk that grew has its backup where only this header says.
            backups.extend(header.alternate_lba.get().checked_mul(sector).map(|at| (at, sector)));
            entries(source, &header, sector, notes).map(Some)
        });
        match found {
            // As Linux does: a disk that was partitioned anew with an MBR may keep an old GPT.
            Ok(Some(_)) if record == Record::Partitions => {
                notes.push(corrupt(sector, "ignored: the MBR has partitions and does not protect a GPT"));
                return Ok(None);
            }
            Ok(Some(extents)) => {
                if record == Record::None {
                    notes.push(corrupt(sector, "used without a protective MBR"));
                }
                return Ok(Some(extents));
            }
            Ok(None) => {}
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    // Without a protective MBR a backup alone may be an old one, but where the first sectors were wiped and nothing else
    // was put there.
    let is_lost = || begins_blank(source, FIRST_BYTES) && !whole::is_known(source);
    if record == Record::Partitions || (record == Record::None && broken.is_none() && !is_lost()) {
        return Ok(None);
    }
    backups.extend(
        SECTOR_SIZES.iter().filter_map(|sector| Some((source.size().checked_sub(*sector)?, *sector))),
    );
    for (at, sector) in backups {
        if let Ok(Some(header)) = header(source, at, sector)
            && let Ok(extents) = entries(source, &header, sector, notes)
        {
            let first = broken.map_or_else(|| "no signature".to_owned(), |error| error.to_string());
            notes.push(corrupt(sector, format!("backup header at {at:#x} used: {first}")));
            return Ok(Some(extents));
        }
    }
    match (record, broken) {
        (Record::Protective, Some(error)) => Err(error),
        (_, error) => {
            notes.extend(error);
            Ok(None)
        }
    }
}

/// The header at `at`; `None` if there is no signature.
fn header(source: &dyn ReadAt, at: u64, sector: u64) -> Result<Option<RawHeader>, FormatError> {
    let bytes = match read_vec(source, HEADER, at, 512) {
        Err(error) if error.is_host_io() => return Err(error),
        Err(_) => return Ok(None),
        Ok(bytes) => bytes,
    };
    let Ok((header, _)) = RawHeader::read_from_prefix(&bytes) else { return Ok(None) };
    if header.signature != SIGNATURE {
        return Ok(None);
    }
    check_header(&header, &bytes, at, sector)?;
    Ok(Some(header))
}

/// The entries that a header describes. Those that contradict themselves are noted.
fn entries(
    source: &dyn ReadAt,
    header: &RawHeader,
    sector: u64,
    notes: &mut Vec<FormatError>,
) -> Result<Vec<Extent>, FormatError> {
    let start = header.partition_entry_lba.get().saturating_mul(sector);
    let corrupt = |problem: String| FormatError::corrupt(ENTRIES, start, problem);
    let (count, size) = (header.number_of_partition_entries.get(), header.size_of_partition_entry.get());
    let length = num::index(count).saturating_mul(num::index(size));
    if num::index(size) < size_of::<RawEntry>() || length > limits::GPT_ENTRIES_BYTES {
        return Err(corrupt(format!("{count} entries of {size} bytes")));
    }
    let bytes = read_vec(source, ENTRIES, start, length)?;
    let sum = crc32fast::hash(&bytes);
    if !bytes::is_sound(sum == header.partition_entry_array_crc32.get()) {
        let said = header.partition_entry_array_crc32;
        return Err(corrupt(format!("CRC-32 {said:#010x}, computed {sum:#010x}")));
    }
    let mut extents = Vec::new();
    for (bytes, number) in bytes.chunks_exact(num::index(size)).zip(1..) {
        match RawEntry::ref_from_prefix(bytes) {
            Ok((entry, _)) if entry.partition_type_guid != [0; 16] => match extent(entry, number, sector) {
                Some(extent) => extents.push(extent),
                None => notes.push(corrupt(format!(
                    "entry {number} is from LBA {} to {}",
                    entry.starting_lba, entry.ending_lba
                ))),
            },
            _ => {}
        }
    }
    Ok(extents)
}

fn check_header(header: &RawHeader, bytes: &[u8], at: u64, sector: u64) -> Result<(), FormatError> {
    let size = num::index(header.header_size.get());
    let summed = bytes.get(..size).filter(|_| size >= size_of::<RawHeader>());
    let mut summed = summed.ok_or_else(|| corrupt(at, format!("header size {size}")))?.to_vec();
    if let Some(field) = summed.get_mut(16..20) {
        field.fill(0);
    }
    let sum = crc32fast::hash(&summed);
    if !bytes::is_sound(sum == header.header_crc32.get()) {
        return Err(corrupt(at, format!("CRC-32 {:#010x}, computed {sum:#010x}", header.header_crc32)));
    }
    if header.my_lba.get().checked_mul(sector) != Some(at) {
        return Err(corrupt(at, format!("says that it is at LBA {}", header.my_lba)));
    }
    Ok(())
}

fn corrupt(at: u64, problem: impl Into<String>) -> FormatError {
    FormatError::corrupt(HEADER, at, problem)
}

fn extent(entry: &RawEntry, number: u32, sector: u64) -> Option<Extent> {
    let (first, last) = (entry.starting_lba.get(), entry.ending_lba.get());
    let sectors = last.checked_sub(first)?.checked_add(1)?;
    let name = bytes::text(&entry.partition_name.map(|unit| unit.get()));
    Some(Extent {
        start: first.checked_mul(sector)?,
        length: sectors.checked_mul(sector)?,
        partition: Partition {
            number,
            kind: guid(&entry.partition_type_guid).to_ascii_uppercase(),
            uuid: Some(guid(&entry.unique_partition_guid)),
            name: (!name.is_empty()).then_some(name),
            attributes: entry.attributes.get(),
        },
    })
}

/// The first three fields of a GUID are little-endian on disk.
fn guid(bytes: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    let (clock, node) = rest.split_at(4);
    format!("{d:02x}{c:02x}{b:02x}{a:02x}-{f:02x}{e:02x}-{h:02x}{g:02x}-{clock}-{node}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    const SIZE: usize = 256 << 10;

    /// A disk of `sector` bytes a sector, with one partition from LBA 40 to `last`, its entries at LBA 2.
    fn disk(sector: usize, last: u64, count: u32, size: u32) -> Vec<u8> {
        let mut bytes = vec![0; SIZE];
        bytes[450] = 0xee;
        bytes[454] = 1;
        bytes[458..462].copy_from_slice(&[0xff; 4]);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        let table = 2 * sector;
        bytes[table..table + 32].copy_from_slice(&[7; 32]);
        bytes[table + 32..table + 40].copy_from_slice(&40u64.to_le_bytes());
        bytes[table + 40..table + 48].copy_from_slice(&last.to_le_bytes());
        let length = usize::try_from(count).unwrap().saturating_mul(usize::try_from(size).unwrap());
        let summed = bytes.get(table..table + length.min(SIZE)).map_or(0, crc32fast::hash);
        let mut header = SIGNATURE.to_vec();
        header.extend([0, 0, 1, 0, 92, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for lba in [1, 9, 0, 0] {
            header.extend(u64::to_le_bytes(lba));
        }
        header.extend([0; 16]);
        header.extend(2u64.to_le_bytes());
        for number in [count, size, summed] {
            header.extend(number.to_le_bytes());
        }
        let sum = crc32fast::hash(&header);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        bytes[sector..sector + 92].copy_from_slice(&header);
        bytes
    }

    type Places = Option<Vec<(u64, u64)>>;

    fn found(bytes: Vec<u8>) -> (Result<Places, String>, Vec<String>) {
        let mut notes = Vec::new();
        let extents = read(&Memory::new(bytes), &mut notes).map_err(|error| error.detail());
        let places = |extents: Vec<Extent>| extents.iter().map(|e| (e.start, e.length)).collect();
        (extents.map(|found| found.map(places)), notes.iter().map(FormatError::detail).collect())
    }

    #[test]
    fn both_sector_sizes_and_large_entries() {
        for (sector, count, size) in [(512, 128, 128), (4096, 128, 128), (512, 16, 256), (4096, 300, 128)] {
            let expected = vec![(40 * sector, 3 * sector)];
            let bytes = disk(usize::try_from(sector).unwrap(), 42, count, size);
            assert_eq!(found(bytes), (Ok(Some(expected)), vec![]), "{sector} {count} {size}");
        }
    }

    #[test]
    fn an_entry_that_ends_before_it_begins_is_noted() {
        let (extents, notes) = found(disk(512, 3, 128, 128));
        assert_eq!(extents, Ok(Some(vec![])));
        assert_eq!(notes, ["GPT partition entries at offset 0x400: entry 1 is from LBA 40 to 3"]);
    }

    #[test]
    fn tables_of_absurd_size_are_refused_before_memory_is_asked_for() {
        for (count, size) in [(8192, 1 << 30), (u32::MAX, 128), (u32::MAX, u32::MAX), (128, 64)] {
            let (extents, _) = found(disk(512, 42, count, size));
            assert!(extents.unwrap_err().contains(&format!("{count} entries of {size} bytes")));
        }
    }

    #[test]
    fn an_mbr_with_partitions_goes_before_an_old_gpt() {
        let mut bytes = disk(512, 42, 128, 128);
        bytes[450] = 0x83;
        let (extents, notes) = found(bytes);
        assert_eq!((extents, notes.len()), (Ok(None), 1));
    }

    #[test]
    fn damage_is_an_error_only_where_a_gpt_was_meant() {
        let mut bytes = disk(512, 42, 128, 128);
        bytes[512 + 24] ^= 1;
        let (extents, _) = found(bytes.clone());
        assert!(extents.unwrap_err().contains("CRC-32"));
        bytes[..512].fill(0);
        let (extents, notes) = found(bytes);
        assert_eq!((extents, notes.len()), (Ok(None), 1));
    }
}
