//! Where RAID 4, 5 and 6 put parity and data in each row of chunks (`md(4)`, "RAID5"; kernel, `drivers/md/raid5.h`:
//! "RAID 5 layouts").

use crate::error::FormatError;

/// How data and parity go round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::volume) struct Rotation {
    /// How P goes from part to part.
    p: Walk,
    /// Whether data begins behind the parity and goes round, or keeps its order.
    symmetric: bool,
    q: Q,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// From the last part to the first; `ahead` rows further than usual.
    Left {
        ahead: u64,
    },
    Right,
    First,
    Last,
}

/// The second parity of RAID 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Q {
    None,
    /// Behind P. The powers of the field begin behind Q.
    BehindP,
    /// As `BehindP`, the powers being those of the parts' numbers (DDF).
    BehindPByNumber,
    /// Before P, the powers being those of the parts' numbers (DDF).
    BeforePByNumber,
    /// On the last part; the others are laid out as of a RAID 5.
    Last,
}

/// What lies where in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) p: usize,
    pub(super) q: Option<usize>,
    /// The part that holds the row's data chunk that was asked for.
    pub(super) data: usize,
}

impl Rotation {
    /// The layout of a level by MD's number for it.
    pub(in crate::volume) fn new(level: i32, layout: u32) -> Result<Self, FormatError> {
        let five = |number: u32| {
            Some(match number {
                0 => (Walk::Left { ahead: 0 }, false),
                1 => (Walk::Right, false),
                2 => (Walk::Left { ahead: 0 }, true),
                3 => (Walk::Right, true),
                4 => (Walk::First, false),
                5 => (Walk::Last, false),
                _ => return None,
            })
        };
        let found = match (level, layout) {
            (4, _) => Some((Walk::Last, false, Q::None)),
            (5, layout) => five(layout).map(|(p, symmetric)| (p, symmetric, Q::None)),
            (6, 8) => Some((Walk::Right, false, Q::BehindPByNumber)),
            (6, 9) => Some((Walk::Left { ahead: 1 }, false, Q::BehindPByNumber)),
            (6, 10) => Some((Walk::Left { ahead: 0 }, true, Q::BeforePByNumber)),
            // As of RAID 5 with 16 added; the last is parity_0_6.
            (6, 16..=20) => five(layout & 7).map(|(p, symmetric)| (p, symmetric, Q::Last)),
            (6, layout) => five(layout).map(|(p, symmetric)| (p, symmetric, Q::BehindP)),
            _ => None,
        };
        let found = found.map(|(p, symmetric, q)| Self { p, symmetric, q });
        found.ok_or_else(|| FormatError::unsupported(format!("RAID {level} of layout {layout}")))
    }

    /// How many of a row's chunks are parity.
    pub(in crate::volume) fn parities(self) -> u64 {
        if self.q == Q::None { 1 } else { 2 }
    }

    /// Row number `row` of `count` parts, and its data chunk number `chunk`. `None` if there are too few parts.
    pub(super) fn row(self, count: u64, row: u64, chunk: u64) -> Option<Row> {
        // Parts over which P goes round.
        let around = if self.q == Q::Last { count.checked_sub(1)? } else { count };
        let behind = matches!(self.q, Q::BehindP | Q::BehindPByNumber);
        let last = around.checked_sub(1)?;
        let p = match self.p {
            Walk::Left { ahead } => last.checked_sub(row.checked_add(ahead)?.checked_rem(around)?)?,
            Walk::Right => row.checked_rem(around)?,
            Walk::First => 0,
            Walk::Last if behind => last.checked_sub(1)?,
            Walk::Last => last,
        };
        let q = match self.q {
            Q::None => None,
            Q::Last => Some(last.checked_add(1)?),
            Q::BehindP | Q::BehindPByNumber => Some(p.checked_add(1)?.checked_rem(around)?),
            Q::BeforePByNumber => Some(p.checked_add(last)?.checked_rem(around)?),
        };
        let data = if self.symmetric {
            let parities = if behind { 2 } else { 1 };
            p.checked_add(parities)?.checked_add(chunk)?.checked_rem(around)?
        } else {
            // The parts in their order without those of parity.
            let (low, high) = match q {
                Some(q) if behind => (p.min(q), Some(p.max(q))),
                _ => (p, None),
            };
            let after = |part: u64, hole: u64| part.checked_add(u64::from(part >= hole));
            let part = after(chunk, low)?;
            high.map_or(Some(part), |high| after(part, high))?
        };
        let index = crate::num::to_usize;
        Some(Row { p: index(p), q: q.map(index), data: index(data) })
    }

    /// The parts of a row that hold data, each with its power in Q.
    pub(super) fn powers(self, count: usize, row: &Row) -> impl Iterator<Item = (usize, usize)> {
        let by_number = matches!(self.q, Q::BehindPByNumber | Q::BeforePByNumber);
        let first = match row.q {
            Some(q) if !by_number => q.saturating_add(1),
            _ => 0,
        };
        let parity = [Some(row.p), row.q];
        let parts = (first..count).chain(0..first.min(count));
        let parts = parts.filter(move |part| !parity.contains(&Some(*part)));
        parts.zip(0..).map(move |(part, number)| (part, if by_number { part } else { number }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows and more as pictures: the number of the data chunk, or P or Q.
    fn picture(level: i32, layout: u32, count: u64) -> Vec<String> {
        let rotation = Rotation::new(level, layout).unwrap();
        let rows = (0..count).map(|row| {
            let mut line = vec!['?'; usize::try_from(count).unwrap()];
            for chunk in 0..count - rotation.parities() {
                let found = rotation.row(count, row, chunk).unwrap();
                line[found.p] = 'P';
                found.q.into_iter().for_each(|q| line[q] = 'Q');
                line[found.data] = char::from_digit(u32::try_from(chunk).unwrap(), 10).unwrap();
            }
            line.into_iter().collect()
        });
        rows.collect()
    }

    #[test]
    fn layouts_are_as_md_draws_them() {
        for (level, layout, rows) in [
            (4, 0, ["012P", "012P", "012P", "012P"]),
            (5, 0, ["012P", "01P2", "0P12", "P012"]),
            (5, 1, ["P012", "0P12", "01P2", "012P"]),
            (5, 2, ["012P", "12P0", "2P01", "P012"]),
            (5, 3, ["P012", "2P01", "12P0", "012P"]),
            (5, 4, ["P012", "P012", "P012", "P012"]),
            (5, 5, ["012P", "012P", "012P", "012P"]),
            (6, 0, ["Q01P", "01PQ", "0PQ1", "PQ01"]),
            (6, 2, ["Q01P", "01PQ", "1PQ0", "PQ01"]),
            (6, 3, ["PQ01", "1PQ0", "01PQ", "Q01P"]),
            (6, 5, ["01PQ", "01PQ", "01PQ", "01PQ"]),
            (6, 8, ["PQ01", "0PQ1", "01PQ", "Q01P"]),
            (6, 9, ["01PQ", "0PQ1", "PQ01", "Q01P"]),
            (6, 10, ["01QP", "1QP0", "QP01", "P01Q"]),
            (6, 18, ["01PQ", "1P0Q", "P01Q", "01PQ"]),
            (6, 20, ["P01Q", "P01Q", "P01Q", "P01Q"]),
        ] {
            assert_eq!(picture(level, layout, 4), rows, "{level} {layout}");
        }
        assert!(Rotation::new(5, 6).is_err());
        assert!(Rotation::new(6, 21).is_err());
        let row = Rotation::new(6, 2).unwrap().row(5, 0, 0).unwrap();
        let powers: Vec<_> = Rotation::new(6, 2).unwrap().powers(5, &row).collect();
        assert_eq!(powers, [(1, 0), (2, 1), (3, 2)]);
    }
}
