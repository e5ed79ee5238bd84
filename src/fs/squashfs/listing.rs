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
    let entries = Cell::new(0usize);
    in_batches(dirs, |batch| {
        let mut seen = HashSet::new();
        in_disk_order(batch, |dir| {
            // Lists that begin at different places of one another are as endless.
            if entries.get() > limits::DIRECTORY_ENTRIES {
                let what = format!("directories of more than {} entries together", limits::DIRECTORY_ENTRIES);
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
    let (mut found, mut count) = (None, 0usize);
    directory::entries(volume, &Inode::read(volume, dir.0)?, |entry| {
        if entry.name == name {
            found = Some(entry.ino);
        }
        count = count.saturating_add(1);
        found.is_some() || count > limits::DIRECTORY_ENTRIES
    })?;
    match found {
        None if count > limits::DIRECTORY_ENTRIES => {
            Err(FormatError::limit(format!("more than {} entries", limits::DIRECTORY_ENTRIES)))
        }
        found => Ok(found),
    }
}
