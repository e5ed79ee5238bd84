//! exFAT ("exFAT file system specification", Microsoft).
//!
//! There are no owners and modes: everything is root's and 0755, 0555 if it is read-only, as the kernel shows it by default.
//! Times are UTC where an entry tells its zone, and taken for UTC where it does not. A file's inode is where its entry lies.

mod boot;
mod directory;
mod reader;
mod upcase;

pub use reader::{open, probe};
