//! Extents: records of 128 bits (XFS Algorithms & Data Structures, "Extent List").

use std::ops::Range;

use super::{
    inode::{Fork, Inode},
    map::{Map, Run},
    volume::Volume,
};
use crate::{error::FormatError, num};

/// Bytes of a record.
pub(super) const RECORD: usize = 16;
const STRUCTURE: &str = "XFS extent";

/// A record as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extent {
    logical: u64,
    /// The format's number of its first block.
    start: u64,
    count: u64,
    /// Allocated, not written: reads as zeros.
    unwritten: bool,
}

/// One bit, 54 bits of the file's block, 52 of the volume's, 21 of the length.
fn decode(record: &[u8; RECORD]) -> Extent {
    let bits = u128::from_be_bytes(*record);
    let field = |shift: u32, width: u32| {
        let mask = (1u128 << width).saturating_sub(1);
        u64::try_from((bits >> shift) & mask).unwrap_or(0)
    };
    Extent {
        unwritten: field(127, 1) == 1,
        logical: field(73, 54),
        start: field(21, 52),
        count: field(0, 21),
    }
}

/// Adds the runs of `wanted` of a fork that holds its extents itself.
pub(super) fn walk(volume: &Volume, inode: &Inode, fork: Fork<'_>, wanted: Range<u64>, map: &mut Map) {
    let length = num::to_usize(fork.extents).saturating_mul(RECORD);
    match fork.bytes.get(..length) {
        Some(records) => add(volume, records, fork.offset, 0..u64::MAX, wanted, map),
        None => map.damaged(inode.corrupt(format!("{} extents in {} bytes", fork.extents, fork.bytes.len()))),
    }
}

/// Adds the runs of `wanted` that `records`, at `offset` of the volume, have. They must be in order and in `range`; the
/// first that is not ends them.
pub(super) fn add(
    volume: &Volume,
    records: &[u8],
    offset: u64,
    range: Range<u64>,
    wanted: Range<u64>,
    map: &mut Map,
) {
    let mut end = range.start;
    let (records, _) = records.as_chunks::<RECORD>();
    for (record, at) in records.iter().zip((offset..).step_by(RECORD)) {
        let Extent { logical, start, count, unwritten } = decode(record);
        let next = logical.saturating_add(count);
        let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, at, problem);
        if count == 0 || logical < end || next > range.end {
            let problem = format!("{count} blocks at block {logical} of the file overlap or are none");
            map.damaged(corrupt(problem));
            return;
        }
        end = next;
        let (from, to) = (logical.max(wanted.start), next.min(wanted.end));
        if unwritten || from >= to {
            continue;
        }
        match volume.superblock.linear(start, count) {
            None => map.damaged(corrupt(format!("{count} blocks at {start:#x} are not of a group"))),
            Some(physical) => {
                let physical = physical.saturating_add(from.saturating_sub(logical));
                map.push(Run { logical: from, physical, count: to.saturating_sub(from) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_record() {
        let bits: u128 = (1 << 127) | (5 << 73) | (0x1_2345_6789 << 21) | 7;
        let extent = Extent { logical: 5, start: 0x1_2345_6789, count: 7, unwritten: true };
        assert_eq!(decode(&bits.to_be_bytes()), extent);
        let all = decode(&[0xff; 16]);
        assert_eq!((all.logical, all.start, all.count), ((1 << 54) - 1, (1 << 52) - 1, (1 << 21) - 1));
    }
}
