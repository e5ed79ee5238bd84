//! Snapshots that are not thin: chunks of a volume as they were before they were overwritten, in a store (kernel,
//! `drivers/md/dm-snap-persistent.c`; Documentation/admin-guide/device-mapper/snapshot.rst).

use std::sync::{Arc, OnceLock};

use super::{
    blocks::{le32, le64},
    kept::Kept,
    moved::{Moved, Table, Tabled},
};
use crate::{
    block::{Source, read_vec},
    error::FormatError,
    limits, num,
};

const HEADER: &str = "dm-snapshot header";
const TABLE: &str = "dm-snapshot exceptions";
/// `SnAp`.
const MAGIC: u32 = 0x7041_6e53;
const SECTOR: u64 = 512;
/// Sectors of a chunk at most; lvm makes chunks of 512 KiB at most.
const LARGEST: u32 = 16 << 11;
/// Bytes of an exception: a chunk of the volume and the chunk of the store that holds what it was.
const EXCEPTION: u64 = 16;

/// The store's table of chunks as they were.
pub(in crate::volume) struct Snapshot {
    /// Bytes of a chunk.
    chunk: u64,
}

impl Snapshot {
    /// Opens a snapshot by its store and the volume as it is now.
    pub(in crate::volume) fn open(
        store: Source,
        origin: Source,
        kept: &Arc<Kept>,
    ) -> Result<Source, FormatError> {
        let header = read_vec(&store, HEADER, 0, 16)?;
        let [magic, valid, version, sectors] = [0, 4, 8, 12].map(|at| le32(&header, at));
        let corrupt = |problem: String| FormatError::corrupt(HEADER, 0, problem);
        if magic != MAGIC {
            return Err(corrupt(format!("magic {magic:#x}")));
        }
        if version != 1 {
            return Err(FormatError::unsupported(format!("dm-snapshot of version {version}")));
        }
        if valid != 1 {
            return Err(FormatError::unsupported("dm-snapshot that the kernel made invalid"));
        }
        if sectors < 8 || !sectors.is_power_of_two() {
            return Err(corrupt(format!("chunks of {sectors} sectors")));
        }
        if sectors > LARGEST {
            return Err(FormatError::unsupported(format!("dm-snapshot in chunks of {sectors} sectors")));
        }
        let chunk = u64::from(sectors).saturating_mul(SECTOR);
        let kept = Arc::clone(kept);
        let (table, moved) = (Self { chunk }, OnceLock::new());
        Ok(Arc::new(Tabled { table, volume: origin, elsewhere: store, is_copy: false, kept, moved }))
    }
}

impl Table for Snapshot {
    const NAME: &'static str = TABLE;

    fn block(&self) -> u64 {
        self.chunk
    }

    /// Areas of a chunk, each before the chunks that it tells of. The first empty entry ends it.
    fn load(&self, store: &Source, moved: &mut Moved) {
        let exceptions = self.chunk / EXCEPTION;
        let mut count = 0u64;
        'all: for area in 0u64.. {
            let first = area.saturating_mul(exceptions.saturating_add(1)).saturating_add(1);
            let at = first.saturating_mul(self.chunk);
            // A full store has no empty entry.
            if at >= store.size() {
                break;
            }
            count = count.saturating_add(exceptions);
            if count > limits::DM_EXCEPTIONS {
                let what = format!("dm-snapshot of more than {} exceptions", limits::DM_EXCEPTIONS);
                moved.damaged(&FormatError::limit(what));
                break;
            }
            let table = match read_vec(store, TABLE, at, num::to_usize(self.chunk)) {
                Ok(table) => table,
                Err(error) => {
                    moved.damaged(&error);
                    continue;
                }
            };
            if !moved.may_examine(exceptions) {
                break;
            }
            for entry in table.chunks_exact(num::to_usize(EXCEPTION)) {
                let (old, new) = (le64(entry, 0), le64(entry, 8));
                if new == 0 {
                    break 'all;
                }
                match new.checked_mul(self.chunk).filter(|place| *place < store.size()) {
                    Some(place) => {
                        if !moved.add(old, place, false) {
                            break 'all;
                        }
                    }
                    None => {
                        let problem = format!("chunk {old} is chunk {new} of the store");
                        moved.damaged(&FormatError::corrupt(TABLE, at, problem));
                    }
                }
            }
        }
    }
}
