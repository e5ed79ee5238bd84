//! The header of dynamic and differencing disks (Dynamic Disk Header Format).

use zerocopy::FromBytes;

use super::{
    footer::{Footer, Kind},
    format::{DYNAMIC_COOKIE, HEADER_CHECKSUM, RawHeader, VERSION, checksum},
    locator::{self, Parent},
};
use crate::{
    block::{ReadAt, read_vec},
    bytes::is_sound,
    error::FormatError,
};

/// The structure's name in errors.
pub(super) const NAME: &str = "VHD dynamic disk header";

/// How a dynamic disk is divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Where the header is.
    pub(super) offset: u64,
    /// Where the block allocation table is.
    pub(super) table: u64,
    /// Entries of the table.
    pub(super) entries: u32,
    /// Bytes of a block's data, a power of two.
    pub(super) block: u64,
    /// What a differencing disk lies on.
    pub(super) parent: Option<Parent>,
}

impl Header {
    /// Reads the header that a footer points to.
    pub(super) fn read(file: &dyn ReadAt, footer: &Footer) -> Result<Self, FormatError> {
        let offset = footer.header;
        let corrupt = |problem: String| FormatError::corrupt(NAME, offset, problem);
        let bytes = read_vec(file, NAME, offset, size_of::<RawHeader>())?;
        let raw = RawHeader::ref_from_bytes(&bytes).map_err(|_| corrupt("it is cut".to_owned()))?;
        if raw.cookie != DYNAMIC_COOKIE {
            return Err(corrupt(format!("cookie {:02x?}", raw.cookie)));
        }
        let (stored, computed) = (raw.checksum.get(), checksum(&bytes, HEADER_CHECKSUM));
        if !is_sound(stored == computed) {
            return Err(corrupt(format!("checksum {stored:#010x}, not {computed:#010x}")));
        }
        if raw.header_version.get() != VERSION {
            let version = raw.header_version.get();
            return Err(FormatError::unsupported(format!("a VHD with a header of version {version:#x}")));
        }
        let block = u64::from(raw.block_size.get());
        if !block.is_power_of_two() || block < 512 {
            return Err(corrupt(format!("block size {block}")));
        }
        let entries = raw.max_table_entries.get();
        if u64::from(entries).saturating_mul(block) < footer.size {
            let size = footer.size;
            return Err(corrupt(format!("{entries} blocks of {block} bytes for a disk of {size} bytes")));
        }
        let table = raw.table_offset.get();
        if table.checked_add(u64::from(entries).saturating_mul(4)).is_none() {
            return Err(corrupt(format!("block allocation table at {table:#x}")));
        }
        let differs = footer.kind == Kind::Differencing;
        let parent = differs.then(|| locator::read(file, raw, offset)).transpose()?;
        Ok(Self { offset, table, entries, block, parent })
    }

    /// Bytes of the sector bitmap before a block's data: whole sectors.
    pub(super) fn bitmap(&self) -> u64 {
        self.block.unbounded_shr(12).max(1).next_multiple_of(512)
    }
}
