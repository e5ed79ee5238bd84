//! Intents (XFS Algorithms & Data Structures, "Intent Log Items"): changes that take several transactions. One whose end is
//! not in the log is for recovery to carry out.

use std::collections::{BTreeMap, HashMap};

use super::{
    STRUCTURE, not_replayed,
    remaps::{Remap, Remaps},
    transaction::Item,
};
use crate::{
    bytes::{le32, le64},
    error::FormatError,
    fs::xfs::superblock::Superblock,
    limits,
};

const HEADER: usize = 16;
/// Bytes of the change of a map that an intent is: the kernel makes one of each.
const EXTENT: usize = 32;
/// `me_flags`, `alfi_op_flags`: what to do, of which fork, and whether it was never written.
const KIND: u32 = 0xff;
const ATTRIBUTES: u32 = 1 << 31;
const UNWRITTEN: u32 = 1 << 30;
const REALTIME: u32 = 1 << 29;
const MAP: u32 = 1;
const UNMAP: u32 = 2;
/// Where `alfi_op_flags` lies, and its operations on the kernel's own pointers to parents: set, remove, replace.
const OPERATION: usize = 24;
const PARENTS: std::ops::RangeInclusive<u32> = 4..=6;

enum Intent {
    Map(Remap),
    /// One that is not carried out here, by what it is.
    Other(&'static str),
}

/// Intents without their end, in the order of the log.
#[derive(Default)]
pub(super) struct Intents {
    open: BTreeMap<u64, Intent>,
    /// Where they are, by the number that they share with their end.
    places: HashMap<u64, u64>,
    next: u64,
}

impl Intents {
    /// Changes of a file's map: of data that files share, or that is exchanged.
    pub(super) fn map(&mut self, item: &Item, superblock: &Superblock) -> Result<(), FormatError> {
        let bytes = item.region(0);
        let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, 0, problem);
        let count = le32(bytes, 4).unwrap_or(0);
        let extent = bytes.get(HEADER..).and_then(<[u8]>::first_chunk);
        let Some(extent) = extent.filter(|_| count == 1) else {
            return Err(corrupt(format!("{count} changes of maps in {} bytes", bytes.len())));
        };
        let remap = |extent: &[u8; EXTENT]| {
            let flags = le32(extent, 28)?;
            let (owner, logical, length) =
                (le64(extent, 0)?, le64(extent, 16)?, u64::from(le32(extent, 24)?));
            let physical = match flags & KIND {
                MAP if flags & REALTIME == 0 => {
                    let start = superblock.linear(le64(extent, 8)?, length)?;
                    (flags & UNWRITTEN == 0).then_some(start)
                }
                UNMAP => None,
                _ => return None,
            };
            let attributes = flags & ATTRIBUTES != 0;
            Some(Remap { owner, attributes, logical, length, physical })
        };
        let remap = remap(extent).ok_or_else(|| corrupt("a change of a map that is none".to_owned()))?;
        self.add(item, Intent::Map(remap))
    }

    /// A change of extended attributes. Pointers to parents are shown to nobody, so that one of these leaves nothing to do: every
    /// rename has one, and a mount with `wsync` writes the log before it ends.
    pub(super) fn attributes(&mut self, item: &Item) -> Result<(), FormatError> {
        match le32(item.region(0), OPERATION).is_some_and(|flags| PARENTS.contains(&(flags & KIND))) {
            true => Ok(()),
            false => self.other("a change of extended attributes", item),
        }
    }

    /// Any other intent.
    pub(super) fn other(&mut self, what: &'static str, item: &Item) -> Result<(), FormatError> {
        self.add(item, Intent::Other(what))
    }

    fn add(&mut self, item: &Item, intent: Intent) -> Result<(), FormatError> {
        if self.open.len() >= limits::XFS_LOG_INTENTS {
            return Err(FormatError::limit(format!("XFS log with {} open intents", self.open.len())));
        }
        self.open.insert(self.next, intent);
        self.places.insert(id(item), self.next);
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    /// The end of an intent.
    pub(super) fn done(&mut self, item: &Item) {
        if let Some(place) = self.places.remove(&id(item)) {
            self.open.remove(&place);
        }
    }

    /// What is left to do, and notes for what is not done.
    pub(super) fn finish(self) -> (Remaps, Vec<FormatError>) {
        let mut remaps = Remaps::default();
        let mut notes = Vec::new();
        for intent in self.open.into_values() {
            match intent {
                Intent::Map(change) => remaps.add(change),
                Intent::Other(what) => {
                    notes
                        .push(not_replayed(what, &FormatError::unsupported("it was begun and not finished")));
                }
            }
        }
        (remaps, notes)
    }
}

/// The number that an intent and its end share.
fn id(item: &Item) -> u64 {
    le64(item.region(0), 8).unwrap_or(0)
}
