//! Where an inode is named ("On-disk format", INODE_REF and INODE_EXTREF): what the log is replayed by.

use zerocopy::FromBytes;

use super::{
    checksum,
    format::{RawInodeExtref, RawInodeRef},
    key::{INODE_EXTREF, INODE_REF, Key},
};
use crate::error::FormatError;

/// A name of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ref<'a> {
    pub(super) parent: u64,
    /// The number of the name in that directory.
    pub(super) index: u64,
    pub(super) name: &'a [u8],
}

impl Ref<'_> {
    /// The keys that it may be found under.
    pub(super) fn keys(&self, inode: u64) -> [Key; 2] {
        let hash = checksum::extref_hash(self.parent, self.name);
        [Key::new(inode, INODE_REF, self.parent), Key::new(inode, INODE_EXTREF, hash)]
    }

    /// Whether another is of the same name in the same directory.
    pub(super) fn is_named_as(&self, other: &Ref<'_>) -> bool {
        (self.parent, self.name) == (other.parent, other.name)
    }

    /// As it is stored under a key.
    pub(super) fn stored(&self, key: Key) -> Vec<u8> {
        let length = u16::try_from(self.name.len()).unwrap_or(u16::MAX);
        let fields = [&self.index.to_le_bytes()[..], &length.to_le_bytes(), self.name];
        match key.kind {
            INODE_EXTREF => [&self.parent.to_le_bytes()[..], &fields.concat()].concat(),
            _ => fields.concat(),
        }
    }
}

/// The names in an item of either kind.
pub(super) fn all(key: Key, bytes: &[u8], offset: u64) -> Result<Vec<Ref<'_>>, FormatError> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let next = match key.kind {
            INODE_EXTREF => extref(rest),
            _ => plain(key.offset, rest),
        };
        let cut = || FormatError::corrupt("btrfs inode reference", offset, format!("{key} is cut off"));
        let (name, after) = next.ok_or_else(cut)?;
        found.push(name);
        rest = after;
    }
    Ok(found)
}

fn plain(parent: u64, bytes: &[u8]) -> Option<(Ref<'_>, &[u8])> {
    let (raw, rest) = RawInodeRef::ref_from_prefix(bytes).ok()?;
    let (name, rest) = rest.split_at_checked(usize::from(raw.name_len.get()))?;
    Some((Ref { parent, index: raw.index.get(), name }, rest))
}

fn extref(bytes: &[u8]) -> Option<(Ref<'_>, &[u8])> {
    let (raw, rest) = RawInodeExtref::ref_from_prefix(bytes).ok()?;
    let (name, rest) = rest.split_at_checked(usize::from(raw.name_len.get()))?;
    Some((Ref { parent: raw.parent_objectid.get(), index: raw.index.get(), name }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_found() {
        for key in [Key::new(300, INODE_REF, 256), Key::new(300, INODE_EXTREF, 77)] {
            let names = [b"one" as &[u8], b"two"].map(|name| Ref { parent: 256, index: 9, name });
            let bytes: Vec<u8> = names.iter().flat_map(|name| name.stored(key)).collect();
            assert_eq!(all(key, &bytes, 0).unwrap(), names);
            assert!(all(key, &bytes[..bytes.len() - 1], 0).is_err());
        }
    }
}
