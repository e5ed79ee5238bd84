//! Keys, by which the items of all trees are ordered ("On-disk format", key types and object ids).

use std::fmt;

use super::format::RawKey;

/// An item's key. The order of the fields is the order of the trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) objectid: u64,
    pub(super) kind: u8,
    pub(super) offset: u64,
}

pub(super) const INODE_ITEM: u8 = 1;
pub(super) const INODE_REF: u8 = 12;
pub(super) const INODE_EXTREF: u8 = 13;
pub(super) const XATTR_ITEM: u8 = 24;
pub(super) const DIR_LOG_INDEX: u8 = 72;
pub(super) const DIR_ITEM: u8 = 84;
pub(super) const DIR_INDEX: u8 = 96;
pub(super) const EXTENT_DATA: u8 = 108;
pub(super) const EXTENT_CSUM: u8 = 128;
pub(super) const ROOT_ITEM: u8 = 132;
pub(super) const ROOT_REF: u8 = 156;
pub(super) const DEV_ITEM: u8 = 216;
pub(super) const CHUNK_ITEM: u8 = 228;

pub(super) const ROOT_TREE: u64 = 1;
pub(super) const CHUNK_TREE: u64 = 3;
/// The top of the tree of subvolumes.
pub(super) const FS_TREE: u64 = 5;
/// The directory of the root tree that names the default subvolume.
pub(super) const ROOT_TREE_DIR: u64 = 6;
pub(super) const CSUM_TREE: u64 = 7;
/// The first object id that subvolumes, and inodes in them, have; a subvolume's root directory has it.
pub(super) const FIRST_FREE: u64 = 256;
/// The last one.
pub(super) const LAST_FREE: u64 = u64::MAX - 255;
pub(super) const TREE_LOG: u64 = u64::MAX - 5;
pub(super) const EXTENT_CSUM_OBJECT: u64 = u64::MAX - 9;

impl Key {
    pub(super) const fn new(objectid: u64, kind: u8, offset: u64) -> Self {
        Self { objectid, kind, offset }
    }

    /// The range of all keys of an object and kind.
    pub(super) const fn all(objectid: u64, kind: u8) -> (Self, Self) {
        (Self::new(objectid, kind, 0), Self::new(objectid, kind, u64::MAX))
    }

    /// Whether both are of one object and kind.
    pub(super) fn is_like(self, other: Self) -> bool {
        (self.objectid, self.kind) == (other.objectid, other.kind)
    }
}

impl From<RawKey> for Key {
    fn from(raw: RawKey) -> Self {
        Self::new(raw.objectid.get(), raw.kind, raw.offset.get())
    }
}

/// As `btrfs inspect-internal dump-tree` shows it, with the kind as its number.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} {} {})", self.objectid, self.kind, self.offset)
    }
}

/// Whether a tree holds files: the top one, or a subvolume.
pub(super) fn is_subvolume(id: u64) -> bool {
    id == FS_TREE || (FIRST_FREE..=LAST_FREE).contains(&id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_by_object_kind_and_offset() {
        let keys = [Key::new(1, 1, 9), Key::new(1, 2, 0), Key::new(2, 0, 0), Key::new(2, 0, 1)];
        assert!(keys.is_sorted());
        assert!(keys[2].is_like(keys[3]) && !keys[0].is_like(keys[1]));
    }
}
