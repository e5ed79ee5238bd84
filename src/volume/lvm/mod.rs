//! LVM2: physical volumes in, the logical volumes of their groups out (lvm2, `doc/` and `lib/format_text/`). Linear,
//! striped and mirrored volumes, RAID, thin volumes, snapshots and caches are read; others are named.

mod assembly;
mod checksum;
mod group;
mod label;
mod leg;
mod mapper;
mod mirror;
mod raid;
mod segment;
mod text;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use self::{assembly::Assembly, group::Group, label::Label};
use super::{Assembled, Volume, dm::Kept, stack::Stack};
use crate::{error::FormatError, gap::Code};

/// What a physical volume holds, as reports name it.
pub const MEMBER: &str = "LVM2 physical volume";

/// The volume groups of a node.
#[derive(Default)]
pub(super) struct Groups {
    /// By their identifiers, as the groups.
    physical: BTreeMap<String, Volume>,
    groups: BTreeMap<String, Group>,
    built: BTreeSet<String>,
    /// Identifiers of physical volumes that a group describes, and names of groups with the identifiers of these.
    described: BTreeSet<String>,
    names: BTreeMap<String, String>,
    kept: Arc<Kept>,
}

impl Groups {
    /// Keeps a physical volume until its group is put together; what is none is added to `all`.
    pub(super) fn sort(&mut self, volume: Volume, all: &mut Assembled) {
        let label = match Label::read(&volume.source) {
            Ok(Some(label)) => label,
            Ok(None) => return all.volumes.push(volume),
            Err(error) => {
                all.notes.push((volume.id.clone(), error));
                return all.volumes.push(volume);
            }
        };
        for text in label.texts(&volume.source) {
            match text.and_then(|text| Group::parse(&text)) {
                // Its own group's text counts; it cannot speak for others.
                Ok(group) if group.physical.values().any(|volume| volume.uuid == label.uuid) => {
                    if self.built.contains(&group.id) {
                        let problem =
                            format!("not used: volume group {} is put together without it", group.name);
                        all.notes.push((volume.id.clone(), FormatError::corrupt("LVM2 label", 0, problem)));
                    } else {
                        newest(&mut self.groups, group);
                    }
                }
                Ok(group) => {
                    let problem = format!("it describes volume group {}, which it is no part of", group.name);
                    let error = FormatError::corrupt("LVM2 metadata", 0, problem);
                    all.notes.push((volume.id.clone(), error));
                }
                Err(error) => all.notes.push((volume.id.clone(), error)),
            }
        }
        if let Some(first) = self.physical.get(&label.uuid) {
            let problem = format!("the identifier {} is that of {} too, which is used", label.uuid, first.id);
            all.notes.push((volume.id.clone(), FormatError::corrupt("LVM2 label", 0, problem)));
        }
        all.members.push((volume.clone(), MEMBER));
        self.physical.entry(label.uuid).or_insert(volume);
    }

    /// Puts the groups together that have all their physical volumes, or else all that are left: their logical volumes. `None`
    /// if there are no such groups.
    pub(super) fn build(
        &mut self,
        complete: bool,
        stack: &mut Stack,
        all: &mut Assembled,
    ) -> Option<Vec<Volume>> {
        let is_given =
            |group: &Group| group.physical.values().all(|volume| self.physical.contains_key(&volume.uuid));
        let chosen = self.groups.values().filter(|group| !complete || is_given(group));
        let chosen: Vec<String> = chosen.map(|group| group.id.clone()).collect();
        let mut made = None;
        for group in chosen.iter().filter_map(|id| self.groups.remove(id)) {
            if let Some(other) = self.names.insert(group.name.clone(), group.id.clone()) {
                let problem = format!("volume groups {other} and {} have one name", group.id);
                all.notes.push((group.name.clone(), FormatError::corrupt("LVM2 metadata", 0, problem)));
            }
            self.described.extend(group.physical.values().map(|volume| volume.uuid.clone()));
            let volumes = Assembly::new(&group, &self.physical, &self.kept, stack).volumes(&mut all.notes);
            let made = made.get_or_insert_with(Vec::new);
            for (volume, below) in volumes {
                stack.add(&volume.id, below);
                made.push(volume);
            }
            self.built.insert(group.id);
        }
        made
    }

    /// Tells of physical volumes of which nothing says what they are part of.
    pub(super) fn end(self, all: &mut Assembled) {
        for (uuid, volume) in self.physical.iter().filter(|(uuid, _)| !self.described.contains(uuid.as_str()))
        {
            let what = format!("LVM2 physical volume {uuid} without metadata of its volume group");
            let error = FormatError::Unsupported { code: Code::UnsupportedVolume, what };
            all.notes.push((volume.id.clone(), error));
        }
    }
}

/// Keeps the newest text of each group.
fn newest(groups: &mut BTreeMap<String, Group>, group: Group) {
    if groups.get(&group.id).is_none_or(|known| known.seqno < group.seqno) {
        groups.insert(group.id.clone(), group);
    }
}

/// The device names of a logical volume, as LVM2 and udev make them. The device mapper doubles dashes.
fn names(group: (&str, &str), volume: (&str, &str)) -> Vec<String> {
    let ((group, group_id), (name, id)) = (group, volume);
    let mapped = format!("{}-{}", group.replace('-', "--"), name.replace('-', "--"));
    vec![
        format!("/dev/{group}/{name}"),
        format!("/dev/mapper/{mapped}"),
        format!("/dev/disk/by-id/dm-name-{mapped}"),
        format!("/dev/disk/by-id/dm-uuid-LVM-{group_id}{id}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names() {
        let expected = [
            "/dev/vg-a/root",
            "/dev/mapper/vg--a-root",
            "/dev/disk/by-id/dm-name-vg--a-root",
            "/dev/disk/by-id/dm-uuid-LVM-GROUPVOLUME",
        ];
        assert_eq!(names(("vg-a", "GROUP"), ("root", "VOLUME")), expected);
    }
}
