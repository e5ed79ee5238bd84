//! Directories, listed many at a time in the order of the disk.

use std::collections::BTreeMap;

use super::{
    directory,
    inode::Inode,
    key::{DIR_INDEX, Key},
    subvolumes::Place,
    sweep,
    tree::Tree,
    volume::Volume,
};
use crate::{
    error::{self, FormatError},
    fs::{DirEntry, FileKind, Ino, Listing, in_batches},
    limits,
};

/// Several directories, each in its place.
pub(super) fn read(volume: &Volume, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
    in_batches(dirs, |batch| read_batch(volume, batch))
}

/// A directory that is being read.
struct Open {
    place: Place,
    /// What its inode is, when that was found.
    kind: Option<Result<FileKind, FormatError>>,
    /// By their numbers in the directory, which give the order.
    entries: Vec<(u64, DirEntry)>,
    damage: Vec<FormatError>,
}

fn read_batch(volume: &Volume, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
    let mut listings: Vec<Option<Result<Listing, FormatError>>> = dirs.iter().map(|_| None).collect();
    let mut wanted: BTreeMap<usize, BTreeMap<u64, usize>> = BTreeMap::new();
    for (at, (dir, listing)) in dirs.iter().zip(&mut listings).enumerate() {
        match volume.subvolumes.place(*dir) {
            Err(error) => *listing = Some(Err(error)),
            Ok(place) if place.absent => *listing = Some(Ok(Listing::default())),
            Ok(place) => drop(wanted.entry(place.subvolume).or_default().insert(place.number, at)),
        }
    }
    for (subvolume, numbers) in wanted {
        let opened = read_subvolume(volume, subvolume, numbers.keys().copied());
        for (at, open) in numbers.values().zip(opened) {
            if let Some(listing) = listings.get_mut(*at) {
                *listing = Some(finish(open));
            }
        }
    }
    let missing = || Err(FormatError::corrupt(super::inode::STRUCTURE, 0, "not a directory"));
    listings.into_iter().map(|listing| listing.unwrap_or_else(missing)).collect()
}

/// Directories of one subvolume, by their numbers in order.
fn read_subvolume(volume: &Volume, subvolume: usize, numbers: impl Iterator<Item = u64>) -> Vec<Open> {
    let place = |number| Place { subvolume, number, absent: false };
    let open = |number| Open { place: place(number), kind: None, entries: Vec::new(), damage: Vec::new() };
    let mut opened: Vec<Open> = numbers.map(open).collect();
    let Some(tree) = volume.subvolumes.list.get(subvolume).map(|subvolume| &subvolume.tree) else {
        return opened;
    };
    let ranges: Vec<(Key, Key)> = opened.iter().flat_map(|open| ranges(open.place.number)).collect();
    sweep::sweep(&volume.nodes, &tree.root, &ranges, &mut |range, found| {
        let Some(open) = opened.get_mut(range / 2) else { return };
        match found {
            // What the log changed is added afterwards.
            Ok((key, ..)) if tree.changes.contains_key(&key) => {}
            Ok((key, bytes, offset)) => add(volume, open, key, bytes, offset),
            Err(error) => damaged(open, error),
        }
    });
    opened.iter_mut().for_each(|open| change(volume, tree, open));
    opened
}

/// The inode, and the names.
fn ranges(number: u64) -> [(Key, Key); 2] {
    let inode = Inode::key(number);
    [(inode, inode), Key::all(number, DIR_INDEX)]
}

fn change(volume: &Volume, tree: &Tree, open: &mut Open) {
    for (from, to) in ranges(open.place.number) {
        for (key, bytes) in tree.changes.range(from..=to) {
            if let Some(bytes) = bytes {
                add(volume, open, *key, bytes, 0);
            }
        }
    }
}

fn add(volume: &Volume, open: &mut Open, key: Key, bytes: &[u8], offset: u64) {
    if key.kind != DIR_INDEX {
        open.kind = Some(Inode::parse(open.place, bytes, offset).and_then(|inode| inode.kind()));
        return;
    }
    if open.entries.len() >= limits::DIRECTORY_ENTRIES {
        return damaged(open, FormatError::limit(format!("more than {} entries", limits::DIRECTORY_ENTRIES)));
    }
    let entry = directory::listed(key, bytes, offset).and_then(|(named, kind)| {
        let ino = volume.subvolumes.entry(open.place, &named, offset)?;
        Ok(DirEntry { name: named.name.to_vec(), ino, kind })
    });
    match entry {
        Ok(entry) => open.entries.push((key.offset, entry)),
        Err(error) => damaged(open, error),
    }
}

fn damaged(open: &mut Open, error: FormatError) {
    error::note(&mut open.damage, error);
}

fn finish(mut open: Open) -> Result<Listing, FormatError> {
    let number = open.place.number;
    let corrupt =
        |problem: String| FormatError::corrupt(super::inode::STRUCTURE, 0, format!("{number} {problem}"));
    match open.kind {
        Some(Ok(FileKind::Directory)) => {}
        Some(Ok(kind)) => return Err(corrupt(format!("is no directory: {}", kind.letter()))),
        Some(Err(error)) => return Err(error),
        None if open.entries.is_empty() => {
            return Err(open.damage.pop().unwrap_or_else(|| corrupt("is missing".to_owned())));
        }
        // The damage tells that its inode is lost; its names are not.
        None if open.damage.is_empty() => open.damage.push(corrupt("is missing".to_owned())),
        None => {}
    }
    open.entries.sort_unstable_by_key(|(index, _)| *index);
    let entries = open.entries.into_iter().map(|(_, entry)| entry).collect();
    // Directories have one link, whatever they hold.
    Ok(Listing { entries, damage: open.damage, directories: None })
}
