//! Inodes in the log (XFS Algorithms & Data Structures, "Inode Log Item"): the fixed fields in the byte order of the
//! machine, and parts of the forks.

use super::{STRUCTURE, replay::Replay, transaction::Item};
use crate::{
    block::read_vec,
    bytes::{be16, be64, le16, le32, le64},
    error::FormatError,
    fs::xfs::{checksum, format::INODE_CRC, inode::MAGIC, overlay::SECTOR},
    num,
};

/// `ilf_fields`: what was logged beside the fixed fields.
const DATA: u32 = 0x2 | 0x4;
const DATA_ROOT: u32 = 0x8;
const DEVICE: u32 = 0x10;
const ATTRIBUTES: u32 = 0x40 | 0x80;
const ATTRIBUTES_ROOT: u32 = 0x100;

const BIGTIME: u64 = 0x8;
/// Bytes of the fixed fields in versions 1 and 2, and in version 3.
const FIXED: usize = 100;
const FIXED_V3: usize = 176;
/// What is logged of versions 1 and 2: all but the chain of deleted inodes.
const LOGGED: usize = 96;
const FLUSHES: usize = 30;
const FORK_OFFSET: usize = 82;
const LSN: usize = 112;
/// Fields of two, four and eight bytes at these offsets turn; the others are bytes.
const HALVES: [usize; 9] = [0, 2, 6, 20, 22, 80, 88, 90, FLUSHES];
const WORDS: [usize; 8] = [8, 12, 16, 72, 76, 84, 92, 128];
const LONGS: [usize; 6] = [56, 64, 104, 120, 152, 24];
const TIMES: [usize; 4] = [32, 40, 48, 144];

/// An inode's description, in either of its layouts.
struct Description {
    fields: u32,
    number: u64,
    device: u32,
    sector: u64,
    sectors: u32,
}

impl Description {
    fn parse(bytes: &[u8]) -> Option<Self> {
        // Machines of 32 bits do not pad to the eight bytes of the number.
        let shift = match bytes.len() {
            52 => 0,
            56.. => 4,
            _ => return None,
        };
        let shifted = bytes.get(shift..)?;
        Some(Self {
            fields: le32(bytes, 4)?,
            number: le64(shifted, 12)?,
            device: le32(shifted, 20)?,
            sector: le64(shifted, 36)?,
            sectors: le32(shifted, 44)?,
        })
    }
}

/// Replays an inode whose buffer is not freed later.
pub(super) fn replay(replay: &mut Replay<'_>, item: &Item, lsn: u64) -> Result<(), FormatError> {
    let description = Description::parse(item.region(0));
    let Some(description) = description else {
        return Err(FormatError::corrupt(
            STRUCTURE,
            0,
            format!("inode item of {} bytes", item.region(0).len()),
        ));
    };
    if replay.is_cancelled((description.sector, description.sectors)) {
        return Ok(());
    }
    let superblock = replay.superblock;
    let Some((block, at)) = superblock.place(description.number) else {
        return Err(FormatError::corrupt(STRUCTURE, 0, format!("inode {}", description.number)));
    };
    let offset = superblock.offset(block).saturating_add(num::to_u64(at));
    let corrupt = |problem: &str| {
        FormatError::corrupt(STRUCTURE, offset, format!("inode {}: {problem}", description.number))
    };
    let start = description.sector.saturating_mul(SECTOR);
    if offset < start || offset >= start.saturating_add(u64::from(description.sectors).saturating_mul(SECTOR))
    {
        return Err(corrupt("it does not lie in its buffer"));
    }
    let mut disk = read_vec(&replay.overlay, STRUCTURE, offset, num::index(superblock.inode_size))?;
    if !disk.starts_with(&MAGIC) {
        return Err(corrupt("there is none on the disk"));
    }
    let v5 = superblock.features.crc();
    let core = item.region(1);
    if core.get(..2) != Some(b"NI") || core.len() < if v5 { FIXED_V3 } else { LOGGED } {
        return Err(corrupt("its fields are cut or not those of one"));
    }
    if is_newer(&disk, core, v5, lsn) {
        return Ok(());
    }
    copy_fixed(&mut disk, core, v5, lsn);
    copy_forks(&mut disk, item, &description, v5).ok_or_else(|| corrupt("its forks do not fit"))?;
    if v5 {
        checksum::set(&mut disk, INODE_CRC);
    }
    replay.overlay.write(offset, &disk)
}

/// Whether the inode on the disk is newer than the logged one.
fn is_newer(disk: &[u8], core: &[u8], v5: bool, lsn: u64) -> bool {
    if v5 {
        let seen = be64(disk, LSN).unwrap_or(0);
        return seen != 0 && seen != u64::MAX && seen > lsn;
    }
    // How often it was written home, which wraps.
    const MOST: u16 = 0xffff;
    let logged = le16(core, FLUSHES).unwrap_or(0);
    let seen = be16(disk, FLUSHES).unwrap_or(0);
    logged < seen && !(seen == MOST && logged < MOST / 2)
}

fn copy_fixed(disk: &mut [u8], core: &[u8], v5: bool, lsn: u64) {
    let chain: [u8; 8] = disk.get(LOGGED..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    let length = if v5 { FIXED_V3 } else { LOGGED };
    if let (Some(disk), Some(core)) = (disk.get_mut(..length), core.get(..length)) {
        disk.copy_from_slice(core);
    }
    let long = |at: usize| le64(core, at).unwrap_or(0);
    let bigtime = v5 && long(120) & BIGTIME != 0;
    let mut turn = |at: usize, length: usize| {
        if let Some(field) =
            disk.get_mut(at..at.saturating_add(length)).filter(|_| at < if v5 { FIXED_V3 } else { LOGGED })
        {
            field.reverse();
        }
    };
    // The long counter of version 3 lies where versions before have the short one of writes.
    HALVES.into_iter().filter(|at| !v5 || *at != FLUSHES).for_each(|at| turn(at, 2));
    WORDS.into_iter().for_each(|at| turn(at, 4));
    LONGS.into_iter().filter(|at| v5 || *at != 24).for_each(|at| turn(at, 8));
    for at in TIMES {
        match bigtime {
            true => turn(at, 8),
            false => {
                turn(at, 4);
                turn(at.saturating_add(4), 4);
            }
        }
    }
    if v5 {
        // The chain of deleted inodes and the checksum stay; what the log says of its own number is of no use.
        if let Some(place) = disk.get_mut(LOGGED..LOGGED.saturating_add(8)) {
            place.copy_from_slice(&chain);
        }
        if let Some(place) = disk.get_mut(LSN..LSN.saturating_add(8)) {
            place.copy_from_slice(&lsn.to_be_bytes());
        }
    } else if let Some(place) = disk.get_mut(FLUSHES..FLUSHES.saturating_add(2)) {
        place.fill(0);
    }
}

fn copy_forks(disk: &mut [u8], item: &Item, description: &Description, v5: bool) -> Option<()> {
    let literal = if v5 { FIXED_V3 } else { FIXED };
    let split = usize::from(*disk.get(FORK_OFFSET)?).checked_mul(8)?;
    let forks = disk.get_mut(literal..)?;
    let split = if split == 0 { forks.len() } else { split };
    let (data, attributes) = forks.split_at_mut_checked(split)?;
    let fields = description.fields;
    if fields & DEVICE != 0 {
        data.first_chunk_mut::<4>()?.copy_from_slice(&description.device.to_be_bytes());
    }
    let mut regions = item.regions.iter().skip(2);
    for (fork, plain, root) in [(data, DATA, DATA_ROOT), (attributes, ATTRIBUTES, ATTRIBUTES_ROOT)] {
        if fields & (plain | root) == 0 {
            continue;
        }
        let logged = regions.next();
        match (fields & root != 0, logged) {
            (_, None) if item.regions.len() == 2 => {}
            (_, None) => return None,
            (false, Some(logged)) => fork.get_mut(..logged.len())?.copy_from_slice(logged),
            (true, Some(logged)) => copy_root(fork, logged, if v5 { 72 } else { 24 })?,
        }
    }
    Some(())
}

/// A root of a B-tree as the kernel has it in memory, with the header of a block, to one in an inode: keys and pointers
/// are as many as before, and lie as far apart as there is room.
fn copy_root(fork: &mut [u8], logged: &[u8], header: usize) -> Option<()> {
    let (level, count) = (logged.get(4..6)?, be16(logged, 6)?);
    let words = usize::from(count).checked_mul(8)?;
    let room =
        |length: usize, header: usize| length.checked_sub(header).map(|bytes| (bytes / 16).saturating_mul(8));
    let keys = logged.get(header..header.checked_add(words)?)?;
    let (from, to) = (room(logged.len(), header)?, room(fork.len(), 4)?);
    if words > from.min(to) {
        return None;
    }
    let pointers = header.checked_add(from)?;
    let pointers = logged.get(pointers..pointers.checked_add(words)?)?;
    let target = to.checked_add(4)?;
    fork.get_mut(0..2)?.copy_from_slice(level);
    fork.get_mut(2..4)?.copy_from_slice(&count.to_be_bytes());
    fork.get_mut(4..words.checked_add(4)?)?.copy_from_slice(keys);
    fork.get_mut(target..target.checked_add(words)?)?.copy_from_slice(pointers);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_keeps_its_keys_and_pointers() {
        // One of room for three with two in use, to a fork with room for four.
        let mut logged = vec![0; 24 + 3 * 16];
        logged[4..8].copy_from_slice(&[0, 1, 0, 2]);
        logged[24..40].copy_from_slice(&[1; 16]);
        logged[24 + 24..24 + 40].copy_from_slice(&[2; 16]);
        let mut fork = vec![0xff; 4 + 4 * 16 + 3];
        copy_root(&mut fork, &logged, 24).unwrap();
        assert_eq!(fork[..20], [&[0, 1, 0, 2][..], &[1; 16]].concat());
        assert_eq!(fork[36..52], [2; 16]);
        assert_eq!(copy_root(&mut fork[..30], &logged, 24), None);
    }
}
