//! Extended attributes (XFS Algorithms & Data Structures, "Extended Attributes") as `listxattr(2)` shows them to root.

use std::{collections::HashSet, sync::Arc};

use super::{
    acl,
    attr_leaf::{self, Block, Entry, INCOMPLETE, PARENT, ROOT, SECURE, Stored},
    format::{DA, REMOTE, REMOTE_BYTES, REMOTE_VALUE},
    inode::{Format, Inode},
    map::{self, Map},
    volume::Volume,
};
use crate::{bytes::be32, error::FormatError, fs::Xattr, limits, num};

const STRUCTURE: &str = "XFS extended attributes";
const ACCESS: (&[u8], &[u8]) = (b"SGI_ACL_FILE", b"system.posix_acl_access");
const DEFAULT: (&[u8], &[u8]) = (b"SGI_ACL_DEFAULT", b"system.posix_acl_default");

/// All attributes that the kernel would list.
pub(super) fn read(volume: &Volume, inode: &Inode) -> Result<Vec<Xattr>, FormatError> {
    let mut xattrs = Vec::new();
    each(volume, inode, |entry, map| {
        for (name, is_acl) in names(entry) {
            xattrs.push(Xattr { name, value: shown(volume, inode, entry, map, is_acl)? });
        }
        Ok(false)
    })?;
    Ok(xattrs)
}

/// One attribute's value.
pub(super) fn read_one(volume: &Volume, inode: &Inode, name: &[u8]) -> Result<Option<Vec<u8>>, FormatError> {
    let mut value = None;
    each(volume, inode, |entry, map| {
        let found = names(entry).into_iter().find(|(full, _)| full == name);
        if let Some((_, is_acl)) = found {
            value = Some(shown(volume, inode, entry, map, is_acl)?);
        }
        Ok(value.is_some())
    })?;
    Ok(value)
}

/// The full names of an attribute, and whether its value is shown as an access control list: those are also shown as they
/// are.
fn names(entry: Entry<'_>) -> Vec<(Vec<u8>, bool)> {
    let with = |prefix: &[u8]| ([prefix, entry.name].concat(), false);
    match entry.flags & (ROOT | SECURE) {
        ROOT => {
            let acl = [ACCESS, DEFAULT].into_iter().find(|(stored, _)| *stored == entry.name);
            let acl = acl.map(|(_, shown)| (shown.to_vec(), true));
            acl.into_iter().chain([with(b"trusted.")]).collect()
        }
        SECURE => vec![with(b"security.")],
        _ => vec![with(b"user.")],
    }
}

/// Calls `each` for every attribute, with the map of the attribute fork, until it says that it has seen enough.
fn each(
    volume: &Volume,
    inode: &Inode,
    mut each: impl FnMut(Entry<'_>, &Map) -> Result<bool, FormatError>,
) -> Result<(), FormatError> {
    let Some(fork) = inode.attributes()? else { return Ok(()) };
    let mut bytes = Budget { left: limits::XFS_XATTR_BYTES, number: inode.number };
    if fork.format == Format::Local {
        let entries = attr_leaf::short_form(fork.bytes);
        let corrupt = || FormatError::corrupt(STRUCTURE, fork.offset, "in the inode, contradict themselves");
        visit(entries.ok_or_else(corrupt)?, &Map::default(), fork.offset, &mut bytes, &mut each)?;
        return Ok(());
    }
    let mut map = map::of_attributes(volume, inode, fork);
    if let Some(error) = map.damage.pop() {
        return Err(error);
    }
    if map.runs.is_empty() {
        return Ok(());
    }
    // The level falls at each step and no block is visited twice, so this ends.
    let mut seen = HashSet::new();
    let mut todo = vec![(0, None)];
    while let Some((number, level)) = todo.pop() {
        bytes.take(volume.superblock.block_size.into())?;
        let (block, offset) = tree_block(volume, inode, &map, number)?;
        let corrupt = |problem: &str| FormatError::corrupt(STRUCTURE, offset, problem);
        if !seen.insert(number) {
            return Err(corrupt("a block of the tree is reached twice"));
        }
        match attr_leaf::block(&block, volume.superblock.features.crc()) {
            Some(Block::Leaf(entries)) if level.unwrap_or(0) == 0 => {
                if visit(entries, &map, offset, &mut bytes, &mut each)? {
                    return Ok(());
                }
            }
            Some(Block::Node { level: seen, children }) if level.is_none_or(|level| level == seen) => {
                let below = seen.saturating_sub(1);
                todo.extend(children.into_iter().rev().map(|child| (child, Some(below))));
            }
            _ => return Err(corrupt("neither a node nor a leaf of this level, or it contradicts itself")),
        }
    }
    Ok(())
}

/// Bytes that may still be read of one inode's attributes.
struct Budget {
    left: u64,
    number: u64,
}

impl Budget {
    fn take(&mut self, bytes: u64) -> Result<(), FormatError> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(FormatError::limit(format!(
                "extended attributes of inode {} of more than {} bytes",
                self.number,
                limits::XFS_XATTR_BYTES
            ))),
        }
    }
}

fn visit<'a>(
    entries: Vec<Entry<'a>>,
    map: &Map,
    offset: u64,
    bytes: &mut Budget,
    each: &mut impl FnMut(Entry<'a>, &Map) -> Result<bool, FormatError>,
) -> Result<bool, FormatError> {
    for entry in entries {
        if !attr_leaf::is_known(entry.flags) {
            let problem = format!("\"{}\" has flags {:#x}", entry.name.escape_ascii(), entry.flags);
            return Err(FormatError::corrupt(STRUCTURE, offset, problem));
        }
        // Half written, or the kernel's own pointer to the parent: listed to nobody.
        if entry.flags & (INCOMPLETE | PARENT) != 0 {
            continue;
        }
        if let Stored::Blocks { size, .. } = entry.stored {
            bytes.take(size.into())?;
        }
        if each(entry, map)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A block of the tree and where it lies.
fn tree_block(
    volume: &Volume,
    inode: &Inode,
    map: &Map,
    number: u32,
) -> Result<(Arc<[u8]>, u64), FormatError> {
    let physical = physical(map, number.into());
    let physical = physical.ok_or_else(|| inode.corrupt(format!("no block {number} of attributes")))?;
    let offset = volume.superblock.offset(physical);
    let block = volume.blocks.read(STRUCTURE, physical)?;
    let checked = volume.check(&block, DA, offset, Some(inode.number));
    checked.map_err(|problem| FormatError::corrupt(STRUCTURE, offset, problem))?;
    Ok((block, offset))
}

fn physical(map: &Map, logical: u64) -> Option<u64> {
    let after = map.runs.partition_point(|run| run.logical_end() <= logical);
    let run = map.runs.get(after).filter(|run| run.logical <= logical)?;
    run.physical.checked_add(logical.checked_sub(run.logical)?)
}

/// The value as `getxattr(2)` returns it.
fn shown(
    volume: &Volume,
    inode: &Inode,
    entry: Entry<'_>,
    map: &Map,
    is_acl: bool,
) -> Result<Vec<u8>, FormatError> {
    let value = match entry.stored {
        Stored::Here(value) => value.to_vec(),
        Stored::Blocks { first, size } => remote(volume, inode, map, first, size)?,
    };
    match is_acl {
        true => acl::to_kernel(&value).ok_or_else(|| inode.corrupt("its access control list")),
        false => Ok(value),
    }
}

/// A value in blocks of its own ("Remote Attribute Values"); each has a header in version 5.
fn remote(volume: &Volume, inode: &Inode, map: &Map, first: u32, size: u32) -> Result<Vec<u8>, FormatError> {
    if u64::from(size) > limits::XATTR_BYTES {
        return Err(FormatError::limit(format!("extended attribute of {size} bytes")));
    }
    let size = num::index(size);
    let mut value = Vec::with_capacity(size);
    let mut logical = u64::from(first);
    while value.len() < size {
        let physical = physical(map, logical);
        let physical = physical.ok_or_else(|| inode.corrupt(format!("no block {logical} of attributes")))?;
        let block = volume.blocks.read(STRUCTURE, physical)?;
        let offset = volume.superblock.offset(physical);
        let part = match volume.superblock.features.crc() {
            true => described(volume, inode, &block, offset, value.len())
                .map_err(|problem| FormatError::corrupt(STRUCTURE, offset, problem))?,
            false => &block[..],
        };
        value.extend(part.iter().take(size.saturating_sub(value.len())));
        logical = logical.saturating_add(1);
    }
    Ok(value)
}

/// The part of a value that a block of version 5 holds.
fn described<'a>(
    volume: &Volume,
    inode: &Inode,
    block: &'a [u8],
    offset: u64,
    before: usize,
) -> Result<&'a [u8], String> {
    if !block.starts_with(&REMOTE_VALUE) {
        return Err(format!("magic {:02x?} of a value", block.get(..4).unwrap_or_default()));
    }
    volume.check(block, REMOTE, offset, Some(inode.number))?;
    let (start, count) = (be32(block, 4).unwrap_or(0), num::index(be32(block, 8).unwrap_or(0)));
    let part = block.get(REMOTE_BYTES..).and_then(|rest| rest.get(..count)).filter(|part| !part.is_empty());
    match part.filter(|_| num::index(start) == before) {
        Some(part) => Ok(part),
        None => Err(format!("{count} bytes from {start} of a value, expected from {before}")),
    }
}
