//! One name in a directory. Blocks are searched in order: a hash index that is damaged or does not agree with its
//! entries cannot hide a name.

use super::{
    directory::{self, Block, Entry},
    inode::{Format, Inode},
    listing::{Open, start},
    map::Run,
    pieces::{Pieces, assemble},
    volume::Volume,
};
use crate::{error::FormatError, fs::Ino};

/// The inode of one name, byte for byte (also in directories whose names ignore case). If the name was not found and a
/// part of the directory is damaged, the damage is the answer: the name may have been there.
pub(super) fn look_up(volume: &Volume, dir: &Inode, name: &[u8]) -> Result<Option<Ino>, FormatError> {
    let mut open = start(dir)?;
    let mut found = None;
    if dir.data().format == Format::Local {
        let mut damage = Vec::new();
        directory::short_form(volume, dir, dir.data(), finder(name, &mut found), &mut damage);
        damage.into_iter().for_each(|error| open.found.damaged(error));
        return answer(found, open);
    }
    let pieces = Pieces::of(volume, dir)?;
    open.found.damage.extend(pieces.damage);
    let per = volume.superblock.blocks_per_directory_block();
    for run in pieces.whole {
        for part in (0..run.count).step_by(crate::num::to_usize(per)) {
            let logical = run.logical.saturating_add(part);
            let piece = Run { logical, physical: run.physical.saturating_add(part), count: per };
            let index = logical.checked_div(per).unwrap_or(0);
            find(volume, &mut open, index, &[piece], name, &mut found);
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    for (index, pieces) in pieces.scattered {
        find(volume, &mut open, index, &pieces, name, &mut found);
        if found.is_some() {
            return Ok(found);
        }
    }
    answer(None, open)
}

fn answer(found: Option<Ino>, open: Open) -> Result<Option<Ino>, FormatError> {
    match (found, open.found.damage.into_iter().next()) {
        (None, Some(error)) => Err(error),
        (found, _) => Ok(found),
    }
}

fn finder<'a>(name: &[u8], found: &mut Option<Ino>) -> impl FnMut(Entry<'a>) -> bool {
    move |entry| {
        let hit = entry.name == name;
        if hit {
            *found = Some(Ino(entry.inode));
        }
        hit
    }
}

fn find(volume: &Volume, open: &mut Open, index: u64, pieces: &[Run], name: &[u8], found: &mut Option<Ino>) {
    let offset = volume.superblock.offset(pieces.first().map_or(0, |run| run.physical));
    let bytes = match assemble(volume, pieces) {
        Ok(bytes) => bytes,
        Err(error) => return open.found.damaged(error),
    };
    match Block::check(volume, open.number, &bytes, index, offset) {
        Ok(block) => {
            let mut damage = Vec::new();
            block.entries(volume, finder(name, found), &mut damage);
            damage.into_iter().for_each(|error| open.found.damaged(error));
        }
        Err(error) => open.found.damaged(error),
    }
}
