//! exFAT ("exFAT file system specification", Microsoft).
//!
//! Owners and modes are those of a mount that says nothing of them: everything is root's and 0777, 0555 if it is read-only.
//! Times are UTC where an entry tells its zone, and taken for UTC where it does not. A file's inode is where its entry lies.

mod boot;
mod directory;
mod reader;
mod upcase;

pub use reader::{open, probe};
