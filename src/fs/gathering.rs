//! Directories that are blocks of entries, read many at a time in the order of the disk, whosever blocks they are.

use std::cmp::Reverse;

use super::{
    DirEntry, FileKind, Ino, Listing,
    blocks::{Blocks, Span},
    map::{Mapped, Run},
};
use crate::{
    error::{self, FormatError},
    limits, num,
};

/// A volume whose inodes lie in blocks.
pub(in crate::fs) trait Inodes: Mapped {
    /// The block in which an inode begins; `None` if there is no such inode.
    fn block_of(&self, ino: Ino) -> Option<u64>;

    /// What an inode is.
    fn kind_of(&self, ino: Ino) -> Result<FileKind, FormatError>;
}

/// Brings inodes into the cache, in the order of the disk.
pub(in crate::fs) fn load_inodes(volume: &impl Inodes, inodes: &[Ino]) {
    volume.blocks().gather(inodes.iter().filter_map(|ino| volume.block_of(*ino)).collect());
}

/// A directory that is being read, with what its blocks are checked by.
pub(in crate::fs) struct Open<C> {
    pub(in crate::fs) context: C,
    pub(in crate::fs) damage: Vec<FormatError>,
    /// What was read so far, by the index of its block in the directory.
    parts: Vec<(u64, Vec<DirEntry>)>,
    entries: usize,
    directories: Option<u64>,
}

/// The directories of a batch, each in its place.
pub(in crate::fs) type Opened<C> = Vec<Result<Open<C>, FormatError>>;

impl<C> Open<C> {
    /// A directory to which `links` names lead: its own, its `.`, and the `..` of those in it.
    pub(in crate::fs) fn new(context: C, links: u64) -> Self {
        let (damage, parts, entries) = (Vec::new(), Vec::new(), 0);
        Self { context, damage, parts, entries, directories: links.checked_sub(2) }
    }

    pub(in crate::fs) fn damaged(&mut self, error: FormatError) {
        error::note(&mut self.damage, error);
    }

    /// Adds the entries of one block, each with whether its kind is known; the others' are looked up.
    pub(in crate::fs) fn add(
        &mut self,
        volume: &impl Inodes,
        index: u64,
        mut entries: Vec<(DirEntry, bool)>,
    ) {
        if entries.iter().any(|(_, known)| !known) {
            self.look_up_kinds(volume, &mut entries);
        }
        self.entries = self.entries.saturating_add(entries.len());
        if self.entries > limits::DIRECTORY_ENTRIES {
            let problem = format!("more than {} entries", limits::DIRECTORY_ENTRIES);
            return self.damaged(FormatError::limit(problem));
        }
        self.parts.push((index, entries.into_iter().map(|(entry, _)| entry).collect()));
    }

    /// The kinds that the entries do not hold, from the inodes in the order of the disk; an entry whose inode
    /// cannot be read is damage.
    fn look_up_kinds(&mut self, volume: &impl Inodes, entries: &mut Vec<(DirEntry, bool)>) {
        let missing: Vec<Ino> =
            entries.iter().filter(|(_, known)| !known).map(|(entry, _)| entry.ino).collect();
        load_inodes(volume, &missing);
        entries.retain_mut(|(entry, known)| {
            if *known {
                return true;
            }
            match volume.kind_of(entry.ino) {
                Ok(kind) => entry.kind = kind,
                Err(error) => {
                    self.damaged(error);
                    return false;
                }
            }
            true
        });
    }

    /// Of a directory that was searched for a name: if that was not found and a part of the directory is damaged, the
    /// damage is the answer, as the name may have been there.
    pub(in crate::fs) fn answer(self, found: Option<Ino>) -> Result<Option<Ino>, FormatError> {
        match (found, self.damage.into_iter().next()) {
            (None, Some(error)) => Err(error),
            (found, _) => Ok(found),
        }
    }

    pub(in crate::fs) fn finish(mut self) -> Listing {
        self.parts.sort_unstable_by_key(|(index, _)| Reverse(*index));
        let mut entries = self.parts.pop().map(|(_, entries)| entries).unwrap_or_default();
        entries.extend(self.parts.into_iter().rev().flat_map(|(_, entries)| entries));
        Listing { entries, damage: self.damage, directories: self.directories }
    }
}

/// Blocks of a directory that lie side by side: the index of the first, and which directory of the batch it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::fs) struct Part {
    physical: u64,
    /// Blocks of the file system.
    count: u64,
    index: u64,
    dir: usize,
}

/// Parts of a run that one read fetches, each of whole blocks of the directory, which are `per` of the file system's.
pub(in crate::fs) fn split(
    blocks: &Blocks,
    run: Run,
    per: u64,
    dir: usize,
) -> impl Iterator<Item = Part> + use<> {
    let longest = blocks.reach().1.max(per);
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

/// Reads the parts of all directories in the order of the disk. `each` is told the directory, the index of a block in it,
/// where that lies, and its bytes if they came with their neighbours: a read that fails loses only the blocks that it
/// must.
pub(in crate::fs) fn read<C>(
    volume: &impl Mapped,
    structure: &'static str,
    per: u64,
    mut parts: Vec<Part>,
    open: &mut Opened<C>,
    each: impl Fn(&mut Open<C>, u64, u64, Option<&[u8]>),
) {
    let blocks = volume.blocks();
    parts.sort_unstable();
    drop_shared(blocks, structure, &mut parts, open);
    let groups = blocks.join(&parts, |part| Span { start: part.physical, count: part.count });
    groups.iter().skip(1).for_each(|(span, _)| blocks.will_need(*span));
    let bytes = |blocks_before: u64| num::to_usize(blocks.offset(blocks_before));
    for (span, parts) in groups {
        let whole = blocks.read_span(span).ok();
        for part in parts {
            let Some(Ok(open)) = open.get_mut(part.dir) else { continue };
            let places =
                (part.physical..part.physical.saturating_add(part.count)).step_by(num::to_usize(per.max(1)));
            for (index, physical) in (part.index..).zip(places) {
                let start = bytes(physical.saturating_sub(span.start));
                let end = start.saturating_add(bytes(per));
                each(open, index, physical, whole.as_ref().and_then(|whole| whole.get(start..end)));
            }
        }
    }
}

/// Drops parts whose blocks another part holds already: a small hostile disk would list as an endless one.
fn drop_shared<C>(blocks: &Blocks, structure: &'static str, parts: &mut Vec<Part>, open: &mut Opened<C>) {
    let mut end = 0;
    parts.retain(|part| {
        let alone = part.physical >= end;
        if !alone {
            shared(blocks, structure, part.physical, part.dir, open);
        }
        end = end.max(part.physical.saturating_add(part.count));
        alone
    });
}

/// Notes that a block of a directory is another's, or is in it twice.
pub(in crate::fs) fn shared<C>(
    blocks: &Blocks,
    structure: &'static str,
    block: u64,
    dir: usize,
    open: &mut Opened<C>,
) {
    if let Some(Ok(open)) = open.get_mut(dir) {
        let problem = format!("block {block} belongs to a directory twice");
        open.damaged(FormatError::corrupt(structure, blocks.offset(block), problem));
    }
}
