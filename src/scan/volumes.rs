//! The volumes of the disks: put together where several make one, and opened.

use std::sync::Arc;

use super::open::Opening;
use crate::{
    FormatError, Gap,
    block::{ReadAt, Source},
    fs,
    gap::{Code, Scope},
    node::NodeVolume,
    report, volume,
};

const UNREAD: &str = "nothing on this volume is examined";

impl Opening<'_> {
    /// Puts volumes together that are parts of others, and opens what comes of it.
    pub(super) fn assemble(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let order: Vec<String> = pending.iter().map(|volume| volume.id.clone()).collect();
        let volume::Assembled { volumes, members, notes } = volume::assemble(pending);
        for (volume, content) in &members {
            self.volumes.push(of_volume(volume, content));
            // The first sectors of a file system are free for anyone's label. (Members of an array may begin as it does.)
            if *content == volume::LVM_MEMBER
                && let Some(kind) = fs::kind(&volume.source)
            {
                let detail = format!("the volume holds {content} and begins like {kind}");
                let effect = "if the node uses it as a file system, nothing of that is examined";
                self.gaps.push(Gap::new(Code::CorruptStructure, Scope::Volume, &volume.id, detail, effect));
            }
        }
        for (id, note) in &notes {
            let is_there =
                volumes.iter().chain(members.iter().map(|(member, _)| member)).any(|v| v.id == *id);
            let effect = "it, or what it is a part of, may be missing or incomplete";
            let gap = Gap::from_error(note, Scope::Volume, id, effect);
            // One that could not be put together is listed, and may be why no state is found.
            if is_there {
                self.gaps.push(gap)
            } else {
                self.unread.push(gap)
            }
            if !is_there && id.contains('/') && self.volumes.iter().all(|record| record.id != *id) {
                self.volumes.push(record(id, 0, 0, "unknown"));
            }
        }
        volumes.into_iter().for_each(|volume| self.volume(volume));
        // As they lie on the disks; what was put together follows.
        self.volumes.sort_by_key(|record| order.iter().position(|id| *id == record.id).unwrap_or(usize::MAX));
    }

    fn volume(&mut self, volume: volume::Volume) {
        let mut record = of_volume(&volume, "unknown");
        if let Some(member) = fs::member(&volume.source) {
            self.volumes.push(record);
            return self.spanning.push((member, volume));
        }
        // What looks like a FAT may be there for who has not the password.
        let is_to_go = |opened: &fs::Opened| opened.kind == "vfat" && volume::is_to_go(&volume.source);
        match fs::open(&volume.source).filter(|opened| !opened.as_ref().is_ok_and(is_to_go)) {
            Some(Ok(opened)) => {
                describe(&mut record, &opened);
                self.opened(volume, opened);
            }
            Some(Err(error)) => {
                recognised(&mut record, &volume.source);
                self.unread.push(Gap::from_error(&error, Scope::Volume, &volume.id, UNREAD));
            }
            None => {
                let signature = volume::signature(&volume.source);
                let kind = volume.partition.as_ref().map(|partition| partition.kind.as_str());
                let found = kind.and_then(|kind| volume::by_type(kind, signature)).or(signature);
                if found.is_none() && holds_data(&volume) {
                    self.unread(
                        Code::UnsupportedFileSystem,
                        &volume,
                        "the volume holds data of no known format",
                    );
                }
                if let Some(found) = found {
                    found.name.clone_into(&mut record.content);
                    if let Some(code) = found.code {
                        self.unread(code, &volume, &format!("the volume holds {}", found.name));
                    }
                    self.recognised.push((volume, found));
                }
            }
        }
        self.volumes.push(record);
    }

    /// Opens the file systems that span several volumes; each is named by the first of them.
    pub(super) fn spanning(&mut self) {
        let mut rest = std::mem::take(&mut self.spanning);
        while let Some((first, _)) = rest.first() {
            let set = first.set;
            let (members, others): (Vec<_>, Vec<_>) =
                rest.into_iter().partition(|(member, _)| member.set == set);
            rest = others;
            let sources: Vec<Source> = members.iter().map(|(_, volume)| Arc::clone(&volume.source)).collect();
            let ids: Vec<String> = members.iter().map(|(_, volume)| volume.id.clone()).collect();
            let Some((_, volume)) = members.into_iter().next() else { continue };
            match fs::open_set(&sources) {
                Some(Ok(opened)) => {
                    let records = self.volumes.iter_mut().filter(|record| ids.contains(&record.id));
                    for record in records {
                        describe(record, &opened);
                        record.part_of = (record.id != volume.id).then(|| volume.id.clone());
                    }
                    self.opened(volume, opened);
                }
                Some(Err(error)) => {
                    let records = self.volumes.iter_mut().filter(|record| ids.contains(&record.id));
                    records.for_each(|record| recognised(record, &volume.source));
                    let gap = |id| Gap::from_error(&error, Scope::Volume, id, UNREAD);
                    self.unread.extend(ids.iter().map(gap));
                }
                // They were members of one a moment ago.
                None => self.unread(Code::ReadError, &volume, "the volume reads otherwise than before"),
            }
        }
    }

    fn opened(&mut self, volume: volume::Volume, opened: fs::Opened) {
        let gap = |note| Gap::from_error(note, Scope::Volume, &volume.id, "the volume is read as it is");
        // Linux marks a FAT dirty while it is mounted, as the boot loaders' is on any node that runs.
        let is_boot =
            volume.partition.as_ref().is_some_and(|partition| volume::is_efi_system(&partition.kind));
        let is_usual = |note: &&FormatError| is_boot && note.code() == Code::DirtyImage;
        self.gaps.extend(opened.notes.iter().filter(|note| !is_usual(note)).map(gap));
        if volume::is_replicated(&volume.source) {
            let effect = "the file system on it is read as it is here, which may be older than on its peers";
            let what = "the volume is a device of DRBD";
            self.gaps.push(Gap::new(Code::UnsupportedVolume, Scope::Volume, &volume.id, what, effect));
        }
        self.file_systems.push(NodeVolume { volume, opened });
    }

    fn unread(&mut self, code: Code, volume: &volume::Volume, detail: &str) {
        self.unread.push(Gap::new(code, Scope::Volume, &volume.id, detail, UNREAD));
    }
}

/// What the report says of a volume before it is looked into.
fn of_volume(volume: &volume::Volume, content: &str) -> report::Volume {
    let mut record = record(&volume.id, volume.start, volume.source.size(), content);
    if let Some(partition) = &volume.partition {
        record.partition_name.clone_from(&partition.name);
        record.partition_uuid.clone_from(&partition.uuid);
    }
    record.parts.clone_from(&volume.parts);
    record
}

pub(super) fn record(id: &str, offset: u64, size: u64, content: &str) -> report::Volume {
    report::Volume {
        id: id.to_owned(),
        offset,
        size,
        content: content.to_owned(),
        uuid: None,
        label: None,
        partition_name: None,
        partition_uuid: None,
        parts: Vec::new(),
        part_of: None,
    }
}

/// What a volume's file system says of itself.
fn describe(record: &mut report::Volume, opened: &fs::Opened) {
    opened.kind.clone_into(&mut record.content);
    record.uuid.clone_from(&opened.uuid);
    record.label.clone_from(&opened.label);
}

/// What a volume's file system is called that cannot be opened.
fn recognised(record: &mut report::Volume, source: &Source) {
    if let Some(kind) = fs::kind(source) {
        kind.clone_into(&mut record.content);
    }
}

/// Whether an unknown volume has anything in its first 128 KiB, where every known format begins; at its end, where some tell
/// of themselves; or about sixteen places between, so that one of which the beginning was wiped is not taken for blank.
fn holds_data(volume: &volume::Volume) -> bool {
    const PLACES: u64 = 16;
    const AROUND: u64 = 8 << 10;
    let size = volume.source.size();
    let mut bytes = Vec::new();
    let mut has_any = |start: u64, end: u64| {
        bytes.resize(usize::try_from(end.min(size).saturating_sub(start)).unwrap_or(0), 0);
        // What cannot be read may hold anything.
        volume.source.read_at(&mut bytes, start).is_err() || bytes.iter().any(|byte| *byte != 0)
    };
    let mut places = (1..PLACES).filter_map(|number| size.checked_mul(number)?.checked_div(PLACES));
    has_any(0, 128 << 10)
        || has_any(size.saturating_sub(128 << 10), size)
        || places.any(|place| has_any(place.saturating_sub(AROUND), place.saturating_add(AROUND)))
}
