//! The superblock, checked ("On-disk format", superblock): the geometry that everything else is found by.

use zerocopy::FromBytes;

use super::{
    checksum::Kind,
    features,
    format::{RawDeviceItem, RawSuperblock},
};
use crate::{
    block::{ReadAt, begins_blank, read_vec},
    error::FormatError,
    num,
};

/// Where the copies lie on each device, in bytes.
pub(super) const OFFSETS: [u64; 3] = [64 << 10, 64 << 20, 256 << 30];
pub(super) const BYTES: usize = 4096;
pub(super) const STRUCTURE: &str = "btrfs superblock";
pub(super) const MAGIC: &[u8; 8] = b"_BHRfS_M";
/// Where the magic lies in a superblock.
pub(super) const MAGIC_AT: u64 = 64;

/// What is needed of the superblock; no value contradicts another.
#[derive(Debug, Clone)]
pub(super) struct Superblock {
    pub(super) csum: Kind,
    pub(super) fsid: [u8; 16],
    /// What the headers of nodes have as their fsid.
    pub(super) metadata_uuid: [u8; 16],
    pub(super) flags: u64,
    pub(super) generation: u64,
    /// Where the root tree's root lies, and its level.
    pub(super) root: (u64, u8),
    pub(super) chunk_root: (u64, u8),
    pub(super) chunk_root_generation: u64,
    /// The root of log roots, if there is a log.
    pub(super) log_root: Option<(u64, u8)>,
    /// Features with which the log is not replayed.
    pub(super) unwritable: u64,
    pub(super) devices: u64,
    /// The device that it lies on, and how many bytes of it are the file system's.
    pub(super) device: Device,
    pub(super) device_bytes: u64,
    /// Bytes of a sector, the unit of data: a power of two from 4 to 64 KiB.
    pub(super) sector: u32,
    /// Bytes of a node: a power of two from a sector to 64 KiB.
    pub(super) node: u32,
    /// Whether holes have no items of their own.
    pub(super) no_holes: bool,
    pub(super) label: Vec<u8>,
    /// The chunks that hold the chunk tree.
    pub(super) system_chunks: Vec<u8>,
}

/// A device of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) id: u64,
    pub(super) uuid: [u8; 16],
}

impl Device {
    pub(super) fn of(raw: &RawDeviceItem) -> Self {
        Self { id: raw.devid.get(), uuid: raw.uuid }
    }
}

/// The newest sound superblock of a device; what is damaged or older is noted.
pub(super) fn read(source: &dyn ReadAt, notes: &mut Vec<FormatError>) -> Result<Superblock, FormatError> {
    let mut found: Option<(u64, Superblock)> = None;
    let mut first = None;
    for offset in OFFSETS {
        if offset.saturating_add(num::to_u64(BYTES)) > source.size() && offset != OFFSETS[0] {
            break;
        }
        match read_copy(source, offset) {
            Ok(copy) => match &found {
                // Another fsid is a file system that was here before.
                Some((_, best)) if best.fsid != copy.fsid || best.generation >= copy.generation => {}
                _ => found = Some((offset, copy)),
            },
            // A superblock that is sound and has what is not read is the answer.
            Err(error @ FormatError::Unsupported { .. }) if first.is_none() && found.is_none() => {
                return Err(error);
            }
            Err(error) if offset == OFFSETS[0] => first = Some(error),
            Err(_) => {}
        }
    }
    match (found, first) {
        (None, Some(error)) => Err(error),
        (None, None) => Err(FormatError::corrupt(STRUCTURE, OFFSETS[0], "none")),
        (Some((offset, copy)), error) => {
            if offset != OFFSETS[0] {
                let why =
                    error.map_or_else(|| "older".to_owned(), |error| format!("damaged: {}", error.detail()));
                let problem = format!("the copy at {offset:#x} is used, the first is {why}");
                notes.push(FormatError::corrupt(STRUCTURE, OFFSETS[0], problem));
            }
            Ok(copy)
        }
    }
}

fn read_copy(source: &dyn ReadAt, offset: u64) -> Result<Superblock, FormatError> {
    parse(&read_vec(source, STRUCTURE, offset, BYTES)?, offset)
}

/// Whether one of the copies has the magic: the first, or another if nothing lies where the first was.
pub(super) fn is_there(source: &dyn ReadAt) -> bool {
    let has_magic = |offset: u64| {
        let mut magic = [0; 8];
        source.read_at(&mut magic, offset.saturating_add(MAGIC_AT)).is_ok() && magic == *MAGIC
    };
    let blank = || begins_blank(source, num::to_usize(OFFSETS[0]).saturating_add(BYTES));
    has_magic(OFFSETS[0]) || (has_magic(OFFSETS[1]) && blank())
}

/// Checks the superblock in `bytes`, which lay at `offset`.
pub(super) fn parse(bytes: &[u8], offset: u64) -> Result<Superblock, FormatError> {
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
    let (Ok((raw, _)), Some((_, covered))) = (
        RawSuperblock::ref_from_prefix(bytes),
        bytes.get(..BYTES).and_then(|bytes| bytes.split_at_checked(32)),
    ) else {
        return Err(corrupt(format!("{} bytes", bytes.len())));
    };
    if raw.magic != *MAGIC {
        return Err(corrupt(format!("magic \"{}\"", raw.magic.escape_ascii())));
    }
    let Some(csum) = Kind::of(raw.csum_type.get()) else {
        return Err(FormatError::unsupported(format!("btrfs checksum type {}", raw.csum_type)));
    };
    if !csum.is_of(&raw.csum, covered) {
        return Err(corrupt("checksum".to_owned()));
    }
    if raw.bytenr.get() != offset {
        return Err(corrupt(format!("bytenr {:#x}", raw.bytenr)));
    }
    let incompat = raw.incompat_flags.get();
    let mut unread = features::unread(incompat);
    unread.extend(features::unread_flags(raw.flags.get()));
    if !unread.is_empty() {
        return Err(FormatError::unsupported(format!("btrfs {}", unread.join(", "))));
    }
    let (sector, node) = (raw.sectorsize.get(), raw.nodesize.get());
    let is_size = |size: u32| size.is_power_of_two() && (4096..=65536).contains(&size);
    if !is_size(sector) || !is_size(node) || node < sector {
        return Err(corrupt(format!("sectorsize {sector}, nodesize {node}")));
    }
    let levels = [raw.root_level, raw.chunk_root_level, raw.log_root_level];
    if levels.iter().any(|level| *level >= super::node::LEVELS) {
        return Err(corrupt(format!("levels {levels:?}")));
    }
    let system_chunks = raw.sys_chunk_array.get(..num::index(raw.sys_chunk_array_size.get()));
    let system_chunks =
        system_chunks.ok_or_else(|| corrupt(format!("sys_chunk_array_size {}", raw.sys_chunk_array_size)))?;
    let has_uuid = incompat & features::METADATA_UUID != 0;
    let metadata_uuid = if has_uuid { raw.metadata_uuid } else { raw.fsid };
    if raw.dev_item.fsid != metadata_uuid {
        return Err(corrupt("its device is of another file system".to_owned()));
    }
    if raw.num_devices.get() == 0 {
        return Err(corrupt("num_devices 0".to_owned()));
    }
    let log_root = raw.log_root.get();
    Ok(Superblock {
        csum,
        fsid: raw.fsid,
        metadata_uuid,
        flags: raw.flags.get(),
        generation: raw.generation.get(),
        root: (raw.root.get(), raw.root_level),
        chunk_root: (raw.chunk_root.get(), raw.chunk_root_level),
        chunk_root_generation: raw.chunk_root_generation.get(),
        log_root: (log_root != 0).then_some((log_root, raw.log_root_level)),
        unwritable: features::unwritable(raw.compat_ro_flags.get()),
        devices: raw.num_devices.get(),
        device: Device::of(&raw.dev_item),
        device_bytes: raw.dev_item.total_bytes.get(),
        sector,
        node,
        no_holes: incompat & features::NO_HOLES != 0,
        label: raw.label.iter().copied().take_while(|byte| *byte != 0).collect(),
        system_chunks: system_chunks.to_vec(),
    })
}
