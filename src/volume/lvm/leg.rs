//! The state of a RAID's legs: each has a small volume of its own with the superblock of the kernel's dm-raid
//! (`drivers/md/dm-raid.c`, `struct dm_raid_superblock`; Documentation/admin-guide/device-mapper/dm-raid.rst).

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U32, U64},
};

use super::segment::Raid;
use crate::{
    block::{ReadAt, read_vec},
    bytes,
    error::FormatError,
    limits, num,
};

pub(super) const STRUCTURE: &str = "LVM2 RAID superblock";
const MAGIC: u32 = 0x6452_6d44;
const SECTOR: u64 = 512;
/// What follows the layout means something.
const FEATURE_V190: u32 = 1;
const RESHAPING: u32 = 1;
const BITMAP: &str = "LVM2 RAID bitmap";
const BITMAP_MAGIC: u32 = 0x6d74_6962;
/// Where the map's header is, in bytes, and how long it is.
const BITMAP_AT: u64 = 4096;
const BITMAP_HEADER: u64 = 256;

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawState {
    magic: U32,
    features: U32,
    devices: U32,
    position: U32,
    events: U64,
    /// A bit for each leg that failed, as this leg saw it.
    failed: U64,
    /// The sector up to which this leg was rebuilt; all ones if it is whole.
    recovered: U64,
    /// The sector up to which parity or copies were made; all ones if everywhere.
    synchronized: U64,
    level: U32,
    layout: U32,
    /// Sectors of a chunk.
    chunk: U32,
    flags: U32,
    reshaped: U64,
    new_level: U32,
    new_layout: U32,
    new_chunk: U32,
    more_devices: U32,
    array: U64,
    /// The sector of the leg at which its data begins.
    data: U64,
    new_data: U64,
    sectors: U64,
    /// Bits of the legs from the 64th on.
    more_failed: [U64; 3],
    incompatible: U32,
}

/// What a leg's superblock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    position: u32,
    pub(super) events: u64,
    failed: [u64; 4],
    rebuilding: bool,
    /// Whether parity and copies are those of the data.
    pub(super) synchronized: bool,
    level: u32,
    layout: u32,
    /// Bytes of a chunk.
    chunk: u64,
    /// Where the leg's data begins, in bytes.
    pub(super) data: u64,
    reshaping: bool,
    incompatible: u32,
}

impl State {
    /// Reads it; `None` if the array was never in use, so that no leg is behind another.
    pub(super) fn read(source: &dyn ReadAt) -> Result<Option<Self>, FormatError> {
        let bytes = read_vec(source, STRUCTURE, 0, size_of::<RawState>())?;
        let short = || FormatError::corrupt(STRUCTURE, 0, "too short");
        let raw = RawState::ref_from_bytes(&bytes).map_err(|_| short())?;
        let is_new = raw.features.get() & FEATURE_V190 != 0;
        let [high, higher, highest] = raw.more_failed.map(|bits| if is_new { bits.get() } else { 0 });
        Ok((raw.magic.get() == MAGIC).then(|| Self {
            position: raw.position.get(),
            events: raw.events.get(),
            failed: [raw.failed.get(), high, higher, highest],
            rebuilding: raw.recovered.get() != u64::MAX,
            synchronized: raw.synchronized.get() == u64::MAX,
            level: raw.level.get(),
            layout: raw.layout.get(),
            chunk: u64::from(raw.chunk.get()).saturating_mul(SECTOR),
            data: if is_new { raw.data.get().saturating_mul(SECTOR) } else { 0 },
            reshaping: is_new && raw.flags.get() & RESHAPING != 0,
            incompatible: if is_new { raw.incompatible.get() } else { 0 },
        }))
    }

    /// Why the legs cannot be read as `raid` describes them, if so.
    pub(super) fn differs(&self, raid: &Raid) -> Option<String> {
        if self.incompatible != 0 {
            return Some(format!("with incompatible features {:#x}", self.incompatible));
        }
        if self.reshaping {
            return Some("that is being reshaped".to_owned());
        }
        let is_same = i64::from(self.level) == i64::from(raid.level)
            && (raid.level < 4 || (self.layout == raid.layout && self.chunk == raid.chunk));
        (!is_same).then(|| {
            let Self { level, layout, chunk, .. } = self;
            format!(
                "whose legs are of level {level}, layout {layout:#x} and chunks of {chunk} bytes, \
                 not of level {}, layout {:#x} and chunks of {}",
                raid.level, raid.layout, raid.chunk
            )
        })
    }

    /// Whether the array lacked a leg.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.iter().any(|bits| *bits != 0)
    }

    fn says_failed(&self, position: u32) -> bool {
        let word = self.failed.get(num::index(position / 64)).copied().unwrap_or(u64::MAX);
        word & 1 << (position % 64) != 0
    }
}

/// Whether the map of regions that are being written (MD's write-intent bitmap, kernel, `drivers/md/md-bitmap.h`), which lies
/// behind a leg's superblock, names any.
pub(super) fn is_being_written(source: &dyn ReadAt) -> Result<bool, FormatError> {
    let header = read_vec(source, BITMAP, BITMAP_AT, num::to_usize(BITMAP_HEADER))?;
    let number = |at| bytes::le32(&header, at).unwrap_or(0);
    let sectors = bytes::le64(&header, 40).unwrap_or(0);
    let region = u64::from(number(52)) / SECTOR;
    // Without one it is not known; LVM2 always has one.
    if number(0) != BITMAP_MAGIC || region == 0 {
        return Ok(true);
    }
    let regions = sectors.div_ceil(region);
    let bytes = regions.div_ceil(8);
    if bytes > limits::LVM_BITMAP_BYTES {
        let bound = limits::LVM_BITMAP_BYTES;
        return Err(FormatError::limit(format!("{BITMAP} of {bytes} bytes, more than {bound}")));
    }
    let mut bits = read_vec(source, BITMAP, BITMAP_AT.saturating_add(BITMAP_HEADER), num::to_usize(bytes))?;
    // Bits behind the last region mean nothing.
    if let (Some(last), used @ 1..) = (bits.last_mut(), regions % 8) {
        *last &= !u8::MAX.unbounded_shl(u32::try_from(used).unwrap_or(0));
    }
    Ok(bits.iter().any(|byte| *byte != 0))
}

/// The newest state, if there is one.
pub(super) fn newest(states: &[Option<State>]) -> Option<&State> {
    states.iter().flatten().max_by_key(|state| state.events)
}

/// Which of the legs hold what the array holds: those that are less than `slack` changes behind the newest. A leg without a
/// state among others that have one is behind.
pub(super) fn current(states: &[Option<State>], slack: u64) -> Vec<bool> {
    let Some(newest) = newest(states) else {
        return vec![true; states.len()];
    };
    let is_current = |(number, state): (usize, &Option<State>)| {
        state.is_some_and(|state| {
            state.events.saturating_add(slack) >= newest.events
                && !newest.says_failed(state.position)
                && !state.rebuilding
                && num::index(state.position) == number
        })
    };
    states.iter().enumerate().map(is_current).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    fn state(position: u32, events: u64, failed: u64, recovered: u64) -> Option<State> {
        let fields = [&MAGIC.to_le_bytes()[..], &[0; 4], &[2, 0, 0, 0], &position.to_le_bytes()].concat();
        let counts = [events, failed, recovered].map(u64::to_le_bytes).concat();
        State::read(&Memory::new([fields, counts, vec![0; 108]].concat())).unwrap()
    }

    #[test]
    fn a_leg_that_is_behind_is_none() {
        let whole = u64::MAX;
        let current = |states: &[Option<State>]| super::current(states, 0);
        assert_eq!(State::read(&Memory::new(vec![0; 4096])).unwrap(), None);
        assert!(State::read(&Memory::new(vec![0; 8])).is_err(), "what cannot be read is not `never in use`");
        assert_eq!(current(&[None, None]), [true, true]);
        assert_eq!(current(&[state(0, 7, 0, whole), state(1, 7, 0, whole)]), [true, true]);
        assert_eq!(current(&[state(0, 6, 0, whole), state(1, 7, 0, whole)]), [false, true]);
        assert_eq!(super::current(&[state(0, 6, 0, whole), state(1, 7, 0, whole)], 1), [true, true]);
        assert_eq!(current(&[state(0, 7, 2, whole), state(1, 7, 2, whole)]), [true, false]);
        assert_eq!(current(&[state(0, 7, 0, 4096), state(1, 7, 0, whole)]), [false, true]);
        assert_eq!(current(&[None, state(1, 7, 0, whole)]), [false, true]);
        assert_eq!(current(&[state(1, 7, 0, whole), state(0, 7, 0, whole)]), [false, false]);
    }

    #[test]
    fn bits_of_regions_that_there_are_count() {
        let map = |sectors: u64, bits: [u8; 2]| {
            let mut bytes = vec![0; 4096 + 256];
            bytes[4096..4100].copy_from_slice(&BITMAP_MAGIC.to_le_bytes());
            bytes[4136..4144].copy_from_slice(&sectors.to_le_bytes());
            bytes[4148..4152].copy_from_slice(&(64u32 << 10).to_le_bytes());
            bytes.extend(bits);
            is_being_written(&Memory::new(bytes)).unwrap()
        };
        assert!(!map(9 * 128, [0, 0xfe]) && map(9 * 128, [0, 0xff]) && map(9 * 128, [1, 0]));
        assert!(!map(8 * 128, [0, 0xff]) && map(16 * 128, [0, 0x80]));
        assert!(is_being_written(&Memory::new(vec![0; 8192])).unwrap(), "no map");
    }

    #[test]
    fn what_the_legs_are_must_be_what_the_text_says() {
        let raid = |level, layout| Raid {
            legs: Vec::new(),
            states: Vec::new(),
            chunk: 8192,
            spare: 0,
            level,
            layout,
        };
        let state = State { level: 5, layout: 2, chunk: 8192, ..state(0, 1, 0, u64::MAX).unwrap() };
        assert_eq!(state.differs(&raid(5, 2)), None);
        assert!(state.differs(&raid(5, 3)).unwrap().contains("layout 0x2"));
        assert!(state.differs(&raid(6, 2)).is_some());
        assert!(State { chunk: 4096, ..state }.differs(&raid(5, 2)).is_some());
        assert!(State { reshaping: true, ..state }.differs(&raid(5, 2)).unwrap().contains("reshaped"));
        assert!(State { incompatible: 1, ..state }.differs(&raid(5, 2)).is_some());
    }
}
