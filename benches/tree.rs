//! How fast file systems are read: `cargo bench --bench tree -- IMAGE…` prints the seconds of a walk with all attributes of every
//! inode, and MB/s of reading all files, by one thread; the best of five. `scripts/bench-tree.sh` puts the kernel's beside it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the lints guard the library against hostile disks"
)]

use std::{collections::HashSet, path::Path, time::Instant};

use icecore::{
    block,
    fs::{self, FileKind, FileSystem, Ino},
};

fn main() {
    // Cargo adds `--bench`.
    for image in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        let (mut walked, mut rate, mut count) = (f64::MAX, 0f64, 0);
        for _ in 0..5 {
            let source = block::open(Path::new(&image)).expect("an image");
            let fs = fs::open(&source).expect("a file system").expect("one that is read").fs;
            let start = Instant::now();
            let files;
            (count, files) = walk(&*fs);
            walked = walked.min(start.elapsed().as_secs_f64());
            let start = Instant::now();
            let bytes = read(&*fs, &files);
            rate = rate.max(bytes as f64 / 1e6 / start.elapsed().as_secs_f64());
        }
        println!("{image}: {count} names in {walked:.3} s, data at {rate:.0} MB/s");
    }
}

/// Names, and the files.
fn walk(fs: &dyn FileSystem) -> (usize, Vec<Ino>) {
    let (mut count, mut files, mut seen) = (0, Vec::new(), HashSet::new());
    let mut level = vec![fs.root()];
    while !level.is_empty() {
        let mut next = Vec::new();
        for entry in fs.read_dirs(&level).into_iter().flat_map(|listing| listing.expect("readable").entries) {
            fs.stat(entry.ino).expect("readable");
            count += 1;
            match entry.kind {
                FileKind::Directory => next.push(entry.ino),
                FileKind::Regular if seen.insert(entry.ino) => files.push(entry.ino),
                _ => {}
            }
        }
        level = next;
    }
    (count, files)
}

fn read(fs: &dyn FileSystem, files: &[Ino]) -> u64 {
    let mut buf = vec![0; 1 << 20];
    let mut bytes = 0;
    for ino in files {
        let file = fs.open(*ino).expect("a file");
        for at in (0..file.size()).step_by(buf.len()) {
            let length = (file.size() - at).min(buf.len() as u64) as usize;
            file.read_at(&mut buf[..length], at).expect("readable");
        }
        bytes += file.size();
    }
    bytes
}
