//! EROFS, after the kernel's documentation ("EROFS - Enhanced Read-Only File System") and its on-disk format
//! (`fs/erofs/erofs_fs.h`).
//!
//! A directory entry's number is the place of an inode; the inode says how its data lies: side by side with its last part
//! in the inode, in chunks, or compressed. Only the superblock has a checksum.

mod chunks;
mod compressed;
mod data;
mod devices;
mod directory;
mod extents;
mod features;
mod format;
mod index;
mod inode;
mod listing;
mod reader;
mod superblock;
mod volume;
mod xattr;

pub use reader::{open, probe};
