//! The log's changes over the file: what the file will be once its log was replayed ([MS-VHDX] 2.3.3).

use std::{collections::BTreeMap, io, sync::Arc};

use super::{
    header::Log,
    log::{Change, NAME, Patch, Ring, too_many},
    sequence,
};
use crate::{
    block::{ReadAt, Source, check_range},
    error::FormatError,
    gap::Code,
    limits, num,
};

/// A file under the changes of its log.
struct Replayed {
    file: Source,
    size: u64,
    /// By where they begin: where they end, and what is there. None lies over another.
    patches: BTreeMap<u64, (u64, Patch)>,
}

/// The file with its log replayed, and what must be told if that cannot be. `count` goes on with the changes of
/// the logs of its chain.
pub(super) fn replay(
    file: Source,
    log: Log,
    count: &mut usize,
) -> Result<(Source, Option<FormatError>), FormatError> {
    if log.version != 0 {
        return Err(FormatError::unsupported(format!("a VHDX whose log has the version {}", log.version)));
    }
    if log.length == 0 || log.length > limits::VHDX_LOG_BYTES {
        let limit = limits::VHDX_LOG_BYTES;
        return Err(FormatError::limit(format!("a VHDX log of {} bytes, not 1 to {limit}", log.length)));
    }
    let ring = Ring { file: &file, log };
    let Some(entries) = sequence::active(&ring, &ring.entries()?)? else {
        return Ok((file, Some(not_replayed("it has no whole sequence of entries"))));
    };
    // Where the file was cut it lacks what the log does not change: that is told, and an error where it is read.
    let size = file.size();
    let flushed = entries.iter().map(|entry| entry.flushed).max().unwrap_or(0);
    let cut = (flushed > size).then(|| {
        let problem = format!("the file had {flushed} bytes when its log was written and has {size}");
        let source = io::Error::new(io::ErrorKind::UnexpectedEof, problem);
        FormatError::Read { structure: "end of the VHDX", offset: size, source }
    });
    let mut replayed = Replayed { file: Arc::clone(&file), size, patches: BTreeMap::new() };
    for entry in &entries {
        let changes = match ring.changes(entry) {
            Ok(changes) => changes,
            Err(error @ FormatError::Corrupt { .. }) => {
                return Ok((file, Some(not_replayed(&error.detail()))));
            }
            Err(error) => return Err(error),
        };
        *count = count.saturating_add(changes.len());
        if *count > limits::VHDX_LOG_DESCRIPTORS {
            return Err(too_many());
        }
        for change in changes {
            replayed.put(change);
        }
        if cut.is_none() {
            replayed.size = size.max(entry.last);
        }
    }
    Ok((Arc::new(replayed), cut))
}

fn not_replayed(problem: &str) -> FormatError {
    let what = format!("the VHDX's log was not replayed: {problem}");
    FormatError::Unsupported { code: Code::JournalNotReplayed, what }
}

impl Replayed {
    /// Lays a change over those before it.
    fn put(&mut self, change: Change) {
        let Change { start, end, patch } = change;
        if start >= end {
            return;
        }
        let before = self.patches.range(..start).next_back().map(|(at, (end, patch))| (*at, *end, *patch));
        if let Some((at, old_end, old)) = before.filter(|(_, old_end, _)| *old_end > start) {
            // Only zeros are longer than a sector.
            self.patches.insert(at, (start, old));
            if old_end > end {
                self.patches.insert(end, (old_end, old));
            }
        }
        while let Some((at, old_end, old)) =
            self.patches.range(start..end).next().map(|(at, (end, patch))| (*at, *end, *patch))
        {
            self.patches.remove(&at);
            if old_end > end {
                self.patches.insert(end, (old_end, old));
            }
        }
        self.patches.insert(start, (end, patch));
    }

    /// The patch that covers `at`, or where the next one begins.
    fn next(&self, at: u64) -> Result<(u64, u64, Patch), u64> {
        let covering = self.patches.range(..=at).next_back();
        if let Some((start, (end, patch))) = covering.filter(|(_, (end, _))| *end > at) {
            return Ok((*start, *end, *patch));
        }
        Err(self.patches.range(at..).next().map_or(u64::MAX, |(start, _)| *start))
    }

    fn fill(&self, part: &mut [u8], within: u64, patch: Patch) -> io::Result<()> {
        let Patch::Data { host, first, last } = patch else {
            part.fill(0);
            return Ok(());
        };
        let mut sector = [0; 4096];
        self.file.read_at(&mut sector, host).map_err(FormatError::reading(NAME, host))?;
        if let Some(begin) = sector.first_chunk_mut() {
            *begin = first;
        }
        if let Some(end) = sector.last_chunk_mut() {
            *end = last;
        }
        let from = num::to_usize(within);
        let from = sector.get(from..from.saturating_add(part.len())).ok_or(io::ErrorKind::InvalidData)?;
        part.copy_from_slice(from);
        Ok(())
    }

    /// What the file has; zeros where the log made it grow.
    fn plain(&self, part: &mut [u8], at: u64) -> io::Result<()> {
        let there = num::to_usize(self.file.size().saturating_sub(at)).min(part.len());
        let Some((held, grown)) = part.split_at_mut_checked(there) else { return Ok(()) };
        grown.fill(0);
        if held.is_empty() { Ok(()) } else { self.file.read_at(held, at) }
    }
}

impl ReadAt for Replayed {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size, offset, buf.len())?;
        let mut at = offset;
        let mut rest = buf;
        while !rest.is_empty() {
            let next = self.next(at);
            let end = match next {
                Ok((_, end, _)) => end,
                Err(start) => start,
            };
            let length = num::to_usize(end.saturating_sub(at)).min(rest.len());
            let (part, after) = rest.split_at_mut_checked(length).ok_or(io::ErrorKind::InvalidData)?;
            match next {
                Ok((start, _, patch)) => self.fill(part, at.saturating_sub(start), patch)?,
                Err(_) => self.plain(part, at)?,
            }
            at = at.saturating_add(num::to_u64(length));
            rest = after;
        }
        Ok(())
    }

    fn will_need(&self, offset: u64, length: u64) {
        self.file.will_need(offset, length);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::log::SECTOR, *};
    use crate::block::Memory;

    fn change(start: u64, length: u64, patch: Patch) -> Change {
        Change { start: start * SECTOR, end: (start + length) * SECTOR, patch }
    }

    #[test]
    fn later_changes_lie_over_earlier_ones() {
        let file: Source = Arc::new(Memory::new([vec![1; 4096 * 8], vec![9; 4096]].concat()));
        let mut replayed = Replayed { file, size: 10 * SECTOR, patches: BTreeMap::new() };
        let data = Patch::Data { host: 8 * SECTOR, first: [7; 8], last: [8; 4] };
        for change in [
            change(2, 1, data),
            change(1, 5, Patch::Zero),
            change(3, 1, data),
            change(0, 2, Patch::Zero),
            change(5, 0, data),
            change(4, 1, data),
            change(3, 1, Patch::Zero),
        ] {
            replayed.put(change);
        }
        let mut whole = vec![0xee; 10 * 4096];
        replayed.read_at(&mut whole, 0).unwrap();
        let firsts: Vec<u8> = whole.iter().copied().step_by(4096).collect();
        assert_eq!(firsts, [0, 0, 0, 0, 7, 0, 1, 1, 9, 0]);
        assert_eq!((whole[4 * 4096 + 8], whole[5 * 4096 - 1]), (9, 8));
        let ranges: Vec<u64> = replayed.patches.keys().copied().collect();
        assert!(replayed.patches.values().zip(&ranges[1..]).all(|((end, _), next)| end <= next));
        for start in (0..whole.len()).step_by(1000) {
            let end = whole.len().min(start + 5000);
            let mut part = vec![0xee; end - start];
            replayed.read_at(&mut part, num::to_u64(start)).unwrap();
            assert!(part == whole[start..end], "{start}");
        }
    }
}
