//! Extended attributes ("Xattrs"): sets of them, each kept once; large values may be kept apart.

use zerocopy::FromBytes;

use super::{
    format::{RawXattrId, RawXattrTable},
    inode::Inode,
    metadata::{Cursor, Place},
    table,
    volume::Volume,
};
use crate::{block::read_vec, bytes::le16, error::FormatError, fs::Xattr, limits};

const STRUCTURE: &str = "squashfs extended attributes";
/// Of an attribute's type: the value is a place.
const ELSEWHERE: u16 = 0x100;

/// What an attribute takes in memory beside its name and value.
const LEAST: usize = 64;

/// All attributes of an inode.
pub(super) fn read(volume: &Volume, inode: &Inode) -> Result<Vec<Xattr>, FormatError> {
    let Some(number) = inode.fields.xattrs else { return Ok(Vec::new()) };
    let list = volume.superblock.xattr_table;
    let list = list.ok_or_else(|| inode.corrupt("has attributes, of which there is no table"))?;
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, list, problem);
    let bytes = read_vec(&volume.cached, STRUCTURE, list, size_of::<RawXattrTable>())?;
    let head = RawXattrTable::ref_from_bytes(&bytes).map_err(|_| corrupt("cut off".to_owned()))?;
    if number >= head.xattr_ids.get() {
        return Err(corrupt(format!("{number} of {} sets", head.xattr_ids)));
    }
    let places = list.saturating_add(16);
    let bytes = table::entry(volume, STRUCTURE, places, number, size_of::<RawXattrId>())?;
    let set = RawXattrId::ref_from_bytes(&bytes).map_err(|_| corrupt("cut off".to_owned()))?;
    let start = head.xattr_table_start.get();
    let mut cursor = Cursor::new(volume, Place::of(start, set.xattr.get()));
    let mut left = limits::SQUASHFS_XATTR_BYTES;
    let mut xattrs = Vec::new();
    for _ in 0..set.count.get() {
        let place = cursor.place();
        let (kind, length) = two_words(&cursor.take(4)?);
        let name = cursor.take(length.into())?;
        let prefix: &[u8] = match kind & !ELSEWHERE {
            0 => b"user.",
            1 => b"trusted.",
            2 => b"security.",
            _ => {
                let problem = format!("byte {}: type {kind:#x}", place.at);
                return Err(FormatError::corrupt(STRUCTURE, place.block, problem));
            }
        };
        let mut value = value(&mut cursor)?;
        if kind & ELSEWHERE != 0 {
            let at = value.first_chunk().map(|place| u64::from_le_bytes(*place));
            let at = at.ok_or_else(|| corrupt(format!("a place of {} bytes", value.len())))?;
            value = self::value(&mut Cursor::new(volume, Place::of(start, at)))?;
        }
        let bytes = name.len().saturating_add(value.len()).saturating_add(LEAST);
        left = left
            .checked_sub(bytes)
            .ok_or_else(|| FormatError::limit(format!("{STRUCTURE} of set {number}")))?;
        xattrs.push(Xattr { name: [prefix, &name].concat(), value });
    }
    Ok(xattrs)
}

fn two_words(bytes: &[u8]) -> (u16, u16) {
    let word = |at: usize| le16(bytes, at).unwrap_or(0);
    (word(0), word(2))
}

/// A value, with its length before it.
fn value(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, FormatError> {
    let length = cursor.take(4)?.first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
    if u64::from(length) > limits::XATTR_BYTES {
        return Err(FormatError::limit(format!("{STRUCTURE} with a value of {length} bytes")));
    }
    cursor.take(crate::num::index(length))
}
