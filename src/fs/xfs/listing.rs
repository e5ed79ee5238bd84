//! Directories, listed many at a time in the order of the disk.

use std::collections::{BTreeMap, HashSet};

use super::{
    directory::{self, Block, Entry},
    inode::{Format, Inode},
    map::Run,
    pieces::{Pieces, assemble},
    volume::Volume,
};
use crate::{
    error::FormatError,
    fs::{
        DirEntry, FileKind, Ino, Listing,
        gathering::{self, Inodes, load_inodes},
        in_batches,
    },
};

/// A directory that is being read, with the number of its inode.
pub(super) type Open = gathering::Open<u64>;
type Opened = gathering::Opened<u64>;

impl Inodes for Volume {
    fn block_of(&self, ino: Ino) -> Option<u64> {
        self.place(ino.0).ok().map(|place| place.block)
    }

    fn kind_of(&self, ino: Ino) -> Result<FileKind, FormatError> {
        self.inode(ino.0)?.kind()
    }
}

/// Several directories, each in its place.
pub(super) fn read(volume: &Volume, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
    in_batches(dirs, |batch| read_batch(volume, batch))
}

fn read_batch(volume: &Volume, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
    load_inodes(volume, dirs);
    let per = volume.superblock.blocks_per_directory_block();
    let mut parts = Vec::new();
    let mut scattered: Vec<(usize, BTreeMap<u64, Vec<Run>>)> = Vec::new();
    let mut open: Opened = Vec::with_capacity(dirs.len());
    for (dir, ino) in dirs.iter().enumerate() {
        open.push(volume.inode(ino.0).and_then(|inode| {
            let mut open = start(&inode)?;
            if inode.data().format == Format::Local {
                short_form(volume, &mut open, &inode);
                return Ok(open);
            }
            let pieces = Pieces::of(volume, &inode)?;
            open.damage.extend(pieces.damage);
            let whole = pieces.whole.into_iter();
            parts.extend(whole.flat_map(|run| gathering::split(&volume.blocks, run, per, dir)));
            scattered.push((dir, pieces.scattered));
            Ok(open)
        }));
    }
    gathering::read(volume, directory::STRUCTURE, per, parts, &mut open, |open, index, physical, block| {
        match block {
            Some(block) => read_block(volume, open, index, physical, block),
            None => read_pieces(volume, open, index, &[Run { logical: 0, physical, count: per }]),
        }
    });
    read_scattered(volume, scattered, &mut open);
    open.into_iter().map(|open| open.map(Open::finish)).collect()
}

/// What must be known before a directory's entries are read.
pub(super) fn start(inode: &Inode) -> Result<Open, FormatError> {
    match inode.kind()? {
        FileKind::Directory => Ok(Open::new(inode.number, inode.links().into())),
        _ => Err(inode.corrupt("is not a directory")),
    }
}

fn short_form(volume: &Volume, open: &mut Open, inode: &Inode) {
    let mut damage = Vec::new();
    let mut entries = Vec::new();
    let each = |entry: Entry<'_>| {
        entries.push(owned(entry));
        false
    };
    directory::short_form(volume, inode, inode.data(), each, &mut damage);
    damage.into_iter().for_each(|error| open.damaged(error));
    open.add(volume, 0, entries);
}

fn read_scattered(volume: &Volume, scattered: Vec<(usize, BTreeMap<u64, Vec<Run>>)>, open: &mut Opened) {
    let mut seen = HashSet::new();
    for (dir, blocks) in scattered {
        for (index, pieces) in blocks {
            let first = pieces.first().map_or(0, |run| run.physical);
            if !seen.insert(first) {
                gathering::shared(&volume.blocks, directory::STRUCTURE, first, dir, open);
            } else if let Some(Ok(open)) = open.get_mut(dir) {
                read_pieces(volume, open, index, &pieces);
            }
        }
    }
}

fn read_pieces(volume: &Volume, open: &mut Open, index: u64, pieces: &[Run]) {
    let physical = pieces.first().map_or(0, |run| run.physical);
    match assemble(volume, pieces) {
        Ok(block) => read_block(volume, open, index, physical, &block),
        Err(error) => open.damaged(error),
    }
}

fn read_block(volume: &Volume, open: &mut Open, index: u64, physical: u64, bytes: &[u8]) {
    let offset = volume.superblock.offset(physical);
    let block = match Block::check(volume, open.context, bytes, index, offset) {
        Ok(block) => block,
        Err(error) => return open.damaged(error),
    };
    let mut damage = Vec::new();
    let mut entries = Vec::new();
    let each = |entry: Entry<'_>| {
        entries.push(owned(entry));
        false
    };
    block.entries(volume, each, &mut damage);
    damage.into_iter().for_each(|error| open.damaged(error));
    open.add(volume, index, entries);
}

/// An entry, and whether its kind is known.
fn owned(entry: Entry<'_>) -> (DirEntry, bool) {
    let kind = entry.kind.unwrap_or(FileKind::Regular);
    (DirEntry { name: entry.name.to_vec(), ino: Ino(entry.inode), kind }, entry.kind.is_some())
}
