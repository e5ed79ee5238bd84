//! The state of a RAID 1's legs: each has a small volume of its own with the superblock of the kernel's dm-raid
//! (`drivers/md/dm-raid.c`, `struct dm_raid_superblock`; Documentation/admin-guide/device-mapper/dm-raid.rst).

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U32, U64},
};

use crate::{
    block::{ReadAt, read_vec},
    error::FormatError,
};

pub(super) const STRUCTURE: &str = "LVM2 RAID superblock";
const MAGIC: u32 = 0x6452_6d44;

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
}

/// What a leg's superblock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    position: u32,
    events: u64,
    failed: u64,
    rebuilding: bool,
}

impl State {
    /// Reads it; `None` if the array was never in use, so that no leg is behind another.
    pub(super) fn read(source: &dyn ReadAt) -> Result<Option<Self>, FormatError> {
        let bytes = read_vec(source, STRUCTURE, 0, size_of::<RawState>())?;
        let short = || FormatError::corrupt(STRUCTURE, 0, "too short");
        let raw = RawState::ref_from_bytes(&bytes).map_err(|_| short())?;
        Ok((raw.magic.get() == MAGIC).then(|| Self {
            position: raw.position.get(),
            events: raw.events.get(),
            failed: raw.failed.get(),
            rebuilding: raw.recovered.get() != u64::MAX,
        }))
    }
}

/// Which of the legs hold what the array holds. A leg without a state among others that have one is behind.
pub(super) fn current(states: &[Option<State>]) -> Vec<bool> {
    let Some(newest) = states.iter().flatten().max_by_key(|state| state.events) else {
        return vec![true; states.len()];
    };
    let is_current = |state: &Option<State>| {
        state.is_some_and(|state| {
            let failed = newest.failed.unbounded_shr(state.position) & 1 == 1;
            state.events == newest.events && !failed && !state.rebuilding
        })
    };
    states.iter().map(is_current).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    fn state(position: u32, events: u64, failed: u64, recovered: u64) -> Option<State> {
        let fields = [&MAGIC.to_le_bytes()[..], &[0; 4], &[2, 0, 0, 0], &position.to_le_bytes()].concat();
        let counts = [events, failed, recovered].map(u64::to_le_bytes).concat();
        State::read(&Memory::new([fields, counts].concat())).unwrap()
    }

    #[test]
    fn a_leg_that_is_behind_is_none() {
        let whole = u64::MAX;
        assert_eq!(State::read(&Memory::new(vec![0; 4096])).unwrap(), None);
        assert!(State::read(&Memory::new(vec![0; 8])).is_err(), "what cannot be read is not `never in use`");
        assert_eq!(current(&[None, None]), [true, true]);
        assert_eq!(current(&[state(0, 7, 0, whole), state(1, 7, 0, whole)]), [true, true]);
        assert_eq!(current(&[state(0, 6, 0, whole), state(1, 7, 0, whole)]), [false, true]);
        assert_eq!(current(&[state(0, 7, 2, whole), state(1, 7, 2, whole)]), [true, false]);
        assert_eq!(current(&[state(0, 7, 0, 4096), state(1, 7, 0, whole)]), [false, true]);
        assert_eq!(current(&[None, state(1, 7, 0, whole)]), [false, true]);
    }
}
