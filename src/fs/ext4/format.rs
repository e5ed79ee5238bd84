//! On-disk structures, in the words of the kernel's `Documentation/filesystems/ext4` (super.rst,
//! group_descr.rst, inodes.rst, ifork.rst, directory.rst, attributes.rst). All are little-endian.

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned, little_endian as le};

/// `struct ext4_super_block`, 1,024 bytes at offset 1,024.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawSuperblock {
    pub(super) s_inodes_count: le::U32,
    pub(super) s_blocks_count_lo: le::U32,
    _counts: [u8; 12],
    pub(super) s_first_data_block: le::U32,
    pub(super) s_log_block_size: le::U32,
    pub(super) s_log_cluster_size: le::U32,
    pub(super) s_blocks_per_group: le::U32,
    pub(super) s_clusters_per_group: le::U32,
    pub(super) s_inodes_per_group: le::U32,
    _mount: [u8; 12],
    pub(super) s_magic: le::U16,
    pub(super) s_state: le::U16,
    _check: [u8; 16],
    pub(super) s_rev_level: le::U32,
    _reserved_owner: [u8; 4],
    pub(super) s_first_ino: le::U32,
    pub(super) s_inode_size: le::U16,
    pub(super) s_block_group_nr: le::U16,
    pub(super) s_feature_compat: le::U32,
    pub(super) s_feature_incompat: le::U32,
    pub(super) s_feature_ro_compat: le::U32,
    pub(super) s_uuid: [u8; 16],
    pub(super) s_volume_name: [u8; 16],
    _last_mounted: [u8; 64],
    _prealloc: [u8; 8],
    _journal_uuid: [u8; 16],
    pub(super) s_journal_inum: le::U32,
    pub(super) s_journal_dev: le::U32,
    _orphan_hash: [u8; 21],
    pub(super) s_jnl_backup_type: u8,
    pub(super) s_desc_size: le::U16,
    _mount_opts: [u8; 4],
    pub(super) s_first_meta_bg: le::U32,
    _mkfs_time: [u8; 4],
    pub(super) s_jnl_blocks: [le::U32; 17],
    pub(super) s_blocks_count_hi: le::U32,
    _reserved_hi: [u8; 20],
    pub(super) s_mmp_block: le::U64,
    _raid: [u8; 5],
    pub(super) s_checksum_type: u8,
    _snapshot: [u8; 30],
    pub(super) s_error_count: le::U32,
    _errors: [u8; 180],
    pub(super) s_backup_bgs: [le::U32; 2],
    _encrypt: [u8; 28],
    pub(super) s_checksum_seed: le::U32,
    _reserved: [u8; 392],
    pub(super) s_checksum: le::U32,
}

/// The first 32 bytes of `struct ext4_group_desc`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawGroup {
    pub(super) bg_block_bitmap_lo: le::U32,
    pub(super) bg_inode_bitmap_lo: le::U32,
    pub(super) bg_inode_table_lo: le::U32,
    _counts: [u8; 6],
    pub(super) bg_flags: le::U16,
    _bitmaps: [u8; 10],
    pub(super) bg_checksum: le::U16,
}

/// The bytes of `struct ext4_group_desc` that 64-bit file systems add, up to the inode table's.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawGroupHigh {
    _bitmaps: [u8; 8],
    pub(super) bg_inode_table_hi: le::U32,
}

/// The first 128 bytes of `struct ext4_inode`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawInode {
    pub(super) i_mode: le::U16,
    pub(super) i_uid: le::U16,
    pub(super) i_size_lo: le::U32,
    pub(super) i_atime: le::U32,
    pub(super) i_ctime: le::U32,
    pub(super) i_mtime: le::U32,
    pub(super) i_dtime: le::U32,
    pub(super) i_gid: le::U16,
    pub(super) i_links_count: le::U16,
    pub(super) i_blocks_lo: le::U32,
    pub(super) i_flags: le::U32,
    pub(super) i_version: le::U32,
    pub(super) i_block: [u8; 60],
    pub(super) i_generation: le::U32,
    pub(super) i_file_acl_lo: le::U32,
    pub(super) i_size_high: le::U32,
    _obso_faddr: le::U32,
    pub(super) i_blocks_high: le::U16,
    pub(super) i_file_acl_high: le::U16,
    pub(super) i_uid_high: le::U16,
    pub(super) i_gid_high: le::U16,
    pub(super) i_checksum_lo: le::U16,
    _reserved: le::U16,
}

/// What follows the first 128 bytes of an inode, as far as `i_extra_isize` reaches.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawInodeExtra {
    pub(super) i_extra_isize: le::U16,
    pub(super) i_checksum_hi: le::U16,
    pub(super) i_ctime_extra: le::U32,
    pub(super) i_mtime_extra: le::U32,
}

/// `struct ext4_extent_header`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawExtentHeader {
    pub(super) eh_magic: le::U16,
    pub(super) eh_entries: le::U16,
    pub(super) eh_max: le::U16,
    pub(super) eh_depth: le::U16,
    _eh_generation: le::U32,
}

/// `struct ext4_extent`, an entry of a leaf.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawExtent {
    pub(super) ee_block: le::U32,
    pub(super) ee_len: le::U16,
    pub(super) ee_start_hi: le::U16,
    pub(super) ee_start_lo: le::U32,
}

/// `struct ext4_extent_idx`, an entry of a node above the leaves.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawExtentIndex {
    pub(super) ei_block: le::U32,
    pub(super) ei_leaf_lo: le::U32,
    pub(super) ei_leaf_hi: le::U16,
    _ei_unused: le::U16,
}

/// `struct ext4_dir_entry_2`, up to the name.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawDirEntry {
    pub(super) inode: le::U32,
    pub(super) rec_len: le::U16,
    pub(super) name_len: u8,
    pub(super) file_type: u8,
}

/// `struct ext4_xattr_entry`, up to the name.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawXattrEntry {
    pub(super) e_name_len: u8,
    pub(super) e_name_index: u8,
    pub(super) e_value_offs: le::U16,
    pub(super) e_value_inum: le::U32,
    pub(super) e_value_size: le::U32,
    pub(super) e_hash: le::U32,
}

/// `struct ext4_xattr_header`, before the entries of an attribute block.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawXattrHeader {
    pub(super) h_magic: le::U32,
    _h_refcount: le::U32,
    pub(super) h_blocks: le::U32,
    _h_hash: le::U32,
    pub(super) h_checksum: le::U32,
    _h_reserved: [u8; 12],
}

/// The high half of a number above its low half.
pub(super) fn join(high: impl Into<u64>, low: le::U32) -> u64 {
    (high.into() << 32) | u64::from(low.get())
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    #[test]
    fn fields_lie_where_the_specification_puts_them() {
        assert_eq!(size_of::<RawSuperblock>(), 1024);
        for (field, offset) in [
            (offset_of!(RawSuperblock, s_first_data_block), 0x14),
            (offset_of!(RawSuperblock, s_magic), 0x38),
            (offset_of!(RawSuperblock, s_rev_level), 0x4c),
            (offset_of!(RawSuperblock, s_feature_compat), 0x5c),
            (offset_of!(RawSuperblock, s_journal_inum), 0xe0),
            (offset_of!(RawSuperblock, s_jnl_backup_type), 0xfd),
            (offset_of!(RawSuperblock, s_first_meta_bg), 0x104),
            (offset_of!(RawSuperblock, s_jnl_blocks), 0x10c),
            (offset_of!(RawSuperblock, s_blocks_count_hi), 0x150),
            (offset_of!(RawSuperblock, s_checksum_type), 0x175),
            (offset_of!(RawSuperblock, s_error_count), 0x194),
            (offset_of!(RawSuperblock, s_backup_bgs), 0x24c),
            (offset_of!(RawSuperblock, s_checksum_seed), 0x270),
            (offset_of!(RawSuperblock, s_mmp_block), 0x168),
            (offset_of!(RawGroup, bg_flags), 0x12),
            (offset_of!(RawGroup, bg_checksum), 0x1e),
            (offset_of!(RawInode, i_block), 0x28),
            (offset_of!(RawInode, i_checksum_lo), 0x7c),
        ] {
            assert_eq!(field, offset);
        }
        assert_eq!(size_of::<RawInode>(), 128);
        assert_eq!(size_of::<RawXattrHeader>(), 32);
    }
}
