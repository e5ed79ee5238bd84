//! The members of one array: which of them are used, and what they make.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    super::{
        Volume,
        mapped::{Mapped, Part},
    },
    member::{self, Member},
    reshaped, shape,
    superblock::{Geometry, NAME, Role, Shape, Superblock},
};
use crate::{block::Source, error::FormatError, gap::Code, limits, num};

/// A volume that says that it is a member.
pub(super) struct Found {
    pub(super) volume: Volume,
    pub(super) superblock: Superblock,
}

/// An array whose members were chosen.
pub(super) struct Array<'a> {
    pub(super) newest: &'a Superblock,
    /// By their roles.
    chosen: BTreeMap<u32, &'a Found>,
    /// What is to be told, with the volume that it is about.
    pub(super) notes: Vec<(String, FormatError)>,
}

impl<'a> Array<'a> {
    /// Chooses the members of an array: those that know its newest state. `None` if there are none at all.
    pub(super) fn choose(found: &'a [Found]) -> Option<Self> {
        let age = |found: &&Found| (found.superblock.events, found.superblock.updated);
        // Of several the first.
        let newest = &found.iter().rev().max_by_key(age)?.superblock;
        let mut array = Self { newest, chosen: BTreeMap::new(), notes: Vec::new() };
        for one in found {
            match array.role(one) {
                Ok(Some(role)) => array.take(role, one),
                Ok(None) => {}
                Err(problem) => array.unused(one, &problem),
            }
        }
        Some(array)
    }

    /// The role of a member, if it has one; or why it is not used.
    fn role(&self, found: &Found) -> Result<Option<u32>, String> {
        let Superblock { array, events, role, number, .. } = &found.superblock;
        let newest = self.newest;
        // The last change may not have reached all of them.
        if events.saturating_add(1) < newest.events {
            return Err(format!("of event {events}, the array is at {}: the member is stale", newest.events));
        }
        if *array != newest.array {
            let Geometry { created, size, shape: Shape { level, layout, chunk, disks }, reshape, .. } = array;
            let reshaped = if reshape.is_some() { " that is being reshaped" } else { "" };
            return Err(format!(
                "a newer member tells of another array{reshaped} than level {level}, layout {layout:#x}, chunks of {chunk} bytes, \
                 {disks} members of {size} bytes, made at {created}"
            ));
        }
        let Role::Active(role) = *role else { return Ok(None) };
        if role >= array.roles() {
            return Err(format!("of role {role}, the array has {} members", array.roles()));
        }
        match newest.roles.get(num::index(*number)) {
            Some(Role::Active(known)) if *known == role => Ok(Some(role)),
            known => Err(format!("of role {role}, a newer member knows it as {known:?}")),
        }
    }

    fn take(&mut self, role: u32, found: &'a Found) {
        let Some(first) = self.chosen.get(&role).copied() else {
            self.chosen.insert(role, found);
            return;
        };
        // What is being replaced is whole until its replacement is; of two the one that knows more, or the first.
        let rank = |found: &Found| {
            let superblock = &found.superblock;
            (!superblock.replacement, superblock.events, superblock.updated)
        };
        let (used, other) = if rank(found) > rank(first) { (found, first) } else { (first, found) };
        self.chosen.insert(role, used);
        if used.superblock.replacement == other.superblock.replacement {
            self.unused(other, &format!("of role {role}, which {} has too", used.volume.id));
        }
    }

    fn unused(&mut self, found: &Found, problem: &str) {
        let error = FormatError::corrupt(NAME, found.superblock.at, format!("not used: {problem}"));
        self.notes.push((found.volume.id.clone(), error));
    }

    /// Whether each role has its member.
    pub(super) fn is_complete(&self) -> bool {
        num::to_u64(self.chosen.len()) == u64::from(self.newest.array.roles())
    }

    /// The volumes that are used.
    pub(super) fn members(&self) -> impl Iterator<Item = &'a Volume> {
        self.chosen.values().map(|found| &found.volume)
    }

    /// The array's bytes; `id` is how it is named.
    pub(super) fn source(&mut self, id: &str) -> Result<Source, FormatError> {
        let geometry = self.newest.array.clone();
        let roles = geometry.roles();
        if roles > limits::MD_MEMBERS {
            let bound = limits::MD_MEMBERS;
            return Err(FormatError::limit(format!("MD array {id} of {roles} members, more than {bound}")));
        }
        if let Some(what) = self.chosen.values().find_map(|found| found.superblock.refused.clone()) {
            return Err(FormatError::unsupported(format!("{id}: {what}")));
        }
        let (mut parts, mut new_parts) = (Vec::new(), Vec::new());
        for role in 0..roles {
            let found = self.chosen.get(&role).copied();
            let [part, new] = match found {
                Some(found) => self.parts(id, role, found),
                None => [0, 1].map(|_| Part::Missing(self.missing(id, role))),
            };
            let size = found.map(|found| found.superblock.data_size);
            parts.push((part, size));
            new_parts.push((new, size));
        }
        self.told(id, &geometry);
        let whole = |shape: &Shape, mut parts: Vec<_>| {
            parts.truncate(num::index(shape.disks));
            self.whole(id, shape, parts)
        };
        let old = whole(&geometry.shape, parts)?;
        let Some(reshape) = geometry.reshape else { return Ok(Arc::new(old)) };
        let new = whole(&reshape.shape, new_parts)?;
        let moved = self.chosen.values().map(|found| &found.superblock);
        let moved = moved.map(|one| i128::from(one.new_data).saturating_sub(i128::from(one.data)));
        let moved = if reshape.backwards { moved.min() } else { moved.max() }.unwrap_or(0);
        let progress =
            reshaped::Progress { geometry: &geometry, reshape, position: self.newest.position, moved };
        let array = progress.array(id, old, new)?;
        if let Some(what) = array.lost() {
            self.notes.push((id.to_owned(), what));
        }
        Ok(Arc::new(array))
    }

    /// All that a shape makes of its members.
    fn whole(&self, id: &str, shape: &Shape, parts: Vec<(Part, Option<u64>)>) -> Result<Mapped, FormatError> {
        let geometry = &self.newest.array;
        let runs = shape::runs(id, geometry, shape, parts)?;
        let size = runs.iter().try_fold(0u64, |sum, (length, _)| sum.checked_add(*length));
        match size {
            None | Some(0) => {
                let what = format!("{id} of {} members of {} bytes", shape.disks, geometry.size);
                Err(FormatError::corrupt(NAME, self.newest.at, what))
            }
            Some(_) => Ok(Mapped::new(runs)),
        }
    }

    /// A member's data as the array's shape has it, and as that does which the array is being given.
    fn parts(&mut self, id: &str, role: u32, found: &Found) -> [Part; 2] {
        let (volume, superblock) = (&found.volume, &found.superblock);
        let bad = match member::bad(&volume.source, superblock) {
            Ok(bad) => bad,
            Err(error) => {
                self.notes.push((volume.id.clone(), error));
                let what = format!(
                    "member {role} of MD array {id} ({}) has an unreadable bad block list",
                    volume.id
                );
                return [0, 1].map(|_| Part::Missing(what.clone()));
            }
        };
        let used = match superblock.array.shape.level {
            -1 | 0 => superblock.data_size,
            _ => superblock.array.size,
        };
        let end = superblock.data.max(superblock.new_data).saturating_add(used);
        if end > volume.source.size() {
            let problem = format!("its data ends at {end:#x}, the member at {:#x}", volume.source.size());
            self.notes.push((volume.id.clone(), FormatError::corrupt(NAME, superblock.at, problem)));
        }
        let name = format!("member {role} of MD array {id} ({})", volume.id);
        [superblock.data, superblock.new_data].map(|start| {
            Part::At(Arc::new(Member::new(name.clone(), &volume.source, superblock, start, &bad)), 0)
        })
    }

    fn missing(&self, id: &str, role: u32) -> String {
        let why = if self.newest.roles.contains(&Role::Active(role)) {
            "was not given"
        } else {
            "had failed or was removed"
        };
        format!("member {role} of MD array {id} {why}")
    }

    /// Notes what stands between the array and all of its bytes.
    fn told(&mut self, id: &str, geometry: &Geometry) {
        let note = |code, what| (id.to_owned(), FormatError::Unsupported { code, what });
        let (roles, level) = (geometry.roles(), geometry.shape.level);
        let mut lacking: Vec<u32> = (0..roles).filter(|role| !self.chosen.contains_key(role)).collect();
        // A RAID 0 is reshaped as a RAID 4 that never had its parity, which lies on the last of its members.
        let parity = geometry.reshape.map(|reshape| reshape.shape.disks.saturating_sub(1));
        if level == 4
            && lacking.iter().copied().eq(parity)
            && !self.newest.roles.contains(&Role::Active(roles.saturating_sub(1)))
        {
            lacking.clear();
        }
        let count = num::to_u64(lacking.len());
        let is_parity = (4..=6).contains(&level);
        if !lacking.is_empty() {
            let spare = match level {
                1 => u64::from(roles).saturating_sub(1),
                4 | 5 => 1,
                6 => 2,
                _ => 0,
            };
            let effect = match level {
                10 => "what other members have copies of is read",
                _ if count <= spare => "what they hold is read from the others",
                _ => "what they hold cannot be read",
            };
            let (gone, failed): (Vec<u32>, Vec<u32>) =
                lacking.iter().partition(|role| self.newest.roles.contains(&Role::Active(**role)));
            let which = [(gone, "not given"), (failed, "failed or removed before")].into_iter();
            let which = which.filter(|(roles, _)| !roles.is_empty());
            let which =
                which.map(|(roles, why)| format!("{} {why}", listed(&roles))).collect::<Vec<_>>().join(", ");
            let what = format!("MD array {id} without some of its {roles} members ({which}): {effect}");
            self.notes.push(note(Code::MissingDisk, what));
        }
        let recovers = |found: &&Found| found.superblock.recovered < found.superblock.data_size;
        let is_computed = !lacking.is_empty() || self.chosen.values().any(recovers);
        if is_parity && is_computed && !self.newest.clean {
            let log = self.newest.log.map_or_else(String::new, |log| format!(", nor is its {log} read"));
            let what = format!(
                "MD array {id} was in use and lacks members: what is computed from parity may be older than the rest{log}"
            );
            self.notes.push(note(Code::DirtyImage, what));
        }
        if let Some(log @ "write journal") = self.newest.log {
            let what = format!("MD array {id} has a {log}: what it alone holds is not read");
            self.notes.push(note(Code::JournalNotReplayed, what));
        }
    }
}

/// The first of some roles, and how many more there are.
fn listed(roles: &[u32]) -> String {
    const FIRST: usize = 16;
    let first: Vec<String> = roles.iter().take(FIRST).map(u32::to_string).collect();
    let more = roles.len().saturating_sub(FIRST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}
