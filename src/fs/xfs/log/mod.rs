//! The log, recovered in memory (XFS Algorithms & Data Structures, "Journaling Log"; the kernel's
//! `fs/xfs/xfs_log_recover.c` says what counts and in which order).
//!
//! The records between the log's tail and its head are walked twice. The first time tells which buffers were freed later
//! ("cancelled"), the second replays the items of complete transactions over the volume.

mod buffer;
mod head;
mod icreate;
mod inode;
mod intents;
mod record;
mod remaps;
mod replay;
mod ring;
mod transaction;

pub(super) use remaps::Remaps;

use head::Active;
use record::Record;
use replay::Replay;
use ring::Ring;
use transaction::{Transaction, Transactions};

use super::{overlay::Overlay, superblock::Superblock};
use crate::{block::Source, error::FormatError, gap::Code, limits};

pub(super) const STRUCTURE: &str = "XFS log";

/// What recovery found.
#[derive(Default)]
pub(super) struct Recovery {
    /// The volume with what it changes, `None` if that is nothing.
    pub(super) overlay: Option<Overlay>,
    /// Changes of maps that were begun and not finished.
    pub(super) remaps: Remaps,
    /// Why some of it, or all, could not be recovered.
    pub(super) notes: Vec<FormatError>,
}

/// Recovers the log of a volume.
pub(super) fn recover(source: &Source, superblock: &Superblock) -> Recovery {
    let all =
        |error: &FormatError| Recovery { notes: vec![not_replayed("all", error)], ..Recovery::default() };
    let ring = match Ring::new(source, superblock) {
        Ok(ring) => ring,
        Err(error) => return all(&error),
    };
    let active = match head::find(&ring) {
        Ok(Some(active)) => active,
        Ok(None) => return Recovery::default(),
        Err(error) => return all(&error),
    };
    let unread = superblock.features.unread_in_log();
    if !unread.is_empty() {
        return all(&FormatError::unsupported(format!("XFS feature {}", unread.join(", "))));
    }
    let mut replay = Replay::new(source, superblock);
    let (records, stopped) = walk(&ring, active, u32::MAX, |transaction| replay.cancel(&transaction));
    replay.notes.extend(stopped.map(|error| not_replayed("the end", &error)));
    let (_, stopped) = walk(&ring, active, records, |transaction| replay.commit(&transaction));
    if let Some(error) = stopped.filter(|_| replay.notes.is_empty()) {
        replay.notes.push(not_replayed("the end", &error));
    }
    replay.finish()
}

/// The note for a part of the log that was not replayed.
fn not_replayed(what: &str, error: &FormatError) -> FormatError {
    let what = format!("{what} of the log not recovered: {}", error.detail());
    FormatError::Unsupported { code: Code::JournalNotReplayed, what }
}

/// Hands over the complete transactions of at most `records` records, in order. Returns how many records were read, and
/// why it stopped if that was not at their end.
fn walk(
    ring: &Ring,
    active: Active,
    records: u32,
    mut each: impl FnMut(Transaction) -> Result<(), FormatError>,
) -> (u32, Option<FormatError>) {
    let mut transactions = Transactions::default();
    let mut at = active.tail;
    let mut left = ring.distance(active.tail, active.head);
    let mut read = 0;
    while left > 0 && read < records {
        let step = Record::parse(ring, at).and_then(|record| {
            let record = record.filter(|record| record.blocks() <= left);
            let record = record.ok_or_else(|| ring.corrupt(at, "no record where one should be"))?;
            let payload = record.payload(ring)?;
            transactions.add(&payload, &record, ring, &mut each)?;
            Ok(record.blocks())
        });
        match step {
            Ok(blocks) => {
                left = left.saturating_sub(blocks);
                at = ring.after(at, blocks);
                read = read.saturating_add(1);
            }
            Err(error) => return (read, Some(error)),
        }
    }
    (read, None)
}

/// The bound on the log that [`Ring::new`] enforces, in sectors.
const MOST: u64 = limits::XFS_LOG_BYTES / ring::BLOCK;
