//! Linux MD software RAID: members in, arrays out (`md(4)`; kernel, `Documentation/admin-guide/md.rst` and
//! `drivers/md/md.c`). Metadata 0.90 and 1, levels linear, 0, 1, 4, 5, 6 and 10, while they are being
//! reshaped too.

mod array;
mod member;
mod old;
mod one;
mod reshaped;
mod shape;
mod superblock;

use std::collections::{BTreeMap, BTreeSet};

use self::{
    array::{Array, Found},
    superblock::Superblock,
};
use super::{
    Assembled, Extent, Volume,
    stack::{Below, Stack},
    table,
};
use crate::{
    block::{ReadAt, Source},
    error::FormatError,
    limits, num,
};

/// What a member is, as reports name it.
const MEMBER: &str = "MD RAID member";

/// What a disk with a partition table has to do with arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Under {
    /// Nothing, as far as it shows.
    Nothing,
    /// The table is that of an array of which the disk is a member.
    Array,
    /// The disk is a member of an array, which left the table of what was there before.
    OldTable,
}

/// Of which kind the partition table at the beginning of a disk is. An array whose superblock lies near the end shows its own
/// table there: of a mirror's, all that the table describes lies before the superblock; of others, the array is larger than
/// the disk. One whose superblock lies near the beginning has its data, and its table, behind it.
pub(super) fn under(source: &dyn ReadAt, extents: &[Extent]) -> Under {
    let Ok(Some(superblock)) = Superblock::read(source) else { return Under::Nothing };
    let end = extents.iter().map(|extent| extent.start.saturating_add(extent.length)).max().unwrap_or(0);
    let is_shown =
        || if superblock.array.shape.level == 1 { end <= superblock.at } else { end > source.size() };
    match superblock.data {
        0 if superblock.at > 0 && is_shown() => Under::Array,
        0 => Under::Nothing,
        data if superblock.at < data => Under::OldTable,
        _ => Under::Nothing,
    }
}

type Uuid = [u8; 16];

/// The arrays of a node.
#[derive(Default)]
pub(super) struct Arrays {
    /// Members of arrays that are not put together yet.
    waiting: BTreeMap<Uuid, Vec<Found>>,
    built: BTreeSet<Uuid>,
    /// How arrays and their partitions are named.
    ids: BTreeSet<String>,
    partitions: usize,
}

impl Arrays {
    /// Keeps the members of arrays until these are put together; gives back what is none.
    pub(super) fn sort(&mut self, volumes: Vec<Volume>, all: &mut Assembled) -> Vec<Volume> {
        let mut rest = Vec::new();
        for volume in volumes {
            match Superblock::read(&volume.source) {
                Ok(None) => rest.push(volume),
                Ok(Some(superblock)) if self.built.contains(&superblock.array.uuid) => {
                    let problem = "not used: its array is put together without it";
                    let error = FormatError::corrupt(superblock::NAME, superblock.at, problem);
                    all.notes.push((volume.id.clone(), error));
                    all.members.push((volume, MEMBER));
                }
                Ok(Some(superblock)) => {
                    let found = Found { volume, superblock };
                    self.waiting.entry(found.superblock.array.uuid).or_default().push(found);
                }
                Err(error) => {
                    all.notes.push((volume.id.clone(), error));
                    rest.push(volume);
                }
            }
        }
        rest
    }

    /// Puts the arrays together that have all their members, or else those that lie lowest, as what they make may be what
    /// others wait for: the volumes that they hold. `None` if there are no such arrays.
    pub(super) fn build(
        &mut self,
        complete: bool,
        stack: &mut Stack,
        all: &mut Assembled,
    ) -> Option<Vec<Volume>> {
        let chosen: Vec<Uuid> = if complete {
            let is_complete = |found: &[Found]| Array::choose(found).is_some_and(|array| array.is_complete());
            let complete = self.waiting.iter().filter(|(_, found)| is_complete(found));
            complete.map(|(uuid, _)| *uuid).collect()
        } else {
            let depth = |found: &[Found]| {
                found.iter().map(|found| stack.below(&found.volume.id).depth).max().unwrap_or(0)
            };
            let lowest = self.waiting.values().map(|found| depth(found)).min();
            let lowest = self.waiting.iter().filter(|(_, found)| Some(depth(found)) == lowest);
            lowest.map(|(uuid, _)| *uuid).collect()
        };
        let mut made = None;
        for uuid in chosen {
            let found = self.waiting.remove(&uuid).unwrap_or_default();
            self.built.insert(uuid);
            let volumes = self.array(&uuid, &found, stack, all);
            made.get_or_insert_with(Vec::new).extend(volumes);
            all.members.extend(found.into_iter().map(|found| (found.volume, MEMBER)));
        }
        made
    }

    /// Puts an array together: the volumes that it holds.
    fn array(&mut self, uuid: &Uuid, found: &[Found], stack: &mut Stack, all: &mut Assembled) -> Vec<Volume> {
        let Some(mut array) = Array::choose(found) else { return Vec::new() };
        let host_and_name = array.newest.name.clone();
        let id = self.id(uuid, &host_and_name, array.newest.minor);
        let source = self.below(&id, &array, stack).and_then(|below| {
            let source = array.source(&id)?;
            self.ids.insert(id.clone());
            stack.add(&id, below);
            Ok(source)
        });
        all.notes.append(&mut array.notes);
        let source = match source {
            Ok(source) => source,
            Err(error) => {
                all.notes.push((id, error));
                return Vec::new();
            }
        };
        let names = names(uuid, &host_and_name, array.newest.minor);
        let mut parts: Vec<String> = array.members().map(|volume| volume.id.clone()).collect();
        parts.sort();
        let disk = array.members().map(|volume| volume.disk).min().unwrap_or(0);
        let below = stack.below(&id);
        let volumes = self.volumes(&id, &source, disk, all);
        for volume in &volumes {
            self.ids.insert(volume.id.clone());
            stack.add(&volume.id, below);
        }
        volumes
            .into_iter()
            .map(|volume| {
                let number = volume.partition.as_ref().map(|partition| partition.number);
                let names = names.iter().map(|name| numbered(name, number)).collect();
                Volume { names, parts: parts.clone(), ..volume }
            })
            .collect()
    }

    /// The partitions of an array, or all of it.
    fn volumes(&mut self, id: &str, source: &Source, disk: usize, all: &mut Assembled) -> Vec<Volume> {
        let whole = || super::whole_volume(source, id, disk);
        let table = match table(source, id, disk) {
            Ok(table) => table,
            Err(error) => {
                // What of the array cannot be read may have been told.
                if all.notes.iter().all(|(_, note)| note.detail() != error.detail()) {
                    all.notes.push((id.to_owned(), error));
                }
                return vec![whole()];
            }
        };
        all.notes.extend(table.notes.into_iter().map(|note| (id.to_owned(), note)));
        self.partitions = self.partitions.saturating_add(table.volumes.len());
        if self.partitions > limits::MD_PARTITIONS {
            let what = format!("more than {} partitions of MD arrays", limits::MD_PARTITIONS);
            all.notes.push((id.to_owned(), FormatError::limit(what)));
            return vec![whole()];
        }
        table.volumes
    }

    /// How deep an array lies, and how many reads one of it may become; an error if that is too much.
    fn below(&self, id: &str, array: &Array<'_>, stack: &Stack) -> Result<Below, FormatError> {
        let members: Vec<Below> = array.members().map(|volume| stack.below(&volume.id)).collect();
        let depth = members.iter().map(|below| below.depth).max().unwrap_or(0).saturating_add(1);
        let reads = members.iter().map(|below| below.reads).max().unwrap_or(1);
        let reads = reads.saturating_mul(num::to_u64(members.len().max(1)));
        if depth > limits::MD_DEPTH || (depth > 1 && reads > limits::MD_READS) {
            let what = format!(
                "MD array {id} of volumes that others make, {depth} on one another, of {reads} parts"
            );
            return Err(FormatError::limit(what));
        }
        if self.built.len() > limits::MD_ARRAYS {
            return Err(FormatError::limit(format!("more than {} MD arrays", limits::MD_ARRAYS)));
        }
        Ok(Below { depth, reads })
    }

    /// How an array is named: by its name, if it has one that no other has.
    fn id(&self, uuid: &Uuid, name: &str, minor: Option<u32>) -> String {
        let name = minor.map_or_else(|| short(name).to_owned(), |minor| minor.to_string());
        let sound = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
        let names = [sound.then(|| format!("md/{name}")), hex.get(..8).map(|prefix| format!("md/{prefix}"))];
        let free = names.into_iter().flatten().find(|id| !self.ids.contains(id));
        free.unwrap_or_else(|| format!("md/{hex}"))
    }
}

/// A name without the host that made the array.
fn short(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, name)| name)
}

/// The device names of an array, as mdadm and its udev rules make them.
fn names(uuid: &Uuid, name: &str, minor: Option<u32>) -> Vec<String> {
    let mut names = Vec::new();
    let number = minor.or_else(|| short(name).parse().ok());
    if let Some(number) = number {
        names.push(format!("/dev/md{number}"));
        names.push(format!("/dev/md/{number}"));
    }
    if !name.is_empty() {
        for name in [short(name), name] {
            let path = format!("/dev/md/{name}");
            if !names.contains(&path) {
                names.push(path);
            }
        }
        names.push(format!("/dev/disk/by-id/md-name-{name}"));
    }
    let words: Vec<String> = uuid
        .chunks_exact(4)
        .map(|word| word.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        .collect();
    names.push(format!("/dev/disk/by-id/md-uuid-{}", words.join(":")));
    names
}

/// The device name of a partition.
fn numbered(name: &str, number: Option<u32>) -> String {
    match number {
        None => name.to_owned(),
        Some(number) if name.starts_with("/dev/disk/") => format!("{name}-part{number}"),
        Some(number) if name.ends_with(|last: char| last.is_ascii_digit()) => format!("{name}p{number}"),
        Some(number) => format!("{name}{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names() {
        let uuid = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let by_id = "/dev/disk/by-id/md-uuid-00010203:04050607:08090a0b:0c0d0e0f";
        assert_eq!(names(&uuid, "", Some(3)), ["/dev/md3", "/dev/md/3", by_id]);
        let named = ["/dev/md/data", "/dev/md/h:data", "/dev/disk/by-id/md-name-h:data", by_id];
        assert_eq!(names(&uuid, "h:data", None), named);
        assert_eq!(names(&uuid, "h:0", None)[..2], ["/dev/md0", "/dev/md/0"]);
        assert_eq!(numbered("/dev/md0", Some(1)), "/dev/md0p1");
        assert_eq!(numbered("/dev/md/data", Some(1)), "/dev/md/data1");
        assert_eq!(numbered(by_id, Some(2)), format!("{by_id}-part2"));
    }
}
