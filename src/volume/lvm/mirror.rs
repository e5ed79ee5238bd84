//! Mirrors from before there was RAID (lvm2, `lib/mirror/mirrored.c`): legs of which the first is right, and a log of the regions in
//! which the others are the same (kernel, `drivers/md/dm-raid1.c` and `dm-log.c`).

use std::collections::BTreeSet;

use super::{
    super::mapped::Run,
    assembly::{Assembly, Lacks},
    segment::Mirror,
};
use crate::{
    block::{ReadAt, read_vec},
    bytes,
    error::FormatError,
    gap::Code,
    limits, num,
};

const STRUCTURE: &str = "LVM2 mirror log";
const MAGIC: u32 = 0x4d69_5272;
/// Versions that differ on machines of the other byte order only.
const VERSIONS: std::ops::RangeInclusive<u32> = 1..=2;
const HEADER: usize = 16;
/// Where the map of regions begins, in bytes: a bit that is set is one in which the legs are the same.
const MAP_AT: u64 = 1024;

impl Assembly<'_> {
    /// The bytes of a mirror of `count` extents. Nothing is missing as long as one of the legs is whole; that it is as new as the
    /// first, only the log can tell.
    pub(super) fn mirror(
        &self,
        mirror: &Mirror,
        count: u64,
        lacks: &mut Lacks,
        depth: usize,
    ) -> Result<Run, FormatError> {
        let mut parts = Vec::new();
        let mut whole = Vec::new();
        let mut missing = BTreeSet::new();
        for area in &mirror.areas {
            let mut own = Lacks::default();
            parts.push(self.part(area, count, &mut own, depth)?);
            whole.push(own.missing.is_empty());
            missing.extend(std::mem::take(&mut own.missing));
            lacks.add(own);
        }
        if !whole.contains(&true) {
            lacks.missing.extend(missing);
        }
        if let Some(unlike) = self.unlike(mirror, count, depth) {
            if whole.first() == Some(&true) {
                // Where the first cannot be read, the kernel reads no other either.
                parts.truncate(1);
            } else {
                let what = format!(
                    "LVM2 mirror without all of its first leg: what the others hold may be older, as {unlike}"
                );
                lacks.errors.push(FormatError::Unsupported { code: Code::DirtyImage, what });
            }
        }
        Ok(Run::Mirrored { parts })
    }

    /// Why it is not known that all legs hold the same, if so.
    fn unlike(&self, mirror: &Mirror, count: u64, depth: usize) -> Option<String> {
        let Some(log) = &mirror.log else { return Some("its log was in memory only".to_owned()) };
        let regions = || {
            let length = count.saturating_mul(self.group.extent);
            let regions = if mirror.region == 0 { u64::MAX } else { length.div_ceil(mirror.region) };
            unlike_regions(&self.source(log, &mut Lacks::default(), depth.saturating_add(1))?, regions)
        };
        match regions() {
            Ok(0) => None,
            Ok(unlike) => Some(format!("its log names {unlike} regions in which they differ")),
            Err(error) => Some(format!("its log cannot be read: {}", error.detail())),
        }
    }
}

/// In how many of a mirror's regions the legs may differ.
fn unlike_regions(log: &dyn ReadAt, regions: u64) -> Result<u64, FormatError> {
    let header = read_vec(log, STRUCTURE, 0, HEADER)?;
    let word = |at| bytes::le32(&header, at).unwrap_or(0);
    // One that was never written; as the kernel takes it, no region is known to be the same.
    if word(0) != MAGIC {
        return Ok(regions);
    }
    if !VERSIONS.contains(&word(4)) {
        return Err(FormatError::unsupported(format!("{STRUCTURE} of version {}", word(4))));
    }
    // A mirror that was made longer has regions that its log does not know yet.
    let known = bytes::le64(&header, 8).unwrap_or(0).min(regions);
    let length = known.div_ceil(8);
    if length > limits::LVM_BITMAP_BYTES {
        let bound = limits::LVM_BITMAP_BYTES;
        return Err(FormatError::limit(format!("{STRUCTURE} of {length} bytes, more than {bound}")));
    }
    let map = read_vec(log, STRUCTURE, MAP_AT, num::to_usize(length))?;
    let bits = map.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
    let alike = bits.take(num::to_usize(known)).filter(|alike| *alike).count();
    Ok(regions.saturating_sub(num::to_u64(alike)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    #[test]
    fn regions_that_are_not_known_to_be_alike_count() {
        let log = |magic: u32, version: u32, known: u64, map: [u8; 2]| {
            let header = [&magic.to_le_bytes()[..], &version.to_le_bytes(), &known.to_le_bytes()].concat();
            Memory::new([header, vec![0; 1008], map.to_vec()].concat())
        };
        let count = |log: Memory, regions| unlike_regions(&log, regions).unwrap();
        assert_eq!(count(log(MAGIC, 2, 9, [0xff, 1]), 9), 0);
        assert_eq!(count(log(MAGIC, 1, 9, [0xfd, 0xfe]), 9), 2);
        assert_eq!(count(log(MAGIC, 2, 9, [0xff, 0xff]), 12), 3, "it was made longer");
        assert_eq!(count(log(MAGIC, 2, 16, [0xff, 0xff]), 8), 0);
        assert_eq!(count(log(7, 2, 9, [0xff, 1]), 9), 9, "no log yet");
        assert!(unlike_regions(&log(MAGIC, 3, 9, [0xff, 1]), 9).is_err());
        assert!(unlike_regions(&log(MAGIC, 2, u64::MAX, [0xff, 1]), u64::MAX).is_err());
        assert!(unlike_regions(&Memory::new(vec![0; 8]), 9).is_err());
    }
}
