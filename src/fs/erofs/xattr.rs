//! Extended attributes ("On-disk details", Extended attributes): in the inode, or shared by several.

use std::ops::Range;

use zerocopy::FromBytes;

use super::{
    format::{RawXattr, RawXattrHeader},
    inode::Inode,
    superblock::Superblock,
    volume::Volume,
};
use crate::{error::FormatError, fs::Xattr, limits, num};

const STRUCTURE: &str = "EROFS extended attribute";
const PREFIX: &str = "EROFS prefix of extended attributes";
/// Of `e_name_index`: the rest is the number of a long prefix.
const LONG_PREFIX: u8 = 0x80;

/// The prefixes of names by their numbers. Lustre's is not shown by the kernel.
const PREFIXES: &[(u8, Option<&[u8]>)] = &[
    (1, Some(b"user.")),
    (2, Some(b"system.posix_acl_access")),
    (3, Some(b"system.posix_acl_default")),
    (4, Some(b"trusted.")),
    (5, None),
    (6, Some(b"security.")),
];

/// All attributes that the kernel would list.
pub(super) fn read(volume: &Volume, inode: &Inode) -> Result<Vec<Xattr>, FormatError> {
    let Range { start, end } = inode.xattrs;
    let bytes = volume.read(STRUCTURE, start, num::to_usize(end.saturating_sub(start)))?;
    let mut xattrs = Vec::new();
    let Ok((header, rest)) = RawXattrHeader::ref_from_prefix(&bytes) else { return Ok(xattrs) };
    let shared = usize::from(header.h_shared_count).saturating_mul(4);
    let Some((shared, mut rest)) = rest.split_at_checked(shared) else {
        let problem = format!("{} shared attributes in {} bytes", header.h_shared_count, bytes.len());
        return Err(FormatError::corrupt(STRUCTURE, start, problem));
    };
    let mut left = limits::EROFS_XATTR_BYTES;
    let mut take = |bytes: usize| {
        let rest = left.checked_sub(bytes);
        left =
            rest.ok_or_else(|| FormatError::limit(format!("extended attributes of inode {}", inode.number)))?;
        Ok::<_, FormatError>(())
    };
    for number in shared.as_chunks().0 {
        let place = u64::from(u32::from_le_bytes(*number)).saturating_mul(4);
        let place = volume.superblock.shared_xattrs.saturating_add(place);
        let (xattr, length) = shared_one(volume, place)?;
        take(length)?;
        take(xattr.as_ref().map_or(0, |xattr| xattr.name.len()))?;
        xattrs.extend(xattr);
    }
    // The last may be followed by what is too short for another.
    while rest.len() >= size_of::<RawXattr>() {
        let place = end.saturating_sub(num::to_u64(rest.len()));
        let (raw, name, value, length) = parse(rest).ok_or_else(|| cut_off(place))?;
        // Room that was kept for later has no name.
        if !(name.is_empty() && raw.e_name_index == 0) {
            let xattr = named(volume, raw, name, value, place)?;
            take(xattr.as_ref().map_or(0, |xattr| xattr.name.len().saturating_add(xattr.value.len())))?;
            xattrs.extend(xattr);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(xattrs)
}

fn cut_off(place: u64) -> FormatError {
    FormatError::corrupt(STRUCTURE, place, "passes the end of the attributes")
}

/// A shared attribute, and the bytes that it takes.
fn shared_one(volume: &Volume, place: u64) -> Result<(Option<Xattr>, usize), FormatError> {
    let head = volume.read(STRUCTURE, place, size_of::<RawXattr>())?;
    let raw = RawXattr::ref_from_bytes(&head).map_err(|_| cut_off(place))?;
    let length = size_of::<RawXattr>()
        .saturating_add(raw.e_name_len.into())
        .saturating_add(raw.e_value_size.get().into());
    let bytes = volume.read(STRUCTURE, place, length)?;
    let (raw, name, value, _) = parse(&bytes).ok_or_else(|| cut_off(place))?;
    Ok((named(volume, raw, name, value, place)?, length))
}

/// The attribute that `bytes` begin with: its head, name, value, and where the next one is.
fn parse(bytes: &[u8]) -> Option<(&RawXattr, &[u8], &[u8], usize)> {
    let (raw, rest) = RawXattr::ref_from_prefix(bytes).ok()?;
    let (name, rest) = rest.split_at_checked(raw.e_name_len.into())?;
    let value = rest.get(..raw.e_value_size.get().into())?;
    let length = size_of::<RawXattr>().checked_add(name.len())?.checked_add(value.len())?;
    Some((raw, name, value, length.next_multiple_of(4)))
}

fn named(
    volume: &Volume,
    raw: &RawXattr,
    name: &[u8],
    value: &[u8],
    place: u64,
) -> Result<Option<Xattr>, FormatError> {
    let number = raw.e_name_index;
    let prefix = match number & LONG_PREFIX {
        0 => short(number, place)?.map(<[u8]>::to_vec),
        _ => {
            let prefixes = long(volume)?;
            let prefix = prefixes.get(usize::from(number & !LONG_PREFIX));
            Some(prefix.ok_or_else(|| unknown(number, place))?.clone()).filter(|prefix| !prefix.is_empty())
        }
    };
    Ok(prefix.map(|prefix| Xattr { name: [&prefix, name].concat(), value: value.to_vec() }))
}

fn short(number: u8, place: u64) -> Result<Option<&'static [u8]>, FormatError> {
    let known = PREFIXES.iter().find(|(known, _)| *known == number);
    known.map(|(_, prefix)| *prefix).ok_or_else(|| unknown(number, place))
}

fn unknown(number: u8, place: u64) -> FormatError {
    FormatError::corrupt(STRUCTURE, place, format!("prefix {number:#x}"))
}

/// The long prefixes: each begins with the number of a short one. Of those that the kernel does not list they are empty.
fn long(volume: &Volume) -> Result<&[Vec<u8>], FormatError> {
    if let Some(prefixes) = volume.prefixes.get() {
        return Ok(prefixes);
    }
    let Superblock { prefixes: (count, mut at), packed, .. } = volume.superblock;
    let packed = match packed.filter(|_| volume.superblock.prefixes_are_packed()) {
        Some(number) => Some(volume.packed(number)?),
        None => None,
    };
    let read = |at: u64, length: usize| match &packed {
        Some(packed) => {
            let mut bytes = vec![0; length];
            packed.read(volume, &mut bytes, at).map(|()| bytes)
        }
        None => volume.read(PREFIX, at, length),
    };
    let mut prefixes = Vec::new();
    for _ in 0..count {
        at = at.next_multiple_of(4);
        let length = match read(at, 2)?.first_chunk().map_or(0, |length| u16::from_le_bytes(*length)) {
            0 => 1 << 16,
            length => usize::from(length),
        };
        let place = at.saturating_add(2);
        let bytes = read(place, length)?;
        at = place.saturating_add(num::to_u64(length));
        let (number, infix) = bytes.split_first().ok_or_else(|| unknown(0, place))?;
        prefixes.push(short(*number, place)?.map(|base| [base, infix].concat()).unwrap_or_default());
    }
    Ok(volume.prefixes.get_or_init(|| prefixes))
}
