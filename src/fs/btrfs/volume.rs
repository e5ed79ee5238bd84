//! A file system that was opened: what all of its files share.

use std::collections::BTreeMap;

use super::{
    checksum::Sum,
    data::Unpacked,
    nodes::Nodes,
    slots::Slots,
    subvolumes::{Place, Subvolumes},
    superblock::Superblock,
    tree::Tree,
};
use crate::error::FormatError;

/// The file system.
pub(super) struct Volume {
    pub(super) superblock: Superblock,
    pub(super) nodes: Nodes,
    pub(super) subvolumes: Subvolumes,
    /// The tree of checksums of data, if there is one.
    pub(super) sums: Option<Tree>,
    /// Checksums that the log has, by logical address.
    pub(super) logged_sums: BTreeMap<u64, Sum>,
    /// Extents that were unpacked last, by logical address.
    pub(super) unpacked: Slots<Unpacked>,
}

impl Volume {
    /// The tree that an inode is in.
    pub(super) fn tree(&self, place: Place) -> Result<&Tree, FormatError> {
        let subvolume = self.subvolumes.list.get(place.subvolume);
        let missing = || FormatError::corrupt("btrfs inode", 0, format!("subvolume {}", place.subvolume));
        subvolume.map(|subvolume| &subvolume.tree).ok_or_else(missing)
    }
}
