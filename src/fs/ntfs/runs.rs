//! Run lists ("Data Runs"): each run is a byte with the sizes of two numbers, its length and, from the start of the run
//! before, where it is.

use crate::num;

/// Consecutive clusters of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The first cluster's number in the attribute.
    pub(super) vcn: u64,
    /// … and in the volume; `None` for a hole.
    pub(super) lcn: Option<u64>,
    pub(super) count: u64,
}

impl Run {
    /// The number of the cluster behind it in the attribute.
    pub(super) fn end(self) -> u64 {
        self.vcn.saturating_add(self.count)
    }
}

/// The runs of a list that begins with cluster `first` of the attribute, in a volume of `clusters` clusters.
pub(super) fn decode(list: &[u8], first: u64, clusters: u64) -> Result<Vec<Run>, String> {
    let mut runs = Vec::new();
    let (mut vcn, mut lcn, mut rest) = (first, 0i64, list);
    loop {
        let Some((head, after)) = rest.split_first() else { return Err("it has no end".to_owned()) };
        if *head == 0 {
            return Ok(runs);
        }
        let (length, offset) = (usize::from(head & 0xf), usize::from(head >> 4));
        let cut = || format!("it is cut at {head:#04x}");
        let (count, after) = after.split_at_checked(length).ok_or_else(cut)?;
        let (distance, after) = after.split_at_checked(offset).ok_or_else(cut)?;
        rest = after;
        let count = number(count).and_then(|count| u64::try_from(count).ok()).filter(|count| *count != 0);
        let end =
            count.and_then(|count| vcn.checked_add(count)).filter(|end| *end <= i64::MAX.unsigned_abs());
        let (Some(count), Some(end)) = (count, end) else {
            return Err(format!("{head:#04x} has no length that a run can have"));
        };
        let start = match offset {
            0 => None,
            _ => {
                let next = number(distance).and_then(|distance| lcn.checked_add(distance));
                lcn = next.ok_or_else(|| format!("{head:#04x} has no place that a run can have"))?;
                let start = u64::try_from(lcn).ok();
                let inside = |start: &u64| start.checked_add(count).is_some_and(|end| end <= clusters);
                let outside = || format!("{count} clusters at {lcn} of a volume of {clusters}");
                Some(start.filter(inside).ok_or_else(outside)?)
            }
        };
        runs.push(Run { vcn, lcn: start, count });
        vcn = end;
    }
}

/// A signed number of up to eight bytes.
fn number(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last()? & 0x80 != 0;
    let mut raw = [if negative { 0xff } else { 0 }; 8];
    raw.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(raw))
}

/// The runs that hold clusters from `vcn` on.
pub(super) fn from(runs: &[Run], vcn: u64) -> &[Run] {
    let first = runs.partition_point(|run| run.end() <= vcn);
    runs.get(first..).unwrap_or_default()
}

/// Clusters that runs have together, holes too.
pub(super) fn length(runs: &[Run]) -> u64 {
    runs.last().map_or(0, |run| run.end())
}

/// How much of a range of bytes lies in a run of clusters of `cluster` bytes: from where in the range to where, and where
/// in the volume.
pub(super) fn overlap(run: &Run, cluster: u64, start: u64, end: u64) -> Option<(usize, usize, Option<u64>)> {
    let (begins, ends) = (run.vcn.saturating_mul(cluster), run.end().saturating_mul(cluster));
    let (from, to) = (begins.max(start), ends.min(end));
    if from >= to {
        return None;
    }
    let physical = run.lcn.map(|lcn| lcn.saturating_mul(cluster).saturating_add(from.saturating_sub(begins)));
    let at = |offset: u64| num::to_usize(offset.saturating_sub(start));
    Some((at(from), at(to), physical))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_holes_and_steps_back() {
        let list = [0x21, 0x18, 0x34, 0x56, 0x01, 0x05, 0x11, 0x02, 0xf0, 0x00, 0xff];
        let run = |vcn, lcn, count| Run { vcn, lcn, count };
        let runs = [run(7, Some(0x5634), 0x18), run(31, None, 5), run(36, Some(0x5624), 2)];
        assert_eq!(decode(&list, 7, 1 << 20), Ok(runs.to_vec()));
        assert_eq!(from(&runs, 31), &runs[1..]);
        assert_eq!(length(&runs), 38);
    }

    #[test]
    fn lists_that_make_no_sense() {
        for list in [
            &[0x11, 5][..],
            &[0x11, 5, 5],
            &[0x10, 5, 0],
            &[0x11, 0, 5, 0],
            &[0x11, 0x80, 5, 0],
            &[0x11, 5, 0xff, 0],
            &[0x11, 5, 0x7f, 0],
            &[0x91, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0],
        ] {
            assert!(decode(list, 0, 100).is_err(), "{list:02x?}");
        }
    }
}
