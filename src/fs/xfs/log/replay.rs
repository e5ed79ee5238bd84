//! Replaying transactions over the volume.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Recovery,
    buffer::{self, Buffer},
    icreate, inode,
    intents::Intents,
    not_replayed,
    transaction::{Item, Transaction},
};
use crate::{
    block::Source,
    error::{self, FormatError},
    fs::xfs::{overlay::Overlay, superblock::Superblock},
    limits,
};

/// Types of items ("Log Items").
mod kind {
    pub(super) const INODE: u16 = 0x123b;
    pub(super) const BUFFER: u16 = 0x123c;
    pub(super) const INODE_CREATE: u16 = 0x123f;
    pub(super) const MAP_INTENT: u16 = 0x1244;
    pub(super) const MAP_DONE: u16 = 0x1245;
    pub(super) const ATTRIBUTE_INTENT: u16 = 0x1246;
    pub(super) const ATTRIBUTE_DONE: u16 = 0x1247;
    pub(super) const EXCHANGE_INTENT: u16 = 0x1248;
    pub(super) const EXCHANGE_DONE: u16 = 0x1249;
    /// Freed extents, reverse maps and reference counts, with their ends; quotas; the realtime device: no file's content
    /// depends on them.
    pub(super) const WITHOUT_EFFECT: [u16; 15] = [
        0x1236, 0x1237, 0x1238, 0x123d, 0x123e, 0x1240, 0x1241, 0x1242, 0x1243, 0x124a, 0x124b, 0x124c,
        0x124d, 0x124e, 0x124f,
    ];
}

/// A volume that is being recovered.
pub(super) struct Replay<'a> {
    pub(super) superblock: &'a Superblock,
    pub(super) overlay: Overlay,
    /// Buffers, by sector and number of sectors, that are freed later in the log than here, and how often.
    cancelled: BTreeMap<(u64, u32), u32>,
    /// Buffers that were changed, by where they lie, and their lengths: their checksums are to be made anew.
    pub(super) changed: BTreeMap<u64, usize>,
    /// Bytes of inodes that were made.
    pub(super) created: u64,
    intents: Intents,
    pub(super) notes: Vec<FormatError>,
}

impl<'a> Replay<'a> {
    pub(super) fn new(source: &Source, superblock: &'a Superblock) -> Self {
        Self {
            superblock,
            overlay: Overlay::new(Arc::clone(source)),
            cancelled: BTreeMap::new(),
            changed: BTreeMap::new(),
            created: 0,
            intents: Intents::default(),
            notes: Vec::new(),
        }
    }

    /// The first pass: notes which buffers a transaction frees.
    pub(super) fn cancel(&mut self, transaction: &Transaction) -> Result<(), FormatError> {
        let buffers = transaction.items.iter().filter(|item| item.kind() == Some(kind::BUFFER));
        for buffer in buffers.filter_map(|item| Buffer::parse(item).ok()).filter(Buffer::cancels) {
            let count = self.cancelled.entry(buffer.place()).or_default();
            *count = count.saturating_add(1);
        }
        match self.cancelled.len() > limits::XFS_LOG_CANCELLED {
            true => Err(FormatError::limit(format!("XFS log that frees {} buffers", self.cancelled.len()))),
            false => Ok(()),
        }
    }

    /// The second pass: applies a transaction. An item that is wrong is noted and left out; an error ends the replay.
    pub(super) fn commit(&mut self, transaction: &Transaction) -> Result<(), FormatError> {
        let mut items: Vec<&Item> = transaction.items.iter().collect();
        items.sort_by_key(|item| order(item));
        for item in items {
            match self.item(item, transaction.lsn) {
                Ok(()) => {}
                Err(error @ FormatError::Unsupported { code: crate::gap::Code::LimitReached, .. }) => {
                    return Err(error);
                }
                Err(error) => self.note(not_replayed("an item", &error)),
            }
        }
        Ok(())
    }

    fn note(&mut self, note: FormatError) {
        error::note(&mut self.notes, note);
    }

    fn item(&mut self, item: &Item, lsn: u64) -> Result<(), FormatError> {
        let corrupt = |problem: &str| FormatError::corrupt(super::STRUCTURE, 0, problem);
        let Some(kind) = item.kind() else { return Err(corrupt("an item lacks some of its regions")) };
        match kind {
            kind::BUFFER => {
                let buffer = Buffer::parse(item)?;
                match buffer.cancels() {
                    true => self.uncancel(buffer.place()),
                    false if self.cancelled.contains_key(&buffer.place()) => {}
                    false => buffer::replay(self, &buffer, lsn)?,
                }
                Ok(())
            }
            kind::INODE => inode::replay(self, item, lsn),
            kind::INODE_CREATE => icreate::replay(self, item),
            kind::MAP_INTENT => self.intents.map(item, self.superblock),
            kind::ATTRIBUTE_INTENT => self.intents.attributes(item),
            kind::EXCHANGE_INTENT => self.intents.other("an exchange of the data of two files", item),
            kind::MAP_DONE | kind::ATTRIBUTE_DONE | kind::EXCHANGE_DONE => {
                self.intents.done(item);
                Ok(())
            }
            kind if kind::WITHOUT_EFFECT.contains(&kind) => Ok(()),
            kind => Err(FormatError::unsupported(format!("item of type {kind:#x}"))),
        }
    }

    fn uncancel(&mut self, place: (u64, u32)) {
        if let Some(count) = self.cancelled.get_mut(&place) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.cancelled.remove(&place);
            }
        }
    }

    /// Whether a buffer is freed later in the log.
    pub(super) fn is_cancelled(&self, place: (u64, u32)) -> bool {
        self.cancelled.contains_key(&place)
    }

    /// Whether a buffer that begins in a range of sectors is freed later in the log.
    pub(super) fn is_any_cancelled(&self, sectors: std::ops::Range<u64>) -> bool {
        self.cancelled.range((sectors.start, 0)..(sectors.end, 0)).next().is_some()
    }

    /// What all of it comes to.
    pub(super) fn finish(mut self) -> Recovery {
        // Blocks that overlap are not of a real log; of those that do not, each is read once.
        let mut left = limits::XFS_LOG_CHANGED_BYTES.saturating_mul(4);
        for (offset, length) in std::mem::take(&mut self.changed) {
            let sealed = match left.checked_sub(length) {
                Some(_) => buffer::seal(&mut self, offset, length),
                None => Err(FormatError::limit("blocks that an XFS log changes overlap")),
            };
            left = left.saturating_sub(length);
            if let Err(error) = sealed {
                self.note(not_replayed("a block", &error));
            }
        }
        let (remaps, unfinished) = std::mem::take(&mut self.intents).finish();
        unfinished.into_iter().for_each(|note| self.note(note));
        let overlay = (!self.overlay.is_empty()).then_some(self.overlay);
        Recovery { overlay, remaps, notes: self.notes }
    }
}

/// The order in which the items of a transaction are replayed: buffers, which may hold the inodes that follow; then those;
/// last the freeing of buffers, which is what told to leave them out.
fn order(item: &Item) -> u8 {
    match (item.kind(), Buffer::parse(item)) {
        (Some(kind::BUFFER), Ok(buffer)) if buffer.cancels() => 2,
        (Some(kind::BUFFER | kind::INODE_CREATE), _) => 0,
        _ => 1,
    }
}
