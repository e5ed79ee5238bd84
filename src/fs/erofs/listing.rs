//! Directories, listed many at a time in the order of the disk, and single names in them.

use std::collections::HashSet;

use super::{
    directory,
    inode::{Inode, Layout},
    volume::Volume,
};
use crate::{
    error::{self, FormatError},
    fs::{FileKind, Ino, Listing, in_batches, in_disk_order},
    limits, num,
};

/// Several directories, each in its place.
pub(super) fn read(volume: &Volume, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
    in_batches(dirs, |batch| {
        let mut seen = HashSet::new();
        in_disk_order(batch, |dir| list(volume, dir, &mut seen))
    })
}

/// One directory.
pub(super) fn read_one(volume: &Volume, dir: Ino) -> Result<Listing, FormatError> {
    list(volume, dir, &mut HashSet::new())
}

/// One directory, whose blocks are none of those `seen`: a small hostile volume would list as an endless one.
fn list(volume: &Volume, dir: Ino, seen: &mut HashSet<u64>) -> Result<Listing, FormatError> {
    let inode = directory(volume, dir)?;
    let directories = inode.stat().links.checked_sub(2);
    let mut listing = Listing { directories, ..Listing::default() };
    for index in 0..blocks(volume, &inode) {
        match block(volume, &inode, index) {
            Ok((_, place)) if !seen.insert(place) => {
                error::note(&mut listing.damage, corrupt(place, "belongs to a directory twice"));
            }
            Ok((bytes, place)) => {
                let (entries, problems) = directory::entries(&bytes);
                listing.entries.extend(entries);
                for problem in problems {
                    error::note(&mut listing.damage, corrupt(place, &problem));
                }
            }
            Err(error) => error::note(&mut listing.damage, error),
        }
        if listing.entries.len() > limits::DIRECTORY_ENTRIES {
            let what = format!("more than {} entries", limits::DIRECTORY_ENTRIES);
            error::note(&mut listing.damage, FormatError::limit(what));
            break;
        }
    }
    Ok(listing)
}

/// The inode of one name. If the name was not found and a part of the directory is damaged, the damage is the answer:
/// the name may have been there.
pub(super) fn look_up(volume: &Volume, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
    let inode = directory(volume, dir)?;
    let mut damage = None;
    for index in 0..blocks(volume, &inode) {
        match block(volume, &inode, index) {
            Ok((bytes, place)) => {
                let (entries, problems) = directory::entries(&bytes);
                if let Some(entry) = entries.into_iter().find(|entry| entry.name == name) {
                    return Ok(Some(entry.ino));
                }
                damage = damage.or_else(|| problems.first().map(|problem| corrupt(place, problem)));
            }
            Err(error) => damage = damage.or(Some(error)),
        }
    }
    damage.map_or(Ok(None), Err)
}

fn corrupt(place: u64, problem: &str) -> FormatError {
    FormatError::corrupt(directory::STRUCTURE, place, problem)
}

fn directory(volume: &Volume, dir: Ino) -> Result<Inode, FormatError> {
    let inode = volume.inode(dir.0)?;
    if inode.kind != FileKind::Directory {
        return Err(inode.corrupt("is not a directory"));
    }
    // No tool makes others, and a small hostile volume would list as an endless one.
    if !matches!(inode.layout, Layout::Plain | Layout::Inline) {
        let what = format!("EROFS directory {} whose blocks are compressed or in chunks", inode.number);
        return Err(FormatError::unsupported(what));
    }
    if inode.size > volume.source.size() {
        return Err(inode.corrupt(format!("a directory of {} bytes", inode.size)));
    }
    if inode.size > limits::DIRECTORY_BYTES {
        return Err(FormatError::limit(format!("directory {} has {} bytes", inode.number, inode.size)));
    }
    Ok(inode)
}

fn blocks(volume: &Volume, inode: &Inode) -> u64 {
    inode.size.div_ceil(volume.superblock.block_size())
}

/// A block of a directory, and where it lies.
fn block(volume: &Volume, inode: &Inode, index: u64) -> Result<(Vec<u8>, u64), FormatError> {
    let superblock = &volume.superblock;
    let start = superblock.offset(index);
    let length = inode.size.saturating_sub(start).min(superblock.block_size());
    let (place, _) = inode.flat(superblock, start)?;
    volume.devices.check(0, &(place..place.saturating_add(length)))?;
    Ok((volume.read(directory::STRUCTURE, place, num::to_usize(length))?, place))
}
