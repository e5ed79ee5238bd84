//! From a request to the fewest reads of what lies below: neighbouring blocks that are neighbours in the file
//! too are one run.

use std::io;

use crate::{
    block::{ReadAt, Source, check_range},
    error::FormatError,
    limits, num,
};

/// Where the bytes at one offset of a virtual disk are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: they read as zeros.
    Zero,
    /// In the parent, or zeros without one.
    Hole,
    /// In the file at this offset.
    Data(u64),
    /// In a compressed block that begins in the file at this offset.
    Packed(u64),
}

/// A place, and how many bytes (at least one) from the offset that was asked for it is good for.
pub(super) type Span = (Place, u64);

/// The run from `at`, of at most `most` bytes. `lookup` gives the span at an offset.
pub(super) fn run(
    at: u64,
    most: u64,
    lookup: &mut impl FnMut(u64) -> Result<Span, FormatError>,
) -> Result<Span, FormatError> {
    let (place, mut length) = lookup(at)?;
    while length < most && !matches!(place, Place::Packed(_)) {
        // An error beyond is told when its turn comes.
        let Some(Ok((next, more))) = at.checked_add(length).map(&mut *lookup) else { break };
        let goes_on = match (place, next) {
            (Place::Zero, Place::Zero) | (Place::Hole, Place::Hole) => true,
            (Place::Data(host), Place::Data(next)) => host.checked_add(length) == Some(next),
            _ => false,
        };
        if !goes_on {
            break;
        }
        length = length.saturating_add(more.max(1));
    }
    Ok((place, length.clamp(1, most.max(1))))
}

/// Fills `buf` from `offset` of a disk of `size` bytes, run by run.
pub(super) fn read(
    size: u64,
    buf: &mut [u8],
    offset: u64,
    mut lookup: impl FnMut(u64) -> Result<Span, FormatError>,
    fill: impl Fn(&mut [u8], u64, Place) -> Result<(), FormatError>,
) -> io::Result<()> {
    check_range(size, offset, buf.len())?;
    let mut at = offset;
    let mut rest = buf;
    while !rest.is_empty() {
        let (place, length) = run(at, num::to_u64(rest.len()), &mut lookup)?;
        let (part, after) =
            rest.split_at_mut_checked(num::to_usize(length)).ok_or(io::ErrorKind::InvalidData)?;
        fill(part, at, place)?;
        at = at.saturating_add(length);
        rest = after;
    }
    Ok(())
}

/// Passes a hint on: to `file` what lies there, to `parent` what does not. A compressed block is taken to
/// have `packed` bytes.
pub(super) fn announce(
    range: (u64, u64),
    mut lookup: impl FnMut(u64) -> Result<Span, FormatError>,
    (file, parent): (&Source, Option<&Source>),
    packed: u64,
) {
    let (mut at, end) = range;
    let end = end.min(at.saturating_add(limits::HINTED_BYTES));
    let mut hint = Hint::default();
    for _ in 0..limits::HINTED_RUNS {
        // Only a hint: a damaged entry is told by the read.
        let left = end.saturating_sub(at);
        let Some(Ok((place, length))) = (left > 0).then(|| run(at, left, &mut lookup)) else { break };
        match (place, parent) {
            (Place::Data(host), _) => hint.add(file, host, length),
            (Place::Packed(host), _) => hint.add(file, host, packed),
            (Place::Hole, Some(parent)) => parent.will_need(at, length),
            _ => {}
        }
        at = at.saturating_add(length);
    }
    hint.flush(file);
}

/// A hint that is held back while the next one goes on where it ends.
#[derive(Default)]
pub(super) struct Hint(Option<(u64, u64)>);

impl Hint {
    /// Adds `length` bytes from `start`, and passes on what they do not go on with.
    pub(super) fn add(&mut self, file: &Source, start: u64, length: u64) {
        let (from, held) = self.0.unwrap_or((start, 0));
        if start >= from && start <= from.saturating_add(held) {
            self.0 = Some((from, held.max(start.saturating_sub(from).saturating_add(length))));
        } else {
            file.will_need(from, held);
            self.0 = Some((start, length));
        }
    }

    /// Passes on what is held.
    pub(super) fn flush(self, file: &Source) {
        if let Some((from, held)) = self.0 {
            file.will_need(from, held);
        }
    }
}

/// Fills parts of a disk whose blocks are stored as they are: `structure` is what a format calls one.
pub(super) fn stored<'a>(
    file: &'a Source,
    parent: Option<&'a Source>,
    structure: &'static str,
) -> impl Fn(&mut [u8], u64, Place) -> Result<(), FormatError> + 'a {
    move |part, at, place| match place {
        Place::Data(host) => file.read_at(part, host).map_err(FormatError::reading(structure, host)),
        Place::Hole => below(parent, part, at),
        Place::Zero | Place::Packed(_) => below(None, part, at),
    }
}

/// What the parent holds at `at`; zeros past its end and without one.
pub(super) fn below(parent: Option<&Source>, part: &mut [u8], at: u64) -> Result<(), FormatError> {
    let there = parent.map_or(0, |parent| parent.size().saturating_sub(at));
    let length = num::to_usize(there).min(part.len());
    let Some((held, past)) = part.split_at_mut_checked(length) else { return Ok(()) };
    past.fill(0);
    match parent {
        Some(parent) if !held.is_empty() => {
            parent.read_at(held, at).map_err(FormatError::reading("backing file", at))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::block::Memory;

    /// Blocks of 10 bytes: two that lie together, one elsewhere, zeros, zeros, a hole, one that is damaged.
    fn lookup(at: u64) -> Result<Span, FormatError> {
        let within = at % 10;
        let place = match at / 10 {
            block @ (0 | 1) => Place::Data(100 + block * 10 + within),
            2 => Place::Data(50 + within),
            3 | 4 => Place::Zero,
            5 => Place::Hole,
            _ => return Err(FormatError::corrupt("block", at, "damaged")),
        };
        Ok((place, 10 - within))
    }

    #[test]
    fn neighbours_are_one_run_and_errors_end_it() {
        let rows = [
            (3, 100, (Place::Data(103), 17)),
            (3, 5, (Place::Data(103), 5)),
            (20, 100, (Place::Data(50), 10)),
            (31, 100, (Place::Zero, 19)),
            (55, 100, (Place::Hole, 5)),
        ];
        for (at, most, expected) in rows {
            assert_eq!(run(at, most, &mut lookup).unwrap(), expected, "{at}");
        }
        assert!(run(60, 1, &mut lookup).is_err());
    }

    #[test]
    fn holes_read_from_the_parent_and_zeros_past_its_end() {
        let parent: Source = Arc::new(Memory::new(vec![7; 53]));
        let mut part = [9; 5];
        below(Some(&parent), &mut part, 50).unwrap();
        assert_eq!(part, [7, 7, 7, 0, 0]);
        below(None, &mut part, 50).unwrap();
        assert_eq!(part, [0; 5]);
    }

    struct Told(Mutex<Vec<(u64, u64)>>);

    impl ReadAt for Told {
        fn size(&self) -> u64 {
            1 << 20
        }
        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
            Ok(())
        }
        fn will_need(&self, offset: u64, length: u64) {
            self.0.lock().unwrap().push((offset, length));
        }
    }

    #[test]
    fn hints_reach_the_file_and_the_parent() {
        let [file, parent] = [(); 2].map(|()| Arc::new(Told(Mutex::default())));
        let sources: [Source; 2] = [Arc::clone(&file), Arc::clone(&parent)].map(|told| -> Source { told });
        announce((5, 1000), lookup, (&sources[0], Some(&sources[1])), 10);
        assert_eq!(*file.0.lock().unwrap(), [(105, 15), (50, 10)]);
        assert_eq!(*parent.0.lock().unwrap(), [(50, 10)]);
    }
}
