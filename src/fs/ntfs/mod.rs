//! NTFS 1.2, 3.0 and 3.1, after what Microsoft and the projects that read it have written of it ("NTFS Documentation" of
//! Linux-NTFS; [MS-FSCC] for reparse points, [MS-XCA] for LZNT1).
//!
//! Opening reads the boot sector (a damaged one is replaced by its copy), the record of the master file table and of the
//! volume, and whether the log was closed. A file is a record of attributes, each of them here or in runs of clusters. The
//! log is not replayed: that is told. Permissions are those of a mount that maps no users: everything is 0777, root's.

mod attribute;
mod boot;
mod data;
mod fixup;
mod index;
mod inode;
mod list;
mod listing;
mod log;
mod lookup;
mod lznt1;
mod mft;
mod reader;
mod record;
mod reparse;
mod runs;
mod upcase;
mod volume;
mod xattr;

pub use reader::{open, probe};
