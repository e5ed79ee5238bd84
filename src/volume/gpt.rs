//! GUID partition table (UEFI specification 2.10, section 5.3), on disks of 512 and 4096-byte sectors.

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

use super::{Extent, Partition};
use crate::{
    block::{ReadAt, read_vec},
    error::FormatError,
    limits, num,
};

const HEADER: &str = "GPT header";
const SIGNATURE: [u8; 8] = *b"EFI PART";
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

/// The partitions, `None` if neither the first nor the backup header looks like one.
pub(super) fn read(
    source: &dyn ReadAt,
    notes: &mut Vec<FormatError>,
) -> Result<Option<Vec<Extent>>, FormatError> {
    let mut broken = None;
    for sector in SECTOR_SIZES {
        match table(source, sector, sector) {
            Ok(Some(extents)) => return Ok(Some(extents)),
            Ok(None) => {}
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    // The backup header is in the last sector. Without a first header it counts only if the protective MBR
    // says that there is a GPT: a disk that was partitioned anew may keep an old backup.
    if broken.is_none() && !is_protected(source) {
        return Ok(None);
    }
    for sector in SECTOR_SIZES {
        if let Some(at) = source.size().checked_sub(sector)
            && let Ok(Some(extents)) = table(source, at, sector)
        {
            let first = broken.map_or_else(|| "no signature".to_owned(), |error| error.to_string());
            notes.push(FormatError::corrupt(
                HEADER,
                sector,
                format!("backup header at {at:#x} used: {first}"),
            ));
            return Ok(Some(extents));
        }
    }
    broken.map_or(Ok(None), Err)
}

fn is_protected(source: &dyn ReadAt) -> bool {
    let mut sector = [0; 512];
    source.read_at(&mut sector, 0).is_ok()
        && sector.ends_with(&[0x55, 0xaa])
        && sector.get(450) == Some(&0xee)
}

fn table(source: &dyn ReadAt, at: u64, sector: u64) -> Result<Option<Vec<Extent>>, FormatError> {
    let Ok(bytes) = read_vec(source, HEADER, at, 512) else { return Ok(None) };
    let Ok((header, _)) = RawHeader::ref_from_prefix(&bytes) else { return Ok(None) };
    if header.signature != SIGNATURE {
        return Ok(None);
    }
    check_header(header, &bytes, at, sector)?;
    let (count, size) = (header.number_of_partition_entries.get(), header.size_of_partition_entry.get());
    let corrupt = |problem: String| FormatError::corrupt("GPT partition entries", at, problem);
    if num::index(size) < size_of::<RawEntry>() || num::index(count) > limits::PARTITIONS.saturating_mul(8) {
        return Err(corrupt(format!("{count} entries of {size} bytes")));
    }
    let length = num::index(count).saturating_mul(num::index(size));
    let start = header.partition_entry_lba.get().saturating_mul(sector);
    let entries = read_vec(source, "GPT partition entries", start, length)?;
    let sum = crc32fast::hash(&entries);
    if sum != header.partition_entry_array_crc32.get() {
        return Err(corrupt(format!(
            "CRC-32 {:#010x}, computed {sum:#010x}",
            header.partition_entry_array_crc32
        )));
    }
    let entries = entries.chunks_exact(num::index(size)).zip(1..);
    Ok(Some(entries.filter_map(|(bytes, number)| extent(bytes, number, sector)).collect()))
}

fn check_header(header: &RawHeader, bytes: &[u8], at: u64, sector: u64) -> Result<(), FormatError> {
    let corrupt = |problem: String| FormatError::corrupt(HEADER, at, problem);
    let size = num::index(header.header_size.get());
    let summed = bytes.get(..size).filter(|_| size >= size_of::<RawHeader>());
    let mut summed = summed.ok_or_else(|| corrupt(format!("header size {size}")))?.to_vec();
    if let Some(field) = summed.get_mut(16..20) {
        field.fill(0);
    }
    let sum = crc32fast::hash(&summed);
    if sum != header.header_crc32.get() {
        return Err(corrupt(format!("CRC-32 {:#010x}, computed {sum:#010x}", header.header_crc32)));
    }
    if header.my_lba.get().checked_mul(sector) != Some(at) {
        return Err(corrupt(format!("says that it is at LBA {}", header.my_lba)));
    }
    Ok(())
}

fn extent(bytes: &[u8], number: u32, sector: u64) -> Option<Extent> {
    let (entry, _) = RawEntry::ref_from_prefix(bytes).ok()?;
    if entry.partition_type_guid == [0; 16] {
        return None;
    }
    let (first, last) = (entry.starting_lba.get(), entry.ending_lba.get());
    let sectors = last.checked_sub(first)?.checked_add(1)?;
    let name = entry.partition_name.iter().map(|unit| unit.get()).take_while(|unit| *unit != 0);
    let name: String = char::decode_utf16(name).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Some(Extent {
        start: first.checked_mul(sector)?,
        length: sectors.checked_mul(sector)?,
        partition: Partition {
            number,
            kind: guid(&entry.partition_type_guid).to_ascii_uppercase(),
            uuid: Some(guid(&entry.unique_partition_guid)),
            name: (!name.is_empty()).then_some(name),
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
