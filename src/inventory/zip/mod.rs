//! Zip archives (PKWARE, APPNOTE.TXT) of which a few members are read: the directory from the archive's end, members in place or
//! unpacked in memory, all within the [`Budget`] of one file.

mod budget;
mod directory;
mod member;

pub(super) use budget::Budget;
pub(super) use directory::Directory;
pub(super) use member::Member;

/// What errors call an archive.
pub(super) const ARCHIVE: &str = "zip archive";
