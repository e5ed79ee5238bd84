//! How fast file systems are walked and read: `cargo bench --bench files -- IMAGE…` prints for each image of a file
//! system, by one thread, the seconds of a walk that lists every directory, and of reading every file.
//! `scripts/bench-fs.sh` sets them against the kernel's own.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "the lints guard the library against hostile disks"
)]

use std::{path::Path, time::Instant};

use icecore::{
    block::{self, ReadAt},
    fs::{self, FileKind, Ino},
};

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

fn main() {
    // Cargo adds `--bench`.
    for image in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        let source = block::open(Path::new(&image)).expect("an image");
        let opened = fs::open(&source).expect("a file system that is known").expect("one that is read");
        let start = Instant::now();
        let (names, mut files) = walk(opened.fs.as_ref());
        let walk = start.elapsed().as_secs_f64();
        let start = Instant::now();
        files.sort();
        let bytes: u64 = files.iter().map(|file| read(opened.fs.as_ref(), *file)).sum();
        let read = start.elapsed().as_secs_f64();
        println!("{} {names} {walk:.3} {} {bytes} {read:.3}", opened.kind, files.len());
    }
}

/// The names below the root, and the regular files.
fn walk(fs: &dyn fs::FileSystem) -> (usize, Vec<Ino>) {
    let (mut level, mut names, mut files) = (vec![fs.root()], 0, Vec::new());
    while !level.is_empty() {
        let listings = fs.read_dirs(&level);
        level.clear();
        for entry in listings.into_iter().flat_map(|listing| listing.expect("a directory").entries) {
            names += 1;
            match entry.kind {
                FileKind::Directory => level.push(entry.ino),
                FileKind::Regular => files.push(entry.ino),
                _ => {}
            }
        }
    }
    (names, files)
}

fn read(fs: &dyn fs::FileSystem, file: Ino) -> u64 {
    let data = fs.open(file).expect("a file");
    let mut buf = vec![0; PIECE.min(usize::try_from(data.size()).unwrap_or(PIECE))];
    let mut at = 0;
    while at < data.size() {
        let length = buf.len().min(usize::try_from(data.size() - at).unwrap_or(PIECE));
        let part = buf.get_mut(..length).unwrap_or_default();
        data.read_at(part, at).expect("readable");
        at += length as u64;
    }
    at
}
