//! How fast evidence of packages is read: `cargo bench --bench extractors -- ROOT…` prints for each extractor what the files
//! below these directories that it takes hold, how fast it reads them from memory, by one thread, and how many packages they
//! show. Merged roots of images are a fair choice; files that are damaged count as read.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "the lints guard the library against hostile disks"
)]

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use icecore::{
    FormatError,
    block::{self, Memory, Source},
    fs::{self, DirEntry, FileKind, FileSystem, GuestPath, Ino},
    inventory::{EXTRACTORS, Extractor, File},
};

/// Each file is read so often that it lasts as long as this.
const LEAST_SECONDS: f64 = 0.3;

/// A file, and of its neighbours those that its extractor may ask for.
struct Evidence {
    path: GuestPath,
    content: Source,
    companions: BTreeMap<&'static str, Source>,
}

fn main() {
    let mut all: Vec<Vec<Evidence>> = EXTRACTORS.iter().map(|_| Vec::new()).collect();
    // Cargo adds `--bench`.
    for root in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        let fs = fs::host::open(Path::new(&root), Arc::default()).expect("a directory");
        collect(fs.as_ref(), &mut all);
    }
    println!(
        "{:20} {:>7} {:>9} {:>9} {:>9} {:>9}",
        "extractor", "files", "MB", "packages", "files/s", "MB/s"
    );
    for (extractor, files) in EXTRACTORS.iter().zip(&all).filter(|(_, files)| !files.is_empty()) {
        let bytes: u64 = files.iter().map(|file| file.content.size()).sum();
        let (mut packages, mut rounds, start) = (0, 0_u32, Instant::now());
        while rounds == 0 || start.elapsed().as_secs_f64() < LEAST_SECONDS {
            packages = files.iter().map(|file| extract(*extractor, file).unwrap_or_default()).sum();
            rounds += 1;
        }
        let (each, megabytes) = (start.elapsed().as_secs_f64() / f64::from(rounds), bytes as f64 / 1e6);
        let (files, name) = (files.len(), extractor.name());
        let (file_rate, byte_rate) = (files as f64 / each, megabytes / each);
        println!("{name:20} {files:7} {megabytes:9.1} {packages:9} {file_rate:9.0} {byte_rate:9.1}");
    }
}

fn extract(extractor: &dyn Extractor, file: &Evidence) -> Result<usize, FormatError> {
    let companion = |name: &str| Ok(file.companions.get(name).cloned());
    Ok(extractor.extract(&File::new(&file.path, &file.content, &companion))?.shown.len())
}

/// Takes every file that an extractor takes into memory.
fn collect(fs: &dyn FileSystem, all: &mut [Vec<Evidence>]) {
    let mut dirs = vec![(GuestPath::ROOT, fs.root())];
    while let Some((dir, ino)) = dirs.pop() {
        let entries = fs.read_dir(ino).expect("a directory").entries;
        for entry in &entries {
            let path = dir.join(&entry.name);
            if entry.kind == FileKind::Directory {
                dirs.push((path, entry.ino));
                continue;
            }
            let takes = |extractor: &&dyn Extractor| extractor.wants(&path, entry.kind);
            let Some(number) = EXTRACTORS.iter().position(takes) else { continue };
            let stat = fs.stat(entry.ino).expect("an inode");
            let (Some(extractor), Some(files)) = (EXTRACTORS.get(number), all.get_mut(number)) else {
                continue;
            };
            if extractor.accepts(&path, &stat) {
                let companions = extractor
                    .companions()
                    .iter()
                    .filter_map(|name| Some((*name, beside(fs, &entries, name)?)));
                files.push(Evidence { content: read(fs, entry.ino), companions: companions.collect(), path });
            }
        }
    }
}

fn beside(fs: &dyn FileSystem, entries: &[DirEntry], name: &str) -> Option<Source> {
    let entry = entries.iter().find(|entry| entry.name == name.as_bytes())?;
    (entry.kind == FileKind::Regular).then(|| read(fs, entry.ino))
}

fn read(fs: &dyn FileSystem, file: Ino) -> Source {
    let content = fs.open(file).expect("a file");
    Arc::new(Memory::new(block::read_all(&content, "file", u64::MAX).expect("readable")))
}
