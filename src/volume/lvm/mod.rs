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
use super::{Assembled, Volume};
use crate::{error::FormatError, gap::Code};

/// What a physical volume holds, as reports name it.
pub const MEMBER: &str = "LVM2 physical volume";

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
    let kept = Arc::default();
    let mut described = BTreeSet::new();
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for group in groups.values() {
        if let Some(other) = names.insert(&group.name, &group.id) {
            let problem = format!("volume groups {other} and {} have one name", group.id);
            all.notes.push((group.name.clone(), FormatError::corrupt("LVM2 metadata", 0, problem)));
        }
        described.extend(group.physical.values().map(|volume| volume.uuid.as_str()));
        Assembly::new(group, &physical, &kept).volumes(all);
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
