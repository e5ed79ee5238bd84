//! Directory items: names, and extended attributes, which are kept like names ("On-disk format",
//! `btrfs_dir_item`).

use zerocopy::FromBytes;

use super::{format::RawDirItem, key::Key, tree::Item};
use crate::{error::FormatError, fs::FileKind, num};

pub(super) const STRUCTURE: &str = "btrfs directory item";
/// The longest name.
const NAME_BYTES: usize = 255;

/// A name, what it leads to, and an attribute's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) location: Key,
    pub(super) kind: u8,
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
    /// All of it, as it is stored.
    pub(super) bytes: &'a [u8],
}

/// The names in an item: of a look-up all that share their hash, of a listing one.
pub(super) fn all(key: Key, bytes: &[u8], offset: u64) -> Result<Vec<Named<'_>>, FormatError> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let named = first(rest);
        let named =
            named.ok_or_else(|| FormatError::corrupt(STRUCTURE, offset, format!("{key} is cut off")))?;
        rest = rest.get(named.bytes.len()..).unwrap_or_default();
        found.push(named);
    }
    Ok(found)
}

/// The first name in `bytes`; it has at least the length of its header.
fn first(bytes: &[u8]) -> Option<Named<'_>> {
    let (raw, rest) = RawDirItem::ref_from_prefix(bytes).ok()?;
    let (name, rest) = rest.split_at_checked(usize::from(raw.name_len.get()))?;
    let value = rest.get(..usize::from(raw.data_len.get()))?;
    let length = size_of::<RawDirItem>().saturating_add(name.len()).saturating_add(value.len());
    Some(Named { location: raw.location.into(), kind: raw.kind, name, value, bytes: bytes.get(..length)? })
}

/// One name in an item.
pub(super) fn find<'a>(item: &'a Item, name: &[u8]) -> Result<Option<Named<'a>>, FormatError> {
    let named = all(item.key, item.data(), item.offset)?;
    Ok(named.into_iter().find(|named| named.name == name))
}

/// The name of a listing's item and its kind.
pub(super) fn listed(key: Key, bytes: &[u8], offset: u64) -> Result<(Named<'_>, FileKind), FormatError> {
    let corrupt = |problem: &str| FormatError::corrupt(STRUCTURE, offset, format!("{key}: {problem}"));
    let named = first(bytes).ok_or_else(|| corrupt("cut off"))?;
    if named.bytes.len() != bytes.len() || !named.value.is_empty() {
        return Err(corrupt(&format!("{} bytes behind the name", num::to_u64(bytes.len()))));
    }
    if named.kind & 0x80 != 0 {
        return Err(FormatError::unsupported(format!(
            "btrfs encryption (fscrypt) of the names of directory {}",
            key.objectid
        )));
    }
    let is_name = !named.name.is_empty() && named.name.len() <= NAME_BYTES;
    if !is_name || named.name.iter().any(|byte| [b'/', 0].contains(byte)) {
        return Err(corrupt(&format!("the name \"{}\"", named.name.escape_ascii())));
    }
    match FileKind::from_entry(named.kind) {
        Some(kind) => Ok((named, kind)),
        None => Err(corrupt(&format!("type {}", named.kind))),
    }
}

/// A name as it is stored.
pub(super) fn stored(location: Key, kind: FileKind, name: &[u8]) -> Vec<u8> {
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    let kind = (1..=7).find(|raw| FileKind::from_entry(*raw) == Some(kind)).unwrap_or(0);
    [
        &location.objectid.to_le_bytes()[..],
        &[location.kind],
        &location.offset.to_le_bytes(),
        // The transaction, which nothing is read by.
        &[0; 8],
        &0u16.to_le_bytes(),
        &length.to_le_bytes(),
        &[kind],
        name,
    ]
    .concat()
}
