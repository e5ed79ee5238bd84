//! MD's metadata 1: `struct mdp_superblock_1` (kernel, `include/uapi/linux/raid/md_p.h`), little-endian. Sizes are in
//! sectors.

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

use super::superblock::{Geometry, MAGIC, NAME, Reshape, Role, Shape, Superblock, fold};
use crate::{bytes::is_sound, error::FormatError, limits, num};

const SECTOR: u64 = 512;
/// No resynchronization and no recovery is under way.
const ALL: u64 = u64::MAX;

const RECOVERY_OFFSET: u32 = 1 << 1;
const RESHAPE_ACTIVE: u32 = 1 << 2;
const BAD_BLOCKS: u32 = 1 << 3;
const REPLACEMENT: u32 = 1 << 4;
const RESHAPE_BACKWARDS: u32 = 1 << 5;
const NEW_OFFSET: u32 = 1 << 6;
const RECOVERY_BITMAP: u32 = 1 << 7;
const JOURNAL: u32 = 1 << 9;
const PPL: u32 = 1 << 10;
const MULTIPLE_PPLS: u32 = 1 << 11;
const RAID0_LAYOUT: u32 = 1 << 12;
/// The features that change nothing for a reader: the bitmap of writes under way, and that several hosts use the array.
const IGNORED: u32 = 1 | 1 << 8;
const KNOWN: u32 = IGNORED
    | RECOVERY_OFFSET
    | RESHAPE_ACTIVE
    | BAD_BLOCKS
    | REPLACEMENT
    | RESHAPE_BACKWARDS
    | NEW_OFFSET
    | RECOVERY_BITMAP
    | JOURNAL
    | PPL
    | MULTIPLE_PPLS
    | RAID0_LAYOUT;

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawSuperblock {
    magic: U32,
    major_version: U32,
    feature_map: U32,
    pad0: U32,
    set_uuid: [u8; 16],
    set_name: [u8; 32],
    ctime: U64,
    level: U32,
    layout: U32,
    size: U64,
    chunksize: U32,
    raid_disks: U32,
    bitmap_offset: U32,
    new_level: U32,
    reshape_position: U64,
    delta_disks: U32,
    new_layout: U32,
    new_chunk: U32,
    new_offset: U32,
    data_offset: U64,
    data_size: U64,
    super_offset: U64,
    recovery_offset: U64,
    dev_number: U32,
    cnt_corrected_read: U32,
    device_uuid: [u8; 16],
    devflags: u8,
    bblog_shift: u8,
    bblog_size: U16,
    bblog_offset: U32,
    utime: U64,
    events: U64,
    resync_offset: U64,
    sb_csum: U32,
    max_dev: U32,
    pad3: [u8; 32],
}

/// Reads a superblock that was found at byte `at` of a member.
pub(super) fn parse(bytes: &[u8], version: &'static str, at: u64) -> Result<Superblock, FormatError> {
    let corrupt = |problem: String| FormatError::corrupt(NAME, at, problem);
    let (raw, roles) = RawSuperblock::read_from_prefix(bytes).map_err(|_| corrupt("too short".to_owned()))?;
    if raw.magic.get() != MAGIC || raw.major_version.get() != 1 {
        return Err(corrupt(format!("of version {} where 1 is", raw.major_version)));
    }
    let count = num::index(raw.max_dev.get());
    let roles = count.checked_mul(2).and_then(|length| roles.get(..length));
    let roles = roles.ok_or_else(|| corrupt(format!("{count} members, more than it has room for")))?;
    check_sum(&raw, bytes, roles, at)?;
    let bytes_of = |sectors: U64| sectors.get().checked_mul(SECTOR);
    if bytes_of(raw.super_offset) != Some(at) {
        return Err(corrupt(format!("says that it is in sector {}", raw.super_offset)));
    }
    let roles: Vec<Role> = roles
        .chunks_exact(2)
        .filter_map(|role| role.first_chunk())
        .map(|role| Role::of(u16::from_le_bytes(*role)))
        .collect();
    let own = roles.get(num::index(raw.dev_number.get())).copied();
    let size = |what: &str, sectors: U64| {
        bytes_of(sectors).ok_or_else(|| corrupt(format!("{what} of {sectors} sectors")))
    };
    let features = raw.feature_map.get();
    let has = |feature: u32| features & feature != 0;
    let data_size = size("data", raw.data_size)?;
    let recovered = match (has(RECOVERY_OFFSET), has(RECOVERY_BITMAP)) {
        // What of it is up to date is known by a bitmap alone.
        (_, true) => 0,
        (true, _) => raw.recovery_offset.get().saturating_mul(SECTOR),
        _ => data_size,
    };
    let shape = Shape {
        level: raw.level.get().cast_signed(),
        layout: raw.layout.get(),
        chunk: u64::from(raw.chunksize.get()).saturating_mul(SECTOR),
        disks: raw.raid_disks.get(),
    };
    let (shape, reshape) = reshape(&raw, shape).ok_or_else(|| {
        corrupt(format!(
            "{} members, of which {} were added",
            raw.raid_disks,
            raw.delta_disks.get().cast_signed()
        ))
    })?;
    let data = size("data offset", raw.data_offset)?;
    let moved = if has(NEW_OFFSET) { i64::from(raw.new_offset.get().cast_signed()) } else { 0 };
    let new_data = data.checked_add_signed(moved.saturating_mul(SECTOR.cast_signed()));
    let new_data =
        new_data.ok_or_else(|| corrupt(format!("data moves by {moved} sectors from {data:#x}")))?;
    let position = if reshape.is_some() { size("reshape position", raw.reshape_position)? } else { 0 };
    let name = raw.set_name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Superblock {
        version,
        at,
        array: Geometry {
            uuid: raw.set_uuid,
            created: raw.ctime.get() & 0xff_ffff_ffff,
            has_zone_order: has(RAID0_LAYOUT),
            size: size("members", raw.size)?,
            shape,
            reshape,
        },
        name: String::from_utf8_lossy(name).into_owned(),
        minor: None,
        events: raw.events.get(),
        updated: raw.utime.get(),
        clean: raw.resync_offset.get() == ALL,
        log: [(JOURNAL, "write journal"), (PPL | MULTIPLE_PPLS, "partial parity log")]
            .into_iter()
            .find_map(|(feature, name)| has(feature).then_some(name)),
        refused: refused(features),
        number: raw.dev_number.get(),
        // A member that the table has no place for is a spare, as it is for the kernel.
        role: own.unwrap_or(Role::Spare),
        roles,
        data,
        new_data,
        position,
        data_size,
        recovered,
        replacement: has(REPLACEMENT),
        bad_blocks: if has(BAD_BLOCKS) { Some(bad_blocks(&raw, at)?) } else { None },
    })
}

impl Role {
    fn of(role: u16) -> Self {
        match role {
            0xffff => Self::Spare,
            0xfffd => Self::Journal,
            role if role >= 0xff00 => Self::Faulty,
            role => Self::Active(u32::from(role)),
        }
    }
}

fn check_sum(raw: &RawSuperblock, bytes: &[u8], roles: &[u8], at: u64) -> Result<(), FormatError> {
    let length = size_of::<RawSuperblock>().saturating_add(roles.len());
    let bytes = bytes.get(..length).unwrap_or_default();
    let words = bytes.chunks(4).map(|word| {
        let mut whole = [0; 4];
        whole.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
        u64::from(u32::from_le_bytes(whole))
    });
    let sum: u64 = words.fold(0, u64::wrapping_add).wrapping_sub(u64::from(raw.sb_csum.get()));
    let sum = fold(sum);
    if !is_sound(sum == raw.sb_csum.get()) {
        let problem = format!("checksum {:#010x}, computed {sum:#010x}", raw.sb_csum);
        return Err(FormatError::corrupt(NAME, at, problem));
    }
    Ok(())
}

/// The shape of an array and what it becomes. `None` if it had less than no members.
fn reshape(raw: &RawSuperblock, shape: Shape) -> Option<(Shape, Option<Reshape>)> {
    let features = raw.feature_map.get();
    if features & RESHAPE_ACTIVE == 0 {
        return Some((shape, None));
    }
    let new = Shape {
        level: raw.new_level.get().cast_signed(),
        layout: raw.new_layout.get(),
        chunk: u64::from(raw.new_chunk.get()).saturating_mul(SECTOR),
        disks: shape.disks,
    };
    let backwards = features & RESHAPE_BACKWARDS != 0;
    Reshape::of(shape, new, raw.delta_disks.get(), backwards).map(|(shape, reshape)| (shape, Some(reshape)))
}

/// Why an array with these features is not read.
fn refused(features: u32) -> Option<String> {
    if features & !KNOWN != 0 {
        return Some(format!("MD feature_map bits {:#x}", features & !KNOWN));
    }
    let of_reshape = features & (RESHAPE_BACKWARDS | NEW_OFFSET);
    (of_reshape != 0 && features & RESHAPE_ACTIVE == 0)
        .then(|| format!("MD feature_map bits {of_reshape:#x} of a reshape that is not active"))
}

/// The place of the list of bad blocks, in sectors from the superblock on, before or behind it.
fn bad_blocks(raw: &RawSuperblock, at: u64) -> Result<(u64, u64, u8), FormatError> {
    let (offset, sectors) = (raw.bblog_offset.get().cast_signed(), raw.bblog_size.get());
    if sectors > limits::MD_BAD_BLOCK_SECTORS {
        let bound = limits::MD_BAD_BLOCK_SECTORS;
        return Err(FormatError::limit(format!("MD bad block list of {sectors} sectors, more than {bound}")));
    }
    let start = at.checked_add_signed(i64::from(offset).saturating_mul(SECTOR.cast_signed()));
    let start = start.filter(|_| offset != 0 && sectors != 0 && raw.bblog_shift < 32);
    let found = start.map(|start| (start, u64::from(sectors).saturating_mul(SECTOR), raw.bblog_shift));
    found.ok_or_else(|| {
        FormatError::corrupt(NAME, at, format!("bad block list of {sectors} sectors at sector {offset}"))
    })
}
