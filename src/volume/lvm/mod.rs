//! LVM2: physical volumes in, the logical volumes of their groups out (lvm2, `doc/` and `lib/format_text/`). Linear,
//! striped and mirrored volumes and RAID 1 are read; others are named.

mod checksum;
mod group;
mod label;
mod leg;
mod text;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use self::{
    group::{Area, Group, Kind},
    label::Label,
};
use super::{
    Assembled, Volume,
    mapped::{Mapped, Part, Run},
};
use crate::{block::Source, error::FormatError, gap::Code, limits, num};

/// What a physical volume holds, as reports name it.
pub(super) const MEMBER: &str = "LVM2 physical volume";

/// Takes the physical volumes out of `all` and adds the logical volumes of their groups.
pub(super) fn assemble(all: &mut Assembled) {
    let mut physical: BTreeMap<String, Volume> = BTreeMap::new();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for volume in std::mem::take(&mut all.volumes) {
        let label = match Label::read(&volume.source) {
            Ok(Some(label)) => label,
            Ok(None) => {
                all.volumes.push(volume);
                continue;
            }
            Err(error) => {
                all.notes.push((volume.id.clone(), error));
                all.volumes.push(volume);
                continue;
            }
        };
        for text in label.texts(&volume.source) {
            match text.and_then(|text| Group::parse(&text)) {
                // Its own group's text counts; it cannot speak for others.
                Ok(group) if group.physical.values().any(|volume| volume.uuid == label.uuid) => {
                    newest(&mut groups, group);
                }
                Ok(group) => {
                    let problem = format!("it describes volume group {}, which it is no part of", group.name);
                    let error = FormatError::corrupt("LVM2 metadata", 0, problem);
                    all.notes.push((volume.id.clone(), error));
                }
                Err(error) => all.notes.push((volume.id.clone(), error)),
            }
        }
        if let Some(first) = physical.get(&label.uuid) {
            let problem = format!("the identifier {} is that of {} too, which is used", label.uuid, first.id);
            all.notes.push((volume.id.clone(), FormatError::corrupt("LVM2 label", 0, problem)));
        }
        all.members.push((volume.clone(), MEMBER));
        physical.entry(label.uuid).or_insert(volume);
    }
    let mut described = BTreeSet::new();
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for group in groups.values() {
        if let Some(other) = names.insert(&group.name, &group.id) {
            let problem = format!("volume groups {other} and {} have one name", group.id);
            all.notes.push((group.name.clone(), FormatError::corrupt("LVM2 metadata", 0, problem)));
        }
        described.extend(group.physical.values().map(|volume| volume.uuid.as_str()));
        Assembly { group, physical: &physical, parts: Cell::new(0) }.volumes(all);
    }
    for (uuid, volume) in physical.iter().filter(|(uuid, _)| !described.contains(uuid.as_str())) {
        let what = format!("LVM2 physical volume {uuid} without metadata of its volume group");
        let error = FormatError::Unsupported { code: Code::UnsupportedVolume, what };
        all.notes.push((volume.id.clone(), error));
    }
}

/// Keeps the newest text of each group.
fn newest(groups: &mut BTreeMap<String, Group>, group: Group) {
    if groups.get(&group.id).is_none_or(|known| known.seqno < group.seqno) {
        groups.insert(group.id.clone(), group);
    }
}

/// A group and the physical volumes that were given.
struct Assembly<'a> {
    group: &'a Group,
    physical: &'a BTreeMap<String, Volume>,
    /// Parts that were put together.
    parts: Cell<usize>,
}

impl Assembly<'_> {
    fn volumes(&self, all: &mut Assembled) {
        let given = self.group.physical.values().filter_map(|volume| self.physical.get(&volume.uuid));
        let mut parts: Vec<String> = given.map(|volume| volume.id.clone()).collect();
        parts.sort();
        for (name, _) in self.group.logical.iter().filter(|(_, logical)| logical.visible) {
            let id = format!("{}/{name}", self.group.name);
            if all.volumes.len() >= limits::LVM_VOLUMES {
                let what = format!("more than {} volumes", limits::LVM_VOLUMES);
                return all.notes.push((id, FormatError::limit(what)));
            }
            let mut lacks = Lacks::default();
            let source = self.source(name, &mut lacks, 0);
            if let Some(kind) = lacks.unread {
                let what = format!("LVM2 logical volume of type {kind}");
                all.notes.push((id, FormatError::Unsupported { code: Code::UnsupportedVolume, what }));
                continue;
            }
            let source: Source = match source {
                Ok(source) => source,
                Err(error) => {
                    all.notes.push((id, error));
                    continue;
                }
            };
            for what in lacks.missing {
                all.notes.push((id.clone(), FormatError::Unsupported { code: Code::MissingDisk, what }));
            }
            for leg in lacks.behind {
                let problem = format!("the leg {leg} is behind the others, which are read alone");
                all.notes.push((id.clone(), FormatError::corrupt(leg::STRUCTURE, 0, problem)));
            }
            all.notes.extend(lacks.errors.into_iter().map(|error| (id.clone(), error)));
            let own = self.group.physical.values().filter_map(|volume| self.physical.get(&volume.uuid));
            let disk = own.map(|volume| volume.disk).min().unwrap_or(0);
            let names = names(&self.group.name, name);
            all.volumes.push(Volume {
                id,
                disk,
                start: 0,
                source,
                partition: None,
                names,
                parts: parts.clone(),
            });
        }
    }

    /// The bytes of a logical volume.
    fn source(&self, name: &str, lacks: &mut Lacks, depth: usize) -> Result<Source, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt("LVM2 metadata", 0, problem);
        let logical = self.group.logical.get(name);
        let logical = logical.ok_or_else(|| corrupt(format!("no logical volume {name:?}")))?;
        if depth > limits::LVM_DEPTH {
            let what = format!("LVM2 volumes nested deeper than {}", limits::LVM_DEPTH);
            return Err(FormatError::limit(what));
        }
        let mut runs = Vec::new();
        for segment in &logical.segments {
            let run = match &segment.kind {
                Kind::Zero => Run::Zero,
                Kind::Other(kind) => {
                    lacks.unread = Some(kind.clone());
                    Run::Zero
                }
                Kind::Striped { areas, size } => {
                    let count = segment.count.div_ceil(num::to_u64(areas.len().max(1)));
                    let parts = areas.iter().map(|area| self.part(area, count, lacks, depth));
                    Run::Striped { parts: parts.collect::<Result<_, _>>()?, size: *size }
                }
                Kind::Mirrored { areas, states } => {
                    Run::Mirrored { parts: self.legs((areas, states), segment.count, lacks, depth)? }
                }
            };
            runs.push((segment.count.saturating_mul(self.group.extent), run));
        }
        Ok(Arc::new(Mapped::new(runs)))
    }

    /// The legs of a mirror. Nothing is missing as long as one of them is whole.
    fn legs(
        &self,
        (areas, states): (&[Area], &[String]),
        count: u64,
        lacks: &mut Lacks,
        depth: usize,
    ) -> Result<Vec<Part>, FormatError> {
        let mut whole = Vec::new();
        let mut others = Vec::new();
        let mut missing = BTreeSet::new();
        let mut all = Vec::new();
        for name in states {
            let source = self.source(name, &mut Lacks::default(), depth.saturating_add(1));
            match source.and_then(|source| leg::State::read(&source)) {
                Ok(state) => all.push(state),
                Err(error) => {
                    all.push(None);
                    // One that is not there says nothing; that its leg is not there either is told with the leg.
                    if error.code() != Code::MissingDisk {
                        lacks.errors.push(error);
                    }
                }
            }
        }
        let current = leg::current(&all);
        for (number, area) in areas.iter().enumerate() {
            let mut own = Lacks::default();
            let part = self.part(area, count, &mut own, depth)?;
            lacks.unread = lacks.unread.take().or(own.unread);
            lacks.behind.extend(own.behind);
            lacks.errors.extend(own.errors);
            match own.missing.is_empty() {
                false => others.push(part),
                true if current.get(number).copied().unwrap_or(true) => whole.push(part),
                true => _ = lacks.behind.insert(area.name.clone()),
            }
            missing.extend(own.missing);
        }
        if whole.is_empty() {
            lacks.missing.extend(missing);
        }
        whole.extend(others);
        Ok(whole)
    }

    fn part(&self, area: &Area, count: u64, lacks: &mut Lacks, depth: usize) -> Result<Part, FormatError> {
        // Volumes of volumes of volumes may be far more than their text.
        self.parts.set(self.parts.get().saturating_add(1));
        if self.parts.get() > limits::LVM_PARTS {
            let what = format!("LVM2 volume group of more than {} parts", limits::LVM_PARTS);
            return Err(FormatError::limit(what));
        }
        let (group, offset) = (&self.group.name, area.start.saturating_mul(self.group.extent));
        let Some(physical) = self.group.physical.get(&area.name) else {
            let source = self.source(&area.name, lacks, depth.saturating_add(1))?;
            return Ok(Part::At(source, offset));
        };
        if area.start.checked_add(count).is_none_or(|end| end > physical.count) {
            let problem =
                format!("{count} extents at {} of {}, which has {}", area.start, area.name, physical.count);
            return Err(FormatError::corrupt("LVM2 metadata", 0, problem));
        }
        Ok(match self.physical.get(&physical.uuid) {
            Some(volume) => Part::At(Arc::clone(&volume.source), physical.start.saturating_add(offset)),
            None => {
                let device = &physical.device;
                let what = format!(
                    "physical volume {} ({device}) of volume group {group} was not given",
                    physical.uuid
                );
                lacks.missing.insert(what.clone());
                Part::Missing(what)
            }
        })
    }
}

/// What stands between a logical volume and all of its bytes.
#[derive(Default)]
struct Lacks {
    /// A type of segment that is not read.
    unread: Option<String>,
    missing: BTreeSet<String>,
    /// Legs of mirrors that do not hold what the others do.
    behind: BTreeSet<String>,
    /// Why it is not known which legs those are, if it is not.
    errors: Vec<FormatError>,
}

/// The device names of a logical volume. The device mapper doubles dashes.
fn names(group: &str, name: &str) -> Vec<String> {
    let doubled = |text: &str| text.replace('-', "--");
    vec![format!("/dev/{group}/{name}"), format!("/dev/mapper/{}-{}", doubled(group), doubled(name))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names() {
        assert_eq!(names("vg-a", "root"), ["/dev/vg-a/root", "/dev/mapper/vg--a-root"]);
    }
}
