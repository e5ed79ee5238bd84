//! Inline data (inlinedata.rst): small files and directories in the inode itself, what does not fit in
//! `i_block` as the attribute `system.data`.

use super::{inode::Inode, xattr};
use crate::{error::FormatError, num};

/// A file's or symbolic link's bytes.
pub(super) fn content(inode: &Inode) -> Result<Vec<u8>, FormatError> {
    let mut bytes = inode.raw.i_block.to_vec();
    bytes.extend(xattr::inline_data(inode)?);
    if inode.size > num::to_u64(bytes.len()) {
        return Err(inode.corrupt(format!(
            "{} bytes of inline data for a size of {}",
            bytes.len(),
            inode.size
        )));
    }
    bytes.truncate(num::to_usize(inode.size));
    Ok(bytes)
}

/// A directory's entries, each part as a directory block; the parent's number comes before the first.
pub(super) fn directory(inode: &Inode) -> Result<[Vec<u8>; 2], FormatError> {
    let entries = inode.raw.i_block.get(4..).unwrap_or_default().to_vec();
    Ok([entries, xattr::inline_data(inode)?])
}
