//! The boot sector ("$Boot"), and its copy in the last sector of the volume.

use crate::{
    block::{ReadAt, begins_blank, read_vec},
    bytes::{le16, le64, part},
    error::FormatError,
    limits, num,
};

pub(super) const STRUCTURE: &str = "NTFS boot sector";
pub(super) const SECTOR: usize = 512;
const MAGIC: &[u8] = b"NTFS    ";

/// The geometry of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Boot {
    /// Bytes of a cluster, a power of two up to 2 MiB.
    pub(super) cluster: u64,
    /// Clusters of the volume.
    pub(super) clusters: u64,
    /// Bytes of a record of the master file table.
    pub(super) record: usize,
    /// Bytes of a block of an index.
    pub(super) index: usize,
    /// The first cluster of the master file table and of the copy of its first records.
    pub(super) mft: u64,
    pub(super) mirror: u64,
    pub(super) serial: u64,
}

/// Whether a boot sector of NTFS is at the beginning.
pub(super) fn is_there(source: &dyn ReadAt) -> bool {
    let mut sector = [0; SECTOR];
    source.read_at(&mut sector, 0).is_ok() && part(&sector, 3, 8) == Some(MAGIC)
}

/// Whether the first sector was wiped and nothing else was put there, but its copy is left.
pub(super) fn is_wiped(source: &dyn ReadAt) -> bool {
    begins_blank(source, SECTOR) && copy(source).is_some()
}

/// The copy in the last sector, whose size is not known, if it is sound, and where it is.
pub(super) fn copy(source: &dyn ReadAt) -> Option<(Boot, u64)> {
    [512u64, 1024, 2048, 4096].into_iter().find_map(|sector| {
        let offset = (source.size() & !511).checked_sub(sector)?;
        read(source, offset).ok().map(|boot| (boot, offset))
    })
}

/// The boot sector at `offset`.
pub(super) fn read(source: &dyn ReadAt, offset: u64) -> Result<Boot, FormatError> {
    let sector = read_vec(source, STRUCTURE, offset, SECTOR)?;
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
    if part(&sector, 3, 8) != Some(MAGIC) || le16(&sector, 510) != Some(0xaa55) {
        return Err(corrupt("it is not marked as one".to_owned()));
    }
    let byte = |at: usize| sector.get(at).copied().unwrap_or(0);
    let word = |at: usize| le64(&sector, at).unwrap_or(0);
    let sector_bytes = u64::from(le16(&sector, 11).unwrap_or(0));
    if !sector_bytes.is_power_of_two() || !(256..=4096).contains(&sector_bytes) {
        return Err(corrupt(format!("sectors of {sector_bytes} bytes")));
    }
    let per_cluster = match byte(13) {
        // Of more than 64 KiB: the negative power of two.
        large @ 0xf4.. => 1 << 0u8.wrapping_sub(large),
        count => u64::from(count),
    };
    let cluster = sector_bytes.saturating_mul(per_cluster);
    if !per_cluster.is_power_of_two() || cluster > 2 << 20 {
        return Err(corrupt(format!("clusters of {per_cluster} sectors")));
    }
    let length = |at: usize, what: &str| {
        let bytes = match byte(at) {
            power @ 0x80.. => 1u64.checked_shl(u32::from(0u8.wrapping_sub(power))).unwrap_or(0),
            count => cluster.saturating_mul(count.into()),
        };
        let whole = bytes.is_power_of_two() && bytes >= 512;
        match whole {
            false => Err(corrupt(format!("{what} of {bytes} bytes"))),
            true if bytes > limits::NTFS_RECORD_BYTES => {
                Err(FormatError::limit(format!("NTFS {what} of {bytes} bytes")))
            }
            true => Ok(num::to_usize(bytes)),
        }
    };
    let boot = Boot {
        cluster,
        clusters: word(40).checked_div(per_cluster).unwrap_or(0),
        record: length(64, "file records")?,
        index: length(68, "index blocks")?,
        mft: word(48),
        mirror: word(56),
        serial: word(72),
    };
    if boot.mft >= boot.clusters || boot.clusters > u64::MAX >> 21 {
        let problem = format!("the master file table at cluster {} of {}", boot.mft, boot.clusters);
        return Err(corrupt(problem));
    }
    Ok(boot)
}
