//! Small images that a hostile hand changed: what of them is still shown, and what is told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use icecore::{
    FormatError,
    block::Memory,
    fs::{DirEntry, FileKind, Root},
};

use crate::tree::{Tree, image, open, walk};

/// The trees of images as they are.
static WHOLE: Mutex<BTreeMap<(String, String), Arc<Tree>>> = Mutex::new(BTreeMap::new());

fn whole(folder: &str, name: &str) -> Arc<Tree> {
    let mut trees = WHOLE.lock().unwrap();
    let key = (folder.to_owned(), name.to_owned());
    let tree = trees.entry(key).or_insert_with(|| Arc::new(shown(image(folder, name).0).0));
    Arc::clone(tree)
}

/// What an image shows, and all that is told of it.
pub(crate) fn shown(bytes: Vec<u8>) -> (Tree, Vec<FormatError>) {
    let opened = open(Arc::new(Memory::new(bytes))).unwrap();
    let mut tree = walk(&*opened.fs, 100_000);
    let told = opened.notes.into_iter().chain(tree.errors.drain(..)).collect();
    (tree, told)
}

/// Changes an image, and gives what is told of it then, in words. Of its paths those that begin with one of `lost` may be
/// missing or be others; the rest must be shown as before.
pub(crate) fn told(
    folder: &str,
    name: &str,
    lost: &[&str],
    change: impl FnOnce(&mut Vec<u8>),
) -> Vec<FormatError> {
    let mut bytes = image(folder, name).0;
    change(&mut bytes);
    let (tree, told) = shown(bytes);
    let before = whole(folder, name);
    let is_kept = |path: &&String| !lost.iter().any(|lost| path.starts_with(lost));
    for path in before.lines.keys().filter(is_kept) {
        assert_eq!(tree.lines.get(path), before.lines.get(path), "{name}: {path}; told: {told:?}");
    }
    for path in tree.lines.keys().filter(is_kept) {
        assert!(before.lines.contains_key(path), "{name}: {path} is new");
    }
    told
}

/// That one error of several says all of `parts`.
pub(crate) fn assert_told(told: &[FormatError], parts: &[&str]) {
    let details: Vec<String> = told.iter().map(FormatError::detail).collect();
    let says = |detail: &&String| parts.iter().all(|part| detail.contains(part));
    assert!(details.iter().any(|detail| says(&detail)), "{parts:?} of {details:?}");
}

/// That a directory which its entry calls a file is one for all who go by paths.
pub(crate) fn check_posing(folder: &str, name: &str, dir: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = image(folder, name).0;
    change(&mut bytes);
    let fs = open(Arc::new(Memory::new(bytes))).unwrap().fs;
    let kind = |entries: &[DirEntry]| {
        entries.iter().find(|entry| entry.name == dir.as_bytes()).map(|entry| entry.kind)
    };
    let raw = fs.read_dir(fs.root()).unwrap();
    assert_eq!(kind(&raw.entries), Some(FileKind::Regular), "{name}: the entry lies");
    let listing = Root::new(fs).top().read_dir().unwrap();
    assert_eq!(kind(&listing.entries), Some(FileKind::Directory), "{name}");
    assert!(listing.damage.is_empty(), "{:?}", listing.damage);
}

/// Puts bytes at a place of an image.
pub(crate) fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    image[at..at + bytes.len()].copy_from_slice(bytes);
}
