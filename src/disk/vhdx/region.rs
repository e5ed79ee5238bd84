//! The region table, of which there are two, and the regions that are read ([MS-VHDX] 2.2.3).

use zerocopy::FromBytes;

use super::{
    checksum::checksum,
    format::{
        BAT, METADATA, MIB, MOST_ENTRIES, REGION_TABLE_BYTES, REGION_TABLES, RawRegion, RawRegionTable,
    },
};
use crate::{
    block::{ReadAt, read_vec},
    bytes::{is_sound, le32},
    disk::guid::Guid,
    error::FormatError,
    num,
};

const NAME: &str = "VHDX region table";

/// A region of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    /// Where it begins.
    pub(super) offset: u64,
    /// Its bytes.
    pub(super) length: u64,
}

impl Region {
    /// Whether a range lies over it.
    pub(super) fn meets(&self, start: u64, end: u64) -> bool {
        start < self.offset.saturating_add(self.length) && self.offset < end
    }
}

/// The regions that a reader needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Regions {
    /// The block allocation table.
    pub(super) bat: Region,
    /// The metadata.
    pub(super) metadata: Region,
}

/// Reads the table, or its copy if only that is right, which is then to be told.
pub(super) fn read(file: &dyn ReadAt) -> Result<(Regions, Option<FormatError>), FormatError> {
    let [first, second] = REGION_TABLES;
    let error = match table(file, first) {
        Ok(bytes) => return Ok((parse(&bytes, first)?, None)),
        Err(error) => error,
    };
    let Ok(bytes) = table(file, second) else { return Err(error) };
    let problem = format!("the second one is used: {}", error.detail());
    Ok((parse(&bytes, second)?, Some(FormatError::corrupt(NAME, first, problem))))
}

/// The bytes of a table with the right signature and checksum.
fn table(file: &dyn ReadAt, at: u64) -> Result<Vec<u8>, FormatError> {
    let bytes = read_vec(file, NAME, at, REGION_TABLE_BYTES)?;
    if !bytes.starts_with(b"regi") {
        return Err(FormatError::corrupt(NAME, at, "it has no signature"));
    }
    let stored = le32(&bytes, 4);
    let computed = checksum(&bytes);
    if !is_sound(stored == Some(computed)) {
        let stored = stored.unwrap_or(0);
        return Err(FormatError::corrupt(NAME, at, format!("checksum {stored:#010x}, not {computed:#010x}")));
    }
    Ok(bytes)
}

fn parse(bytes: &[u8], at: u64) -> Result<Regions, FormatError> {
    let corrupt = |problem: String| FormatError::corrupt(NAME, at, problem);
    let cut = |_| corrupt("it is cut".to_owned());
    let (raw, entries) = RawRegionTable::ref_from_prefix(bytes).map_err(cut)?;
    let count = num::index(raw.entry_count.get());
    if count > MOST_ENTRIES {
        return Err(corrupt(format!("{count} entries")));
    }
    let (mut bat, mut metadata) = (None, None);
    for entry in entries.chunks_exact(size_of::<RawRegion>()).take(count) {
        let Ok(raw) = RawRegion::ref_from_bytes(entry) else { break };
        let found = match raw.guid {
            BAT => &mut bat,
            METADATA => &mut metadata,
            other if raw.required.get() & 1 != 0 => {
                let what = format!("a VHDX with the required region {}", Guid(other));
                return Err(FormatError::unsupported(what));
            }
            _ => continue,
        };
        let region = Region { offset: raw.file_offset.get(), length: u64::from(raw.length.get()) };
        let aligned = (region.offset | region.length) & MIB.wrapping_sub(1) == 0 && region.offset >= MIB;
        if !aligned || region.length == 0 || region.offset.checked_add(region.length).is_none() {
            let Region { offset, length } = region;
            return Err(corrupt(format!("region {} of {length} bytes at {offset:#x}", Guid(raw.guid))));
        }
        if found.replace(region).is_some() {
            return Err(corrupt(format!("region {} twice", Guid(raw.guid))));
        }
    }
    let missing = |what: &str| corrupt(format!("it has no {what}"));
    Ok(Regions {
        bat: bat.ok_or_else(|| missing("block allocation table"))?,
        metadata: metadata.ok_or_else(|| missing("metadata"))?,
    })
}
