//! The structures of a VHDX file as they lie on disk ([MS-VHDX] 2.2 to 2.6). All numbers are little-endian.

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

/// The first bytes of the file (2.2.1).
pub(super) const FILE_TYPE: [u8; 8] = *b"vhdxfile";
/// Where the headers and the region tables are (2.2.2, 2.2.3), and the bytes that their checksums cover.
pub(super) const HEADERS: [u64; 2] = [64 << 10, 128 << 10];
pub(super) const HEADER_BYTES: usize = 4096;
pub(super) const REGION_TABLES: [u64; 2] = [192 << 10, 256 << 10];
pub(super) const REGION_TABLE_BYTES: usize = 64 << 10;
/// The most entries of a region table, and of a metadata table.
pub(super) const MOST_ENTRIES: usize = 2047;
/// What regions and payload blocks are aligned to.
pub(super) const MIB: u64 = 1 << 20;
/// Where a checksum is in each structure that has one.
pub(super) const CHECKSUM: usize = 4;

/// A header (2.2.2).
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawHeader {
    pub(super) signature: [u8; 4],
    pub(super) checksum: U32,
    pub(super) sequence_number: U64,
    pub(super) file_write_guid: [u8; 16],
    pub(super) data_write_guid: [u8; 16],
    pub(super) log_guid: [u8; 16],
    pub(super) log_version: U16,
    pub(super) version: U16,
    pub(super) log_length: U32,
    pub(super) log_offset: U64,
}

/// What precedes the entries of a region table (2.2.3.1).
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawRegionTable {
    pub(super) signature: [u8; 4],
    pub(super) checksum: U32,
    pub(super) entry_count: U32,
    pub(super) reserved: U32,
}

/// An entry of a region table (2.2.3.2).
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawRegion {
    pub(super) guid: [u8; 16],
    pub(super) file_offset: U64,
    pub(super) length: U32,
    pub(super) required: U32,
}

/// An entry of the log (2.3.1.1).
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawEntry {
    pub(super) signature: [u8; 4],
    pub(super) checksum: U32,
    pub(super) entry_length: U32,
    pub(super) tail: U32,
    pub(super) sequence_number: U64,
    pub(super) descriptor_count: U32,
    pub(super) reserved: U32,
    pub(super) log_guid: [u8; 16],
    pub(super) flushed_file_offset: U64,
    pub(super) last_file_offset: U64,
}

/// A zero or data descriptor of the log (2.3.1.2, 2.3.1.3).
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawDescriptor {
    pub(super) signature: [u8; 4],
    /// The last bytes of the sector; reserved in a zero descriptor.
    pub(super) trailing_bytes: [u8; 4],
    /// The first bytes of the sector; the length in a zero descriptor.
    pub(super) leading_bytes: [u8; 8],
    pub(super) file_offset: U64,
    pub(super) sequence_number: U64,
}

/// What precedes the entries of the metadata table (2.6.1.1).
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawMetadataTable {
    pub(super) signature: [u8; 8],
    pub(super) reserved: U16,
    pub(super) entry_count: U16,
    pub(super) reserved_2: [u8; 20],
}

/// An entry of the metadata table (2.6.1.2).
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawMetadata {
    pub(super) item_id: [u8; 16],
    pub(super) offset: U32,
    pub(super) length: U32,
    pub(super) flags: U32,
    pub(super) reserved: U32,
}

/// What precedes the entries of a parent locator (2.6.2.6.1).
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawLocator {
    pub(super) locator_type: [u8; 16],
    pub(super) reserved: U16,
    pub(super) key_value_count: U16,
}

/// An entry of a parent locator (2.6.2.6.2); offsets are from the locator's beginning.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawKeyValue {
    pub(super) key_offset: U32,
    pub(super) value_offset: U32,
    pub(super) key_length: U16,
    pub(super) value_length: U16,
}

/// Identities of regions, metadata items and the locator's type, as they lie on disk.
pub(super) const BAT: [u8; 16] = guid(0x2dc2_7766, 0xf623, 0x4200, 0x9d64_115e_9bfd_4a08);
pub(super) const METADATA: [u8; 16] = guid(0x8b7c_a206, 0x4790, 0x4b9a, 0xb8fe_575f_050f_886e);
pub(super) const FILE_PARAMETERS: [u8; 16] = guid(0xcaa1_6737, 0xfa36, 0x4d43, 0xb3b6_33f0_aa44_e76b);
pub(super) const VIRTUAL_DISK_SIZE: [u8; 16] = guid(0x2fa5_4224, 0xcd1b, 0x4876, 0xb211_5dbe_d83b_f4b8);
pub(super) const VIRTUAL_DISK_ID: [u8; 16] = guid(0xbeca_12ab, 0xb2e6, 0x4523, 0x93ef_c309_e000_c746);
pub(super) const LOGICAL_SECTOR: [u8; 16] = guid(0x8141_bf1d, 0xa96f, 0x4709, 0xba47_f233_a8fa_ab5f);
pub(super) const PHYSICAL_SECTOR: [u8; 16] = guid(0xcda3_48c7, 0x445d, 0x4471, 0x9cc9_e988_5251_c556);
pub(super) const PARENT_LOCATOR: [u8; 16] = guid(0xa8d3_5f2d, 0xb30b, 0x454d, 0xabf7_d3d8_4834_ab0c);
pub(super) const LOCATOR_TYPE: [u8; 16] = guid(0xb04a_efb7, 0xd19e, 0x4a81, 0xb789_25b8_e944_5913);

const fn guid(first: u32, second: u16, third: u16, rest: u64) -> [u8; 16] {
    let ([a, b, c, d], [e, f], [g, h]) = (first.to_le_bytes(), second.to_le_bytes(), third.to_le_bytes());
    let [i, j, k, l, m, n, o, p] = rest.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::guid::Guid;

    #[test]
    fn the_structures_have_the_specifications_lengths() {
        let lengths = [size_of::<RawHeader>(), size_of::<RawEntry>(), size_of::<RawDescriptor>()];
        assert_eq!(lengths, [80, 64, 32]);
        let tables = [size_of::<RawRegionTable>(), size_of::<RawMetadataTable>(), size_of::<RawLocator>()];
        assert_eq!(tables, [16, 32, 20]);
        assert_eq!(Guid(BAT).to_string(), "2dc27766-f623-4200-9d64-115e9bfd4a08");
    }
}
