//! POSIX access control lists: the disk's encoding (the kernel's `xfs_format.h`, `struct xfs_acl`) and the one that
//! `getxattr(2)` returns (`include/uapi/linux/posix_acl_xattr.h`).

use crate::bytes::{be16, be32};

const KERNEL_VERSION: u32 = 2;
const ENTRY: usize = 12;
const USER: u32 = 2;
const GROUP: u32 = 8;
/// The id of entries that have none.
const NO_ID: u32 = u32::MAX;

/// An access control list as the kernel shows it; `None` if its encoding is wrong.
pub(super) fn to_kernel(disk: &[u8]) -> Option<Vec<u8>> {
    let count = crate::num::index(be32(disk, 0)?);
    let entries = disk.get(4..)?.chunks_exact(ENTRY);
    // The disk may have room for more entries than are used.
    if entries.len() < count {
        return None;
    }
    let mut list = KERNEL_VERSION.to_le_bytes().to_vec();
    for entry in entries.take(count) {
        let (tag, id, permissions) = (be32(entry, 0)?, be32(entry, 4)?, be16(entry, 8)?);
        let id = if matches!(tag, USER | GROUP) { id } else { NO_ID };
        list.extend_from_slice(&u16::try_from(tag).ok()?.to_le_bytes());
        list.extend_from_slice(&permissions.to_le_bytes());
        list.extend_from_slice(&id.to_le_bytes());
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_turn_and_ids_are_kept_where_there_are_any() {
        let entry = |tag: u8, id: u8, permissions: u8| [0, 0, 0, tag, 0, 0, 0, id, 0, permissions, 0, 0];
        let disk = [&[0, 0, 0, 2][..], &entry(1, 7, 6), &entry(2, 9, 4), &entry(4, 1, 1)].concat();
        let kernel = [&[2, 0, 0, 0][..], &[1, 0, 6, 0, 255, 255, 255, 255], &[2, 0, 4, 0, 9, 0, 0, 0]];
        assert_eq!(to_kernel(&disk), Some(kernel.concat()));
        assert_eq!(to_kernel(&disk[..27]), None);
    }
}
