//! The boot region, of twelve sectors, and its copy behind it.

use crate::{
    block::{ReadAt, read_vec},
    bytes::{is_sound, le16, le32, le64, part},
    error::FormatError,
    fs::clusters::{Layout, Width},
    num,
};

pub(super) const STRUCTURE: &str = "exFAT boot region";
const MAGIC: &[u8] = b"EXFAT   ";
/// Sectors of the region, the last of which holds the sum of the others.
const SECTORS: u64 = 12;
/// Bytes of the first sector that change while the volume is in use, and are not summed.
const UNSUMMED: [usize; 3] = [106, 107, 112];

/// What a boot region says.
pub(super) struct Boot {
    pub(super) layout: Layout,
    /// The root's first cluster.
    pub(super) root: u32,
    pub(super) serial: u32,
    pub(super) flags: u16,
}

/// Whether a boot sector of exFAT is at the beginning.
pub(super) fn is_there(source: &dyn ReadAt) -> bool {
    let mut sector = [0; 512];
    source.read_at(&mut sector, 0).is_ok() && part(&sector, 3, 8) == Some(MAGIC)
}

/// Where the copy may be: its sectors' size is not known.
pub(super) fn copies() -> impl Iterator<Item = u64> {
    (9..=12).map(|shift| SECTORS << shift)
}

/// The boot region at `offset`.
pub(super) fn read(source: &dyn ReadAt, offset: u64) -> Result<Boot, FormatError> {
    let sector = read_vec(source, STRUCTURE, offset, 512)?;
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
    let byte = |at: usize| sector.get(at).copied().unwrap_or(0);
    let long = |at| le32(&sector, at).unwrap_or(0);
    if part(&sector, 3, 8) != Some(MAGIC) || le16(&sector, 510) != Some(0xaa55) {
        return Err(corrupt("it is not marked as one".to_owned()));
    }
    let (shift, per_cluster) = (byte(108), byte(109));
    if !(9..=12).contains(&shift) || per_cluster > 25u8.saturating_sub(shift) {
        return Err(corrupt(format!("sectors of 2^{shift} bytes, clusters of 2^{per_cluster} of them")));
    }
    check(source, offset, shift)?;
    let revision = (byte(105), byte(104));
    if revision.0 != 1 {
        return Err(FormatError::unsupported(format!("exFAT revision {}.{:02}", revision.0, revision.1)));
    }
    let flags = le16(&sector, 106).unwrap_or(0);
    let tables = byte(110);
    if !matches!(tables, 1 | 2) {
        return Err(corrupt(format!("{tables} tables")));
    }
    // With two tables, of which TexFAT uses one at a time.
    let active = if tables == 2 { u64::from(flags & 1) } else { 0 };
    let (table, table_length, heap) = (u64::from(long(80)), u64::from(long(84)), u64::from(long(88)));
    let (count, sectors) = (long(92), le64(&sector, 72).unwrap_or(0));
    let entries = table_length.checked_shl(u32::from(shift).saturating_sub(2)).unwrap_or(0);
    let end = (u64::from(count) << per_cluster).saturating_add(heap);
    if count == 0 || count > 0xffff_fff5 || entries < u64::from(count).saturating_add(2) || end > sectors {
        return Err(corrupt(format!("{count} clusters from sector {heap} of {sectors}, {entries} entries")));
    }
    let bytes = |sectors: u64| sectors.checked_shl(shift.into()).unwrap_or(u64::MAX);
    Ok(Boot {
        layout: Layout {
            table: bytes(table.saturating_add(active.saturating_mul(table_length))),
            width: Width::ThirtyTwo,
            heap: bytes(heap),
            size: 1u32.checked_shl(u32::from(shift).saturating_add(per_cluster.into())).unwrap_or(0),
            count,
        },
        root: long(96),
        serial: long(100),
        flags,
    })
}

/// Checks the sum of the region: the last sector has it over and over.
fn check(source: &dyn ReadAt, offset: u64, shift: u8) -> Result<(), FormatError> {
    let length = num::to_usize(SECTORS << shift);
    let region = read_vec(source, STRUCTURE, offset, length)?;
    let (summed, sums) = region.split_at_checked(num::to_usize((SECTORS - 1) << shift)).unwrap_or_default();
    let bytes = summed.iter().enumerate().filter(|(at, _)| !UNSUMMED.contains(at));
    let sum = bytes.fold(0u32, |sum, (_, byte)| sum.rotate_right(1).wrapping_add(u32::from(*byte)));
    match le32(sums, 0) {
        Some(said) if is_sound(said == sum) => Ok(()),
        said => {
            let problem = format!("checksum {:#010x}, computed {sum:#010x}", said.unwrap_or(0));
            Err(FormatError::corrupt(STRUCTURE, offset, problem))
        }
    }
}
