//! What the disk is: size, blocks, sectors, parent ([MS-VHDX] 2.6).

use zerocopy::FromBytes;

use super::{
    format::{
        FILE_PARAMETERS, LOGICAL_SECTOR, MIB, MOST_ENTRIES, PARENT_LOCATOR, PHYSICAL_SECTOR, RawMetadata,
        RawMetadataTable, VIRTUAL_DISK_ID, VIRTUAL_DISK_SIZE,
    },
    locator::Parent,
    region::Region,
};
use crate::{
    block::{ReadAt, read_vec},
    bytes::le32,
    disk::guid::Guid,
    error::FormatError,
    limits, num,
};

const NAME: &str = "VHDX metadata";
/// Bytes of the table; items lie behind it.
const TABLE_BYTES: u64 = 64 << 10;
/// The format's largest disk.
const DISK_BYTES: u64 = 64 << 40;
/// Flags of an entry.
const IS_USER: u32 = 1;
const IS_REQUIRED: u32 = 1 << 2;
/// Flags of the file parameters.
const LEAVE_BLOCKS_ALLOCATED: u32 = 1;
const HAS_PARENT: u32 = 1 << 1;

/// The checked metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    /// Bytes of the virtual disk.
    pub(super) size: u64,
    /// Bytes of a payload block, a power of two from 1 MiB on.
    pub(super) block: u64,
    /// Bytes of a sector, of which sector bitmaps speak.
    pub(super) sector: u64,
    /// What a differencing disk lies on.
    pub(super) parent: Option<Parent>,
}

impl Metadata {
    /// Reads the metadata region.
    pub(super) fn read(file: &dyn ReadAt, region: Region) -> Result<Self, FormatError> {
        let table = Table::read(file, region)?;
        let parameters = table.item(FILE_PARAMETERS, "file parameters")?;
        let block = u64::from(parameters.word(0)?);
        let flags = parameters.word(4)?;
        if flags & !(LEAVE_BLOCKS_ALLOCATED | HAS_PARENT) != 0 {
            return Err(FormatError::unsupported(format!("a VHDX with the file parameters {flags:#x}")));
        }
        if !block.is_power_of_two() || !(MIB..=256 << 20).contains(&block) {
            return Err(parameters.corrupt(format!("block size {block}")));
        }
        let item = table.item(LOGICAL_SECTOR, "logical sector size")?;
        let sector = u64::from(item.word(0)?);
        if !matches!(sector, 512 | 4096) {
            return Err(item.corrupt(format!("a logical sector size of {sector}")));
        }
        let item = table.item(VIRTUAL_DISK_SIZE, "virtual disk size")?;
        let size = u64::from(item.word(4)?).unbounded_shl(32) | u64::from(item.word(0)?);
        if size > DISK_BYTES || !size.is_multiple_of(sector) {
            return Err(item.corrupt(format!("a disk of {size} bytes")));
        }
        let parent = match flags & HAS_PARENT != 0 {
            true => {
                let item = table.item(PARENT_LOCATOR, "parent locator")?;
                Some(Parent::parse(&item.bytes, item.at)?)
            }
            false => None,
        };
        Ok(Self { size, block, sector, parent })
    }
}

/// The metadata table, checked for what is not known.
struct Table<'a> {
    file: &'a dyn ReadAt,
    region: Region,
    entries: Vec<([u8; 16], u32, u32)>,
}

/// An item's bytes.
struct Item {
    at: u64,
    bytes: Vec<u8>,
}

impl<'a> Table<'a> {
    fn read(file: &'a dyn ReadAt, region: Region) -> Result<Self, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(NAME, region.offset, problem);
        let bytes = read_vec(file, NAME, region.offset, num::to_usize(TABLE_BYTES))?;
        let parsed = RawMetadataTable::ref_from_prefix(&bytes);
        let (raw, rest) = parsed.map_err(|_| corrupt("it is cut".to_owned()))?;
        if raw.signature != *b"metadata" {
            return Err(corrupt(format!("signature {:02x?}", raw.signature)));
        }
        let count = usize::from(raw.entry_count.get());
        if count > MOST_ENTRIES {
            return Err(corrupt(format!("{count} entries")));
        }
        let mut entries = Vec::new();
        for entry in rest.chunks_exact(size_of::<RawMetadata>()).take(count) {
            let Ok(raw) = RawMetadata::ref_from_bytes(entry) else { break };
            let known = [
                FILE_PARAMETERS,
                VIRTUAL_DISK_SIZE,
                VIRTUAL_DISK_ID,
                LOGICAL_SECTOR,
                PHYSICAL_SECTOR,
                PARENT_LOCATOR,
            ];
            let known = raw.flags.get() & IS_USER == 0 && known.contains(&raw.item_id);
            if !known && raw.flags.get() & IS_REQUIRED != 0 {
                let what = format!("a VHDX with the required metadata item {}", Guid(raw.item_id));
                return Err(FormatError::unsupported(what));
            }
            if known {
                entries.push((raw.item_id, raw.offset.get(), raw.length.get()));
            }
        }
        Ok(Self { file, region, entries })
    }

    /// The item that the specification calls `name`.
    fn item(&self, id: [u8; 16], name: &str) -> Result<Item, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(NAME, self.region.offset, problem);
        let mut found = self.entries.iter().filter(|(known, ..)| *known == id);
        let (_, offset, length) = found.next().ok_or_else(|| corrupt(format!("it has no {name}")))?;
        if found.next().is_some() {
            return Err(corrupt(format!("it has two items for {name}")));
        }
        let end = u64::from(*offset).saturating_add(u64::from(*length));
        if u64::from(*offset) < TABLE_BYTES
            || end > self.region.length
            || *length > limits::VHDX_LOCATOR_BYTES
        {
            return Err(corrupt(format!("{name} of {length} bytes at {offset:#x} of the region")));
        }
        let at = self.region.offset.saturating_add(u64::from(*offset));
        Ok(Item { at, bytes: read_vec(self.file, NAME, at, num::index(*length))? })
    }
}

impl Item {
    fn word(&self, at: usize) -> Result<u32, FormatError> {
        le32(&self.bytes, at).ok_or_else(|| self.corrupt("an item that is too short".to_owned()))
    }

    fn corrupt(&self, problem: String) -> FormatError {
        FormatError::corrupt(NAME, self.at, problem)
    }
}
