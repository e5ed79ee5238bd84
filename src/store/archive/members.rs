//! The files of an archive: of a directory, or of a tar, whose members are found once by their headers and read in place.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    block::{Cached, Slice, Source, Stream},
    error::FormatError,
    fs::{FileKind, GuestPath, Root},
    limits, num,
};

/// Files by path.
pub(super) enum Files {
    /// In a directory.
    Directory(Root),
    /// In a tar: where each lies in it, and which are links to others.
    Tar { source: Source, members: BTreeMap<GuestPath, Member> },
}

pub(super) enum Member {
    At(u64, u64),
    Link(GuestPath),
}

impl Files {
    /// The members of a tar, by their headers.
    pub(super) fn of_tar(source: &Source) -> Result<Self, FormatError> {
        let corrupt = |error: std::io::Error| FormatError::reading("tar", 0)(error);
        let headers: Source = Arc::new(Cached::new(Arc::clone(source), 64 << 10, 1 << 20));
        let mut tar = tar::Archive::new(Stream::new(headers));
        let mut members = BTreeMap::new();
        for entry in tar.entries_with_seek().map_err(corrupt)? {
            let entry = entry.map_err(corrupt)?;
            if members.len() >= limits::ARCHIVE_MEMBERS {
                return Err(FormatError::limit(format!(
                    "more than {} members of an archive",
                    limits::ARCHIVE_MEMBERS
                )));
            }
            let path = GuestPath::new(&*entry.path_bytes());
            let kind = entry.header().entry_type();
            let link = entry.link_name_bytes().map(|link| link.into_owned());
            let member = match link {
                Some(link) if kind.is_symlink() => {
                    let dir = path.parent().unwrap_or_default();
                    Member::Link(GuestPath::new([dir.as_bytes(), b"/", &link].concat()))
                }
                Some(link) if kind.is_hard_link() => Member::Link(GuestPath::new(link)),
                _ if kind.is_file() => Member::At(entry.raw_file_position(), entry.size()),
                _ => continue,
            };
            members.insert(path, member);
        }
        Ok(Self::Tar { source: Arc::clone(source), members })
    }

    /// A file's bytes, `None` if it is not there.
    pub(super) fn open(&self, path: &str) -> Result<Option<Source>, FormatError> {
        match self {
            Self::Directory(root) => match root.find(path.as_bytes())? {
                Some(file) if file.stat()?.kind == FileKind::Regular => file.open().map(Some),
                _ => Ok(None),
            },
            Self::Tar { source, members } => {
                let mut path = GuestPath::new(path);
                for _ in 0..limits::SYMLINKS {
                    match members.get(&path) {
                        None => return Ok(None),
                        Some(Member::Link(target)) => path = target.clone(),
                        Some(Member::At(offset, length)) => {
                            let end = offset.checked_add(*length).filter(|end| *end <= source.size());
                            end.ok_or_else(|| {
                                FormatError::corrupt(
                                    "tar",
                                    *offset,
                                    format!("{path} ends behind the archive"),
                                )
                            })?;
                            return Ok(Some(Arc::new(Slice::new(Arc::clone(source), *offset, *length))));
                        }
                    }
                }
                Err(FormatError::malformed("tar", format!("links at {path} lead to each other")))
            }
        }
    }

    /// A JSON document, `None` if it is not there.
    pub(super) fn json<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        structure: &'static str,
    ) -> Result<Option<T>, FormatError> {
        let Some(source) = self.open(path)? else { return Ok(None) };
        let bytes = crate::block::read_all(&source, structure, limits::TEXT_FILE_BYTES)?;
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(Some).map_err(|error| {
            let at = num::to_u64(error.column());
            FormatError::corrupt(structure, at, format!("{path}: {error}"))
        })
    }
}
