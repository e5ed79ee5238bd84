//! What a group's text and the physical volumes that were given make.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    super::{
        Volume,
        dm::{Kept, Pool},
        mapped::{Mapped, Part, Run},
        stack::{Below, Stack},
    },
    group::{Group, Logical},
    leg, names,
    segment::{Area, Kind},
};
use crate::{block::Source, error::FormatError, gap::Code, limits, num};

/// A thin pool, as all of its volumes share it.
pub(super) struct OpenedPool {
    pub(super) pool: Arc<Pool>,
    /// What was not given of it.
    pub(super) missing: BTreeSet<String>,
    /// The kind of a part of it that is not read.
    pub(super) unread: Option<String>,
    /// Reads that one of it may become.
    pub(super) reads: u64,
}

/// A group and the physical volumes that were given.
pub(super) struct Assembly<'a> {
    pub(super) group: &'a Group,
    physical: &'a BTreeMap<String, Volume>,
    pub(super) kept: &'a Arc<Kept>,
    /// What lies below the physical volumes.
    stack: &'a Stack,
    /// Parts that were put together.
    parts: Cell<usize>,
    /// Thin pools that were opened, by name: their volumes share what they keep.
    pub(super) pools: RefCell<BTreeMap<String, OpenedPool>>,
    /// Whether what is being put together is a part of others, which no thin volume is.
    pub(super) is_part: Cell<bool>,
}

impl<'a> Assembly<'a> {
    pub(super) fn new(
        group: &'a Group,
        physical: &'a BTreeMap<String, Volume>,
        kept: &'a Arc<Kept>,
        stack: &'a Stack,
    ) -> Self {
        Self {
            group,
            physical,
            kept,
            stack,
            parts: Cell::new(0),
            pools: RefCell::default(),
            is_part: Cell::new(false),
        }
    }

    /// The volumes that people see, each with what lies below it.
    pub(super) fn volumes(&self, notes: &mut Vec<(String, FormatError)>) -> Vec<(Volume, Below)> {
        let mut seen = Vec::new();
        let kinds = self.group.logical.values().flat_map(|logical| &logical.segments);
        let kinds: Vec<&Kind> = kinds.map(|segment| &segment.kind).collect();
        let stores: BTreeSet<&str> = kinds.iter().filter_map(|kind| kind.store()).collect();
        let merged: BTreeSet<&str> = kinds.iter().filter_map(|kind| kind.merged()).collect();

        let given = self.group.physical.values().filter_map(|volume| self.physical.get(&volume.uuid));
        let mut parts: Vec<String> = given.map(|volume| volume.id.clone()).collect();
        parts.sort();
        let depth = parts.iter().map(|id| self.stack.below(id).depth).max().unwrap_or(0).saturating_add(1);
        // A snapshot is seen whatever its status says, as its store is not.
        let is_seen =
            |logical: &Logical| logical.visible || logical.segments.iter().any(|s| s.kind.store().is_some());
        for (name, logical) in self.group.logical.iter().filter(|(_, logical)| is_seen(logical)) {
            let kind = logical.segments.first().map(|segment| &segment.kind);
            // Pools hold nothing of their own, and a store is shown by the volume that describes its snapshot.
            if kind.is_some_and(Kind::is_part) || stores.contains(name.as_str()) {
                continue;
            }
            let shown = kind.and_then(Kind::store).unwrap_or(name);
            let id = format!("{}/{shown}", self.group.name);
            if seen.len() >= limits::LVM_VOLUMES {
                let what = format!("more than {} volumes", limits::LVM_VOLUMES);
                notes.push((id, FormatError::limit(what)));
                break;
            }
            if merged.contains(name.as_str()) {
                let what = format!("LVM2 logical volume {id} into which a snapshot is being merged");
                notes.push((id, FormatError::Unsupported { code: Code::UnsupportedVolume, what }));
                continue;
            }
            let mut lacks = Lacks::default();
            let source = self.source(name, &mut lacks, 0);
            if let Some(kind) = lacks.unread {
                let what = format!("LVM2 logical volume of type {kind}");
                notes.push((id, FormatError::Unsupported { code: Code::UnsupportedVolume, what }));
                continue;
            }
            let source: Source = match source {
                Ok(source) => source,
                Err(error) => {
                    notes.push((id, error));
                    continue;
                }
            };
            for what in lacks.missing {
                notes.push((id.clone(), FormatError::Unsupported { code: Code::MissingDisk, what }));
            }
            for leg in lacks.behind {
                let problem = format!("the leg {leg} is behind the others, which are read alone");
                notes.push((id.clone(), FormatError::corrupt(leg::STRUCTURE, 0, problem)));
            }
            notes.extend(lacks.errors.into_iter().map(|error| (id.clone(), error)));
            let own = self.group.physical.values().filter_map(|volume| self.physical.get(&volume.uuid));
            let disk = own.map(|volume| volume.disk).min().unwrap_or(0);
            let own_id = self.group.logical.get(shown).map_or("", |volume| &volume.id);
            let names = names((&self.group.name, &self.group.id.replace('-', "")), (shown, own_id));
            let volume = Volume { id, disk, start: 0, source, partition: None, names, parts: parts.clone() };
            seen.push((volume, Below { depth, reads: lacks.reads }));
        }
        seen
    }

    /// The bytes of a logical volume.
    pub(super) fn source(&self, name: &str, lacks: &mut Lacks, depth: usize) -> Result<Source, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt("LVM2 metadata", 0, problem);
        let logical = self.group.logical.get(name);
        let logical = logical.ok_or_else(|| corrupt(format!("no logical volume {name:?}")))?;
        if depth > limits::LVM_DEPTH {
            let what = format!("LVM2 volumes nested deeper than {}", limits::LVM_DEPTH);
            return Err(FormatError::limit(what));
        }
        self.count()?;
        let mut runs = Vec::new();
        // What lies beside this is looked at later.
        let beside = std::mem::replace(&mut lacks.reads, 1);
        let mut own = 1;
        for segment in &logical.segments {
            lacks.reads = 1;
            let mut count = segment.count;
            let run = match &segment.kind {
                Kind::Zero => Run::Zero,
                Kind::Striped { areas, size } => {
                    let count = segment.count.div_ceil(num::to_u64(areas.len().max(1)));
                    let parts = areas.iter().map(|area| self.part(area, count, lacks, depth));
                    Run::Striped { parts: parts.collect::<Result<_, _>>()?, size: *size }
                }
                Kind::Mirrored(mirror) => self.mirror(mirror, segment.count, lacks, depth)?,
                Kind::Raid(raid) => {
                    let (run, used) = self.raid(raid, segment.count, lacks, depth)?;
                    count = used;
                    run
                }
                kind => match self.mapped(segment, lacks, depth)? {
                    Some(source) => {
                        let start = segment.start.saturating_mul(self.group.extent);
                        Run::Striped { parts: vec![Part::At(source, start)], size: 0 }
                    }
                    None => {
                        lacks.unread = Some(kind.name());
                        Run::Zero
                    }
                },
            };
            runs.push((count.saturating_mul(self.group.extent), run));
            own = own.max(lacks.reads.saturating_mul(segment.kind.parts()));
        }
        if own > limits::LVM_READS {
            let what = format!(
                "LVM2 logical volume {name} of {own} parts of parts, more than {}",
                limits::LVM_READS
            );
            return Err(FormatError::limit(what));
        }
        lacks.reads = own.max(beside);
        Ok(Arc::new(Mapped::new(runs)))
    }

    /// Volumes of volumes of volumes may be far more than their text.
    fn count(&self) -> Result<(), FormatError> {
        self.parts.set(self.parts.get().saturating_add(1));
        if self.parts.get() > limits::LVM_PARTS {
            let what = format!("LVM2 volume group of more than {} parts", limits::LVM_PARTS);
            return Err(FormatError::limit(what));
        }
        Ok(())
    }

    /// Puts together what others are made of. Were it thin volumes of a pool that they all share, one read could become as
    /// many as the product of their parts.
    pub(super) fn as_part<T>(&self, make: impl FnOnce() -> T) -> T {
        let before = self.is_part.replace(true);
        let made = make();
        self.is_part.set(before);
        made
    }

    /// Where a run of extents begins.
    pub(super) fn part(
        &self,
        area: &Area,
        count: u64,
        lacks: &mut Lacks,
        depth: usize,
    ) -> Result<Part, FormatError> {
        self.count()?;
        let (group, offset) = (&self.group.name, area.start.saturating_mul(self.group.extent));
        let Some(physical) = self.group.physical.get(&area.name) else {
            let source = self.as_part(|| self.source(&area.name, lacks, depth.saturating_add(1)))?;
            return Ok(Part::At(source, offset));
        };
        if area.start.checked_add(count).is_none_or(|end| end > physical.count) {
            let problem =
                format!("{count} extents at {} of {}, which has {}", area.start, area.name, physical.count);
            return Err(FormatError::corrupt("LVM2 metadata", 0, problem));
        }
        Ok(match self.physical.get(&physical.uuid) {
            Some(volume) => {
                lacks.reads = lacks.reads.max(self.stack.below(&volume.id).reads);
                Part::At(Arc::clone(&volume.source), physical.start.saturating_add(offset))
            }
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

/// What stands between a logical volume and all of its bytes, and what it takes to read one of them.
#[derive(Default)]
pub(super) struct Lacks {
    /// Reads that one read of whatever of its parts may become.
    pub(super) reads: u64,
    /// A type of segment that is not read.
    pub(super) unread: Option<String>,
    pub(super) missing: BTreeSet<String>,
    /// Legs of RAIDs that do not hold what the others do.
    pub(super) behind: BTreeSet<String>,
    /// What else is to be told.
    pub(super) errors: Vec<FormatError>,
}

impl Lacks {
    pub(super) fn add(&mut self, other: Self) {
        self.unread = self.unread.take().or(other.unread);
        self.missing.extend(other.missing);
        self.behind.extend(other.behind);
        self.errors.extend(other.errors);
        self.reads = self.reads.max(other.reads);
    }
}

impl Kind {
    /// The volume that shows the snapshot that this describes.
    fn store(&self) -> Option<&str> {
        if let Self::Snapshot { store, .. } = self { Some(store) } else { None }
    }

    fn merged(&self) -> Option<&str> {
        if let Self::Merging { origin } = self { Some(origin) } else { None }
    }

    /// Of how many parts one byte may have to be read.
    fn parts(&self) -> u64 {
        let count = match self {
            Self::Raid(raid) => raid.legs.len(),
            Self::Mirrored(mirror) => mirror.areas.len(),
            // What the cache does not give may be in the volume.
            Self::Cached { .. } | Self::WriteCached { .. } | Self::Snapshot { .. } => 2,
            _ => 1,
        };
        num::to_u64(count.max(1))
    }

    /// Whether it only serves other volumes.
    fn is_part(&self) -> bool {
        matches!(self, Self::ThinPool { .. } | Self::CachePool { .. } | Self::Merging { .. })
    }

    /// How one that is not read is named.
    fn name(&self) -> String {
        match self {
            Self::Other(name) => name.clone(),
            _ => "pool".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mirrors of mirrors, each of `width` times the next, and what is told of them.
    fn mirrors(depth: usize, width: usize) -> (Vec<u64>, Vec<String>) {
        let volume = |number: usize| {
            let below = if number < depth { format!("lv{}", number + 1) } else { "pv0".to_owned() };
            let mirrors = vec![format!("\"{below}\", 0"); width].join(", ");
            let status = if number == 1 { "status=[\"VISIBLE\"]" } else { "status=[]" };
            format!(
                "lv{number} {{ {status} segment1 {{ start_extent=0 extent_count=1 type=\"mirror\" mirrors=[{mirrors}] }} }}"
            )
        };
        let volumes: String = (1..=depth).map(volume).collect();
        let text = format!(
            "vg {{ id=\"a\" seqno=1 extent_size=8 physical_volumes {{ pv0 {{ id=\"b\" pe_start=8 pe_count=9 }} }} \
             logical_volumes {{ {volumes} }} }}"
        );
        let group = Group::parse(text.as_bytes()).unwrap();
        let (physical, kept, stack) = (BTreeMap::new(), Arc::default(), Stack::default());
        let mut notes = Vec::new();
        let volumes = Assembly::new(&group, &physical, &kept, &stack).volumes(&mut notes);
        let reads = volumes.iter().map(|(_, below)| below.reads).collect();
        (reads, notes.iter().map(|(_, note)| note.detail()).collect())
    }

    #[test]
    fn mirrors_of_mirrors_multiply_reads_up_to_a_bound() {
        assert_eq!(mirrors(1, 2).0, [2]);
        assert_eq!(mirrors(3, 16).0, [4096]);
        let (volumes, told) = mirrors(3, 17);
        assert!(volumes.is_empty() && told[0].contains("of 4913 parts of parts, more than 4096"), "{told:?}");
        assert!(mirrors(8, 3).0.is_empty());
    }
}
