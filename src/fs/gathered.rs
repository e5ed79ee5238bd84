//! The entries of a directory whose blocks are read in the order of the disk, which is not theirs.

use std::cmp::Reverse;

use super::{DirEntry, FileKind, Ino, Listing};
use crate::{
    error::{self, FormatError},
    limits,
};

/// What was read of a directory so far.
pub(in crate::fs) struct Gathered {
    /// By the number of their block in the directory.
    parts: Vec<(u64, Vec<DirEntry>)>,
    entries: usize,
    pub(in crate::fs) damage: Vec<FormatError>,
    directories: Option<u64>,
}

impl Gathered {
    /// Nothing yet, of a directory whose link count tells of so many directories.
    pub(in crate::fs) fn new(directories: Option<u64>) -> Self {
        Self { parts: Vec::new(), entries: 0, damage: Vec::new(), directories }
    }

    /// Adds the entries of a block.
    pub(in crate::fs) fn add(&mut self, block: u64, entries: impl ExactSizeIterator<Item = DirEntry>) {
        self.entries = self.entries.saturating_add(entries.len());
        if self.entries > limits::DIRECTORY_ENTRIES {
            let what = format!("more than {} entries", limits::DIRECTORY_ENTRIES);
            return self.damaged(FormatError::limit(what));
        }
        self.parts.push((block, entries.collect()));
    }

    /// Notes a part that could not be read.
    pub(in crate::fs) fn damaged(&mut self, error: FormatError) {
        error::note(&mut self.damage, error);
    }

    /// Finds the kinds that entries lack; an entry whose inode cannot be read is damage.
    pub(in crate::fs) fn look_up_kinds(
        &mut self,
        entries: &mut Vec<(DirEntry, bool)>,
        kind: impl Fn(Ino) -> Result<FileKind, FormatError>,
    ) {
        entries.retain_mut(|(entry, known)| {
            if *known {
                return true;
            }
            match kind(entry.ino) {
                Ok(kind) => entry.kind = kind,
                Err(error) => {
                    self.damaged(error);
                    return false;
                }
            }
            true
        });
    }

    /// All of it, in the order of the directory.
    pub(in crate::fs) fn finish(mut self) -> Listing {
        self.parts.sort_unstable_by_key(|(block, _)| Reverse(*block));
        let mut entries = self.parts.pop().map(|(_, entries)| entries).unwrap_or_default();
        entries.extend(self.parts.into_iter().rev().flat_map(|(_, entries)| entries));
        Listing { entries, damage: self.damage, directories: self.directories }
    }
}
