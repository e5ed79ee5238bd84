//! RAID 0 of parts of different sizes: where the smallest ends, the others go on without it (`md(4)`, "RAID0"; kernel,
//! `drivers/md/raid0.c`).

use super::super::mapped::{Part, Run};
use crate::{error::FormatError, num};

/// Which part the first chunk of a later zone is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::volume) enum ZoneOrder {
    /// The one that the chunk's number in the whole array tells (before Linux 3.14).
    Original,
    /// The first one that is left.
    Alternate,
    /// Nothing says it: the kernel refuses such an array where it matters.
    Unknown,
}

/// The zones, each with its bytes. `parts` have their sizes with them, in the order of their roles.
pub(in crate::volume) fn zones(
    parts: Vec<(Part, u64)>,
    chunk: u64,
    order: ZoneOrder,
) -> Result<Vec<(u64, Run)>, FormatError> {
    let corrupt = || {
        let what = format!("{} members with chunks of {chunk} bytes", parts.len());
        FormatError::corrupt("RAID 0", 0, what)
    };
    // Of each part only whole chunks are used.
    let whole = |size: u64| size.checked_rem(chunk).and_then(|rest| size.checked_sub(rest));
    let sizes: Vec<u64> =
        parts.iter().map(|(_, size)| whole(*size)).collect::<Option<_>>().ok_or_else(corrupt)?;
    let mut ends = sizes.clone();
    ends.sort_unstable();
    ends.dedup();
    let mut zones = Vec::new();
    let (mut begin, mut total) = (0u64, 0u64);
    for end in ends.into_iter().filter(|end| *end > 0) {
        let longer = parts.iter().zip(&sizes).filter(|(_, size)| **size > begin);
        let mut left: Vec<Part> = longer.map(|((part, _), _)| part.behind(begin)).collect();
        let count = num::to_u64(left.len());
        let first = total.checked_div(chunk).and_then(|chunks| chunks.checked_rem(count));
        let first = first.map(num::to_usize).ok_or_else(corrupt)?;
        match order {
            // One after the other from there on.
            ZoneOrder::Original => left.rotate_left(first),
            ZoneOrder::Unknown if first > 0 => {
                let what = "RAID 0 of members of different sizes without a layout: two are possible";
                return Err(FormatError::unsupported(what));
            }
            ZoneOrder::Alternate | ZoneOrder::Unknown => {}
        }
        let length = end.checked_sub(begin).and_then(|rows| rows.checked_mul(count)).ok_or_else(corrupt)?;
        zones.push((length, Run::Striped { parts: left, size: chunk }));
        total = total.checked_add(length).ok_or_else(corrupt)?;
        begin = end;
    }
    Ok(zones)
}
