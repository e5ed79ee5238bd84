//! What replaying the journal would write (journal.rst; the kernel's `fs/jbd2/recovery.c` says when a
//! transaction counts).

use std::collections::{BTreeMap, HashMap};

use zerocopy::FromBytes;

use super::{
    checksum,
    fast_commit::{self, Record},
    jbd2::{self, RawCommit, RawHeader, Tag},
    journal::{Journal, STRUCTURE},
    overlay::Patch,
};
use crate::{
    bytes::{be32, is_sound},
    error::{self, FormatError},
    gap::Code,
    limits, num,
};

/// The newest content of each block that the journal holds.
#[derive(Default)]
pub(super) struct Replay {
    pub(super) patches: BTreeMap<u64, Patch>,
    /// Fast commits on top of them.
    pub(super) fast: Vec<Record>,
    /// Why some of it, or all, could not be replayed.
    pub(super) notes: Vec<FormatError>,
}

struct Write {
    tag: Tag,
    sequence: u32,
    /// The log block that holds the content.
    at: u32,
}

#[derive(Default)]
struct Log {
    writes: Vec<Write>,
    /// The last transaction that revoked a block.
    revoked: HashMap<u64, u32>,
}

/// Walks the log and collects what its complete transactions write.
pub(super) fn replay(journal: &Journal<'_>) -> Replay {
    let mut replay = Replay::default();
    let mut log = Log::default();
    let (end, stopped) = scan(journal, &mut log);
    if let Some(error) = stopped {
        replay.notes.push(not_replayed(&format!("transaction {end} and what follows"), &error));
    }
    for write in &log.writes {
        let revoked = log.revoked.get(&write.tag.block);
        if revoked.is_some_and(|last| !is_later(write.sequence, *last)) {
            continue;
        }
        match patch(journal, write) {
            Ok(patch) => {
                replay.patches.insert(write.tag.block, patch);
            }
            Err(error) => {
                let what = format!("block {} in transaction {}", write.tag.block, write.sequence);
                error::note(&mut replay.notes, not_replayed(&what, &error));
            }
        }
    }
    if replay.notes.is_empty() && journal.layout.has(jbd2::FAST_COMMIT) {
        replay.fast = fast_commit::records(journal, end, &mut replay.notes);
    }
    replay
}

/// The note for a part of the journal that was not replayed.
pub(super) fn not_replayed(what: &str, error: &FormatError) -> FormatError {
    let what = format!("{what} of the journal not replayed: {}", error.detail());
    FormatError::Unsupported { code: Code::JournalNotReplayed, what }
}

/// Whether transaction `a` is later than `b`; their numbers wrap.
fn is_later(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}

/// Collects the complete transactions. Returns the number of the first that is not, and why, if it is damaged
/// rather than absent.
fn scan(journal: &Journal<'_>, log: &mut Log) -> (u32, Option<FormatError>) {
    let mut at = journal.start;
    let mut transaction = Transaction::new(journal.sequence);
    // No transaction is read twice: the walk takes at most as many steps as the log has blocks.
    let mut steps = journal.end.saturating_sub(journal.first);
    let mut last_time = 0;
    while let Some(left) = steps.checked_sub(1) {
        steps = left;
        let (block, offset) = match journal.block(at) {
            Ok(block) => block,
            Err(error) => return (transaction.sequence, Some(error)),
        };
        let Some(kind) = kind(&block, transaction.sequence) else { break };
        let block_at = at;
        at = journal.next(at);
        let step = match kind {
            jbd2::DESCRIPTOR => {
                let tags = journal.layout.tags(&block);
                steps = steps.saturating_sub(u32::try_from(tags.len()).unwrap_or(u32::MAX));
                transaction.describe(journal, &block, tags, &mut at, block_at)
            }
            jbd2::REVOKE => {
                transaction.revoke(journal, &block);
                Ok(())
            }
            jbd2::COMMIT => match transaction.commit(journal, &block, &mut last_time) {
                Commit::Complete => {
                    let next = transaction.sequence.wrapping_add(1);
                    let complete = std::mem::replace(&mut transaction, Transaction::new(next));
                    complete.add_to(log)
                }
                Commit::Stale => break,
                Commit::Damaged(problem) => Err(problem),
            },
            _ => break,
        };
        if let Err(problem) = step {
            return (transaction.sequence, Some(FormatError::corrupt(STRUCTURE, offset, problem)));
        }
    }
    (transaction.sequence, None)
}

/// The type of a log block, `None` if it is none of this transaction.
fn kind(block: &[u8], sequence: u32) -> Option<u32> {
    let (header, _) = RawHeader::ref_from_prefix(block).ok()?;
    let ours = header.h_magic.get() == jbd2::MAGIC && header.h_sequence.get() == sequence;
    ours.then_some(header.h_blocktype.get())
}

struct Transaction {
    sequence: u32,
    writes: Vec<Write>,
    revoked: Vec<u64>,
    /// The checksum of the first kind, over all blocks so far.
    sum: u32,
    /// A descriptor or revoke block has a wrong checksum: damage, or left over from an older journal, as the
    /// commit block's time tells.
    suspect: bool,
    /// What is wrong with a block of it; this matters only if it was committed.
    problem: Option<String>,
}

enum Commit {
    Complete,
    /// Left over from an earlier use of the journal's blocks: the log ends before it.
    Stale,
    Damaged(String),
}

impl Transaction {
    fn new(sequence: u32) -> Self {
        Self { sequence, writes: Vec::new(), revoked: Vec::new(), sum: !0, suspect: false, problem: None }
    }

    fn describe(
        &mut self,
        journal: &Journal<'_>,
        block: &[u8],
        tags: Vec<Tag>,
        at: &mut u32,
        descriptor: u32,
    ) -> Result<(), String> {
        self.suspect |= !has_sound_tail(journal, block);
        if journal.transaction_checksums {
            self.sum = checksum::crc32_be(self.sum, block);
        }
        for tag in tags {
            if *at == descriptor {
                return Err("a descriptor longer than the log".to_owned());
            }
            if journal.transaction_checksums {
                let (data, _) = journal.block(*at).map_err(|error| error.detail())?;
                self.sum = checksum::crc32_be(self.sum, &data);
            }
            self.writes.push(Write { tag, sequence: self.sequence, at: *at });
            *at = journal.next(*at);
        }
        Ok(())
    }

    fn revoke(&mut self, journal: &Journal<'_>, block: &[u8]) {
        self.suspect |= !has_sound_tail(journal, block);
        // The header, then the number of bytes in use, both included.
        let used = be32(block, 12).unwrap_or(0);
        let end = num::index(used);
        let records = journal.layout.without_tail(block).get(16..end);
        let Some(records) = records else {
            self.problem = Some(format!("r_count {used} of a revoke block"));
            return;
        };
        if self.revoked.len() > limits::EXT4_JOURNAL_BLOCKS {
            return;
        }
        if journal.layout.has(jbd2::SIXTY_FOUR_BIT) {
            self.revoked.extend(records.as_chunks().0.iter().map(|block| u64::from_be_bytes(*block)));
        } else {
            let blocks = records.as_chunks().0.iter();
            self.revoked.extend(blocks.map(|block| u64::from(u32::from_be_bytes(*block))));
        }
    }

    fn commit(&self, journal: &Journal<'_>, block: &[u8], last_time: &mut u64) -> Commit {
        let Ok((commit, _)) = RawCommit::ref_from_prefix(block) else {
            return Commit::Damaged(format!("commit block of {} bytes", block.len()));
        };
        let time = commit.h_commit_sec.get();
        let unused = commit.h_chksum_type == 0 && commit.h_chksum_size == 0 && commit.h_chksum.get() == 0;
        let sound = if journal.transaction_checksums {
            let is_crc32 = commit.h_chksum_type == 1 && commit.h_chksum_size == 4;
            unused || (is_crc32 && commit.h_chksum.get() == self.sum)
        } else {
            !journal.layout.checksummed() || commit_is_sound(journal.seed, commit, block)
        };
        if is_sound(sound) && !self.suspect {
            *last_time = time;
            return self.problem.clone().map_or(Commit::Complete, Commit::Damaged);
        }
        match time < *last_time {
            true => Commit::Stale,
            false => Commit::Damaged(format!("checksum of transaction {} is wrong", self.sequence)),
        }
    }

    fn add_to(self, log: &mut Log) -> Result<(), String> {
        let sequence = self.sequence;
        log.writes.extend(self.writes);
        log.revoked.extend(self.revoked.into_iter().map(|block| (block, sequence)));
        match log.revoked.len() > limits::EXT4_JOURNAL_BLOCKS {
            true => Err(format!("more than {} revoked blocks", limits::EXT4_JOURNAL_BLOCKS)),
            false => Ok(()),
        }
    }
}

/// Whether the checksum in the last four bytes of a descriptor or revoke block, if it has one, is right.
fn has_sound_tail(journal: &Journal<'_>, block: &[u8]) -> bool {
    if !journal.layout.checksummed() {
        return true;
    }
    let Some((covered, tail)) = block.split_last_chunk() else { return false };
    is_sound(checksum::crc32c_parts(journal.seed, &[covered, &[0; 4]]) == u32::from_be_bytes(*tail))
}

/// The commit block's checksum covers the block; some kernels leave what is behind the header out of it.
fn commit_is_sound(seed: u32, commit: &RawCommit, block: &[u8]) -> bool {
    let header = size_of::<RawCommit>();
    let part = |range: std::ops::Range<usize>| block.get(range).unwrap_or_default();
    let start = checksum::crc32c_parts(seed, &[part(0..16), &[0; 4], part(20..header)]);
    let rest = part(header..block.len());
    let zeros = vec![0; rest.len()];
    [rest, &zeros].iter().any(|rest| checksum::crc32c(start, rest) == commit.h_chksum.get())
}

fn patch(journal: &Journal<'_>, write: &Write) -> Result<Patch, FormatError> {
    let at = journal.offset(write.at)?;
    if !journal.is_block(write.tag.block) {
        return Err(FormatError::corrupt(STRUCTURE, at, "not a block of this file system"));
    }
    if journal.layout.checksummed() {
        let (data, _) = journal.block(write.at)?;
        let sum = checksum::crc32c_parts(journal.seed, &[&write.sequence.to_be_bytes(), &data]);
        let sum = if journal.layout.has(jbd2::CSUM_V3) { sum } else { sum & 0xffff };
        if !is_sound(sum == write.tag.checksum) {
            let problem = format!("checksum {:#010x} instead of {sum:#010x}", write.tag.checksum);
            return Err(FormatError::corrupt(STRUCTURE, at, problem));
        }
    }
    Ok(Patch { at, escaped: write.tag.flags & jbd2::FLAG_ESCAPE != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_numbers_wrap() {
        assert!(is_later(2, 1) && !is_later(1, 2) && !is_later(1, 1));
        assert!(is_later(0, u32::MAX) && !is_later(u32::MAX, 0));
    }
}
