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
/// Packages of one file: several times the largest distribution.
pub const PACKAGES: usize = 500_000;
/// Damaged records of one file that are named one by one; the rest is told in one sentence.
pub const DAMAGED_RECORDS: usize = 100;
/// Bytes of a line that are kept; only what nobody asks for is longer in real databases.
pub const LINE_BYTES: usize = 64 * 1024;
/// Bytes of a text database (dpkg, apk) that are read.
pub const TEXT_DATABASE_BYTES: u64 = 512 << 20;
/// Bytes of the headers of a Python package's metadata.
pub const METADATA_HEADER_BYTES: u64 = 1 << 20;
/// Bytes of a `package.json`.
pub const PACKAGE_JSON_BYTES: u64 = 4 << 20;
/// Bytes of a SQLite write-ahead log.
pub const SQLITE_WAL_BYTES: u64 = 1 << 30;
/// Pages of one SQLite table.
pub const SQLITE_PAGES: usize = 4 << 20;
/// Depth of a SQLite b-tree: the library's own bound.
pub const SQLITE_DEPTH: usize = 20;
/// Bytes of one SQLite row: the largest rpm headers have a few MiB.
pub const SQLITE_ROW_BYTES: u64 = 64 << 20;
/// Bytes of one rpm header in a Berkeley DB or ndb database, as for [`SQLITE_ROW_BYTES`].
pub const RPM_HEADER_BYTES: u64 = 64 << 20;
/// Entries of one rpm header: rpm's own bound.
pub const RPM_HEADER_ENTRIES: u32 = 65_535;
/// Bytes of a string of an rpm header that is reported.
pub const RPM_STRING_BYTES: usize = 64 * 1024;
/// Bytes of text that the packages of one file have together.
pub const PACKAGE_TEXT_BYTES: usize = 128 << 20;
