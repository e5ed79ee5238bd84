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
    fs::{DirEntry, FileKind, Ino, Listing, blocks::Span, gathered::Gathered, in_batches},
    num,
};

/// Several directories, each in its place.
pub(super) fn read(volume: &Volume, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
    in_batches(dirs, |batch| read_batch(volume, batch))
}

/// A directory that is being read.
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) found: Gathered,
}

/// Blocks of a directory that lie side by side: the index of the first, and which directory of the batch it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    physical: u64,
    /// Blocks of the file system.
    count: u64,
    index: u64,
    dir: usize,
}

type Opened = Vec<Result<Open, FormatError>>;

fn read_batch(volume: &Volume, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
    load_inodes(volume, dirs);
    let mut parts: Vec<Part> = Vec::new();
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
            open.found.damage.extend(pieces.damage);
            parts.extend(pieces.whole.into_iter().flat_map(|run| split(volume, run, dir)));
            scattered.push((dir, pieces.scattered));
            Ok(open)
        }));
    }
    parts.sort_unstable();
    drop_shared(volume, &mut parts, &mut open);
    let groups = volume.blocks.join(&parts, |part| Span { start: part.physical, count: part.count });
    groups.iter().skip(1).for_each(|(span, _)| volume.blocks.will_need(*span));
    for group in groups {
        read_group(volume, group, &mut open);
    }
    read_scattered(volume, scattered, &mut open);
    open.into_iter().map(|open| open.map(|open| open.found.finish())).collect()
}

/// Drops parts whose blocks another part holds already: a small hostile disk would list as an endless one.
fn drop_shared(volume: &Volume, parts: &mut Vec<Part>, open: &mut Opened) {
    let mut end = 0;
    parts.retain(|part| {
        let alone = part.physical >= end;
        if !alone {
            shared(volume, part.dir, part.physical, open);
        }
        end = end.max(part.physical.saturating_add(part.count));
        alone
    });
}

fn shared(volume: &Volume, dir: usize, block: u64, open: &mut Opened) {
    if let Some(Ok(open)) = open.get_mut(dir) {
        let problem = format!("block {block} belongs to a directory twice");
        open.found.damaged(FormatError::corrupt(
            directory::STRUCTURE,
            volume.superblock.offset(block),
            problem,
        ));
    }
}

/// Brings inodes into the cache, in the order of the disk.
fn load_inodes(volume: &Volume, inodes: &[Ino]) {
    let place = |ino: &Ino| volume.place(ino.0).ok();
    volume.blocks.gather(inodes.iter().filter_map(place).map(|place| place.block).collect());
}

/// What must be known before a directory's entries are read.
pub(super) fn start(inode: &Inode) -> Result<Open, FormatError> {
    match inode.kind()? {
        FileKind::Directory => {
            let directories = u64::from(inode.links()).checked_sub(2);
            Ok(Open { number: inode.number, found: Gathered::new(directories) })
        }
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
    damage.into_iter().for_each(|error| open.found.damaged(error));
    add(volume, open, 0, entries);
}

/// Parts of a run that one read fetches, each of whole blocks of the directory.
fn split(volume: &Volume, run: Run, dir: usize) -> impl Iterator<Item = Part> + use<> {
    let per = volume.superblock.blocks_per_directory_block();
    let longest = volume.blocks.reach().1.max(per);
    (0..run.count.div_ceil(longest)).map(move |part| {
        let skipped = part.saturating_mul(longest);
        Part {
            physical: run.physical.saturating_add(skipped),
            count: run.count.saturating_sub(skipped).min(longest),
            index: run.logical.saturating_add(skipped).checked_div(per).unwrap_or(0),
            dir,
        }
    })
}

fn read_group(volume: &Volume, (span, parts): (Span, &[Part]), open: &mut Opened) {
    let per = volume.superblock.blocks_per_directory_block();
    let block_size = num::index(volume.superblock.block_size);
    let size = num::index(volume.superblock.directory_block);
    let whole = volume.blocks.read_span(span).ok();
    for part in parts {
        let Some(Ok(open)) = open.get_mut(part.dir) else { continue };
        let blocks = (part.physical..part.physical.saturating_add(part.count)).step_by(num::to_usize(per));
        for (index, physical) in (part.index..).zip(blocks) {
            let start = num::to_usize(physical.saturating_sub(span.start)).saturating_mul(block_size);
            match whole.as_ref().and_then(|whole| whole.get(start..start.saturating_add(size))) {
                Some(block) => read_block(volume, open, index, physical, block),
                // A read that fails loses only the blocks that it must.
                None => read_pieces(volume, open, index, &[Run { logical: 0, physical, count: per }]),
            }
        }
    }
}

fn read_scattered(volume: &Volume, scattered: Vec<(usize, BTreeMap<u64, Vec<Run>>)>, open: &mut Opened) {
    let mut seen = HashSet::new();
    for (dir, blocks) in scattered {
        for (index, pieces) in blocks {
            let first = pieces.first().map_or(0, |run| run.physical);
            if !seen.insert(first) {
                shared(volume, dir, first, open);
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
        Err(error) => open.found.damaged(error),
    }
}

fn read_block(volume: &Volume, open: &mut Open, index: u64, physical: u64, bytes: &[u8]) {
    let offset = volume.superblock.offset(physical);
    let block = match Block::check(volume, open.number, bytes, index, offset) {
        Ok(block) => block,
        Err(error) => return open.found.damaged(error),
    };
    let mut damage = Vec::new();
    let mut entries = Vec::new();
    let each = |entry: Entry<'_>| {
        entries.push(owned(entry));
        false
    };
    block.entries(volume, each, &mut damage);
    damage.into_iter().for_each(|error| open.found.damaged(error));
    add(volume, open, index, entries);
}

/// An entry, and whether its kind is known.
fn owned(entry: Entry<'_>) -> (DirEntry, bool) {
    let kind = entry.kind.unwrap_or(FileKind::Regular);
    (DirEntry { name: entry.name.to_vec(), ino: Ino(entry.inode), kind }, entry.kind.is_some())
}

fn add(volume: &Volume, open: &mut Open, index: u64, mut entries: Vec<(DirEntry, bool)>) {
    if entries.iter().any(|(_, known)| !known) {
        look_up_kinds(volume, open, &mut entries);
    }
    open.found.add(index, entries.into_iter().map(|(entry, _)| entry));
}

/// The kinds that the entries do not hold, from the inodes in the order of the disk.
fn look_up_kinds(volume: &Volume, open: &mut Open, entries: &mut Vec<(DirEntry, bool)>) {
    let missing: Vec<Ino> = entries.iter().filter(|(_, known)| !known).map(|(entry, _)| entry.ino).collect();
    load_inodes(volume, &missing);
    open.found.look_up_kinds(entries, |ino| volume.inode(ino.0)?.kind());
}
