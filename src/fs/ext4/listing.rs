//! Directories, listed many at a time in the order of the disk.

use std::collections::BTreeMap;

use super::{
    directory::{self, Entry, Rules},
    inline,
    inode::Inode,
    map::{self, Map},
    reader::number,
    volume::Volume,
};
use crate::{
    error::FormatError,
    fs::{
        DirEntry, FileKind, Ino, Listing,
        gathering::{self, Inodes, load_inodes},
        in_batches,
    },
    limits,
};

/// A directory that is being read.
pub(super) type Open = gathering::Open<Rules>;

impl Inodes for Volume {
    fn block_of(&self, ino: Ino) -> Option<u64> {
        number(ino).and_then(|number| self.place(number)).ok().map(|place| place.block)
    }

    fn kind_of(&self, ino: Ino) -> Result<FileKind, FormatError> {
        self.inode(number(ino)?)?.kind()
    }
}

/// Several directories, each in its place.
pub(super) fn read(volume: &Volume, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
    in_batches(dirs, |batch| read_batch(volume, batch))
}

fn read_batch(volume: &Volume, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
    load_inodes(volume, dirs);
    let mut parts = Vec::new();
    let mut open = Vec::with_capacity(dirs.len());
    for (index, dir) in dirs.iter().enumerate() {
        open.push(number(*dir).and_then(|number| volume.inode(number)).and_then(|inode| {
            let mut open = start(volume, &inode)?;
            if let Err(error) = inode.check_encryption("the names of directory") {
                open.damage.push(error);
                return Ok(open);
            }
            if inode.has_inline_data() {
                let parts = inline::directory(&inode)?;
                (0..).zip(&parts).for_each(|(part, block)| add(volume, &mut open, part, block, inode.offset));
                return Ok(open);
            }
            let map = map(volume, &inode, &mut open)?;
            let runs = map.runs.into_iter();
            parts.extend(runs.flat_map(|run| gathering::split(&volume.blocks, run, 1, index)));
            Ok(open)
        }));
    }
    gathering::read(volume, directory::STRUCTURE, 1, parts, &mut open, |open, logical, physical, block| {
        match block {
            Some(block) => read_block(volume, open, logical, physical, block),
            None => match volume.blocks.read(directory::STRUCTURE, physical) {
                Ok(block) => read_block(volume, open, logical, physical, &block),
                Err(error) => open.damaged(error),
            },
        }
    });
    let finished = open.into_iter().map(|open| open.map(Open::finish));
    dirs.iter().zip(finished).map(|(dir, listing)| change(volume, *dir, listing?)).collect()
}

/// What must be known before a directory's blocks are read.
pub(super) fn start(volume: &Volume, inode: &Inode) -> Result<Open, FormatError> {
    if inode.kind()? != FileKind::Directory {
        return Err(inode.corrupt("is not a directory"));
    }
    // With too many directories for the count it is 1 (`dir_nlink`).
    Ok(Open::new(rules(volume, inode), inode.stat()?.links))
}

fn rules(volume: &Volume, inode: &Inode) -> Rules {
    Rules {
        seed: inode.seed,
        indexed: inode.is_indexed(),
        file_types: volume.superblock.has_file_types(),
        inodes: volume.superblock.inodes,
    }
}

/// Where a directory's blocks lie; what of that is damaged or missing is noted.
pub(super) fn map(volume: &Volume, inode: &Inode, open: &mut Open) -> Result<Map, FormatError> {
    if inode.size > limits::DIRECTORY_BYTES {
        return Err(FormatError::limit(format!("directory {} has {} bytes", inode.number, inode.size)));
    }
    let count = inode.size.div_ceil(u64::from(volume.superblock.block_size));
    let mut map = map::of(volume, inode, 0..count);
    open.damage.append(&mut map.damage);
    let mapped = map.runs.iter().fold(0, |sum: u64, run| sum.saturating_add(run.count));
    if mapped != count && open.damage.is_empty() && !volume.changes.is_created(inode.number) {
        let problem = format!("directory with holes: {mapped} of {count} blocks");
        open.damage.push(inode.corrupt(problem));
    }
    Ok(map)
}

fn read_block(volume: &Volume, open: &mut Open, logical: u64, physical: u64, block: &[u8]) {
    let offset = volume.superblock.offset(physical);
    match open.context.check(block, logical == 0, offset) {
        Ok(()) => add(volume, open, logical, block, offset),
        Err(error) => open.damaged(error),
    }
}

fn add(volume: &Volume, open: &mut Open, logical: u64, block: &[u8], offset: u64) {
    let mut damage = Vec::new();
    let mut entries = Vec::new();
    let each = |entry: Entry<'_>| {
        let ino = Ino(u64::from(entry.inode));
        let kind = entry.kind.unwrap_or(FileKind::Regular);
        entries.push((DirEntry { name: entry.name.to_vec(), ino, kind }, entry.kind.is_some()));
        false
    };
    open.context.entries(block, offset, each, &mut damage);
    damage.into_iter().for_each(|error| open.damaged(error));
    open.add(volume, logical, entries);
}

/// Adds and removes the names that fast commits did.
fn change(volume: &Volume, dir: Ino, mut listing: Listing) -> Result<Listing, FormatError> {
    // The last change of a name counts.
    let changed: BTreeMap<&[u8], Option<Ino>> = volume.changes.names(number(dir)?).collect();
    if changed.is_empty() {
        return Ok(listing);
    }
    listing.entries.retain(|entry| !changed.contains_key(&entry.name[..]));
    for (name, ino) in changed.into_iter().filter_map(|(name, ino)| Some((name, ino?))) {
        match number(ino).and_then(|number| volume.inode(number)?.kind()) {
            Ok(kind) => listing.entries.push(DirEntry { name: name.to_vec(), ino, kind }),
            Err(error) => listing.damage.push(error),
        }
    }
    Ok(listing)
}
