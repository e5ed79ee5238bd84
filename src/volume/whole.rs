//! What the first bytes of a disk or partition are like, for those who must decide between two readings of a disk: file
//! systems that leave the first sector to others may lie on the whole disk, under an old MBR.

use super::signature;
use crate::{
    block::ReadAt,
    bytes::{le32, le64},
};

/// Whether an ext or btrfs superblock says that its file system has about the size of the disk.
pub(super) fn is_file_system(source: &dyn ReadAt) -> bool {
    let disk = source.size();
    // Formatting rounds down, by less than an eighth.
    let fits = |size: u64| size <= disk && size >= disk.saturating_sub(disk / 8) && size > 0;
    ext(source).is_some_and(fits) || btrfs(source).is_some_and(fits)
}

/// Bytes of an ext file system (kernel documentation, ext4: The Super Block).
fn ext(source: &dyn ReadAt) -> Option<u64> {
    let bytes: [u8; 128] = read(source, 1024)?;
    let (low, log) = (le32(&bytes, 4)?, le32(&bytes, 24)?);
    let magic = bytes.get(56..58)? == [0x53, 0xef];
    let high = le32(&read::<4>(source, 1024 + 0x150)?, 0)?;
    // The high half counts only with the feature 64bit.
    let high = if le32(&bytes, 96)? & 0x80 == 0 { 0 } else { high };
    let blocks = u64::from(high).unbounded_shl(32) | u64::from(low);
    (magic && log <= 6).then(|| blocks.saturating_mul(1024u64.unbounded_shl(log)))
}

/// Bytes of a btrfs device (btrfs documentation, On-disk format: Superblock).
fn btrfs(source: &dyn ReadAt) -> Option<u64> {
    let bytes: [u8; 128] = read(source, 0x1_0000)?;
    let size = le64(&bytes, 0x70)?;
    (bytes.get(0x40..0x48)? == b"_BHRfS_M").then_some(size)
}

/// Whether something that is known begins here.
pub(super) fn is_known(source: &dyn ReadAt) -> bool {
    // XFS, squashfs, EROFS; FAT, exFAT and NTFS end their first sector like a boot record.
    const MAGIC: [(u64, [u8; 4]); 3] = [(0, *b"XFSB"), (0, *b"hsqs"), (1024, [0xe2, 0xe1, 0xf5, 0xe0])];
    let has = |(offset, magic)| read::<4>(source, offset) == Some(magic);
    let boots = || read::<2>(source, 510) == Some([0x55, 0xaa]);
    ext(source).is_some()
        || btrfs(source).is_some()
        || MAGIC.into_iter().any(has)
        || boots()
        || signature(source).is_some()
}

fn read<const N: usize>(source: &dyn ReadAt, offset: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    source.read_at(&mut bytes, offset).ok().map(|()| bytes)
}
