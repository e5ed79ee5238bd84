//! The structures of a qcow2 file as they lie on disk (qemu's docs/interop/qcow2: Header, Header extensions,
//! Cluster mapping, Snapshots). All numbers are big-endian.

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    big_endian::{U16, U32, U64},
};

/// The first bytes of the file.
pub(super) const MAGIC: [u8; 4] = *b"QFI\xfb";

/// The header of version 2, and the beginning of version 3's.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawHeader {
    pub(super) magic: [u8; 4],
    pub(super) version: U32,
    pub(super) backing_file_offset: U64,
    pub(super) backing_file_size: U32,
    pub(super) cluster_bits: U32,
    pub(super) size: U64,
    pub(super) crypt_method: U32,
    pub(super) l1_size: U32,
    pub(super) l1_table_offset: U64,
    pub(super) refcount_table_offset: U64,
    pub(super) refcount_table_clusters: U32,
    pub(super) nb_snapshots: U32,
    pub(super) snapshots_offset: U64,
}

/// What version 3 adds, from byte 72.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawFeatures {
    pub(super) incompatible_features: U64,
    pub(super) compatible_features: U64,
    pub(super) autoclear_features: U64,
    pub(super) refcount_order: U32,
    pub(super) header_length: U32,
}

/// Bytes of the header of version 2.
pub(super) const LENGTH_2: usize = 72;
/// The least bytes of the header of version 3.
pub(super) const LENGTH_3: usize = 104;
/// Where the compression type is, in headers that are longer.
pub(super) const COMPRESSION_TYPE: usize = 104;

/// Incompatible feature bits, by number.
pub(super) const DIRTY: u64 = 1;
pub(super) const CORRUPT: u64 = 1 << 1;
pub(super) const DATA_FILE: u64 = 1 << 2;
pub(super) const COMPRESSION: u64 = 1 << 3;
pub(super) const EXTENDED_L2: u64 = 1 << 4;

/// Header extension types.
pub(super) const END: u32 = 0;
pub(super) const BACKING_FORMAT: u32 = 0xe279_2aca;
pub(super) const FEATURE_NAMES: u32 = 0x6803_f857;
pub(super) const DATA_FILE_NAME: u32 = 0x4441_5441;

/// An entry of the feature name table.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawFeatureName {
    pub(super) kind: u8,
    pub(super) bit: u8,
    pub(super) name: [u8; 46],
}

/// The fixed part of an entry of the snapshot table.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawSnapshot {
    pub(super) l1_table_offset: U64,
    pub(super) l1_size: U32,
    pub(super) id_length: U16,
    pub(super) name_length: U16,
    pub(super) seconds: U32,
    pub(super) nanoseconds: U32,
    pub(super) guest_clock: U64,
    pub(super) vm_state_size: U32,
    pub(super) extra_length: U32,
}

/// Bits 9 to 55 of an L1 or L2 entry: an offset into the file.
pub(super) const OFFSET_MASK: u64 = 0x00ff_ffff_ffff_fe00;
/// Bit 63: the cluster is used once. It tells a cluster at offset 0 of an external data file from none.
pub(super) const COPIED: u64 = 1 << 63;
/// Bit 62: the cluster is compressed.
pub(super) const COMPRESSED: u64 = 1 << 62;
/// Bit 0 of a standard cluster's descriptor: it reads as zeros.
pub(super) const ZERO: u64 = 1;
