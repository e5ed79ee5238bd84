//! On-disk structures, in the words of XFS Algorithms & Data Structures. All are big-endian but checksums.

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned, big_endian as be};

/// `struct xfs_dsb`, at the start of each allocation group.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawSuperblock {
    pub(super) sb_magicnum: be::U32,
    pub(super) sb_blocksize: be::U32,
    pub(super) sb_dblocks: be::U64,
    pub(super) sb_rblocks: be::U64,
    _sb_rextents: be::U64,
    pub(super) sb_uuid: [u8; 16],
    pub(super) sb_logstart: be::U64,
    pub(super) sb_rootino: be::U64,
    _realtime: [u8; 20],
    pub(super) sb_agblocks: be::U32,
    pub(super) sb_agcount: be::U32,
    _sb_rbmblocks: be::U32,
    pub(super) sb_logblocks: be::U32,
    pub(super) sb_versionnum: be::U16,
    pub(super) sb_sectsize: be::U16,
    pub(super) sb_inodesize: be::U16,
    pub(super) sb_inopblock: be::U16,
    pub(super) sb_fname: [u8; 12],
    pub(super) sb_blocklog: u8,
    pub(super) sb_sectlog: u8,
    pub(super) sb_inodelog: u8,
    pub(super) sb_inopblog: u8,
    pub(super) sb_agblklog: u8,
    _sb_rextslog: u8,
    pub(super) sb_inprogress: u8,
    _sb_imax_pct: u8,
    _counters: [u8; 48],
    _quota: [u8; 4],
    _alignment: [u8; 12],
    pub(super) sb_dirblklog: u8,
    _sb_logsectlog: u8,
    _sb_logsectsize: be::U16,
    _sb_logsunit: be::U32,
    pub(super) sb_features2: be::U32,
    pub(super) sb_bad_features2: be::U32,
    _sb_features_compat: be::U32,
    pub(super) sb_features_ro_compat: be::U32,
    pub(super) sb_features_incompat: be::U32,
    pub(super) sb_features_log_incompat: be::U32,
    _sb_crc: [u8; 4],
    _sb_spino_align: be::U32,
    _sb_pquotino: be::U64,
    _sb_lsn: be::U64,
    pub(super) sb_meta_uuid: [u8; 16],
}

/// Where `sb_crc` lies.
pub(super) const SUPERBLOCK_CRC: usize = 224;

/// `struct xfs_dinode`, as far as all versions have it.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawInode {
    pub(super) di_magic: be::U16,
    pub(super) di_mode: be::U16,
    pub(super) di_version: u8,
    pub(super) di_format: u8,
    pub(super) di_onlink: be::U16,
    pub(super) di_uid: be::U32,
    pub(super) di_gid: be::U32,
    pub(super) di_nlink: be::U32,
    _di_projid: [u8; 4],
    /// The data fork's number of extents, if the inode has large counters.
    pub(super) di_big_nextents: be::U64,
    _di_atime: be::U64,
    pub(super) di_mtime: be::U64,
    _di_ctime: be::U64,
    pub(super) di_size: be::U64,
    _di_nblocks: be::U64,
    _di_extsize: be::U32,
    /// The attribute fork's number of extents, if the inode has large counters; else the data fork's.
    pub(super) di_nextents: be::U32,
    pub(super) di_anextents: be::U16,
    pub(super) di_forkoff: u8,
    pub(super) di_aformat: u8,
    _dmapi: [u8; 6],
    pub(super) di_flags: be::U16,
    _di_gen: be::U32,
    _di_next_unlinked: be::U32,
}

/// What version 3 of inodes has behind it.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone)]
#[repr(C)]
pub(super) struct RawInodeV3 {
    _di_crc: [u8; 4],
    _di_changecount: be::U64,
    pub(super) di_lsn: be::U64,
    pub(super) di_flags2: be::U64,
    _di_cowextsize: be::U32,
    _di_pad2: [u8; 12],
    _di_crtime: be::U64,
    pub(super) di_ino: be::U64,
    pub(super) di_uuid: [u8; 16],
}

/// Where `di_crc` lies.
pub(super) const INODE_CRC: usize = 100;

/// Where a block that describes itself says what it is. Offsets in bytes from its start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) crc: usize,
    pub(super) blkno: usize,
    pub(super) lsn: usize,
    pub(super) uuid: usize,
    pub(super) owner: usize,
}

/// `struct xfs_btree_block` with long pointers: B-trees of file maps.
pub(super) const LONG_BTREE: Header = Header { crc: 64, blkno: 24, lsn: 32, uuid: 40, owner: 56 };
/// The same with short pointers: B-trees of an allocation group.
pub(super) const SHORT_BTREE: Header = Header { crc: 52, blkno: 16, lsn: 24, uuid: 32, owner: 48 };
/// `struct xfs_dir3_blk_hdr`.
pub(super) const DIRECTORY: Header = Header { crc: 4, blkno: 8, lsn: 16, uuid: 24, owner: 40 };
/// `struct xfs_da3_blkinfo`: leaves and nodes of attributes and directories.
pub(super) const DA: Header = Header { crc: 12, blkno: 16, lsn: 24, uuid: 32, owner: 48 };
/// `struct xfs_dsymlink_hdr` and `struct xfs_attr3_rmt_hdr`.
pub(super) const REMOTE: Header = Header { crc: 12, blkno: 40, lsn: 48, uuid: 16, owner: 32 };
/// Bytes of the last.
pub(super) const REMOTE_BYTES: usize = 56;

/// `BMAP`, `BMA3`: B-trees of file maps.
pub(super) const BMAP: [u8; 4] = *b"BMAP";
pub(super) const BMAP_V5: [u8; 4] = *b"BMA3";
/// `XD2B`, `XDB3`: a directory of one block.
pub(super) const DIRECTORY_BLOCK: [u8; 4] = *b"XD2B";
pub(super) const DIRECTORY_BLOCK_V5: [u8; 4] = *b"XDB3";
/// `XD2D`, `XDD3`: a block of a larger one.
pub(super) const DIRECTORY_DATA: [u8; 4] = *b"XD2D";
pub(super) const DIRECTORY_DATA_V5: [u8; 4] = *b"XDD3";
/// `XSLM`: the target of a symbolic link.
pub(super) const SYMLINK: [u8; 4] = *b"XSLM";
/// `XARM`: the value of an attribute.
pub(super) const REMOTE_VALUE: [u8; 4] = *b"XARM";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_specification() {
        assert_eq!(size_of::<RawSuperblock>(), 264);
        assert_eq!(size_of::<RawInode>(), 100);
        assert_eq!(size_of::<RawInodeV3>(), 76);
    }
}
