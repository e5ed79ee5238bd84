//! XFS, versions 4 and 5: one reader, after XFS Algorithms & Data Structures (kernel.org).
//!
//! Opening reads the superblock (a damaged one is replaced by a copy) and recovers the log in memory. After that an
//! inode is found by its number, its blocks through its map, and everything that has a checksum is checked before it
//! is believed.

mod acl;
mod attr_leaf;
mod backup;
mod btree;
mod checksum;
mod directory;
mod extents;
mod features;
mod format;
mod inode;
mod listing;
mod log;
mod lookup;
mod map;
mod overlay;
mod pieces;
mod reader;
mod superblock;
mod symlink;
mod volume;
mod xattr;

pub use reader::{open, probe};
