//! Where the log's records begin and end.
//!
//! The sectors before the head have the newest cycle's number, those behind it the number before. Several records may have
//! been on their way when the machine stopped, so that a little before the head is not of the newest cycle: what follows a
//! gap is not part of the log.

use super::{
    record::Record,
    ring::{self, BLOCK, Ring},
};
use crate::{bytes::be32, error::FormatError, num};

/// Records that may be on their way at once.
const IN_FLIGHT: usize = 8;
/// `oh_flags` of the operation that an unmount writes.
const UNMOUNT: u8 = 0x20;

/// The part of the log that is to be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Active {
    /// The sector of the oldest record.
    pub(super) tail: u32,
    /// The sector behind the newest record.
    pub(super) head: u32,
}

/// Finds it; `None` if the log is empty or ends with an unmount.
pub(super) fn find(ring: &Ring) -> Result<Option<Active>, FormatError> {
    let Some(head) = by_cycles(ring)? else { return Ok(None) };
    let last = newest(ring, head, 1, ring.blocks)?.pop();
    let last = last.ok_or_else(|| ring.corrupt(head, "no record before the head"))?;
    if is_unmount(ring, &last, head)? {
        return Ok(None);
    }
    let (head, last) = without_torn(ring, head, last)?;
    if is_unmount(ring, &last, head)? {
        return Ok(None);
    }
    let active = Active { tail: last.tail, head };
    match ring.distance(active.tail, active.head) {
        0 => Ok(None),
        _ => without_overwritten(ring, active).map(Some),
    }
}

/// The first sector that is not of the newest cycle, or lies behind a gap; `None` if nothing was ever written.
fn by_cycles(ring: &Ring) -> Result<Option<u32>, FormatError> {
    let end = ring.blocks;
    let (first, last) = (ring.cycle(0)?, ring.cycle(end.saturating_sub(1))?);
    if first == 0 {
        return Ok(None);
    }
    if last == 0 {
        // Not written around yet: zeros follow.
        if first != 1 {
            return Err(ring.corrupt(0, format!("cycle {first} before zeros")));
        }
        let head = boundary(ring, 0)?;
        let start = head.saturating_sub(window(ring));
        let head = find_cycle(ring, start..head, 0)?.unwrap_or(head);
        return Ok(Some(before_partial(ring, head)?));
    }
    // If all is of one cycle, the head is the end.
    let head = if first == last { end } else { boundary(ring, last)? };
    let older = if first == last { last.wrapping_sub(1) } else { last };
    let around = window(ring).saturating_sub(head);
    let gap = match around {
        0 => find_cycle(ring, head.saturating_sub(window(ring))..head, older)?,
        _ => match find_cycle(ring, end.saturating_sub(around)..end, older.wrapping_sub(1))? {
            None => find_cycle(ring, 0..head, older)?,
            gap => gap,
        },
    };
    let head = before_partial(ring, gap.unwrap_or(head))?;
    Ok(Some(if head == end { 0 } else { head }))
}

/// The sectors that records in flight may take.
fn window(ring: &Ring) -> u32 {
    let bytes = num::to_u64(IN_FLIGHT).saturating_mul(ring.largest.into());
    u32::try_from(bytes / BLOCK).unwrap_or(u32::MAX).min(ring.blocks)
}

/// The first sector of cycle `cycle`, where the sectors before it are of another. The first sector is not, the last is.
fn boundary(ring: &Ring, cycle: u32) -> Result<u32, FormatError> {
    let (mut before, mut after) = (0, ring.blocks.saturating_sub(1));
    while after.saturating_sub(before) > 1 {
        let middle = before.midpoint(after);
        match ring.cycle(middle)? == cycle {
            true => after = middle,
            false => before = middle,
        }
    }
    Ok(after)
}

fn find_cycle(ring: &Ring, range: std::ops::Range<u32>, cycle: u32) -> Result<Option<u32>, FormatError> {
    let bytes = ring.read(range.start, range.end.saturating_sub(range.start))?;
    let mut sectors = bytes.chunks(num::to_usize(BLOCK)).zip(range);
    Ok(sectors.find(|(sector, _)| ring::cycle(sector) == cycle).map(|(_, block)| block))
}

/// The head without a record that was only begun: where it begins, if it would reach beyond the head.
fn before_partial(ring: &Ring, head: u32) -> Result<u32, FormatError> {
    match newest(ring, head, 1, ring.blocks)?.pop() {
        // A record that fills the log up to the head is whole; what is shorter was written over.
        Some(last) if ring.after(last.block, last.blocks()) == ring.after(head, 0) => Ok(head),
        Some(last) => Ok(last.block),
        None => Err(ring.corrupt(head, "no record before the head")),
    }
}

/// The last records, at most `count`, that begin in the `reach` sectors before the head; newest first.
fn newest(ring: &Ring, head: u32, count: usize, reach: u32) -> Result<Vec<Record>, FormatError> {
    /// Sectors that are read at a time.
    const STEP: u32 = 256;
    let mut records = Vec::new();
    let mut left = reach.min(ring.blocks);
    let mut end = ring.after(head, 0);
    while left > 0 {
        let step = STEP.min(left);
        let start = ring.after(end, ring.blocks.saturating_sub(step));
        let bytes = ring.read(start, step)?;
        let sectors: Vec<(u32, &[u8])> = (0..).zip(bytes.chunks(num::to_usize(BLOCK))).collect();
        for (index, _) in sectors.into_iter().rev().filter(|(_, sector)| be32(sector, 0) == Some(ring::MAGIC))
        {
            records.extend(Record::parse(ring, ring.after(start, index))?);
            if records.len() >= count {
                return Ok(records);
            }
        }
        end = start;
        left = left.saturating_sub(step);
    }
    Ok(records)
}

/// The head and the last record without those whose bytes did not all reach the disk.
fn without_torn(ring: &Ring, head: u32, last: Record) -> Result<(u32, Record), FormatError> {
    let reach = ring.distance(last.tail, head).max(last.blocks());
    let mut found = None;
    let mut end = head;
    for record in newest(ring, head, IN_FLIGHT, reach)? {
        let block = record.block;
        match record.is_sound(ring)? {
            true => found = found.or(Some((end, record))),
            // What follows a record that is torn does not count, if it is whole or not.
            false => found = None,
        }
        end = block;
    }
    // All of them are torn: the one before must not be.
    if found.is_none() {
        found = newest(ring, end, 1, ring.blocks)?.pop().map(|record| (end, record));
    }
    found.ok_or_else(|| ring.corrupt(head, "the last records are damaged"))
}

fn is_unmount(ring: &Ring, last: &Record, head: u32) -> Result<bool, FormatError> {
    if last.operations != 1 || ring.after(last.block, last.blocks()) != ring.after(head, 0) {
        return Ok(false);
    }
    let first = ring.read(ring.after(last.block, last.header_blocks), 1)?;
    Ok(first.get(9).is_some_and(|flags| flags & UNMOUNT != 0) && last.is_sound(ring)?)
}

/// The active part without records at its tail that new ones, which never were whole, have begun to overwrite. All that
/// they held was at home by then.
fn without_overwritten(ring: &Ring, active: Active) -> Result<Active, FormatError> {
    let reach = window(ring);
    let mut tail = active.tail;
    loop {
        let step = match Record::parse(ring, tail) {
            Ok(Some(record)) if record.is_sound(ring)? => return Ok(Active { tail, ..active }),
            Ok(Some(record)) => record.blocks(),
            Ok(None) | Err(FormatError::Corrupt { .. }) => 1,
            Err(error) => return Err(error),
        };
        if ring.distance(active.head, tail) >= reach || ring.distance(tail, active.head) <= step {
            // Not explained by that: the walk tells what is wrong.
            return Ok(active);
        }
        tail = ring.after(tail, step);
    }
}
