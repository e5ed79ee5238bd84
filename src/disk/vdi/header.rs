//! The header (VDIPREHEADER, VDIHEADER1PLUS). All numbers are little-endian.

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U32, U64},
};

use crate::{
    block::{ReadAt, read_vec},
    disk::guid::Guid,
    error::FormatError,
};

/// The structure's name in errors.
pub(super) const NAME: &str = "VDI header";
/// What is at [`SIGNATURE_AT`], after a text for people.
pub(super) const SIGNATURE: [u8; 4] = [0x7f, 0x10, 0xda, 0xbe];
pub(super) const SIGNATURE_AT: u64 = 0x40;
const VERSION: u32 = 0x0001_0001;

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawHeader {
    text: [u8; 64],
    signature: [u8; 4],
    version: U32,
    header_size: U32,
    image_type: U32,
    flags: U32,
    comment: [u8; 256],
    blocks_offset: U32,
    data_offset: U32,
    geometry: [U32; 3],
    sector_size: U32,
    unused: U32,
    disk_size: U64,
    block_size: U32,
    block_extra: U32,
    blocks: U32,
    blocks_allocated: U32,
    create: [u8; 16],
    modify: [u8; 16],
    linkage: [u8; 16],
    parent_modify: [u8; 16],
}

/// What a differencing disk knows of its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parent {
    /// Which image it is.
    pub(super) create: Guid,
    /// Its state when the child was made, if the child knows.
    pub(super) modify: Option<Guid>,
}

/// A checked header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of the virtual disk: whole sectors.
    pub(super) size: u64,
    /// Bytes of a block, a power of two.
    pub(super) block: u64,
    /// Where the map of blocks is: four bytes each.
    pub(super) map: u64,
    /// Where block 0 of the file is.
    pub(super) data: u64,
    pub(super) create: Guid,
    pub(super) modify: Guid,
    /// What a differencing disk lies on.
    pub(super) parent: Option<Parent>,
}

impl Header {
    /// Reads the header of a file.
    pub(super) fn read(file: &dyn ReadAt) -> Result<Self, FormatError> {
        let bytes = read_vec(file, NAME, 0, size_of::<RawHeader>())?;
        let raw = RawHeader::ref_from_bytes(&bytes).map_err(|_| corrupt(0, "it is cut"))?;
        if raw.signature != SIGNATURE {
            return Err(corrupt(SIGNATURE_AT, format!("signature {:02x?}", raw.signature)));
        }
        let refused =
            |what: &str, value: u32| FormatError::unsupported(format!("a VDI of {what} {value:#x}"));
        if raw.version.get() != VERSION {
            return Err(refused("version", raw.version.get()));
        }
        let link = (raw.linkage != [0; 16]).then_some(Guid(raw.linkage));
        let parent = match (raw.image_type.get(), link) {
            (1 | 2, None) => None,
            (4, Some(create)) => {
                let modify = (raw.parent_modify != [0; 16]).then_some(Guid(raw.parent_modify));
                Some(Parent { create, modify })
            }
            (kind @ (1 | 2 | 4), link) => {
                let problem = format!("image type {kind}, and a parent: {}", link.is_some());
                return Err(corrupt(0x4c, problem));
            }
            (other, _) => return Err(refused("image type", other)),
        };
        if raw.sector_size.get() != 512 {
            return Err(refused("sector size", raw.sector_size.get()));
        }
        if raw.block_extra.get() != 0 {
            return Err(refused("extra bytes before each block:", raw.block_extra.get()));
        }
        let block = u64::from(raw.block_size.get());
        if !block.is_power_of_two() || block < 512 {
            return Err(corrupt(0x178, format!("block size {block}")));
        }
        let (size, blocks) = (raw.disk_size.get(), u64::from(raw.blocks.get()));
        if blocks.saturating_mul(block) < size {
            let problem = format!("{blocks} blocks of {block} bytes for a disk of {size} bytes");
            return Err(corrupt(0x180, problem));
        }
        let (map, data) = (u64::from(raw.blocks_offset.get()), u64::from(raw.data_offset.get()));
        let end = map.saturating_add(blocks.saturating_mul(4));
        if map < SIGNATURE_AT || map & 511 != 0 || data & 511 != 0 || data < end {
            return Err(corrupt(0x154, format!("a map of {blocks} blocks at {map:#x}, data at {data:#x}")));
        }
        let size = size.next_multiple_of(512);
        let [create, modify] = [raw.create, raw.modify].map(Guid);
        Ok(Self { size, block, map, data, create, modify, parent })
    }
}

fn corrupt(at: u64, problem: impl Into<String>) -> FormatError {
    FormatError::corrupt(NAME, at, problem)
}
