//! MD's metadata 0.90: `struct mdp_superblock_s` (kernel, `include/uapi/linux/raid/md_p.h`), 1024 words in the byte order
//! of the machine that made it. Sizes are in KiB, chunks in bytes.

use super::superblock::{Geometry, MAGIC, NAME, Reshape, Role, Shape, Superblock, fold};
use crate::{bytes::is_sound, error::FormatError};

/// Members that there is room for.
const MEMBERS: usize = 27;
/// The first word of the members' descriptions, words of one, and the words in it that are its role and state.
const DISKS: usize = 128;
const DISK: usize = 32;
const DISK_NUMBER: usize = 0;
const DISK_ROLE: usize = 3;
const DISK_STATE: usize = 4;
/// The description of the member itself.
const THIS_DISK: usize = 992;
const CHECKSUM: usize = 38;

const FAULTY: u32 = 1;
const ACTIVE: u32 = 1 << 1;
const SYNC: u32 = 1 << 2;
const REMOVED: u32 = 1 << 3;
/// The state of an array that was stopped.
const CLEAN: u32 = 1;

/// Reads a superblock that was found at byte `at` of a member.
pub(super) fn parse(bytes: &[u8], at: u64) -> Result<Superblock, FormatError> {
    let corrupt = |problem: String| FormatError::corrupt(NAME, at, problem);
    let big = bytes.starts_with(&MAGIC.to_be_bytes());
    let word = |bytes: &[u8; 4]| if big { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) };
    let words: Vec<u32> = bytes.chunks_exact(4).filter_map(|word| word.first_chunk()).map(word).collect();
    let word = |index: usize| words.get(index).copied().unwrap_or(0);
    let (major, minor) = (word(1), word(2));
    // One that is being reshaped says that it is of version 0.91.
    let is_reshaped = minor == 91;
    if major != 0 || !(90..=91).contains(&minor) {
        return Err(corrupt(format!("of version {major}.{minor} where 0.90 is")));
    }
    let said = word(CHECKSUM);
    let sum = words.iter().fold(0u64, |sum, word| sum.wrapping_add(u64::from(*word)));
    let sum = fold(sum.wrapping_sub(u64::from(said)));
    if !is_sound(sum == said) {
        return Err(corrupt(format!("checksum {said:#010x}, computed {sum:#010x}")));
    }
    // 64-bit numbers have the order of their machine, too.
    let double = |first: usize, second: usize| {
        let (low, high) = if big { (word(second), word(first)) } else { (word(first), word(second)) };
        u64::from(high).unbounded_shl(32) | u64::from(low)
    };
    let disk = |at: usize| (word(at.saturating_add(DISK_ROLE)), word(at.saturating_add(DISK_STATE)));
    let shape =
        Shape { level: word(7).cast_signed(), layout: word(64), chunk: u64::from(word(65)), disks: word(10) };
    let new = Shape { level: word(46).cast_signed(), layout: word(48), chunk: u64::from(word(49)), ..shape };
    let (shape, reshape) = match (is_reshaped, Reshape::of(shape, new, word(47), false)) {
        (false, _) => (shape, None),
        (true, Some((shape, reshape))) => (shape, Some(reshape)),
        (true, None) => {
            let more = word(47).cast_signed();
            return Err(corrupt(format!("{} members, of which {more} were added", shape.disks)));
        }
    };
    let position = if is_reshaped { double(44, 45) } else { 0 };
    let position = position.checked_mul(512);
    let position = position.ok_or_else(|| corrupt(format!("reshaped up to sector {}", double(44, 45))))?;
    let role = |(number, state): (u32, u32)| role(number, state, is_reshaped);
    let (own, own_state) = disk(THIS_DISK);
    let roles: Vec<Role> = (0..MEMBERS)
        .map(|number| disk(DISKS.saturating_add(number.saturating_mul(DISK))))
        .map(role)
        .collect();
    let mut uuid = [0; 16];
    for (bytes, index) in uuid.chunks_exact_mut(4).zip([5, 13, 14, 15]) {
        bytes.copy_from_slice(&word(index).to_be_bytes());
    }
    Ok(Superblock {
        version: "0.90",
        at,
        array: Geometry {
            uuid,
            created: u64::from(word(6)),
            has_zone_order: false,
            size: u64::from(word(8)).saturating_mul(1024),
            shape,
            reshape,
        },
        name: String::new(),
        minor: Some(word(11)),
        events: double(39, 40),
        updated: u64::from(word(32)),
        clean: word(33) & CLEAN != 0,
        log: None,
        refused: None,
        number: word(THIS_DISK.saturating_add(DISK_NUMBER)),
        role: role((own, own_state)),
        roles,
        data: 0,
        new_data: 0,
        position,
        // The superblock lies behind the data.
        data_size: at,
        // Of one that was added for the reshape nothing says how much of it was written.
        recovered: if own_state & SYNC == 0 { 0 } else { at },
        replacement: false,
        bad_blocks: None,
    })
}

fn role(number: u32, state: u32, is_reshaped: bool) -> Role {
    match state {
        state if state & (FAULTY | REMOVED) != 0 => Role::Faulty,
        state if state & SYNC != 0 || (is_reshaped && state & ACTIVE != 0) => Role::Active(number),
        _ => Role::Spare,
    }
}
