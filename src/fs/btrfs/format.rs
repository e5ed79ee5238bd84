//! On-disk structures, in the words of the btrfs documentation ("On-disk format", "Data structures and
//! constants"). All are little-endian and packed.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian as le};

/// `struct btrfs_super_block`, of its 4,096 bytes those before the backup roots.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawSuperblock {
    pub(super) csum: [u8; 32],
    pub(super) fsid: [u8; 16],
    pub(super) bytenr: le::U64,
    pub(super) flags: le::U64,
    pub(super) magic: [u8; 8],
    pub(super) generation: le::U64,
    pub(super) root: le::U64,
    pub(super) chunk_root: le::U64,
    pub(super) log_root: le::U64,
    _log_root_transid: [u8; 8],
    pub(super) total_bytes: le::U64,
    _bytes_used: [u8; 8],
    _root_dir_objectid: [u8; 8],
    pub(super) num_devices: le::U64,
    pub(super) sectorsize: le::U32,
    pub(super) nodesize: le::U32,
    _leafsize: [u8; 4],
    _stripesize: [u8; 4],
    pub(super) sys_chunk_array_size: le::U32,
    pub(super) chunk_root_generation: le::U64,
    _compat_flags: [u8; 8],
    pub(super) compat_ro_flags: le::U64,
    pub(super) incompat_flags: le::U64,
    pub(super) csum_type: le::U16,
    pub(super) root_level: u8,
    pub(super) chunk_root_level: u8,
    pub(super) log_root_level: u8,
    pub(super) dev_item: RawDeviceItem,
    pub(super) label: [u8; 256],
    _generations: [u8; 16],
    pub(super) metadata_uuid: [u8; 16],
    _reserved: [u8; 224],
    pub(super) sys_chunk_array: [u8; 2048],
}

/// `struct btrfs_dev_item`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawDeviceItem {
    pub(super) devid: le::U64,
    pub(super) total_bytes: le::U64,
    _bytes_used: [u8; 8],
    _io: [u8; 12],
    _type: [u8; 8],
    _generation: [u8; 8],
    _start_offset: [u8; 8],
    _hints: [u8; 6],
    pub(super) uuid: [u8; 16],
    pub(super) fsid: [u8; 16],
}

/// `struct btrfs_disk_key`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub(super) struct RawKey {
    pub(super) objectid: le::U64,
    pub(super) kind: u8,
    pub(super) offset: le::U64,
}

/// `struct btrfs_header`: how a node begins.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawHeader {
    pub(super) csum: [u8; 32],
    pub(super) fsid: [u8; 16],
    pub(super) bytenr: le::U64,
    pub(super) flags: le::U64,
    _chunk_tree_uuid: [u8; 16],
    pub(super) generation: le::U64,
    pub(super) owner: le::U64,
    pub(super) nritems: le::U32,
    pub(super) level: u8,
}

/// `struct btrfs_item`: where in a leaf the bytes of a key lie, from the header's end.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawItem {
    pub(super) key: RawKey,
    pub(super) offset: le::U32,
    pub(super) size: le::U32,
}

/// `struct btrfs_key_ptr`: a child of a node.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawPointer {
    pub(super) key: RawKey,
    pub(super) blockptr: le::U64,
    pub(super) generation: le::U64,
}

/// `struct btrfs_chunk` without its stripes.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawChunk {
    pub(super) length: le::U64,
    _owner: [u8; 8],
    pub(super) stripe_len: le::U64,
    pub(super) kind: le::U64,
    _io: [u8; 12],
    pub(super) num_stripes: le::U16,
    pub(super) sub_stripes: le::U16,
}

/// `struct btrfs_stripe`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawStripe {
    pub(super) devid: le::U64,
    pub(super) offset: le::U64,
    pub(super) dev_uuid: [u8; 16],
}

/// `struct btrfs_root_item`, of which old ones end here.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawRootItem {
    _inode: [u8; 160],
    pub(super) generation: le::U64,
    pub(super) root_dirid: le::U64,
    pub(super) bytenr: le::U64,
    _limits: [u8; 24],
    _flags: [u8; 8],
    pub(super) refs: le::U32,
    _drop_progress: [u8; 18],
    pub(super) level: u8,
}

/// `struct btrfs_root_ref`; the name follows.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawRootRef {
    pub(super) dirid: le::U64,
    _sequence: [u8; 8],
    pub(super) name_len: le::U16,
}

/// `struct btrfs_timespec`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub(super) struct RawTime {
    pub(super) sec: le::I64,
    pub(super) nsec: le::U32,
}

/// `struct btrfs_inode_item`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawInode {
    pub(super) generation: le::U64,
    _transid: [u8; 8],
    pub(super) size: le::U64,
    _nbytes: [u8; 8],
    _block_group: [u8; 8],
    pub(super) nlink: le::U32,
    pub(super) uid: le::U32,
    pub(super) gid: le::U32,
    pub(super) mode: le::U32,
    pub(super) rdev: le::U64,
    pub(super) flags: le::U64,
    _sequence: [u8; 40],
    _atime: RawTime,
    _ctime: RawTime,
    pub(super) mtime: RawTime,
    _otime: RawTime,
}

/// `struct btrfs_dir_item`; the name and, for an extended attribute, the value follow.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawDirItem {
    pub(super) location: RawKey,
    _transid: [u8; 8],
    pub(super) data_len: le::U16,
    pub(super) name_len: le::U16,
    pub(super) kind: u8,
}

/// `struct btrfs_file_extent_item` up to where inline data begins.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawExtent {
    pub(super) generation: le::U64,
    pub(super) ram_bytes: le::U64,
    pub(super) compression: u8,
    pub(super) encryption: u8,
    pub(super) other_encoding: le::U16,
    pub(super) kind: u8,
}

/// The rest of `struct btrfs_file_extent_item`.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawExtentPlace {
    pub(super) disk_bytenr: le::U64,
    pub(super) disk_num_bytes: le::U64,
    pub(super) offset: le::U64,
    pub(super) num_bytes: le::U64,
}

/// `struct btrfs_inode_ref`; the name follows.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawInodeRef {
    pub(super) index: le::U64,
    pub(super) name_len: le::U16,
}

/// `struct btrfs_inode_extref`; the name follows.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawInodeExtref {
    pub(super) parent_objectid: le::U64,
    pub(super) index: le::U64,
    pub(super) name_len: le::U16,
}
