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

use super::{Extraction, Package};
use crate::{block::Source, error::FormatError};

/// What errors call an archive.
pub(super) const ARCHIVE: &str = "zip archive";

/// Finds the package that a member shows, if it shows one.
type Read<'a> = &'a dyn Fn(&Source, Member, &mut Budget) -> Result<Option<Package>, FormatError>;

/// The packages that the members of an archive with a name that is wanted show; `None` if the source is no archive.
pub(super) fn packages(
    source: &Source,
    is_wanted: &dyn Fn(&[u8]) -> bool,
    read: Read<'_>,
) -> Result<Option<Extraction>, FormatError> {
    let (mut found, mut budget) = (Extraction::default(), Budget::new());
    let Some(directory) = Directory::read(source, &mut budget)? else { return Ok(None) };
    for (name, member) in directory.choose(is_wanted, &mut found) {
        match read(source, member, &mut budget) {
            Ok(Some(package)) => {
                if !found.add_inside(package, &name) {
                    break;
                }
            }
            Ok(None) => {}
            Err(error) => found.lose(within(error, &name)),
        }
    }
    found.finish().map(Some)
}

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
