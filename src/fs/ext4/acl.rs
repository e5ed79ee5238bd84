//! POSIX access control lists: the disk's encoding (the kernel's `fs/ext4/acl.h`) and the one that
//! `getxattr(2)` returns (`include/uapi/linux/posix_acl_xattr.h`).

const DISK_VERSION: u32 = 1;
const KERNEL_VERSION: u32 = 2;
const USER: u16 = 2;
const GROUP: u16 = 8;
/// The id of entries that have none.
const NO_ID: [u8; 4] = [0xff; 4];

/// An access control list as the kernel shows it; `None` if its encoding is wrong.
pub(super) fn to_kernel(disk: &[u8]) -> Option<Vec<u8>> {
    let (version, mut rest) = disk.split_first_chunk()?;
    if u32::from_le_bytes(*version) != DISK_VERSION {
        return None;
    }
    let mut list = KERNEL_VERSION.to_le_bytes().to_vec();
    while !rest.is_empty() {
        let (entry, after) = rest.split_first_chunk::<4>()?;
        let [tag_low, tag_high, ..] = *entry;
        let named = matches!(u16::from_le_bytes([tag_low, tag_high]), USER | GROUP);
        let (id, after) = if named { after.split_first_chunk()? } else { (&NO_ID, after) };
        list.extend_from_slice(entry);
        list.extend_from_slice(id);
        rest = after;
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_added_where_the_disk_has_none() {
        let disk = [1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 4, 0, 0xe8, 3, 0, 0, 0x20, 0, 4, 0];
        let kernel = [
            &[2, 0, 0, 0][..],
            &[1, 0, 6, 0, 255, 255, 255, 255],
            &[2, 0, 4, 0, 0xe8, 3, 0, 0],
            &[0x20, 0, 4, 0, 255, 255, 255, 255],
        ];
        assert_eq!(to_kernel(&disk), Some(kernel.concat()));
        assert_eq!(to_kernel(&disk[..13]), None);
        assert_eq!(to_kernel(&[2, 0, 0, 0]), None);
    }
}
