//! Named streams, shown as extended attributes of users, as the driver of Linux in user space does.

use std::sync::Arc;

use super::{
    attribute::{Attribute, DATA},
    data::Data,
    inode::Inode,
    volume::Volume,
};
use crate::{
    block::read_all,
    error::FormatError,
    fs::{Xattr, utf16},
    limits,
};

const PREFIX: &[u8] = b"user.";

/// All streams that have a name.
pub(super) fn read(volume: &Arc<Volume>, inode: &Inode) -> Result<Vec<Xattr>, FormatError> {
    let streams = inode.attributes(DATA).filter(|stream| !stream.name.is_empty());
    let mut left = limits::NTFS_XATTR_BYTES;
    let xattrs = streams.map(|stream| {
        let name = [PREFIX, &utf16::to_bytes(&stream.name)].concat();
        let value = value(volume, inode, stream)?;
        let rest = left.checked_sub(name.len().saturating_add(value.len()));
        left =
            rest.ok_or_else(|| FormatError::limit(format!("streams of record {}", inode.record.number)))?;
        Ok(Xattr { name, value })
    });
    xattrs.collect()
}

/// One stream.
pub(super) fn read_one(
    volume: &Arc<Volume>,
    inode: &Inode,
    name: &[u8],
) -> Result<Option<Vec<u8>>, FormatError> {
    let name = name.strip_prefix(PREFIX).filter(|name| !name.is_empty()).and_then(utf16::from_bytes);
    let stream = name.and_then(|name| inode.attribute(DATA, &name));
    stream.map(|stream| value(volume, inode, stream)).transpose()
}

fn value(volume: &Arc<Volume>, inode: &Inode, stream: &Attribute) -> Result<Vec<u8>, FormatError> {
    let data = Data::new(Arc::clone(volume), stream.clone(), inode.record.number)?;
    read_all(&data, "NTFS stream", limits::XATTR_BYTES)
}
