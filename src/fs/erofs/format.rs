//! On-disk structures, in the words of `fs/erofs/erofs_fs.h`. All are little-endian.

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned, little_endian as le};

/// `struct erofs_super_block`, 1024 bytes from the start.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawSuperblock {
    pub(super) magic: le::U32,
    pub(super) checksum: le::U32,
    pub(super) feature_compat: le::U32,
    pub(super) blkszbits: u8,
    pub(super) sb_extslots: u8,
    pub(super) root_nid: le::U16,
    _inos: le::U64,
    pub(super) epoch: le::U64,
    pub(super) fixed_nsec: le::U32,
    pub(super) blocks: le::U32,
    pub(super) meta_blkaddr: le::U32,
    pub(super) xattr_blkaddr: le::U32,
    pub(super) uuid: [u8; 16],
    pub(super) volume_name: [u8; 16],
    pub(super) feature_incompat: le::U32,
    /// The algorithms in use as bits, or the distance of LZ4's matches.
    pub(super) available_compr_algs: le::U16,
    pub(super) extra_devices: le::U16,
    pub(super) devt_slotoff: le::U16,
    pub(super) dirblkbits: u8,
    pub(super) xattr_prefix_count: u8,
    pub(super) xattr_prefix_start: le::U32,
    pub(super) packed_nid: le::U64,
    _reserved: [u8; 24],
}

/// `struct erofs_deviceslot`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawDeviceSlot {
    pub(super) tag: [u8; 64],
    pub(super) blocks: le::U32,
    /// Where the device's blocks are in one count of all devices' blocks, 0 if they are not.
    pub(super) uniaddr: le::U32,
    _reserved: [u8; 56],
}

/// `struct erofs_inode_compact`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawCompact {
    pub(super) i_format: le::U16,
    pub(super) i_xattr_icount: le::U16,
    pub(super) i_mode: le::U16,
    pub(super) i_nlink: le::U16,
    pub(super) i_size: le::U32,
    pub(super) i_mtime: le::U32,
    /// A block, a device number, the form of chunks, or the number of compressed blocks.
    pub(super) i_u: le::U32,
    _i_ino: le::U32,
    pub(super) i_uid: le::U16,
    pub(super) i_gid: le::U16,
    _reserved: le::U32,
}

/// `struct erofs_inode_extended`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawExtended {
    pub(super) i_format: le::U16,
    pub(super) i_xattr_icount: le::U16,
    pub(super) i_mode: le::U16,
    _reserved: le::U16,
    pub(super) i_size: le::U64,
    pub(super) i_u: le::U32,
    _i_ino: le::U32,
    pub(super) i_uid: le::U32,
    pub(super) i_gid: le::U32,
    pub(super) i_mtime: le::U64,
    pub(super) i_mtime_nsec: le::U32,
    pub(super) i_nlink: le::U32,
    _reserved2: [u8; 16],
}

/// `struct erofs_dirent`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawEntry {
    pub(super) nid: le::U64,
    pub(super) nameoff: le::U16,
    pub(super) file_type: u8,
    _reserved: u8,
}

/// `struct erofs_xattr_ibody_header`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawXattrHeader {
    _h_name_filter: le::U32,
    pub(super) h_shared_count: u8,
    _reserved: [u8; 7],
}

/// `struct erofs_xattr_entry`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawXattr {
    pub(super) e_name_len: u8,
    pub(super) e_name_index: u8,
    pub(super) e_value_size: le::U16,
}

/// `struct erofs_inode_chunk_index`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawChunk {
    _startblk_hi: le::U16,
    pub(super) device_id: le::U16,
    pub(super) blkaddr: le::U32,
}

/// `struct z_erofs_map_header`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawMapHeader {
    /// Where the data lies in the packed inode, or (in its upper half) the bytes of the compressed data in the inode.
    pub(super) h_fragmentoff: le::U32,
    pub(super) h_advise: le::U16,
    pub(super) h_algorithmtype: u8,
    pub(super) h_clusterbits: u8,
}

/// `struct z_erofs_lcluster_index`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawCluster {
    pub(super) di_advise: le::U16,
    pub(super) di_clusterofs: le::U16,
    /// A block, or two distances of 16 bits.
    pub(super) di_u: le::U32,
}
