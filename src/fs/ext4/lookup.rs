//! One name in a directory. Blocks are searched in order: a hash tree that is damaged or does not agree with
//! its leaves cannot hide a name.

use super::{
    directory::{self, Entry},
    inline,
    inode::Inode,
    listing::{Open, map, start},
    volume::Volume,
};
use crate::{error::FormatError, fs::Ino};

/// The inode of one name, byte for byte (also in directories whose names ignore case). If the name was not found and a part of the directory is damaged, the damage is the
/// answer: the name may have been there.
pub(super) fn look_up(volume: &Volume, dir: &Inode, name: &[u8]) -> Result<Option<Ino>, FormatError> {
    let mut open = start(volume, dir)?;
    dir.check_encryption("the names of directory")?;
    if let Some((_, ino)) = volume.changes.names(dir.number).rev().find(|(changed, _)| *changed == name) {
        return Ok(ino);
    }
    if dir.has_inline_data() {
        let parts = inline::directory(dir)?;
        let found = parts.iter().find_map(|block| find(&mut open, block, dir.offset, name));
        return answer(found, open);
    }
    let map = map(volume, dir, &mut open)?;
    let blocks = map.runs.iter().flat_map(|run| (run.logical..run.logical_end()).zip(run.physical..));
    for (logical, physical) in blocks {
        let offset = volume.superblock.offset(physical);
        let block = volume.blocks.read(directory::STRUCTURE, physical);
        let block = block.and_then(|block| open.rules.check(&block, logical == 0, offset).map(|()| block));
        match block {
            Err(error) => open.found.damaged(error),
            Ok(block) => {
                if let Some(found) = find(&mut open, &block, offset, name) {
                    return Ok(Some(found));
                }
            }
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

fn find(open: &mut Open, block: &[u8], offset: u64, name: &[u8]) -> Option<Ino> {
    let mut found = None;
    let each = |entry: Entry<'_>| {
        let hit = entry.name == name;
        if hit {
            found = Some(Ino(u64::from(entry.inode)));
        }
        hit
    };
    let mut damage = Vec::new();
    open.rules.entries(block, offset, each, &mut damage);
    damage.into_iter().for_each(|error| open.found.damaged(error));
    found
}
