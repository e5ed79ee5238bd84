//! Extended attributes (attributes.rst): in the space after the inode's fields, in a block of their own, and
//! with `ea_inode` large values as files.

use std::sync::Arc;

use zerocopy::FromBytes;

use super::{
    acl, checksum,
    format::{RawXattrEntry, RawXattrHeader},
    inode::Inode,
    map::Data,
    volume::Volume,
};
use crate::{block::read_vec, bytes::is_sound, error::FormatError, fs::Xattr, limits, num};

const STRUCTURE: &str = "ext4 extended attributes";
const MAGIC: u32 = 0xea02_0000;
const BLOCK_HEADER: usize = 32;
const SYSTEM: u8 = 7;

/// All attributes that the kernel would list; of two of one name, the one in the inode.
pub(super) fn read(volume: &Arc<Volume>, inode: &Inode) -> Result<Vec<Xattr>, FormatError> {
    let block = block(volume, inode)?;
    let mut xattrs: Vec<Xattr> = Vec::new();
    let mut bytes: u64 = 0;
    for (name, entry) in listed(volume, inode, block.as_deref())? {
        if xattrs.iter().any(|xattr| xattr.name == name) {
            continue;
        }
        bytes = bytes.saturating_add(entry.size());
        if bytes > limits::EXT4_XATTR_BYTES {
            let what = format!("extended attributes of inode {} of more than {bytes} bytes", inode.number);
            return Err(FormatError::limit(what));
        }
        xattrs.push(Xattr { name, value: entry.shown(volume, inode)? });
    }
    Ok(xattrs)
}

/// One attribute's value.
pub(super) fn read_one(
    volume: &Arc<Volume>,
    inode: &Inode,
    name: &[u8],
) -> Result<Option<Vec<u8>>, FormatError> {
    let block = block(volume, inode)?;
    let found = listed(volume, inode, block.as_deref())?.into_iter().find(|(listed, _)| listed == name);
    found.map(|(_, entry)| entry.shown(volume, inode)).transpose()
}

/// The attributes that the kernel lists, by their full names; those in the inode come first.
fn listed<'a>(
    volume: &Volume,
    inode: &'a Inode,
    block: Option<&'a [u8]>,
) -> Result<Vec<(Vec<u8>, Entry<'a>)>, FormatError> {
    let entries = in_inode(inode)?.into_iter().chain(in_block(volume, inode, block)?);
    let named = |entry: Entry<'a>| Some(([prefix(entry.index)?, entry.name].concat(), entry));
    Ok(entries.filter_map(named).collect())
}

/// What of an inode's inline data does not fit in `i_block`.
pub(super) fn inline_data(inode: &Inode) -> Result<Vec<u8>, FormatError> {
    let entry = in_inode(inode)?.into_iter().find(|entry| entry.index == SYSTEM && entry.name == b"data");
    match entry.map(|entry| (entry.stored, entry)) {
        None => Ok(Vec::new()),
        Some((Stored::Here(value), _)) => Ok(value.to_vec()),
        Some((Stored::Inode { .. }, entry)) => Err(entry.corrupt("inline data in another inode")),
    }
}

/// The namespaces of attributes.rst, "Name Index"; `None` for what the kernel keeps to itself.
fn prefix(index: u8) -> Option<&'static [u8]> {
    Some(match index {
        1 => b"user.",
        2 => b"system.posix_acl_access",
        3 => b"system.posix_acl_default",
        4 => b"trusted.",
        6 => b"security.",
        8 => b"system.richacl",
        10 => b"gnu.",
        _ => return None,
    })
}

struct Entry<'a> {
    index: u8,
    name: &'a [u8],
    stored: Stored<'a>,
    /// Where its space lies in the volume.
    offset: u64,
}

#[derive(Clone, Copy)]
enum Stored<'a> {
    Here(&'a [u8]),
    Inode { number: u32, size: u32 },
}

impl Entry<'_> {
    fn corrupt(&self, problem: &str) -> FormatError {
        let problem = format!("\"{}\" of index {}: {problem}", self.name.escape_ascii(), self.index);
        FormatError::corrupt(STRUCTURE, self.offset, problem)
    }

    /// Bytes of the value.
    fn size(&self) -> u64 {
        match self.stored {
            Stored::Here(value) => num::to_u64(value.len()),
            Stored::Inode { size, .. } => u64::from(size),
        }
    }

    /// The value as `getxattr(2)` returns it.
    fn shown(&self, volume: &Arc<Volume>, owner: &Inode) -> Result<Vec<u8>, FormatError> {
        let value = self.value(volume, owner)?;
        match self.index {
            2 | 3 => acl::to_kernel(&value).ok_or_else(|| self.corrupt("access control list")),
            _ => Ok(value),
        }
    }

    fn value(&self, volume: &Arc<Volume>, owner: &Inode) -> Result<Vec<u8>, FormatError> {
        let (number, size) = match self.stored {
            Stored::Here(value) => return Ok(value.to_vec()),
            Stored::Inode { number, size } => (number, size),
        };
        if u64::from(size) > limits::XATTR_BYTES {
            return Err(FormatError::limit(format!("extended attribute of {size} bytes")));
        }
        let inode = volume.inode(number)?;
        if !inode.is_xattr_value() || inode.size != u64::from(size) {
            return Err(self.corrupt(&format!("value of {size} bytes in inode {number}")));
        }
        let file = Data::new(Arc::clone(volume), inode.clone());
        let value = read_vec(&file, STRUCTURE, 0, num::index(size))?;
        // The value's checksum is where a file has its time of access. Lustre's values, which point back to
        // their owner in other fields, have none.
        let sum = checksum::crc32c(volume.superblock.xattr_seed, &value);
        let points_back =
            inode.raw.i_mtime.get() == owner.number && inode.raw.i_generation == owner.raw.i_generation;
        match is_sound(sum == inode.raw.i_atime.get()) || points_back {
            true => Ok(value),
            false => Err(self.corrupt(&format!("checksum of its value in inode {number}"))),
        }
    }
}

fn in_inode(inode: &Inode) -> Result<Vec<Entry<'_>>, FormatError> {
    match inode.xattr_space().split_first_chunk() {
        Some((magic, space)) if u32::from_le_bytes(*magic) == MAGIC => {
            let offset = inode.xattr_space_offset();
            entries(space, 0, offset)
        }
        _ => Ok(Vec::new()),
    }
}

fn block(volume: &Volume, inode: &Inode) -> Result<Option<Arc<[u8]>>, FormatError> {
    match inode.xattr_block() {
        0 => Ok(None),
        number => volume.block(STRUCTURE, number).map(Some),
    }
}

fn in_block<'a>(
    volume: &Volume,
    inode: &Inode,
    block: Option<&'a [u8]>,
) -> Result<Vec<Entry<'a>>, FormatError> {
    let Some(block) = block else { return Ok(Vec::new()) };
    let number = inode.xattr_block();
    let offset = volume.superblock.offset(number);
    let corrupt = |problem| Err(FormatError::corrupt(STRUCTURE, offset, problem));
    let Ok((header, _)) = RawXattrHeader::ref_from_prefix(block) else {
        return corrupt(format!("{} bytes", block.len()));
    };
    if header.h_magic.get() != MAGIC || header.h_blocks.get() != 1 {
        return corrupt(format!("magic {:#010x}, {} blocks", header.h_magic, header.h_blocks));
    }
    if let Some(seed) = volume.superblock.seed {
        let part = |range: std::ops::Range<usize>| block.get(range).unwrap_or_default();
        let parts = [&number.to_le_bytes()[..], part(0..0x10), &[0; 4], part(0x14..block.len())];
        let sum = checksum::crc32c_parts(seed, &parts);
        if !is_sound(sum == header.h_checksum.get()) {
            return corrupt(format!("checksum {:#010x} instead of {sum:#010x}", header.h_checksum));
        }
    }
    entries(block, BLOCK_HEADER, offset)
}

/// The entries from byte `at` of a space, to the zeros that end them. Values lie at offsets from its start.
fn entries(space: &[u8], mut at: usize, offset: u64) -> Result<Vec<Entry<'_>>, FormatError> {
    let mut entries = Vec::new();
    loop {
        let here = offset.saturating_add(num::to_u64(at));
        let corrupt = |problem: &str| FormatError::corrupt(STRUCTURE, here, problem);
        let rest = space.get(at..).unwrap_or_default();
        if rest.first_chunk().is_none_or(|word| *word == [0; 4]) {
            return Ok(entries);
        }
        let Ok((raw, names)) = RawXattrEntry::ref_from_prefix(rest) else {
            return Err(corrupt("the last entry is cut off"));
        };
        let length = usize::from(raw.e_name_len);
        let name = names.get(..length).ok_or_else(|| corrupt("name passes the end"))?;
        let (size, inode) = (raw.e_value_size.get(), raw.e_value_inum.get());
        let start = usize::from(raw.e_value_offs.get());
        let stored = match inode {
            0 if size == 0 => Stored::Here(&[]),
            0 => {
                let value = space.get(start..start.saturating_add(num::index(size)));
                Stored::Here(value.ok_or_else(|| corrupt("value passes the end"))?)
            }
            number => Stored::Inode { number, size },
        };
        entries.push(Entry { index: raw.e_name_index, name, stored, offset: here });
        // Sixteen bytes and the name, rounded up to four.
        at = at.saturating_add(length.saturating_add(19) & !3);
    }
}
