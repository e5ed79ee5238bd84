//! The boot sector with the BIOS parameter block.

use crate::{
    block::{ReadAt, read_vec},
    bytes::{le16, le32},
    error::FormatError,
    fs::clusters::{Layout, Width},
};

pub(super) const STRUCTURE: &str = "FAT boot sector";
const SECTOR: usize = 512;
/// The most clusters that the two smaller kinds have, as the kernel counts them.
const MOST_12: u64 = 0xff4;
const MOST_16: u64 = 0xfff4;
const MOST_32: u64 = 0x0fff_fff5;

/// What a boot sector says.
pub(super) struct Boot {
    pub(super) layout: Layout,
    pub(super) root: Root,
    /// The volume's number and label, if it has them.
    pub(super) serial: Option<u32>,
    pub(super) label: Option<[u8; 11]>,
    /// The volume was mounted, or a medium failed.
    pub(super) state: u8,
}

/// Where the root directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// Before the clusters, of this many bytes.
    Fixed { offset: u64, length: u64 },
    /// In a chain that begins with this cluster.
    Chain(u32),
}

/// Whether a sector begins a FAT volume: all that must be so is.
pub(super) fn is_there(source: &dyn ReadAt) -> bool {
    let mut sector = [0; SECTOR];
    source.read_at(&mut sector, 0).is_ok() && is_sane(&sector).is_ok()
}

fn is_sane(sector: &[u8]) -> Result<(), String> {
    let byte = |at: usize| sector.get(at).copied().unwrap_or(0);
    let word = |at| le16(sector, at).unwrap_or(0);
    let size = word(11);
    let checks = [
        (matches!(byte(0), 0xeb | 0xe9), "it begins with no jump"),
        (word(510) == 0xaa55, "it is not marked as one"),
        (size.is_power_of_two() && (512..=4096).contains(&size), "its sectors have an unusual size"),
        (byte(13).is_power_of_two(), "its clusters have an unusual size"),
        (word(14) != 0, "it has no reserved sectors"),
        (byte(16) != 0 && byte(16) <= 4, "it has no tables, or too many"),
        (byte(21) == 0xf0 || byte(21) >= 0xf8, "its medium is unknown"),
        (word(19) != 0 || le32(sector, 32).unwrap_or(0) != 0, "it has no sectors"),
    ];
    checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, problem)| Err(problem.to_owned()))
}

/// The boot sector at `offset`.
pub(super) fn read(source: &dyn ReadAt, offset: u64) -> Result<Boot, FormatError> {
    let sector = read_vec(source, STRUCTURE, offset, SECTOR)?;
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, problem);
    is_sane(&sector).map_err(corrupt)?;
    let byte = |at: usize| sector.get(at).copied().unwrap_or(0);
    let word = |at| u64::from(le16(&sector, at).unwrap_or(0));
    let long = |at| le32(&sector, at).unwrap_or(0);
    let either = |small: u64, large: u32| if small == 0 { u64::from(large) } else { small };
    let (size, per_cluster) = (word(11), u64::from(byte(13)));
    let is_32 = word(22) == 0;
    let (table, sectors) = (either(word(22), long(36)), either(word(19), long(32)));
    let version = if is_32 { word(42) } else { 0 };
    if version != 0 {
        return Err(FormatError::unsupported(format!("FAT32 version {version:#06x}")));
    }
    let root_bytes = word(17).saturating_mul(32);
    let tables = table.saturating_mul(byte(16).into());
    let root = word(14).saturating_add(tables);
    let heap = root.saturating_add(root_bytes.div_ceil(size));
    let clusters = sectors.saturating_sub(heap).checked_div(per_cluster).unwrap_or(0);
    let (width, most) = match is_32 {
        true => (Width::TwentyEight, MOST_32),
        false if clusters <= MOST_12 => (Width::Twelve, MOST_12),
        false => (Width::Sixteen, MOST_16),
    };
    let bits = match width {
        Width::Twelve => 12,
        Width::Sixteen => 16,
        _ => 32,
    };
    let entries = table.saturating_mul(size).saturating_mul(8).checked_div(bits).unwrap_or(0);
    let clusters = clusters.min(entries.saturating_sub(2));
    if clusters == 0 || clusters > most {
        return Err(corrupt(format!("{sectors} sectors, of which {heap} come before {clusters} clusters")));
    }
    // FAT32 may have one table that is in use and others that are not kept.
    let active = if is_32 && word(40) & 0x80 != 0 { word(40) & 0xf } else { 0 };
    if active >= byte(16).into() {
        return Err(corrupt(format!("table {active} of {} is in use", byte(16))));
    }
    let table_at = word(14).saturating_add(active.saturating_mul(table)).saturating_mul(size);
    // Since DOS 3.4 and 4.0: state of the volume, mark, number, label.
    let extended = sector.get(if is_32 { 65 } else { 37 }..).unwrap_or_default();
    let mark = extended.get(1).copied().unwrap_or(0);
    let label = extended.get(6..).and_then(|label| label.first_chunk().copied());
    Ok(Boot {
        layout: Layout {
            table: table_at,
            width,
            heap: heap.saturating_mul(size),
            size: u32::try_from(size.saturating_mul(per_cluster)).unwrap_or(0),
            count: u32::try_from(clusters).unwrap_or(0),
        },
        root: match is_32 {
            true => Root::Chain(long(44)),
            false => Root::Fixed { offset: root.saturating_mul(size), length: root_bytes },
        },
        serial: le32(extended, 2).filter(|_| matches!(mark, 0x28 | 0x29)),
        label: label.filter(|_| mark == 0x29),
        state: extended.first().copied().filter(|_| matches!(mark, 0x28 | 0x29)).unwrap_or(0),
    })
}
