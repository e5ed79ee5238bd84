//! What the fuzz targets share.

use std::{collections::HashSet, sync::Arc};

use icecore::{
    FormatError,
    block::{Memory, ReadAt, Source},
    fs::{FileKind, FileSystem, GuestPath, Ino, Opened},
    inventory::{EXTRACTORS, File},
};

/// Paths that are looked at: a hostile tree has no end.
const PATHS: usize = 2000;

/// Bytes as a source.
pub fn source(bytes: &[u8]) -> Source {
    Arc::new(Memory::new(bytes))
}

/// Extracts `data` as the file at `path`; `companion` is what every neighbour holds.
pub fn extract(path: &str, data: &[u8], companion: Option<&[u8]>) {
    let path = GuestPath::new(path);
    let extractor = EXTRACTORS.iter().find(|e| e.wants(&path, FileKind::Regular)).expect("an extractor");
    let _ = extractor.extract(&File::new(&path, &source(data), &|_| Ok(companion.map(source))));
}

/// Opens `data` as a volume and walks it; every file is read a little.
pub fn volume(data: &[u8], probe: fn(&dyn ReadAt) -> bool, open: fn(Source) -> Result<Opened, FormatError>) {
    let source = source(data);
    if !probe(&source) {
        return;
    }
    if let Ok(opened) = open(source) {
        walk(&*opened.fs);
    }
}

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
