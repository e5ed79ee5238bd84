//! Directories, listed many at a time in the order of the disk.

use std::collections::BTreeMap;

use super::{
    blocks::Span,
    directory::{self, Entry, Rules},
    inline,
    inode::Inode,
    map::{self, Map, Run},
    reader::number,
    volume::Volume,
};
use crate::{
    error::FormatError,
    fs::{DirEntry, FileKind, Ino, Listing, gathered::Gathered, in_batches},
    limits, num,
};

/// Several directories, each in its place.
pub(super) fn read(volume: &Volume, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
    in_batches(dirs, |batch| read_batch(volume, batch))
}

/// A directory that is being read.
pub(super) struct Open {
    pub(super) rules: Rules,
    pub(super) found: Gathered,
}

fn read_batch(volume: &Volume, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
    load_inodes(volume, dirs);
    let mut runs: Vec<(Run, usize)> = Vec::new();
    let mut open: Vec<Result<Open, FormatError>> = Vec::with_capacity(dirs.len());
    for (index, dir) in dirs.iter().enumerate() {
        open.push(number(*dir).and_then(|number| volume.inode(number)).and_then(|inode| {
            let mut open = start(volume, &inode)?;
            if let Err(error) = inode.check_encryption("the names of directory") {
                open.found.damage.push(error);
                return Ok(open);
            }
            if inode.has_inline_data() {
                let parts = inline::directory(&inode)?;
                (0..).zip(&parts).for_each(|(part, block)| add(volume, &mut open, part, block, inode.offset));
                return Ok(open);
            }
            let map = map(volume, &inode, &mut open)?;
            runs.extend(map.runs.into_iter().flat_map(|run| split(volume, run)).map(|run| (run, index)));
            Ok(open)
        }));
    }
    runs.sort_unstable_by_key(|(run, index)| (run.physical, *index));
    drop_shared(volume, &mut runs, &mut open);
    let span = |(run, _): &(Run, usize)| Span { start: run.physical, count: run.count };
    let groups = volume.blocks.join(&runs, span);
    groups.iter().skip(1).for_each(|(span, _)| volume.blocks.will_need(*span));
    for group in groups {
        read_group(volume, group, &mut open);
    }
    let finished = open.into_iter().map(|open| open.map(|open| open.found.finish()));
    dirs.iter().zip(finished).map(|(dir, listing)| change(volume, *dir, listing?)).collect()
}

/// Drops runs of blocks that another run holds already: a small hostile disk would list as an endless one.
fn drop_shared(volume: &Volume, runs: &mut Vec<(Run, usize)>, open: &mut [Result<Open, FormatError>]) {
    let mut end = 0;
    runs.retain(|(run, index)| {
        let alone = run.physical >= end;
        if !alone && let Some(Ok(open)) = open.get_mut(*index) {
            let offset = volume.superblock.offset(run.physical);
            let problem = format!("block {} belongs to a directory twice", run.physical);
            open.found.damaged(FormatError::corrupt(directory::STRUCTURE, offset, problem));
        }
        end = end.max(run.physical.saturating_add(run.count));
        alone
    });
}

/// Brings the inodes into the cache, in the order of the inode tables.
fn load_inodes(volume: &Volume, dirs: &[Ino]) {
    let place = |dir: &Ino| number(*dir).and_then(|number| volume.place(number)).ok();
    volume.blocks.gather(dirs.iter().filter_map(place).map(|place| place.block).collect());
}

/// What must be known before a directory's blocks are read.
pub(super) fn start(volume: &Volume, inode: &Inode) -> Result<Open, FormatError> {
    if inode.kind()? != FileKind::Directory {
        return Err(inode.corrupt("is not a directory"));
    }
    // With too many directories for the count it is 1 (`dir_nlink`).
    let directories = inode.stat()?.links.checked_sub(2);
    Ok(Open { rules: rules(volume, inode), found: Gathered::new(directories) })
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
    open.found.damage.append(&mut map.damage);
    let mapped = map.runs.iter().fold(0, |sum: u64, run| sum.saturating_add(run.count));
    if mapped != count && open.found.damage.is_empty() && !volume.changes.is_created(inode.number) {
        let problem = format!("directory with holes: {mapped} of {count} blocks");
        open.found.damage.push(inode.corrupt(problem));
    }
    Ok(map)
}

/// Parts of a run that one read fetches.
fn split(volume: &Volume, run: Run) -> impl Iterator<Item = Run> + use<> {
    let (_, longest) = volume.blocks.reach();
    (0..run.count.div_ceil(longest)).map(move |part| {
        let skipped = part.saturating_mul(longest);
        Run {
            logical: run.logical.saturating_add(skipped),
            physical: run.physical.saturating_add(skipped),
            count: run.count.saturating_sub(skipped).min(longest),
        }
    })
}

fn read_group(
    volume: &Volume,
    (span, runs): (Span, &[(Run, usize)]),
    open: &mut [Result<Open, FormatError>],
) {
    let size = num::index(volume.superblock.block_size);
    let whole = volume.blocks.read_span(span).ok();
    for (run, index) in runs {
        let Some(Ok(open)) = open.get_mut(*index) else { continue };
        for (logical, physical) in (run.logical..run.logical_end()).zip(run.physical..) {
            let start = num::to_usize(physical.saturating_sub(span.start)).saturating_mul(size);
            let part = whole.as_ref().and_then(|whole| whole.get(start..start.saturating_add(size)));
            match part {
                Some(block) => read_block(volume, open, logical, physical, block),
                // A read that fails loses only the blocks that it must.
                None => match volume.blocks.read(directory::STRUCTURE, physical) {
                    Ok(block) => read_block(volume, open, logical, physical, &block),
                    Err(error) => open.found.damaged(error),
                },
            }
        }
    }
}

fn read_block(volume: &Volume, open: &mut Open, logical: u64, physical: u64, block: &[u8]) {
    let offset = volume.superblock.offset(physical);
    match open.rules.check(block, logical == 0, offset) {
        Ok(()) => add(volume, open, logical, block, offset),
        Err(error) => open.found.damaged(error),
    }
}

fn add(volume: &Volume, open: &mut Open, logical: u64, block: &[u8], offset: u64) {
    let mut damage = Vec::new();
    let mut entries = Vec::new();
    let mut kinds_missing = false;
    let each = |entry: Entry<'_>| {
        kinds_missing |= entry.kind.is_none();
        let ino = Ino(u64::from(entry.inode));
        let kind = entry.kind.unwrap_or(FileKind::Regular);
        entries.push((DirEntry { name: entry.name.to_vec(), ino, kind }, entry.kind.is_some()));
        false
    };
    open.rules.entries(block, offset, each, &mut damage);
    damage.into_iter().for_each(|error| open.found.damaged(error));
    if kinds_missing {
        look_up_kinds(volume, open, &mut entries);
    }
    open.found.add(logical, entries.into_iter().map(|(entry, _)| entry));
}

/// The kinds that the entries do not hold, from the inodes in the order of the disk.
fn look_up_kinds(volume: &Volume, open: &mut Open, entries: &mut Vec<(DirEntry, bool)>) {
    let missing: Vec<Ino> = entries.iter().filter(|(_, known)| !known).map(|(entry, _)| entry.ino).collect();
    load_inodes(volume, &missing);
    open.found.look_up_kinds(entries, |ino| volume.inode(number(ino)?)?.kind());
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
