//! Extended attributes ("On-disk format", XATTR_ITEM): kept like names in a directory, by the hash of their
//! full name.

use super::{
    checksum, directory,
    inode::Inode,
    key::{Key, XATTR_ITEM},
    volume::Volume,
};
use crate::{error::FormatError, fs::Xattr, limits, num};

/// All attributes.
pub(super) fn read(volume: &Volume, inode: &Inode) -> Result<Vec<Xattr>, FormatError> {
    let tree = volume.tree(inode.place)?;
    let range = Key::all(inode.place.number, XATTR_ITEM);
    let mut xattrs = Vec::new();
    let mut bytes: u64 = 0;
    for item in tree.items(&volume.nodes, range, limits::BTRFS_XATTRS)? {
        for named in directory::all(item.key, item.data(), item.offset)? {
            bytes = bytes.saturating_add(num::to_u64(named.bytes.len()));
            if bytes > limits::BTRFS_XATTR_BYTES {
                let what =
                    format!("extended attributes of inode {} of more than {bytes} bytes", inode.place.number);
                return Err(FormatError::limit(what));
            }
            xattrs.push(Xattr { name: named.name.to_vec(), value: named.value.to_vec() });
        }
    }
    Ok(xattrs)
}

/// One attribute's value.
pub(super) fn read_one(volume: &Volume, inode: &Inode, name: &[u8]) -> Result<Option<Vec<u8>>, FormatError> {
    let key = Key::new(inode.place.number, XATTR_ITEM, checksum::name_hash(name));
    let Some(item) = volume.tree(inode.place)?.find(&volume.nodes, key)? else { return Ok(None) };
    Ok(directory::find(&item, name)?.map(|named| named.value.to_vec()))
}
