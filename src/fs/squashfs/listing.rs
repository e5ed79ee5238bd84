//! Directories, listed many at a time in the order of the disk, and single names in them.

use std::{cell::Cell, collections::HashSet};

use super::{directory, inode::Inode, volume::Volume};
use crate::{
    error::{self, FormatError},
    fs::{Ino, Listing, in_batches, in_disk_order},
    limits,
};

/// Several directories, each in its place.
pub(super) fn read(volume: &Volume, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
    read_within(volume, dirs, limits::DIRECTORY_ENTRIES)
}

/// The same with room for as many entries, and those of one directory more.
fn read_within(volume: &Volume, dirs: &[Ino], most: usize) -> Vec<Result<Listing, FormatError>> {
    let entries = Cell::new(0usize);
    in_batches(dirs, |batch| {
        let mut seen = HashSet::new();
        in_disk_order(batch, |dir| {
            // Lists that begin at different places of one another are as endless.
            if entries.get() > most {
                let what = format!("directories of more than {most} entries together");
                return Err(FormatError::limit(what));
            }
            let listing = read_one(volume, dir)?;
            entries.set(entries.get().saturating_add(listing.entries.len()));
            let fields = Inode::read(volume, dir.0)?.fields;
            // Entries of two directories never begin at one place: a small hostile volume would list as an endless one.
            match listing.entries.is_empty() || seen.insert((fields.start, fields.offset)) {
                true => Ok(listing),
                false => {
                    let problem = format!("the entries of directory {:#x} belong to another, too", dir.0);
                    Err(FormatError::corrupt(directory::STRUCTURE, fields.start, problem))
                }
            }
        })
    })
}

/// One directory. What is behind a damaged place is lost: nothing says where the next entry begins.
pub(super) fn read_one(volume: &Volume, dir: Ino) -> Result<Listing, FormatError> {
    let inode = Inode::read(volume, dir.0)?;
    let directories = u64::from(inode.fields.links).checked_sub(2);
    let mut listing = Listing { directories, ..Listing::default() };
    let mut too_many = false;
    let end = directory::entries(volume, &inode, |entry| {
        listing.entries.push(entry);
        too_many = listing.entries.len() >= limits::DIRECTORY_ENTRIES;
        too_many
    });
    if too_many {
        let what = format!("more than {} entries", limits::DIRECTORY_ENTRIES);
        error::note(&mut listing.damage, FormatError::limit(what));
    }
    match end {
        Err(error) if listing.entries.is_empty() => Err(error),
        Err(error) => {
            error::note(&mut listing.damage, error);
            Ok(listing)
        }
        Ok(()) => Ok(listing),
    }
}

/// The inode of one name. If it was not found before a damaged place, the damage is the answer.
pub(super) fn look_up(volume: &Volume, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
    look_up_within(volume, dir, name, limits::DIRECTORY_ENTRIES)
}

fn look_up_within(volume: &Volume, dir: Ino, name: &[u8], most: usize) -> Result<Option<Ino>, FormatError> {
    let (mut found, mut count) = (None, 0usize);
    directory::entries(volume, &Inode::read(volume, dir.0)?, |entry| {
        if entry.name == name {
            found = Some(entry.ino);
        }
        count = count.saturating_add(1);
        found.is_some() || count > most
    })?;
    match found {
        None if count > most => Err(FormatError::limit(format!("more than {most} entries"))),
        found => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::{superblock, volume::Volume},
        *,
    };
    use crate::{
        block::{Memory, Source},
        gap::Code,
    };

    fn volume() -> Volume {
        let packed = include_bytes!("../../../disk-fixtures/squashfs/squashfs-stored.img.zst");
        let source: Source = Arc::new(Memory::new(zstd::decode_all(&packed[..]).unwrap()));
        let superblock = superblock::read(&source).unwrap();
        Volume::new(source, superblock)
    }

    #[test]
    fn entries_of_all_directories_of_a_walk_are_bounded() {
        let volume = volume();
        let root = Ino(volume.superblock.root);
        let many = look_up(&volume, root, b"many").unwrap().unwrap();
        let dir = look_up(&volume, root, b"dir").unwrap().unwrap();
        let read = |most| {
            let listings = read_within(&volume, &[root, many, dir], most);
            listings
                .into_iter()
                .map(|listing| listing.map(|listing| listing.entries.len()))
                .collect::<Vec<_>>()
        };
        let whole: Vec<usize> = read(1000).into_iter().map(Result::unwrap).collect();
        assert!(whole.iter().all(|count| *count > 0));
        let cut = read(0);
        assert_eq!(cut.iter().filter(|listing| listing.is_ok()).count(), 1, "{cut:?}");
        let error = cut.into_iter().find_map(Result::err).unwrap();
        assert_eq!(error.detail(), "directories of more than 0 entries together");
        assert_eq!(error.code(), Code::LimitReached);
    }

    #[test]
    fn a_name_is_looked_for_among_so_many_entries() {
        let volume = volume();
        let root = Ino(volume.superblock.root);
        let (first, last) = {
            let names = read_one(&volume, root).unwrap().entries;
            (names[0].name.clone(), names[names.len() - 1].name.clone())
        };
        assert!(look_up_within(&volume, root, &first, 3).unwrap().is_some());
        assert_eq!(look_up_within(&volume, root, &last, 3).unwrap_err().code(), Code::LimitReached);
        assert!(look_up_within(&volume, root, &last, 1000).unwrap().is_some());
        assert_eq!(look_up_within(&volume, root, b"no", 1000).unwrap(), None);
    }
}
