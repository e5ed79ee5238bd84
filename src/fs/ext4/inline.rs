//! Inline data (inlinedata.rst): small files and directories in the inode itself, what does not fit in
//! `i_block` as the attribute `system.data`.

use std::{io, sync::Arc};

use super::{inode::Inode, xattr};
use crate::{
    block::{ReadAt, Source, check_range},
    error::FormatError,
    num,
};

fn stored(inode: &Inode) -> Result<Vec<u8>, FormatError> {
    let mut bytes = inode.raw.i_block.to_vec();
    bytes.extend(xattr::inline_data(inode)?);
    bytes.truncate(num::to_usize(inode.size));
    Ok(bytes)
}

/// A symbolic link's target.
pub(super) fn target(inode: &Inode) -> Result<Vec<u8>, FormatError> {
    let bytes = stored(inode)?;
    match num::to_u64(bytes.len()) == inode.size {
        true => Ok(bytes),
        false => Err(inode.corrupt(format!(
            "{} bytes of inline data for a symbolic link of {}",
            bytes.len(),
            inode.size
        ))),
    }
}

/// A file's bytes.
pub(super) fn content(inode: &Inode) -> Result<Source, FormatError> {
    Ok(Arc::new(Content { bytes: stored(inode)?, size: inode.size }))
}

/// What the inode holds; zeros follow where `ftruncate(2)` made the file longer, for which the kernel takes no block.
struct Content {
    bytes: Vec<u8>,
    size: u64,
}

impl ReadAt for Content {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size, offset, buf.len())?;
        buf.fill(0);
        let held = self.bytes.get(num::to_usize(offset)..).unwrap_or_default();
        buf.iter_mut().zip(held).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

/// A directory's entries, each part as a directory block; the parent's number comes before the first.
pub(super) fn directory(inode: &Inode) -> Result<[Vec<u8>; 2], FormatError> {
    let entries = inode.raw.i_block.get(4..).unwrap_or_default().to_vec();
    Ok([entries, xattr::inline_data(inode)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_made_longer_ends_with_zeros() {
        let content = Content { bytes: b"held".to_vec(), size: 1 << 40 };
        let read = |offset, length| {
            let mut buf = vec![9; length];
            content.read_at(&mut buf, offset).map(|()| buf)
        };
        assert_eq!(read(0, 6).unwrap(), b"held\0\0");
        assert_eq!(read(3, 2).unwrap(), b"d\0");
        assert_eq!(read((1 << 40) - 2, 2).unwrap(), [0, 0]);
        assert!(read((1 << 40) - 2, 3).is_err());
    }
}
