//! Targets of symbolic links (XFS Algorithms & Data Structures, "Symbolic Links"): in the inode, or in blocks, which
//! version 5 gives a header for each extent.

use super::{
    format::{REMOTE, REMOTE_BYTES, SYMLINK},
    inode::{Format, Inode},
    map::{self, Run},
    volume::Volume,
};
use crate::{block::read_vec, bytes::be32, error::FormatError, fs::symlink, limits, num};

const STRUCTURE: &str = "XFS symbolic link";

/// The target of a symbolic link.
pub(super) fn target(volume: &Volume, inode: &Inode) -> Result<Vec<u8>, FormatError> {
    let read = |size| {
        let target = match inode.data().format {
            Format::Local => inode.data().bytes.get(..size).unwrap_or_default().to_vec(),
            _ => remote(volume, inode, size)?,
        };
        match target.len() == size {
            true => Ok(target),
            false => Err(inode.corrupt("the target of the symbolic link is cut")),
        }
    };
    symlink::target(inode.kind()?, inode.size, |problem| inode.corrupt(problem), read)
}

fn remote(volume: &Volume, inode: &Inode, size: usize) -> Result<Vec<u8>, FormatError> {
    // No target with its headers takes more blocks.
    let most = limits::SYMLINK_BYTES.div_ceil(256);
    let map = map::of(volume, inode, 0..most);
    if let Some(error) = map.damage.into_iter().next() {
        return Err(error);
    }
    let mut target = Vec::new();
    for run in map.runs {
        if target.len() >= size {
            break;
        }
        let part = extent(volume, inode, run, target.len())?;
        target.extend(part.into_iter().take(size.saturating_sub(target.len())));
    }
    Ok(target)
}

/// The part of a target that one extent holds.
fn extent(volume: &Volume, inode: &Inode, run: Run, before: usize) -> Result<Vec<u8>, FormatError> {
    let offset = volume.superblock.offset(run.physical);
    let length = volume.superblock.offset(run.count);
    let mut bytes = read_vec(volume.blocks.source(), STRUCTURE, offset, num::to_usize(length))?;
    if !volume.superblock.features.crc() {
        return Ok(bytes);
    }
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
    if !bytes.starts_with(&SYMLINK) {
        return Err(corrupt(format!("magic {:02x?}", bytes.get(..4).unwrap_or_default())));
    }
    volume.check(&bytes, REMOTE, offset, Some(inode.number)).map_err(corrupt)?;
    let (start, count) = (be32(&bytes, 4).unwrap_or(0), be32(&bytes, 8).unwrap_or(0));
    let end = REMOTE_BYTES.saturating_add(num::index(count));
    if num::index(start) != before || end > bytes.len() {
        return Err(corrupt(format!("{count} bytes from {start} of the target, expected from {before}")));
    }
    bytes.truncate(end);
    Ok(bytes.split_off(REMOTE_BYTES))
}
