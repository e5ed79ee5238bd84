//! The members of one array: which of them are used, and what they make.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    super::{
        Volume,
        mapped::{Mapped, Part, Run},
        raid::{Copies, Parity, Rotation, ZoneOrder, zones},
    },
    member::{self, Member},
    superblock::{Geometry, NAME, Role, Superblock},
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
            let Geometry { created, level, layout, chunk, disks, size, .. } = array;
            return Err(format!(
                "a newer member tells of another array than level {level}, layout {layout:#x}, chunks of {chunk} bytes, \
                 {disks} members of {size} bytes, made at {created}"
            ));
        }
        let Role::Active(role) = *role else { return Ok(None) };
        if role >= array.disks {
            return Err(format!("of role {role}, the array has {} members", array.disks));
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
        // What is being replaced is whole until its replacement is.
        let rank = |found: &Found| found.superblock.replacement;
        match (rank(first), rank(found)) {
            (true, false) => {
                self.chosen.insert(role, found);
            }
            (false, true) => {}
            _ => self.unused(found, &format!("of role {role}, which {} has too", first.volume.id)),
        }
    }

    fn unused(&mut self, found: &Found, problem: &str) {
        let error = FormatError::corrupt(NAME, found.superblock.at, format!("not used: {problem}"));
        self.notes.push((found.volume.id.clone(), error));
    }

    /// Whether each role has its member.
    pub(super) fn is_complete(&self) -> bool {
        num::to_u64(self.chosen.len()) == u64::from(self.newest.array.disks)
    }

    /// The volumes that are used.
    pub(super) fn members(&self) -> impl Iterator<Item = &'a Volume> {
        self.chosen.values().map(|found| &found.volume)
    }

    /// The array's bytes; `id` is how it is named.
    pub(super) fn source(&mut self, id: &str) -> Result<Source, FormatError> {
        let geometry = self.newest.array.clone();
        if geometry.disks > limits::MD_MEMBERS {
            let (count, bound) = (geometry.disks, limits::MD_MEMBERS);
            return Err(FormatError::limit(format!("MD array {id} of {count} members, more than {bound}")));
        }
        if let Some(what) = self.chosen.values().find_map(|found| found.superblock.refused.clone()) {
            return Err(FormatError::unsupported(format!("{id}: {what}")));
        }
        let mut parts = Vec::new();
        for role in 0..geometry.disks {
            parts.push(match self.chosen.get(&role).copied() {
                Some(found) => (self.part(id, role, found), Some(found.superblock.data_size)),
                None => (Part::Missing(self.missing(id, role)), None),
            });
        }
        self.told(id, &geometry);
        let runs = runs(id, &geometry, parts)?;
        let size = runs.iter().try_fold(0u64, |sum, (length, _)| sum.checked_add(*length));
        match size {
            None | Some(0) => {
                let what = format!("{id} of {} members of {} bytes", geometry.disks, geometry.size);
                Err(FormatError::corrupt(NAME, self.newest.at, what))
            }
            Some(_) => Ok(Arc::new(Mapped::new(runs))),
        }
    }

    /// A member's data.
    fn part(&mut self, id: &str, role: u32, found: &Found) -> Part {
        let (volume, superblock) = (&found.volume, &found.superblock);
        let bad = match member::bad(&volume.source, superblock) {
            Ok(bad) => bad,
            Err(error) => {
                self.notes.push((volume.id.clone(), error));
                let what = format!(
                    "member {role} of MD array {id} ({}) has an unreadable bad block list",
                    volume.id
                );
                return Part::Missing(what);
            }
        };
        let used = match superblock.array.level {
            -1 | 0 => superblock.data_size,
            _ => superblock.array.size,
        };
        let end = superblock.data.saturating_add(used);
        if end > volume.source.size() {
            let problem = format!("its data ends at {end:#x}, the member at {:#x}", volume.source.size());
            self.notes.push((volume.id.clone(), FormatError::corrupt(NAME, superblock.at, problem)));
        }
        let name = format!("member {role} of MD array {id} ({})", volume.id);
        let source = Arc::clone(&volume.source);
        let (start, size) = (superblock.data, superblock.data_size);
        Part::At(Arc::new(Member { name, source, start, size, bad }), 0)
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
        let lacking: Vec<u32> = (0..geometry.disks).filter(|role| !self.chosen.contains_key(role)).collect();
        let count = num::to_u64(lacking.len());
        let is_parity = (4..=6).contains(&geometry.level);
        if !lacking.is_empty() {
            let spare = match geometry.level {
                1 => u64::from(geometry.disks).saturating_sub(1),
                4 | 5 => 1,
                6 => 2,
                _ => 0,
            };
            let effect = match geometry.level {
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
            let disks = geometry.disks;
            let what = format!("MD array {id} without some of its {disks} members ({which}): {effect}");
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

/// What lies where in the array.
fn runs(
    id: &str,
    geometry: &Geometry,
    parts: Vec<(Part, Option<u64>)>,
) -> Result<Vec<(u64, Run)>, FormatError> {
    let Geometry { level, layout, chunk, size, .. } = *geometry;
    let corrupt = |problem: String| FormatError::corrupt(NAME, 0, format!("{id}: {problem}"));
    // Of each member whole chunks are used.
    let whole = |size: u64| match chunk {
        0 => size,
        _ => size.saturating_sub(size.checked_rem(chunk).unwrap_or(0)),
    };
    // As the kernel wants it; less would make a read of a few bytes each.
    let sound = match level {
        0 => chunk > 0 && chunk.is_multiple_of(512),
        4..=6 | 10 => chunk >= 4096 && chunk.is_power_of_two(),
        _ => true,
    };
    if !sound {
        return Err(corrupt(format!("level {level} with chunks of {chunk} bytes")));
    }
    let plain = |parts: Vec<(Part, Option<u64>)>| parts.into_iter().map(|(part, _)| part).collect::<Vec<_>>();
    match level {
        -1 => {
            let mut runs = Vec::new();
            for (part, size) in parts {
                // Where the others begin behind a member that is not there, nobody knows.
                let Some(size) = size else { break };
                runs.push((whole(size), Run::Striped { parts: vec![part], size: 0 }));
            }
            if runs.is_empty() {
                let what = format!("{id}: linear array of which the first member was not given");
                return Err(FormatError::Unsupported { code: Code::MissingDisk, what });
            }
            Ok(runs)
        }
        0 => {
            // Where a zone begins depends on the sizes of all members, which only they tell.
            let sized = parts.into_iter().map(|(part, size)| Some((part, size?)));
            let Some(parts) = sized.collect::<Option<Vec<_>>>() else {
                let what = format!("{id}: RAID 0 of which members were not given");
                return Err(FormatError::Unsupported { code: Code::MissingDisk, what });
            };
            let order = match (geometry.has_zone_order, layout) {
                (true, 1) => ZoneOrder::Original,
                (true, 2) => ZoneOrder::Alternate,
                (true, other) if other != 0 => {
                    return Err(FormatError::unsupported(format!("{id}: RAID 0 of layout {other}")));
                }
                _ => ZoneOrder::Unknown,
            };
            zones(parts, chunk, order)
        }
        1 => Ok(vec![(size, Run::Mirrored { parts: plain(parts) })]),
        4..=6 => {
            let rotation = Rotation::new(level, layout)?;
            let count = num::to_u64(parts.len());
            let parity = Parity::new(plain(parts), chunk, rotation)?;
            let data = count.saturating_sub(rotation.parities());
            let length = whole(size).checked_mul(data);
            let length = length.ok_or_else(|| corrupt(format!("{count} members of {size} bytes")))?;
            Ok(vec![(length, Run::Parity(parity))])
        }
        10 => {
            let (copies, length) = Copies::new(plain(parts), chunk, layout, size)?;
            Ok(vec![(length, Run::Copies(copies))])
        }
        other => {
            let what = format!("{id}: MD array of level {other}");
            Err(FormatError::Unsupported { code: Code::UnsupportedVolume, what })
        }
    }
}
