//! The zero-length trap: a disk copied soon after a pull may hold layers whose names are all there and whose
//! files are all empty, because their data never left the node's memory. The journal replays names and sizes
//! that it was given; nothing in the file system is damaged.

use std::collections::HashSet;

use crate::fs::{FileKind, FileSystem, Handle, Ino};

/// What the sizes of a directory's files say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Emptiness {
    /// Regular files looked at.
    pub files: u64,
    /// Of these, the empty ones.
    pub empty: u64,
    /// Bytes in all files and directories, each rounded up to whole blocks of 4 KiB.
    pub bytes: u64,
}

impl Emptiness {
    /// Whether the directory holds less than was unpacked into it. `recorded` is what the runtime measured
    /// then: without it, only a majority of empty files is telling.
    pub fn is_suspicious(&self, recorded: Option<u64>) -> bool {
        if self.empty == 0 {
            return self.is_gone(recorded);
        }
        let majority = self.empty.saturating_mul(2) > self.files;
        match recorded {
            // One lost file is at least one block; extent blocks of large files make up for less than 1/256.
            Some(recorded) => {
                let slack = self.bytes.checked_div(256).unwrap_or(0).saturating_add(4095);
                majority || recorded > self.bytes.saturating_add(slack)
            }
            None => majority,
        }
    }
}

impl Emptiness {
    /// Whether nothing at all is left of what was more than the blocks of an empty directory.
    fn is_gone(&self, recorded: Option<u64>) -> bool {
        /// The largest block of a file system.
        const EMPTY_DIRECTORY: u64 = 64 << 10;
        self.bytes == 0 && recorded.is_some_and(|recorded| recorded > EMPTY_DIRECTORY)
    }

    fn add(&mut self, size: u64) {
        let whole = size.checked_next_multiple_of(4096).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(whole);
    }
}

/// Looks at the size of every regular file below a directory, in the order of the inodes.
pub fn emptiness(top: &Handle) -> Emptiness {
    let mut found = Emptiness::default();
    let mut files: Vec<Ino> = Vec::new();
    let mut level = vec![top.ino];
    let mut seen = HashSet::from([top.ino]);
    while !level.is_empty() {
        let mut next = Vec::new();
        for listing in top.fs.read_dirs(&level) {
            // Damage is a gap of the analysis already.
            let Ok(listing) = listing else { continue };
            for entry in listing.entries {
                match entry.kind {
                    FileKind::Directory if seen.insert(entry.ino) => {
                        next.push(entry.ino);
                        found.add(size(top.fs.as_ref(), entry.ino).max(1));
                    }
                    FileKind::Regular => files.push(entry.ino),
                    _ => {}
                }
            }
        }
        level = next;
    }
    files.sort_unstable();
    files.dedup();
    for ino in files {
        let size = size(top.fs.as_ref(), ino);
        found.files = found.files.saturating_add(1);
        found.empty = found.empty.saturating_add(u64::from(size == 0));
        found.add(size);
    }
    found
}

/// An inode that cannot be read holds nothing that could be analyzed.
fn size(fs: &dyn FileSystem, ino: Ino) -> u64 {
    fs.stat(ino).map_or(0, |stat| stat.size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lost_file_among_many_is_suspicious_if_the_runtime_recorded_the_size() {
        let one = Emptiness { files: 100, empty: 1, bytes: 400_000 };
        assert!(one.is_suspicious(Some(400_000 + 8192)));
        assert!(!one.is_suspicious(Some(400_000 + 512)));
        assert!(!one.is_suspicious(None));
        assert!(Emptiness { empty: 51, ..one }.is_suspicious(None));
        assert!(!Emptiness { empty: 0, ..one }.is_suspicious(Some(u64::MAX)));
    }
}
