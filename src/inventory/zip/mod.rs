//! Zip archives (PKWARE, APPNOTE.TXT) of which a few members are read: the directory from the archive's end, members in place or
//! unpacked in memory, all within the [`Budget`] of one file.

mod budget;
mod directory;
mod member;
#[cfg(test)]
pub(super) mod testing;

pub(super) use budget::Budget;
pub(super) use directory::Directory;
pub(super) use member::Member;

use crate::error::FormatError;

/// What errors call an archive.
pub(super) const ARCHIVE: &str = "zip archive";

/// The same error with the member that it is of.
pub(super) fn within(error: FormatError, member: &str) -> FormatError {
    match error {
        FormatError::Corrupt { structure, offset, problem } => {
            FormatError::Corrupt { structure, offset, problem: format!("{problem} ({member})") }
        }
        FormatError::Unsupported { code, what } => {
            FormatError::Unsupported { code, what: format!("{what} ({member})") }
        }
        read @ FormatError::Read { .. } => read,
    }
}
