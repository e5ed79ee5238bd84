//! What can go wrong while bytes are read: one enum for all rooms that parse, with the structure, the
//! offset and the value seen. Three families, by what a caller can do about them.

use std::{cmp::Ordering, io};

use thiserror::Error;

use crate::{gap::Code, limits};

/// Why a structure could not be read. The offset is in bytes from the start of what the reader was
/// given (a disk, a volume, a file), not of the host's file.
#[derive(Debug, Error)]
pub enum FormatError {
    /// The bytes could not be had: the source is short or its storage failed.
    #[error("{structure} at offset {offset:#x} cannot be read")]
    Read {
        /// The specification's name of the structure.
        structure: &'static str,
        /// Where the read began.
        offset: u64,
        /// What the source said.
        source: io::Error,
    },
    /// The bytes were read and contradict their format.
    #[error("{structure}{}: {problem}", place(*offset))]
    Corrupt {
        /// The specification's name of the structure.
        structure: &'static str,
        /// Where the structure begins; `None` of a document, whose problem says where it is wrong.
        offset: Option<u64>,
        /// What is wrong, with the value seen.
        problem: String,
    },
    /// The bytes are (or may be) right, but icecore does not read them.
    #[error("{what}")]
    Unsupported {
        /// The code under which the report names it.
        code: Code,
        /// The feature or limit by its own name, with the value seen.
        what: String,
    },
}

impl FormatError {
    /// A structure that contradicts its format.
    pub fn corrupt(structure: &'static str, offset: u64, problem: impl Into<String>) -> Self {
        Self::Corrupt { structure, offset: Some(offset), problem: problem.into() }
    }

    /// A document, or what one says, that contradicts its format: no offset would tell more than the problem does.
    pub fn malformed(structure: &'static str, problem: impl Into<String>) -> Self {
        Self::Corrupt { structure, offset: None, problem: problem.into() }
    }

    /// A feature that icecore does not read, reported as `unsupported-feature`.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { code: Code::UnsupportedFeature, what: what.into() }
    }

    /// A bound of [`crate::limits`] that the input exceeds, reported as `limit-reached`.
    pub fn limit(what: impl Into<String>) -> Self {
        Self::Unsupported { code: Code::LimitReached, what: what.into() }
    }

    /// For `map_err` on a read of `structure` at `offset`. An error that a reader below already
    /// described (it crossed [`crate::block::ReadAt`] as an [`io::Error`]) is kept as it was.
    pub fn reading(structure: &'static str, offset: u64) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.downcast::<Self>() {
            Ok(inner) => inner,
            Err(source) => Self::Read { structure, offset, source },
        }
    }

    /// The code under which a report names this error.
    pub fn code(&self) -> Code {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof => Code::Truncated,
            Self::Read { .. } => Code::ReadError,
            Self::Corrupt { .. } => Code::CorruptStructure,
            Self::Unsupported { code, .. } => *code,
        }
    }

    /// Where in the source the trouble is, if it is at one place.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Read { offset, .. } => Some(*offset),
            Self::Corrupt { offset, .. } => *offset,
            Self::Unsupported { .. } => None,
        }
    }

    /// Whether the host's storage failed (as opposed to an input that is merely short or wrong): another
    /// try may succeed.
    pub fn is_host_io(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() != io::ErrorKind::UnexpectedEof)
    }

    /// The message with its causes, as reports and logs show it.
    pub fn detail(&self) -> String {
        match self {
            Self::Read { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}

/// An offset in words, if there is one.
fn place(offset: Option<u64>) -> String {
    offset.map(|offset| format!(" at offset {offset:#x}")).unwrap_or_default()
}

/// Adds an error to those of one structure, each of which loses only what it hit. The first
/// [`limits::DAMAGE_NOTES`] are kept; of more, one sentence says that there are more.
pub fn note(errors: &mut Vec<FormatError>, error: FormatError) {
    match errors.len().cmp(&limits::DAMAGE_NOTES) {
        Ordering::Less => errors.push(error),
        Ordering::Equal => {
            let what = format!("more than {} damaged places, which are not listed", limits::DAMAGE_NOTES);
            errors.push(FormatError::limit(what));
        }
        Ordering::Greater => {}
    }
}

/// Lets a reader that is itself a source of bytes (a file of a guest, a qcow2 disk) report what it found.
impl From<FormatError> for io::Error {
    fn from(error: FormatError) -> Self {
        let kind = match &error {
            FormatError::Read { source, .. } => source.kind(),
            FormatError::Corrupt { .. } => io::ErrorKind::InvalidData,
            FormatError::Unsupported { .. } => io::ErrorKind::Unsupported,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_crosses_io_and_comes_back_as_it_was() {
        let io: io::Error = FormatError::corrupt("inode", 0x400, "mode 0xffff").into();
        let back = FormatError::reading("file", 7)(io);
        assert_eq!(back.detail(), "inode at offset 0x400: mode 0xffff");
    }

    #[test]
    fn a_document_has_no_offset() {
        let error = FormatError::malformed("manifest", "expected value at line 1");
        assert_eq!((error.detail().as_str(), error.offset()), ("manifest: expected value at line 1", None));
        assert_eq!(
            FormatError::corrupt("superblock", 0, "magic").detail(),
            "superblock at offset 0x0: magic"
        );
    }

    #[test]
    fn a_short_source_is_not_the_hosts_fault() {
        let short = FormatError::reading("superblock", 1024)(io::ErrorKind::UnexpectedEof.into());
        let broken = FormatError::reading("superblock", 1024)(io::Error::from_raw_os_error(5));
        assert!(!short.is_host_io() && short.code() == Code::Truncated);
        assert!(broken.is_host_io() && broken.code() == Code::ReadError);
    }
}
