//! On-disk structures, in the words of `fs/squashfs/squashfs_fs.h`. All are little-endian.

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned, little_endian as le};

/// `struct squashfs_super_block`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawSuperblock {
    pub(super) s_magic: le::U32,
    _inodes: le::U32,
    _mkfs_time: le::U32,
    pub(super) block_size: le::U32,
    pub(super) fragments: le::U32,
    pub(super) compression: le::U16,
    pub(super) block_log: le::U16,
    pub(super) flags: le::U16,
    pub(super) no_ids: le::U16,
    pub(super) s_major: le::U16,
    pub(super) s_minor: le::U16,
    pub(super) root_inode: le::U64,
    pub(super) bytes_used: le::U64,
    pub(super) id_table_start: le::U64,
    pub(super) xattr_id_table_start: le::U64,
    pub(super) inode_table_start: le::U64,
    pub(super) directory_table_start: le::U64,
    pub(super) fragment_table_start: le::U64,
    _lookup_table_start: le::U64,
}

/// `struct squashfs_base_inode`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawInode {
    pub(super) inode_type: le::U16,
    pub(super) mode: le::U16,
    pub(super) uid: le::U16,
    pub(super) guid: le::U16,
    pub(super) mtime: le::U32,
    _inode_number: le::U32,
}

/// `struct squashfs_dir_inode`, behind the base.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawDirectory {
    pub(super) start_block: le::U32,
    pub(super) nlink: le::U32,
    pub(super) file_size: le::U16,
    pub(super) offset: le::U16,
    _parent_inode: le::U32,
}

/// `struct squashfs_ldir_inode`, behind the base.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawLongDirectory {
    pub(super) nlink: le::U32,
    pub(super) file_size: le::U32,
    pub(super) start_block: le::U32,
    _parent_inode: le::U32,
    _i_count: le::U16,
    pub(super) offset: le::U16,
    pub(super) xattr: le::U32,
}

/// `struct squashfs_reg_inode`, behind the base.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawFile {
    pub(super) start_block: le::U32,
    pub(super) fragment: le::U32,
    pub(super) offset: le::U32,
    pub(super) file_size: le::U32,
}

/// `struct squashfs_lreg_inode`, behind the base.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawLongFile {
    pub(super) start_block: le::U64,
    pub(super) file_size: le::U64,
    _sparse: le::U64,
    pub(super) nlink: le::U32,
    pub(super) fragment: le::U32,
    pub(super) offset: le::U32,
    pub(super) xattr: le::U32,
}

/// `struct squashfs_dir_header`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawHeader {
    /// One less than the entries that follow.
    pub(super) count: le::U32,
    pub(super) start_block: le::U32,
    _inode_number: le::U32,
}

/// `struct squashfs_dir_entry`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawEntry {
    pub(super) offset: le::U16,
    _inode_number: le::U16,
    pub(super) kind: le::U16,
    /// One less than the bytes of the name that follows.
    pub(super) size: le::U16,
}

/// `struct squashfs_fragment_entry`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawFragment {
    pub(super) start_block: le::U64,
    pub(super) size: le::U32,
    _unused: le::U32,
}

/// `struct squashfs_xattr_id_table`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawXattrTable {
    pub(super) xattr_table_start: le::U64,
    pub(super) xattr_ids: le::U32,
    _unused: le::U32,
}

/// `struct squashfs_xattr_id`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawXattrId {
    pub(super) xattr: le::U64,
    pub(super) count: le::U32,
    _size: le::U32,
}
