//! The structures of a VHD file as they lie on disk (Hard Disk Footer Format, Dynamic Disk Header Format). All
//! numbers are big-endian.

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    big_endian::{U16, U32, U64},
};

/// The first bytes of a footer.
pub(super) const COOKIE: [u8; 8] = *b"conectix";
/// The first bytes of a dynamic disk's header.
pub(super) const DYNAMIC_COOKIE: [u8; 8] = *b"cxsparse";
/// Bytes of a footer; those of Virtual PC before 2004 have one less.
pub(super) const FOOTER_LENGTHS: [u64; 2] = [512, 511];
/// The only version of the file format, and of a dynamic disk's header.
pub(super) const VERSION: u32 = 0x0001_0000;
/// Where the checksums are.
pub(super) const FOOTER_CHECKSUM: usize = 64;
pub(super) const HEADER_CHECKSUM: usize = 36;
/// A block that is not in the file.
pub(super) const UNUSED: u32 = u32::MAX;

/// The part of a footer that says something.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawFooter {
    pub(super) cookie: [u8; 8],
    pub(super) features: U32,
    pub(super) file_format_version: U32,
    pub(super) data_offset: U64,
    pub(super) time_stamp: U32,
    pub(super) creator_application: [u8; 4],
    pub(super) creator_version: U32,
    pub(super) creator_host_os: [u8; 4],
    pub(super) original_size: U64,
    pub(super) current_size: U64,
    pub(super) cylinders: U16,
    pub(super) heads: u8,
    pub(super) sectors_per_track: u8,
    pub(super) disk_type: U32,
    pub(super) checksum: U32,
    pub(super) unique_id: [u8; 16],
}

/// The header of a dynamic or differencing disk.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawHeader {
    pub(super) cookie: [u8; 8],
    pub(super) data_offset: U64,
    pub(super) table_offset: U64,
    pub(super) header_version: U32,
    pub(super) max_table_entries: U32,
    pub(super) block_size: U32,
    pub(super) checksum: U32,
    pub(super) parent_unique_id: [u8; 16],
    pub(super) parent_time_stamp: U32,
    pub(super) reserved: U32,
    pub(super) parent_unicode_name: [u8; 512],
    pub(super) parent_locators: [RawLocator; 8],
    pub(super) reserved_2: [u8; 256],
}

/// Where one spelling of the parent's name is.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawLocator {
    pub(super) platform_code: [u8; 4],
    pub(super) platform_data_space: U32,
    pub(super) platform_data_length: U32,
    pub(super) reserved: U32,
    pub(super) platform_data_offset: U64,
}

/// The checksum of a structure: the ones' complement of the sum of its bytes without the checksum at `field`.
pub(super) fn checksum(bytes: &[u8], field: usize) -> u32 {
    let outside = |at: usize| !(field..field.saturating_add(4)).contains(&at);
    let bytes = bytes.iter().enumerate().filter(|(at, _)| outside(*at)).map(|(_, byte)| u32::from(*byte));
    !bytes.fold(0, u32::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_have_the_specifications_lengths() {
        assert_eq!(size_of::<RawHeader>(), 1024);
        assert_eq!(size_of::<RawFooter>(), 84);
        assert_eq!(checksum(&[1, 2, 9, 9, 9, 9, 3], 2), !6);
    }
}
