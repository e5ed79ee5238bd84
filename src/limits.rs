//! Every bound on hostile input, one documented constant each. What exceeds one is reported as
//! `limit-reached` and named; nothing is cut silently.

/// Symbolic links followed while one path is resolved, as Linux does (`path_resolution(7)`).
pub const SYMLINKS: usize = 40;
/// Bytes of a symbolic link's target.
pub const SYMLINK_BYTES: u64 = 64 * 1024;
/// Components of one path: hostile trees nest deeper than any real one.
pub const PATH_DEPTH: usize = 4096;
/// Entries of one directory.
pub const DIRECTORY_ENTRIES: usize = 10_000_000;
/// Bytes of one directory's data that are read.
pub const DIRECTORY_BYTES: u64 = 1 << 30;
/// Bytes of one extended attribute's value.
pub const XATTR_BYTES: u64 = 1 << 20;
/// Bytes of a configuration or metadata file that is read whole (os-release, fstab, manifests, …).
pub const TEXT_FILE_BYTES: u64 = 16 << 20;
/// Disks given as one node.
pub const DISKS: usize = 64;
/// Partitions of one disk.
pub const PARTITIONS: usize = 1024;
/// Files in a chain of backing files.
pub const BACKING_CHAIN: usize = 64;
/// Block groups of an ext4 file system: 128 TiB of blocks of 4 KiB.
pub const EXT4_GROUPS: usize = 1 << 20;
/// Bytes of metadata blocks that an ext4 reader keeps.
pub const EXT4_CACHE_BYTES: usize = 16 << 20;
/// Bytes of all extended attributes of one ext4 inode.
pub const EXT4_XATTR_BYTES: u64 = 16 << 20;
/// Damaged ext4 group descriptors for which backup copies are read.
pub const EXT4_BACKUP_DESCRIPTORS: u64 = 16_384;
/// Blocks of an ext4 journal, and blocks that it revokes: 4 GiB in blocks of 4 KiB.
pub const EXT4_JOURNAL_BLOCKS: usize = 1 << 20;
/// Blocks for fast commits in an ext4 journal; the default is 256.
pub const EXT4_FAST_COMMIT_BLOCKS: u32 = 8192;
/// Ranges of one file that fast commits of ext4 change.
pub const EXT4_FAST_COMMIT_RANGES: usize = 4096;
/// Damaged places that are told of one directory or file; of more, the first are enough.
pub const DAMAGE_NOTES: usize = 1000;
