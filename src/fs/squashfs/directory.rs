//! Directories ("Directories"): runs of entries whose inodes are in one block of metadata, sorted by name.

use zerocopy::FromBytes;

use super::{
    format::{RawEntry, RawHeader},
    inode::{self, Inode},
    metadata::{Cursor, Place},
    volume::Volume,
};
use crate::{
    error::FormatError,
    fs::{DirEntry, FileKind, Ino},
    limits,
};

pub(super) const STRUCTURE: &str = "squashfs directory";
/// Entries behind one header.
const RUN: u32 = 256;
/// Bytes that a directory's size has beside its entries.
const OTHER_BYTES: u64 = 3;
const NAME_BYTES: usize = 255;

/// Calls `each` for the entries of a directory until it says that it has seen enough, or the directory is damaged.
pub(super) fn entries(
    volume: &Volume,
    dir: &Inode,
    mut each: impl FnMut(DirEntry) -> bool,
) -> Result<(), FormatError> {
    if dir.kind != FileKind::Directory {
        return Err(dir.corrupt("is not a directory"));
    }
    if dir.fields.size > limits::DIRECTORY_BYTES {
        return Err(FormatError::limit(format!("directory {:#x} has {} bytes", dir.number, dir.fields.size)));
    }
    let block = volume.superblock.directory_table.saturating_add(dir.fields.start);
    let at = usize::try_from(dir.fields.offset).unwrap_or(usize::MAX);
    let mut cursor = Cursor::new(volume, Place { block, at });
    let mut left = dir.fields.size.saturating_sub(OTHER_BYTES);
    while left > 0 {
        let place = cursor.place();
        let corrupt = |problem: String| {
            FormatError::corrupt(STRUCTURE, place.block, format!("byte {}: {problem}", place.at))
        };
        let mut take = |length: usize| {
            let taken = left.checked_sub(crate::num::to_u64(length));
            left = taken.ok_or_else(|| corrupt("passes its end".to_owned()))?;
            cursor.take(length)
        };
        let bytes = take(size_of::<RawHeader>())?;
        let header = RawHeader::ref_from_bytes(&bytes).map_err(|_| corrupt("cut off".to_owned()))?;
        if header.count.get() >= RUN {
            return Err(corrupt(format!("{} entries and one", header.count)));
        }
        for _ in 0..=header.count.get() {
            let bytes = take(size_of::<RawEntry>())?;
            let raw = RawEntry::ref_from_bytes(&bytes).map_err(|_| corrupt("cut off".to_owned()))?;
            let name = take(usize::from(raw.size.get()).saturating_add(1))?;
            let is_name = name.len() <= NAME_BYTES
                && !name.contains(&0)
                && !name.contains(&b'/')
                && !matches!(&name[..], b"." | b"..");
            let Some(kind) = inode::kind(raw.kind.get()).filter(|_| is_name) else {
                return Err(corrupt(format!("kind {}, a name of {} bytes", raw.kind, name.len())));
            };
            let ino = u64::from(header.start_block.get()) << 16 | u64::from(raw.offset.get());
            if each(DirEntry { name, ino: Ino(ino), kind }) {
                return Ok(());
            }
        }
    }
    Ok(())
}
