//! New inodes in the log (XFS Algorithms & Data Structures, "Inode Creation Log Item"): where and how many, so that they
//! need not be logged one by one.

use super::{STRUCTURE, replay::Replay, transaction::Item};
use crate::{
    bytes::be32,
    error::FormatError,
    fs::xfs::{checksum, format::INODE_CRC, inode::MAGIC, overlay::SECTOR},
    limits, num,
};

/// Bytes of the largest chunk of inodes: 64 of 2 KiB, or a block of 64 KiB.
const LARGEST: u64 = 128 << 10;

/// Makes the inodes as they are when they are new, if their buffers are not freed later. They need not look older than the
/// log: all that happened to them since is in it.
pub(super) fn replay(replay: &mut Replay<'_>, item: &Item) -> Result<(), FormatError> {
    let bytes = item.region(0);
    let word = |index: usize| be32(bytes, index.saturating_mul(4)).unwrap_or(0);
    let superblock = replay.superblock;
    let (group, block, count, size, blocks, generation) =
        (word(1), word(2), word(3), word(4), word(5), word(6));
    let corrupt = || {
        let problem =
            format!("{count} new inodes of {size} bytes in {blocks} blocks at {block} of group {group}");
        FormatError::corrupt(STRUCTURE, 0, problem)
    };
    let length = superblock.offset(blocks.into());
    let first = superblock.inode_number(group, block, 0).ok_or_else(corrupt)?;
    let (start, _) = superblock.place(first).ok_or_else(corrupt)?;
    let offset = superblock.offset(start);
    let sound = bytes.len() >= 28
        && superblock.features.crc()
        && size == superblock.inode_size
        && u64::from(count).checked_mul(size.into()) == Some(length)
        && (1..=LARGEST).contains(&length)
        && offset.checked_add(length).is_some_and(|end| end <= superblock.bytes());
    if !sound {
        return Err(corrupt());
    }
    let sector = offset.checked_div(SECTOR).unwrap_or(0);
    let sectors = length.checked_div(SECTOR).unwrap_or(0);
    if replay.is_any_cancelled(sector..sector.saturating_add(sectors)) {
        return Ok(());
    }
    replay.created = replay.created.saturating_add(length);
    if replay.created > num::to_u64(limits::XFS_LOG_CHANGED_BYTES) {
        return Err(FormatError::limit(format!("XFS log with new inodes of {} bytes", replay.created)));
    }
    let mut inodes = vec![0; num::to_usize(length)];
    for (inode, number) in inodes.chunks_mut(num::index(size)).zip(first..) {
        let fields: [(usize, &[u8]); 6] = [
            (0, &MAGIC),
            (4, &[3]),
            (92, &generation.to_be_bytes()),
            // The end of the chain of deleted inodes.
            (96, &[0xff; 4]),
            (152, &number.to_be_bytes()),
            (160, &superblock.meta_uuid),
        ];
        for (at, field) in fields {
            if let Some(place) = inode.get_mut(at..at.saturating_add(field.len())) {
                place.copy_from_slice(field);
            }
        }
        checksum::set(inode, INODE_CRC);
    }
    replay.overlay.write(offset, &inodes)
}
