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
use super::{Assembled, Extent, Volume, table};
use crate::{
    block::{ReadAt, Source},
    error::FormatError,
    limits, num,
};

/// What a member is, as reports name it.
const MEMBER: &str = "MD RAID member";

/// Takes the members out of `all` and adds their arrays, or the partitions of those that have some.
pub(super) fn assemble(all: &mut Assembled) {
    let mut arrays = Arrays::default();
    let mut fresh = std::mem::take(&mut all.volumes);
    // Each round puts an array together or is the last.
    loop {
        for volume in fresh.drain(..) {
            arrays.sort(volume, all);
        }
        let chosen = arrays.next();
        if chosen.is_empty() {
            break;
        }
        for uuid in chosen {
            let found = arrays.waiting.remove(&uuid).unwrap_or_default();
            arrays.built.insert(uuid);
            fresh.extend(arrays.build(&uuid, &found, all));
            all.members.extend(found.into_iter().map(|found| (found.volume, MEMBER)));
        }
    }
}

/// Whether the partition table at the beginning of a disk is that of an array of which the disk is a member, whose
/// superblock lies near the end: of a mirror's, all that the table describes lies before the superblock; of others, the
/// array is larger than the disk.
pub(super) fn owns_table(source: &dyn ReadAt, extents: &[Extent]) -> bool {
    let Ok(Some(superblock)) = Superblock::read(source) else { return false };
    let end = extents.iter().map(|extent| extent.start.saturating_add(extent.length)).max().unwrap_or(0);
    superblock.data == 0
        && superblock.at > 0
        && if superblock.array.shape.level == 1 { end <= superblock.at } else { end > source.size() }
}

type Uuid = [u8; 16];

#[derive(Default)]
struct Arrays {
    /// Members of arrays that are not put together yet.
    waiting: BTreeMap<Uuid, Vec<Found>>,
    built: BTreeSet<Uuid>,
    /// How arrays are named, how many lie on one another there, and how many reads one read may become.
    ids: BTreeMap<String, (usize, u64)>,
    partitions: usize,
}

impl Arrays {
    /// Keeps a member until its array is put together; gives back what is none.
    fn sort(&mut self, volume: Volume, all: &mut Assembled) {
        match Superblock::read(&volume.source) {
            Ok(None) => all.volumes.push(volume),
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
                all.volumes.push(volume);
            }
        }
    }

    /// The arrays to put together now: those that are complete, or else those that lie lowest, as what they make may be
    /// what others wait for.
    fn next(&self) -> Vec<Uuid> {
        let is_complete = |found: &[Found]| Array::choose(found).is_some_and(|array| array.is_complete());
        let complete = self.waiting.iter().filter(|(_, found)| is_complete(found));
        let complete: Vec<Uuid> = complete.map(|(uuid, _)| *uuid).collect();
        if !complete.is_empty() {
            return complete;
        }
        let depth = |found: &[Found]| {
            let depths = found.iter().filter_map(|found| self.ids.get(&found.volume.id));
            depths.map(|(depth, _)| *depth).max().unwrap_or(0)
        };
        let lowest = self.waiting.values().map(|found| depth(found)).min();
        let lowest = self.waiting.iter().filter(|(_, found)| Some(depth(found)) == lowest);
        lowest.map(|(uuid, _)| *uuid).collect()
    }

    /// Puts an array together: the volumes that it holds.
    fn build(&mut self, uuid: &Uuid, found: &[Found], all: &mut Assembled) -> Vec<Volume> {
        let Some(mut array) = Array::choose(found) else { return Vec::new() };
        let host_and_name = array.newest.name.clone();
        let id = self.id(uuid, &host_and_name, array.newest.minor);
        let origin = self.origin(&id, &array);
        let source = origin.and_then(|origin| {
            let source = array.source(&id)?;
            self.ids.insert(id.clone(), origin);
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
        self.volumes(&id, &source, disk, all)
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
                all.notes.push((id.to_owned(), error));
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
        let origin = self.ids.get(id).copied().unwrap_or_default();
        self.ids.extend(table.volumes.iter().map(|volume| (volume.id.clone(), origin)));
        table.volumes
    }

    /// How deep an array lies, and how many reads one of it may become; an error if that is too much.
    fn origin(&self, id: &str, array: &Array<'_>) -> Result<(usize, u64), FormatError> {
        let (mut depth, mut reads) = (0usize, 1u64);
        for (below, each) in array.members().filter_map(|volume| self.ids.get(&volume.id)) {
            depth = depth.max(*below);
            reads = reads.max(*each);
        }
        let depth = depth.saturating_add(1);
        let reads = reads.saturating_mul(num::to_u64(array.members().count().max(1)));
        if depth > limits::MD_DEPTH || (depth > 1 && reads > limits::MD_READS) {
            let what = format!("MD array {id} of arrays, {depth} on one another, of {reads} parts");
            return Err(FormatError::limit(what));
        }
        if self.built.len() > limits::MD_ARRAYS {
            return Err(FormatError::limit(format!("more than {} MD arrays", limits::MD_ARRAYS)));
        }
        Ok((depth, reads))
    }

    /// How an array is named: by its name, if it has one that no other has.
    fn id(&self, uuid: &Uuid, name: &str, minor: Option<u32>) -> String {
        let name = minor.map_or_else(|| short(name).to_owned(), |minor| minor.to_string());
        let sound = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
        let names = [sound.then(|| format!("md/{name}")), hex.get(..8).map(|prefix| format!("md/{prefix}"))];
        let free = names.into_iter().flatten().find(|id| !self.ids.contains_key(id));
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
