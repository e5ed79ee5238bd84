//! The structures of sparse extents as they lie on disk (Hosted Sparse Extents, ESXi Host Sparse Extents,
//! Stream-Optimized Compressed). All numbers are little-endian; places and lengths are in sectors of 512 bytes.

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

/// How extents begin: hosted sparse, vSphere's redo logs, vSphere's seSparse.
pub(super) const HOSTED: [u8; 4] = *b"KDMV";
pub(super) const COWD: [u8; 4] = *b"COWD";
pub(super) const SE_SPARSE: [u8; 8] = 0xcafe_babe_u64.to_le_bytes();

/// The header of a hosted sparse extent, and the footer of a stream.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawHosted {
    pub(super) magic: [u8; 4],
    pub(super) version: U32,
    pub(super) flags: U32,
    pub(super) capacity: U64,
    pub(super) grain_size: U64,
    pub(super) descriptor_offset: U64,
    pub(super) descriptor_size: U64,
    pub(super) gtes_per_gt: U32,
    pub(super) rgd_offset: U64,
    pub(super) gd_offset: U64,
    pub(super) over_head: U64,
    pub(super) unclean_shutdown: u8,
    pub(super) line_ends: [u8; 4],
    pub(super) compress_algorithm: U16,
}

/// Flags of a hosted sparse extent.
pub(super) const LINE_ENDS: u32 = 1;
pub(super) const REDUNDANT: u32 = 1 << 1;
pub(super) const ZEROED_GRAINS: u32 = 1 << 2;
pub(super) const COMPRESSED: u32 = 1 << 16;
pub(super) const MARKERS: u32 = 1 << 17;
/// The grain directory's place is in the footer.
pub(super) const GD_AT_END: u64 = u64::MAX;
/// What a text transfer would change.
pub(super) const LINE_ENDS_WHOLE: [u8; 4] = *b"\n \r\n";

/// The header of a redo log of vSphere (COWDisk_Header), as far as it is used.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawCowd {
    pub(super) magic: [u8; 4],
    pub(super) version: U32,
    pub(super) flags: U32,
    pub(super) num_sectors: U32,
    pub(super) grain_size: U32,
    pub(super) gd_offset: U32,
    pub(super) num_gd_entries: U32,
    pub(super) free_sector: U32,
}

/// The constant header of a seSparse extent.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawSeSparse {
    pub(super) magic: [u8; 8],
    pub(super) version: U64,
    pub(super) capacity: U64,
    pub(super) grain_size: U64,
    pub(super) grain_table_size: U64,
    pub(super) flags: U64,
    pub(super) reserved: [U64; 4],
    pub(super) volatile_header: RawRegion,
    pub(super) journal_header: RawRegion,
    pub(super) journal: RawRegion,
    pub(super) grain_directory: RawRegion,
    pub(super) grain_tables: RawRegion,
    pub(super) free_bitmap: RawRegion,
    pub(super) backmap: RawRegion,
    pub(super) grains: RawRegion,
}

/// A part of a seSparse extent.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawRegion {
    pub(super) offset: U64,
    pub(super) size: U64,
}

/// The volatile header of a seSparse extent.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawVolatile {
    pub(super) magic: U64,
    pub(super) free_gt_number: U64,
    pub(super) next_txn_seq_number: U64,
    pub(super) replay_journal: U64,
}

/// What precedes a compressed grain in a stream.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawMarker {
    pub(super) lba: U64,
    pub(super) size: U32,
}
