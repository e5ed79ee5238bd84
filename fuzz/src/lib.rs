//! What the fuzz targets of extractors share.

use std::sync::Arc;

use icecore::{
    block::{Memory, Source},
    fs::{FileKind, GuestPath},
    inventory::{EXTRACTORS, File},
};

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
