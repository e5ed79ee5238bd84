//! Squashfs 4.0, after the kernel's documentation ("SQUASHFS 4.0 FILESYSTEM").
//!
//! Inodes, directories and tables are a stream of blocks of 8 KiB, compressed each; a place in it is a block and a byte in
//! what it unpacks to, and an inode's number is its place. Data lies in blocks of one size, and the ends of files together in
//! fragments.

mod blocks;
mod data;
mod directory;
mod format;
mod inode;
mod listing;
mod metadata;
mod reader;
mod superblock;
mod table;
mod volume;
mod xattr;

pub use reader::{open, probe};
