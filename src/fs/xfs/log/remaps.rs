//! Changes of files' maps that the log tells to carry out.

use std::{collections::HashMap, ops::Range};

use crate::fs::xfs::map::Run;

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remap {
    /// The inode.
    pub(super) owner: u64,
    /// Of the attribute fork.
    pub(super) attributes: bool,
    /// The first block's number in the file, and how many there are.
    pub(super) logical: u64,
    pub(super) length: u64,
    /// The first block's number in the volume; `None` makes a hole.
    pub(super) physical: Option<u64>,
}

/// The changes of all files, by inode and fork.
#[derive(Debug, Default)]
pub(in crate::fs::xfs) struct Remaps(HashMap<(u64, bool), Vec<Remap>>);

impl Remaps {
    pub(super) fn add(&mut self, remap: Remap) {
        self.0.entry((remap.owner, remap.attributes)).or_default().push(remap);
    }

    /// Changes the runs of `wanted` of a fork.
    pub(in crate::fs::xfs) fn apply(
        &self,
        number: u64,
        attributes: bool,
        wanted: &Range<u64>,
        runs: &mut Vec<Run>,
    ) {
        for remap in self.0.get(&(number, attributes)).into_iter().flatten() {
            let from = remap.logical.max(wanted.start);
            let to = remap.logical.saturating_add(remap.length).min(wanted.end);
            if from >= to {
                continue;
            }
            *runs = runs.drain(..).flat_map(|run| [before(run, from), behind(run, to)]).flatten().collect();
            if let Some(start) = remap.physical {
                let physical = start.saturating_add(from.saturating_sub(remap.logical));
                let at = runs.partition_point(|run| run.logical < from);
                runs.insert(at, Run { logical: from, physical, count: to.saturating_sub(from) });
            }
        }
    }
}

fn before(run: Run, end: u64) -> Option<Run> {
    let count = end.min(run.logical_end()).checked_sub(run.logical).filter(|count| *count > 0)?;
    Some(Run { count, ..run })
}

fn behind(run: Run, start: u64) -> Option<Run> {
    let skipped = start.saturating_sub(run.logical);
    let count = run.count.checked_sub(skipped).filter(|count| *count > 0)?;
    let (logical, physical) = (run.logical.saturating_add(skipped), run.physical.saturating_add(skipped));
    Some(Run { logical, physical, count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_of_a_block_counts() {
        let remap =
            |logical, length, physical| Remap { owner: 7, attributes: false, logical, length, physical };
        let mut remaps = Remaps::default();
        for change in [remap(10, 10, None), remap(12, 2, Some(500)), remap(13, 1, Some(600))] {
            remaps.add(change);
        }
        let run = |logical, physical, count| Run { logical, physical, count };
        let whole = vec![run(0, 100, 30)];
        let changed = |wanted, attributes| {
            let mut runs = whole.clone();
            remaps.apply(7, attributes, &wanted, &mut runs);
            runs
        };
        let expected = [run(0, 100, 10), run(12, 500, 1), run(13, 600, 1), run(20, 120, 10)];
        assert_eq!(changed(0..30, false), expected);
        assert_eq!(changed(0..30, true), whole);
        assert_eq!(changed(0..12, false), [run(0, 100, 10), run(12, 112, 18)]);
    }
}
