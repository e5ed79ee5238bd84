//! Directories: all blocks that are in use, in their order, so that one that is damaged loses its own names only.

use std::collections::{BTreeSet, HashSet};

use super::{
    index::{Entries, Entry, Index},
    inode::{self, Inode, REPARSE, SYSTEM},
    record::number,
    reparse::Reparse,
    volume::{FIRST, Volume},
};
use crate::{
    error::{self, FormatError},
    fs::{DirEntry, FileKind, Ino, Listing, utf16},
    limits,
};

/// The names of a directory.
pub(super) fn read(volume: &Volume, reference: u64) -> Result<Listing, FormatError> {
    let inode = directory(volume, reference)?;
    let index = Index::of(volume, &inode)?;
    let mut reading =
        Reading { volume, index: &index, listing: Listing::default(), children: HashSet::new() };
    if let Some(Reparse::Other(tag)) = inode.reparse(volume)? {
        reading.damaged(super::reparse::refused(tag, inode.record.number));
    }
    if index.bytes() > limits::DIRECTORY_BYTES {
        return Err(FormatError::limit(format!("NTFS directory of {} bytes", index.bytes())));
    }
    let root = &index.root;
    if let Some(problem) = &root.problem {
        reading.damaged(inode.corrupt(format!("the root of its index: {problem}")));
    }
    reading.take(&root.list);
    reading.blocks();
    Ok(reading.listing)
}

/// The directory that a reference names.
pub(super) fn directory(volume: &Volume, reference: u64) -> Result<Inode, FormatError> {
    let inode = volume.inode(reference)?;
    match inode.kind(volume)? {
        FileKind::Directory => Ok(inode),
        _ => Err(inode.corrupt("it is not a directory")),
    }
}

struct Reading<'a> {
    volume: &'a Volume,
    index: &'a Index<'a>,
    listing: Listing,
    /// The blocks that entries lead to.
    children: HashSet<u64>,
}

impl Reading<'_> {
    fn blocks(&mut self) {
        let marked = self.index.in_use().map_err(|error| self.damaged(error)).ok();
        let mut todo: BTreeSet<u64> = marked.iter().flatten().copied().collect();
        let is_marked: HashSet<u64> = todo.iter().copied().collect();
        let mut seen = HashSet::new();
        // What is marked, then what entries lead to beside it; none twice.
        loop {
            while let Some(number) = todo.pop_first() {
                if seen.insert(number) {
                    self.block(number);
                }
            }
            todo.extend(self.children.iter().filter(|number| !seen.contains(*number)));
            if todo.is_empty() {
                break;
            }
            if marked.is_some() {
                let problem = "it is not marked to be in use";
                let unmarked: Vec<u64> =
                    todo.iter().filter(|one| !is_marked.contains(*one)).copied().collect();
                unmarked.into_iter().for_each(|one| self.damaged(self.index.corrupt(one, problem)));
            }
        }
        // The children of a damaged block have no entry that leads to them, either.
        if self.listing.damage.is_empty() {
            let mut lone: Vec<u64> = seen.difference(&self.children).copied().collect();
            lone.sort_unstable();
            let problem = "no entry leads to it";
            lone.into_iter().for_each(|one| self.damaged(self.index.corrupt(one, problem)));
        }
    }

    fn block(&mut self, number: u64) {
        match self.index.read(number) {
            Ok(Entries { list, problem }) => {
                if let Some(problem) = problem {
                    self.damaged(self.index.corrupt(number, problem));
                }
                self.take(&list);
            }
            Err(error) => self.damaged(error),
        }
    }

    fn take(&mut self, entries: &[Entry]) {
        for entry in entries {
            if let Some(child) = entry.child {
                let problem = match self.index.number(child) {
                    None => Some(format!("an entry leads to cluster {child} of it, where no block is")),
                    Some(number) if !self.children.insert(number) => {
                        Some(format!("two entries lead to block {number}"))
                    }
                    Some(_) => None,
                };
                if let Some(problem) = problem {
                    self.damaged(self.index.inode.corrupt(format!("its index: {problem}")));
                }
            }
            if self.listing.entries.len() >= limits::DIRECTORY_ENTRIES {
                let what = format!("more than {} entries", limits::DIRECTORY_ENTRIES);
                return self.damaged(FormatError::limit(what));
            }
            match self.named(entry) {
                Ok(Some(named)) => self.listing.entries.push(named),
                Ok(None) => {}
                Err(error) => self.damaged(error),
            }
        }
    }

    /// The entry as it is listed; the volume's own files and names for DOS are not.
    fn named(&mut self, entry: &Entry) -> Result<Option<DirEntry>, FormatError> {
        let inode = self.index.inode;
        let Some(name) = entry.name.as_ref().filter(|name| !name.is_dos) else { return Ok(None) };
        if number(entry.reference) < FIRST {
            return Ok(None);
        }
        let bytes = utf16::to_bytes(&name.units);
        let corrupt =
            |problem: &str| inode.corrupt(format!("its name \"{}\" {problem}", bytes.escape_ascii()));
        if let Some(problem) = utf16::refused(&bytes) {
            return Err(corrupt(problem));
        }
        if number(name.parent) != inode.record.number {
            return Err(corrupt(&format!("says that record {} has it", number(name.parent))));
        }
        let told = match name.is_directory() {
            true => FileKind::Directory,
            false => FileKind::Regular,
        };
        let kind = match self.kind(entry.reference) {
            Ok(kind) => kind,
            // What stands in for the file would say what it is.
            Err(error) if name.flags & (REPARSE | SYSTEM) != 0 => return Err(error),
            Err(error) => {
                self.damaged(error);
                told
            }
        };
        Ok(Some(DirEntry { name: bytes, ino: Ino(entry.reference), kind }))
    }

    /// What the record of an entry says that it is: the name has a copy of that, and one that lies would hide what is
    /// below from a walk. No link count tells of the directories, and so each record is read; of most its first bytes.
    fn kind(&self, reference: u64) -> Result<FileKind, FormatError> {
        let record = self.volume.record(reference)?;
        match inode::plain_kind(&record) {
            Some(kind) => Ok(kind),
            None => self.volume.inode(reference)?.kind(self.volume),
        }
    }

    fn damaged(&mut self, error: FormatError) {
        error::note(&mut self.listing.damage, error);
    }
}
