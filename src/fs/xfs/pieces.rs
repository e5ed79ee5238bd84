//! Blocks of a directory, found in its map: they may be larger than the file system's blocks, and then lie scattered.

use std::collections::BTreeMap;

use super::{
    directory::{self, LEAVES},
    inode::Inode,
    map::{self, Run},
    superblock::Superblock,
    volume::Volume,
};
use crate::{
    error::{self, FormatError},
    limits,
};

/// The blocks of one directory. Runs count in blocks of the file system; indices, in blocks of the directory.
#[derive(Default)]
pub(super) struct Pieces {
    /// Runs that begin and end with a block of the directory.
    pub(super) whole: Vec<Run>,
    /// Blocks of the directory in several pieces, by their index.
    pub(super) scattered: BTreeMap<u64, Vec<Run>>,
    pub(super) damage: Vec<FormatError>,
}

impl Pieces {
    /// Where a directory's blocks lie; what of that is damaged is noted.
    pub(super) fn of(volume: &Volume, inode: &Inode) -> Result<Self, FormatError> {
        let superblock = &volume.superblock;
        let map = map::of(volume, inode, 0..superblock.in_blocks(LEAVES));
        let mapped = map.runs.iter().fold(0, |sum: u64, run| sum.saturating_add(run.count));
        if superblock.offset(mapped) > limits::DIRECTORY_BYTES {
            let bytes = superblock.offset(mapped);
            return Err(FormatError::limit(format!("directory {} has {bytes} bytes", inode.number)));
        }
        let mut pieces = Self { damage: map.damage, ..Self::default() };
        let end = map.runs.last().map_or(0, |run| superblock.offset(run.logical_end()));
        if pieces.damage.is_empty() && end != inode.size {
            pieces.damage.push(inode.corrupt(format!("directory of {} bytes, mapped to {end}", inode.size)));
        }
        map.runs.into_iter().for_each(|run| pieces.add(superblock, run));
        pieces.drop_incomplete(volume, inode);
        Ok(pieces)
    }

    fn add(&mut self, superblock: &Superblock, run: Run) {
        let per = superblock.blocks_per_directory_block();
        let mut rest = run;
        while rest.count > 0 {
            let within = rest.logical.checked_rem(per).unwrap_or(0);
            let whole = rest.count.checked_div(per).unwrap_or(0).saturating_mul(per);
            let count = match within {
                0 if whole > 0 => whole,
                _ => per.saturating_sub(within).min(rest.count),
            };
            let part = Run { count, ..rest };
            match within == 0 && whole > 0 {
                true => self.whole.push(part),
                false => {
                    let index = rest.logical.checked_div(per).unwrap_or(0);
                    self.scattered.entry(index).or_default().push(part);
                }
            }
            rest = Run {
                logical: rest.logical.saturating_add(count),
                physical: rest.physical.saturating_add(count),
                count: rest.count.saturating_sub(count),
            };
        }
    }

    fn drop_incomplete(&mut self, volume: &Volume, inode: &Inode) {
        let per = volume.superblock.blocks_per_directory_block();
        let damage = &mut self.damage;
        self.scattered.retain(|index, runs| {
            let found = runs.iter().fold(0, |sum: u64, run| sum.saturating_add(run.count));
            if found != per {
                let problem = format!("{found} of {per} parts of block {index} of the directory");
                error::note(damage, inode.corrupt(problem));
            }
            found == per
        });
    }
}

/// The bytes of one block of a directory from its pieces, through the cache.
pub(super) fn assemble(volume: &Volume, pieces: &[Run]) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::new();
    for block in pieces.iter().flat_map(|run| (run.physical..).zip(0..run.count)).map(|(block, _)| block) {
        bytes.extend_from_slice(&volume.blocks.read(directory::STRUCTURE, block)?);
    }
    Ok(bytes)
}
