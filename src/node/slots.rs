//! Systems that are updated by writing a second copy beside the one that runs: the partitions of a copy have a letter in
//! their names (`ROOT-A`, `USR-B`), and bits in the partition table say which copy is booted.

use crate::volume::{Partition, Volume};

/// Types whose attributes tell: ChromeOS kernels (COS), Flatcar's /usr, Bottlerocket's boot partitions.
const TELLING: &[&str] = &[
    "FE3A2A5D-4F32-41A7-B725-ACCC3285A309",
    "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6",
    "6B636168-7420-6568-2070-6C616E657421",
];

/// The letter of the copy that a partition belongs to.
pub(super) fn of(partition: &Partition) -> Option<char> {
    let (_, slot) = partition.name.as_deref()?.rsplit_once('-')?;
    let mut letters = slot.chars();
    letters.next().filter(|letter| letter.is_ascii_alphabetic() && letters.next().is_none())
}

/// The letter of the copy that a disk boots: the highest priority (bits 48 to 51) among those that started well (bit
/// 56) or have tries left (bits 52 to 55); the first of equals.
pub(super) fn active<'a>(volumes: impl Iterator<Item = &'a Volume>, disk: usize) -> Option<char> {
    let mut best: Option<(u64, char)> = None;
    for partition in volumes.filter(|volume| volume.disk == disk).filter_map(|v| v.partition.as_ref()) {
        let bits = partition.attributes.unbounded_shr(48);
        let (priority, tries, successful) = (bits & 0xf, bits & 0xf0, bits & 0x100);
        let boots = priority > 0 && (tries > 0 || successful > 0);
        let slot = of(partition).filter(|_| boots && TELLING.contains(&partition.kind.as_str()));
        if let Some(slot) = slot.filter(|_| best.is_none_or(|(best, _)| best < priority)) {
            best = Some((priority, slot));
        }
    }
    best.map(|(_, slot)| slot)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::Memory;

    #[test]
    fn the_highest_priority_that_can_start_is_booted() {
        let volume = |name: &str, kind: &str, attributes: u64| Volume {
            id: String::new(),
            disk: 0,
            start: 0,
            source: Arc::new(Memory::default()),
            partition: Some(Partition {
                name: Some(name.to_owned()),
                kind: kind.to_owned(),
                attributes: attributes << 48,
                ..Partition::default()
            }),
            names: Vec::new(),
            parts: Vec::new(),
        };
        let usr = TELLING[1];
        for (a, b, expected) in [
            (0x101, 0x102, Some('B')),
            (0x102, 0x101, Some('A')),
            (0x102, 0x102, Some('A')),
            (0x101, 0x002, Some('A')),
            (0x101, 0x012, Some('B')),
            (0x100, 0x000, None),
        ] {
            let volumes = [volume("USR-A", usr, a), volume("USR-B", usr, b), volume("x", usr, 0x10f)];
            assert_eq!(active(volumes.iter(), 0), expected, "{a:#x} {b:#x}");
            assert_eq!(active(volumes.iter(), 1), None);
        }
        let other = [volume("USR-A", "0FC63DAF-8483-4772-8E79-3D69D8477DE4", 0x101)];
        assert_eq!(active(other.iter(), 0), None);
    }
}
