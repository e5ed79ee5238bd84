//! Any bytes as an ext4 volume: opened and walked, every file read a little.
#![no_main]

use std::{collections::HashSet, sync::Arc};

use icecore::{
    block::{Memory, ReadAt, Source},
    fs::{FileKind, FileSystem, Ino, ext4},
};
use libfuzzer_sys::fuzz_target;

/// Paths that are looked at: a hostile tree has no end.
const PATHS: usize = 2000;

fuzz_target!(|data: &[u8]| {
    let source: Source = Arc::new(Memory::new(data));
    if !ext4::probe(&source) {
        return;
    }
    if let Ok(opened) = ext4::open(source) {
        walk(&*opened.fs);
    }
});

fn walk(fs: &dyn FileSystem) {
    let mut seen = HashSet::from([fs.root()]);
    let mut todo = vec![fs.root()];
    while let Some(dir) = todo.pop() {
        let Ok(listing) = fs.read_dir(dir) else { continue };
        for entry in listing.entries {
            if seen.len() > PATHS || !seen.insert(entry.ino) {
                continue;
            }
            let _ = fs.lookup(dir, &entry.name);
            look(fs, entry.ino, entry.kind);
            if entry.kind == FileKind::Directory {
                todo.push(entry.ino);
            }
        }
    }
}

fn look(fs: &dyn FileSystem, ino: Ino, kind: FileKind) {
    let _ = fs.stat(ino);
    let _ = fs.xattrs(ino);
    match kind {
        FileKind::Symlink => drop(fs.read_link(ino)),
        FileKind::Regular => {
            let Ok(file) = fs.open(ino) else { return };
            let mut buf = vec![0; usize::try_from(file.size().min(1 << 16)).unwrap_or(0)];
            let _ = file.read_at(&mut buf, 0);
            let _ = file.read_at(&mut buf, file.size() / 2);
        }
        _ => {}
    }
}
