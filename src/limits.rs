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
/// Bytes of one advisory, or of one catalogue that is a single file.
pub const FEED_FILE_BYTES: u64 = 64 << 20;
/// Bytes of one unpacked feed.
pub const FEED_BYTES: u64 = 16 << 30;
/// Files of one feed.
pub const FEED_FILES: u64 = 4_000_000;
/// Bytes of the database's header.
pub const DATABASE_HEADER_BYTES: u64 = 1 << 20;
/// Bytes of an unpacked index or of the description of a database.
pub const DATABASE_INDEX_BYTES: u64 = 64 << 20;
/// Bytes of an unpacked block of a database: the largest single answer.
pub const DATABASE_BLOCK_BYTES: u64 = 256 << 20;
/// Bytes of unpacked blocks of a database that are kept in memory.
pub const DATABASE_CACHE_BYTES: u64 = 64 << 20;
/// Components nested in each other in a software bill of materials that is matched.
pub const COMPONENT_DEPTH: usize = 32;
