//! The structures of a file of pages (bbolt's `page.go`, `meta.go`).

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

pub(super) const MAGIC: u32 = 0xED0C_DAED;
pub(super) const VERSION: u32 = 2;
pub(super) const BRANCH: u16 = 0x01;
pub(super) const LEAF: u16 = 0x02;
pub(super) const META: u16 = 0x04;
pub(super) const BUCKET: u32 = 0x01;
pub(super) const PAGE_SIZES: [u64; 8] = [4096, 8192, 16_384, 65_536, 32_768, 2048, 1024, 512];

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawPage {
    pub(super) id: U64,
    pub(super) flags: U16,
    pub(super) count: U16,
    pub(super) overflow: U32,
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawMeta {
    pub(super) magic: U32,
    pub(super) version: U32,
    pub(super) page_size: U32,
    pub(super) flags: U32,
    pub(super) root: U64,
    pub(super) sequence: U64,
    pub(super) freelist: U64,
    pub(super) high_water: U64,
    pub(super) transaction: U64,
    pub(super) checksum: U64,
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawBranch {
    pub(super) position: U32,
    pub(super) key_size: U32,
    pub(super) page: U64,
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawLeaf {
    pub(super) flags: U32,
    pub(super) position: U32,
    pub(super) key_size: U32,
    pub(super) value_size: U32,
}
