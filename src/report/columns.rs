//! Columns of a table, as wide as a terminal allows.

use std::io::{self, Write};

use super::Style;

/// How columns give way on a narrow terminal.
#[derive(Clone, Copy)]
pub(super) struct Room<'a> {
    /// Those that become narrower, the widest first, …
    pub(super) elastic: &'a [usize],
    /// … and those that are left out where that is not enough, one by one.
    pub(super) spare: &'a [usize],
}

/// The least that a column is narrowed to.
const NARROW: usize = 16;

/// The widths of columns in a line of `width` characters; `None` for one that is left out.
fn fit<const N: usize>(mut widths: [usize; N], room: Room<'_>, width: usize) -> [Option<usize>; N] {
    let whole = widths;
    let mut left_out = room.spare.iter();
    let mut shown = [true; N];
    loop {
        let kept = || widths.iter().zip(shown).filter(|(_, shown)| *shown).map(|(width, _)| width);
        let all = kept().map(|width| width.saturating_add(2)).sum::<usize>().saturating_sub(2);
        let Some(excess) = all.checked_sub(width).filter(|excess| *excess > 0) else { break };
        let can = |at: &&usize| {
            shown.get(**at) == Some(&true) && widths.get(**at).is_some_and(|width| *width > NARROW)
        };
        let widest = room.elastic.iter().filter(can).max_by_key(|at| widths.get(**at));
        if let Some(width) = widest.and_then(|at| widths.get_mut(*at)) {
            // One by one would take long where a name is.
            let step = excess.div_ceil(room.elastic.len().max(1)).min(width.saturating_sub(NARROW));
            *width = width.saturating_sub(step);
        } else if let Some(at) = left_out.next() {
            // What was narrowed in vain gets its room back.
            widths = whole;
            if let Some(shown) = shown.get_mut(*at) {
                *shown = false;
            }
        } else {
            break;
        }
    }
    let mut fitted = [None; N];
    for ((fitted, width), shown) in fitted.iter_mut().zip(widths).zip(shown) {
        *fitted = shown.then_some(width);
    }
    fitted
}

/// Left-aligned columns.
pub(super) fn columns<const N: usize>(
    header: &[String; N],
    rows: &[[String; N]],
    room: Room<'_>,
    style: Style,
    to: &mut dyn Write,
) -> io::Result<()> {
    let mut widths = [0usize; N];
    for row in rows.iter().chain([header]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let widths = fit(widths, room, style.width);
    for (number, row) in [header].into_iter().chain(rows).enumerate() {
        let shown = row.iter().zip(widths).filter_map(|(cell, width)| Some((cell, width?)));
        let cells = shown.map(|(cell, width)| format!("{:width$}", shorten(cell, width)));
        let line = cells.collect::<Vec<_>>().join("  ");
        let line = line.trim_end();
        writeln!(to, "{}", if number == 0 { style.paint("1", line) } else { line.to_owned() })?;
    }
    Ok(())
}

/// The end of a name tells more than its beginning.
pub(super) fn shorten(cell: &str, width: usize) -> String {
    let length = cell.chars().count();
    if length <= width {
        return cell.to_owned();
    }
    let skip = length.saturating_sub(width).saturating_add(1);
    std::iter::once('…').chain(cell.chars().skip(skip)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_give_way_and_are_left_out() {
        let room = Room { elastic: &[0, 1], spare: &[3, 2] };
        let fit = |width| fit([40, 20, 5, 5], room, width).map(Option::unwrap_or_default);
        assert_eq!(fit(100), [40, 20, 5, 5]);
        // The widest gives way first.
        assert_eq!(fit(70), [34, 20, 5, 5]);
        let sum = |widths: [usize; 4]| {
            widths.iter().filter(|width| **width > 0).map(|width| width + 2).sum::<usize>() - 2
        };
        for width in 34..80 {
            let widths = fit(width);
            assert!(
                sum(widths) <= width && widths[0] >= NARROW && widths[1] >= NARROW,
                "{width}: {widths:?}"
            );
        }
        assert_eq!(fit(1), [NARROW, NARROW, 0, 0]);
    }
}
