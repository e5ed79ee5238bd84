//! ext2, ext3 and ext4: one reader, after the kernel's `Documentation/filesystems/ext4`.
//!
//! Opening reads the superblock and the group descriptors (a damaged one is replaced by a backup copy) and
//! replays the journal in memory. After that an inode is found by its number, its blocks through a map, and
//! everything that has a checksum is checked before it is believed.

mod acl;
mod backup;
mod checksum;
mod directory;
mod extents;
mod fast_commit;
mod features;
mod format;
mod groups;
mod indirect;
mod inline;
mod inode;
mod jbd2;
mod journal;
mod listing;
mod lookup;
mod map;
mod overlay;
mod reader;
mod replay;
mod superblock;
mod volume;
mod xattr;

pub use reader::{open, probe};

use super::blocks;
