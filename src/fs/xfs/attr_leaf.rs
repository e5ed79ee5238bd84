//! Blocks of extended attributes (XFS Algorithms & Data Structures, "Leaf Attributes", "Node Attributes") and attributes
//! in the inode ("Short Form Attributes").

use crate::bytes::{be16, be32};

/// `xfs_da_blkinfo.magic`: leaf, and node of a tree of leaves.
const LEAF: u16 = 0xfbee;
const LEAF_V5: u16 = 0x3bee;
const NODE: u16 = 0xfebe;
const NODE_V5: u16 = 0x3ebe;
/// Where it lies.
const MAGIC: usize = 8;

/// Flags of an entry.
const LOCAL: u8 = 0x1;
pub(super) const ROOT: u8 = 0x2;
pub(super) const SECURE: u8 = 0x4;
pub(super) const PARENT: u8 = 0x8;
pub(super) const INCOMPLETE: u8 = 0x80;

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored<'a> {
    /// Behind its name.
    Here(&'a [u8]),
    /// In blocks of the attribute fork, from this one on.
    Blocks { first: u32, size: u32 },
}

/// An attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) flags: u8,
    pub(super) name: &'a [u8],
    pub(super) stored: Stored<'a>,
}

/// A block of the tree of attributes.
pub(super) enum Block<'a> {
    /// Blocks of the attribute fork that are one level lower, and what that level is.
    Node {
        level: u16,
        children: Vec<u32>,
    },
    Leaf(Vec<Entry<'a>>),
}

/// The attributes in the inode: a header of the total size and their count, then length of name, length of value, flags,
/// name and value of each.
pub(super) fn short_form(fork: &[u8]) -> Option<Vec<Entry<'_>>> {
    let total = usize::from(be16(fork, 0)?);
    let count = *fork.get(2)?;
    let mut rest = fork.get(4..total)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let (&[name, value, flags], after) = rest.split_first_chunk()?;
        let (name, after) = after.split_at_checked(name.into())?;
        let (value, after) = after.split_at_checked(value.into())?;
        entries.push(Entry { flags, name, stored: Stored::Here(value) });
        rest = after;
    }
    rest.is_empty().then_some(entries)
}

/// What a block holds; `None` if that is neither a node nor a leaf, or contradicts itself.
pub(super) fn block(bytes: &[u8], v5: bool) -> Option<Block<'_>> {
    let magic = be16(bytes, MAGIC)?;
    if magic == if v5 { NODE_V5 } else { NODE } {
        return node(bytes, if v5 { 56 } else { 12 }, if v5 { 64 } else { 16 });
    }
    let is_leaf = magic == if v5 { LEAF_V5 } else { LEAF };
    is_leaf
        .then(|| leaf(bytes, if v5 { 56 } else { 12 }, if v5 { 80 } else { 32 }))
        .flatten()
        .map(Block::Leaf)
}

fn node(bytes: &[u8], counts: usize, entries: usize) -> Option<Block<'static>> {
    let count = usize::from(be16(bytes, counts)?);
    let level = be16(bytes, counts.checked_add(2)?)?;
    let entries = bytes.get(entries..)?.chunks_exact(8);
    let fits = count > 0 && count <= entries.len() && level > 0;
    let children = entries.take(count).filter_map(|entry| be32(entry, 4)).collect();
    fits.then_some(Block::Node { level, children })
}

fn leaf(bytes: &[u8], counts: usize, entries: usize) -> Option<Vec<Entry<'_>>> {
    let count = usize::from(be16(bytes, counts)?);
    let table = bytes.get(entries..)?.chunks_exact(8);
    if count > table.len() {
        return None;
    }
    // Hash, place of name and value, flags.
    table.take(count).map(|entry| named(bytes, usize::from(be16(entry, 4)?), *entry.get(6)?)).collect()
}

fn named(bytes: &[u8], at: usize, flags: u8) -> Option<Entry<'_>> {
    let rest = bytes.get(at..)?;
    if flags & LOCAL != 0 {
        let name = usize::from(*rest.get(2)?);
        let (name, after) = rest.get(3..)?.split_at_checked(name)?;
        let value = after.get(..usize::from(be16(rest, 0)?))?;
        return Some(Entry { flags, name, stored: Stored::Here(value) });
    }
    let name = rest.get(9..)?.get(..usize::from(*rest.get(8)?))?;
    Some(Entry { flags, name, stored: Stored::Blocks { first: be32(rest, 0)?, size: be32(rest, 4)? } })
}

/// Flags that attributes may have on the disk.
pub(super) fn is_known(flags: u8) -> bool {
    let namespaces = (flags & (ROOT | SECURE | PARENT)).count_ones();
    flags & !(LOCAL | ROOT | SECURE | PARENT | INCOMPLETE) == 0 && namespaces <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_in_the_inode() {
        let fork = [0, 17, 2, 0, 1, 2, 0, b'a', b'1', b'2', 2, 0, SECURE, b'b', b'c', 9, 9];
        assert_eq!(short_form(&fork), None, "bytes are left");
        let fork = [&[0, 15][..], &fork[2..15]].concat();
        let entry = |flags, name, value| Entry { flags, name, stored: Stored::Here(value) };
        assert_eq!(short_form(&fork), Some(vec![entry(0, b"a", b"12"), entry(SECURE, b"bc", b"")]));
        assert_eq!(short_form(&fork[..14]), None);
    }

    #[test]
    fn flags() {
        assert!(is_known(LOCAL | ROOT) && is_known(INCOMPLETE | SECURE) && is_known(PARENT | LOCAL));
        assert!(!is_known(0x10) && !is_known(ROOT | SECURE));
    }
}
