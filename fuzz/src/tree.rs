//! A tree of files as one input: the state directory of a runtime, any file of which a hostile node can write.
//! `scripts/fuzz-tree.py` makes such inputs of real ones.
//!
//! An input is one entry after the other: its kind (`u8`: a file, a symbolic link, an empty directory), the length of its path
//! (`u8`), the bytes of it that follow (`u32`) and its size (`u32`), little-endian, the path, and these bytes. What is behind them
//! is zeros: databases are sparse.

use std::sync::Arc;

use icecore::{
    block::Memory,
    fs::{
        FileKind, GuestPath,
        memory::{Entry, Tree},
    },
};

/// Bytes of one file, and of all.
const LARGEST: usize = 512 << 10;
const ALL: usize = 4 << 20;
/// Entries of a tree.
const ENTRIES: usize = 1000;

/// The tree of an input; what is cut off at its end is left out.
pub fn tree(mut data: &[u8]) -> Tree {
    let mut tree = Tree::default();
    let mut left = ALL;
    for _ in 0..ENTRIES {
        let Some((head, rest)) = data.split_first_chunk::<10>() else { break };
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (length, size) = (number(2), number(6).min(LARGEST).min(left));
        let Some((path, rest)) = rest.split_at_checked(usize::from(head[1])) else { break };
        let (bytes, rest) = rest.split_at(length.min(rest.len()));
        data = rest;
        let kind = [FileKind::Regular, FileKind::Symlink, FileKind::Directory][usize::from(head[0] % 3)];
        let mut entry = Entry::new(kind);
        match kind {
            FileKind::Regular => {
                let mut bytes = bytes.to_vec();
                bytes.resize(size, 0);
                left -= size;
                entry.stat.size = size as u64;
                entry.content = Some(Arc::new(Memory::new(bytes)));
            }
            FileKind::Symlink => entry.target = bytes.to_vec(),
            _ => {}
        }
        tree.insert(&GuestPath::new(path), entry);
    }
    tree
}
