//! RAID of logical volumes: legs, each with a state of its own, laid out as MD does (lvm2, `lib/raid/raid.c`).

use std::collections::BTreeSet;

use super::{
    super::{
        mapped::{Part, Run},
        raid::{Copies, Parity, Rotation},
    },
    assembly::{Assembly, Lacks},
    leg::{self, State},
    segment::{Area, Raid},
};
use crate::{error::FormatError, gap::Code, num};

impl Assembly<'_> {
    /// The bytes of a RAID of `count` extents, and how many of these it has without the room for changing its layout.
    pub(super) fn raid(
        &self,
        raid: &Raid,
        count: u64,
        lacks: &mut Lacks,
        depth: usize,
    ) -> Result<(Run, u64), FormatError> {
        let states = self.states(raid, lacks, depth)?;
        // What hits all copies must have come to an end; chunks of a running array may be a change apart.
        let slack = u64::from(raid.level != 1);
        let current = leg::current(&states, slack);
        let (length, used) = self.lengths(raid, count)?;
        let mut parts = Vec::new();
        let mut lost = BTreeSet::new();
        let mut missing = BTreeSet::new();
        for (number, name) in raid.legs.iter().enumerate() {
            let mut own = Lacks::default();
            let area = Area { name: name.clone(), start: 0 };
            let mut part = self.part(&area, length, &mut own, depth)?;
            // A leg that is behind is so also where a part of it was not given; of one that was not given, nothing is known.
            let is_known = own.missing.is_empty() || states.get(number).is_some_and(Option::is_some);
            if is_known && !current.get(number).copied().unwrap_or(true) {
                own.behind.insert(name.clone());
                lost.insert(number);
                part = Part::Missing(format!("the leg {name} is behind the others"));
            } else if !own.missing.is_empty() {
                lost.insert(number);
            }
            missing.extend(std::mem::take(&mut own.missing));
            lacks.add(own);
            let data = states.get(number).copied().flatten().map_or(0, |state| state.data);
            parts.push(part.behind(data));
        }
        if !raid.is_whole_without(&lost) {
            lacks.missing.extend(missing);
        }
        let is_computed = !lost.is_empty() && (4..=6).contains(&raid.level);
        let is_dirty = if is_computed { self.is_dirty(raid, &states, depth) } else { Ok(false) };
        let is_dirty = is_dirty.unwrap_or_else(|error| {
            lacks.errors.push(error);
            true
        });
        if is_dirty {
            let what = "LVM2 RAID that was in use and lacks legs: what is computed from parity may be older than the rest";
            lacks.errors.push(FormatError::Unsupported { code: Code::DirtyImage, what: what.to_owned() });
        }
        let run = match raid.level {
            0 => Run::Striped { parts, size: raid.chunk },
            1 => {
                // Those that are whole first.
                let (others, whole): (Vec<_>, Vec<_>) =
                    parts.into_iter().enumerate().partition(|(number, _)| lost.contains(number));
                Run::Mirrored { parts: whole.into_iter().chain(others).map(|(_, part)| part).collect() }
            }
            10 => {
                let size = length.saturating_mul(self.group.extent);
                Run::Copies(Copies::new(parts, raid.chunk, raid.layout, size)?.0)
            }
            level => Run::Parity(Parity::new(parts, raid.chunk, Rotation::new(level, raid.layout)?)?),
        };
        Ok((run, used))
    }

    /// What the legs' own volumes say; an error if it is not what `raid` says.
    fn states(
        &self,
        raid: &Raid,
        lacks: &mut Lacks,
        depth: usize,
    ) -> Result<Vec<Option<State>>, FormatError> {
        let mut states = Vec::new();
        for name in &raid.states {
            let source = self.source(name, &mut Lacks::default(), depth.saturating_add(1));
            let state = source.and_then(|source| State::read(&source)).unwrap_or_else(|error| {
                // One that is not there says nothing; that its leg is not there either is told with the leg.
                if error.code() != Code::MissingDisk {
                    lacks.errors.push(error);
                }
                None
            });
            states.push(state);
        }
        match leg::newest(&states).and_then(|state| state.differs(raid)) {
            Some(how) => {
                let what = format!("LVM2 RAID {how}");
                Err(FormatError::Unsupported { code: Code::UnsupportedVolume, what })
            }
            None => Ok(states),
        }
    }

    /// Whether parity may not be that of the data.
    fn is_dirty(&self, raid: &Raid, states: &[Option<State>], depth: usize) -> Result<bool, FormatError> {
        let newest =
            states.iter().zip(&raid.states).filter_map(|(state, name)| state.map(|state| (state, name)));
        let Some((state, name)) = newest.max_by_key(|(state, _)| state.events) else { return Ok(false) };
        // Of an array that ran without a leg, the map tells what that leg lacks.
        if !state.synchronized || state.has_failed() {
            return Ok(!state.synchronized);
        }
        let source = self.source(name, &mut Lacks::default(), depth.saturating_add(1))?;
        leg::is_being_written(&source)
    }

    /// Extents of data of each leg, and of all `count` without those that are free for changing the layout.
    fn lengths(&self, raid: &Raid, count: u64) -> Result<(u64, u64), FormatError> {
        let legs = num::to_u64(raid.legs.len());
        let corrupt = || {
            let problem = format!("RAID of {count} extents on {legs} legs, of each {} spare", raid.spare);
            FormatError::corrupt("LVM2 metadata", 0, problem)
        };
        let lengths = || {
            let data = match raid.level {
                0 | 10 => legs,
                1 => 1,
                level => legs.checked_sub(Rotation::new(level, raid.layout).ok()?.parities())?,
            };
            let copies = if raid.level == 10 { u64::from(raid.layout & 0xff) } else { 1 };
            let spare = raid.spare.checked_mul(data)?.checked_div(copies)?;
            let used = count.checked_sub(spare)?;
            Some((used.checked_mul(copies)?.div_ceil(Some(data).filter(|data| *data > 0)?), used))
        };
        lengths().ok_or_else(corrupt)
    }
}

impl Raid {
    /// Whether all of it can be read if these legs cannot.
    fn is_whole_without(&self, lost: &BTreeSet<usize>) -> bool {
        let count = self.legs.len();
        match self.level {
            0 => lost.is_empty(),
            1 => lost.len() < count,
            10 => {
                // Copies are beside each other, going round.
                let copies = num::index(self.layout & 0xff);
                let are_lost = |chunk: usize| {
                    let legs = (0..copies).map(|copy| chunk.wrapping_mul(copies).wrapping_add(copy));
                    legs.map(|slot| slot.checked_rem(count).unwrap_or(0)).all(|leg| lost.contains(&leg))
                };
                !(0..count).any(are_lost)
            }
            level => lost.len() <= if level == 6 { 2 } else { 1 },
        }
    }
}
