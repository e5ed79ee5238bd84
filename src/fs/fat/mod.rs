//! FAT12, FAT16 and FAT32 with long names ("FAT: General Overview of On-Disk Format", Microsoft; the kernel's
//! `Documentation/filesystems/vfat.rst`).
//!
//! Times have no zone: they are taken for UTC. There are no owners and modes: everything is root's and 0755, 0555 if it is
//! read-only, as the kernel shows it by default. Short names that are not ASCII are of code page 437, the kernel's default.
//! A file's inode is where its entry lies.

mod boot;
mod directory;
mod names;
mod reader;

pub use reader::{open, probe};
