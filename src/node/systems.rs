//! Which operating system is the node's, and how the trees of its volumes make one before its fstab is read: most keep
//! it on one volume, ostree in a directory, Flatcar's is a root and a /usr, Talos's is not on a disk.

use std::{cell::RefCell, sync::Arc};

use super::{
    fstab::Line,
    machine::NodeVolume,
    ostree,
    roots::{is_its_root, root_of},
    slots,
};
use crate::{
    Gap,
    error::FormatError,
    fs::{
        FileKind, GuestPath, Handle, Mount, Root,
        memory::{Entry, Tree},
    },
    gap::{Code, Scope},
    inventory::Os,
    volume::{Signature, Volume},
};

/// An operating system.
pub(super) struct System<'a> {
    /// The volume that it is on.
    pub(super) volume: &'a NodeVolume,
    /// Its tree.
    pub(super) root: Root,
    /// What says that this is its root; `None` if the root itself is not on a disk.
    pub(super) spec: Option<String>,
    /// What is mounted on it from the start.
    pub(super) placed: Vec<Placed>,
    /// What it is, where its tree does not say.
    pub(super) os: Option<Os>,
}

/// A mount, with what a report says of it.
pub(super) struct Placed {
    pub(super) mount: Mount,
    /// The volume's id.
    pub(super) volume: String,
    pub(super) spec: String,
    /// Where the same files are seen already.
    pub(super) shows: Option<GuestPath>,
}

impl Placed {
    fn whole(at: &str, volume: &NodeVolume, spec: String) -> Self {
        let fs = Arc::clone(&volume.opened.fs);
        let mount = Mount { at: GuestPath::new(at), ino: fs.root(), fs };
        Self { mount, volume: volume.volume.id.clone(), spec, shows: None }
    }

    fn directory(at: &str, dir: Handle, volume: &NodeVolume, spec: String) -> Self {
        let mount = Mount { at: GuestPath::new(at), ino: dir.ino, fs: dir.fs };
        Self { mount, volume: volume.volume.id.clone(), spec, shows: None }
    }
}

/// The node's own operating system: the one whose fstab calls its volume the root, or the copy that is booted, or the
/// first. What is not certain is a gap.
pub(super) fn own<'a>(
    volumes: &'a [NodeVolume],
    unread: &[(Volume, Signature)],
    gaps: &mut Vec<Gap>,
) -> Option<System<'a>> {
    let mut systems = Vec::new();
    for volume in volumes {
        match on(volume, volumes, gaps) {
            Ok(system) => systems.extend(system),
            Err(error) => {
                let effect = "whether the node's own system is on it is not known";
                gaps.push(Gap::from_error(&error, Scope::Volume, &volume.volume.id, effect));
            }
        }
    }
    let all = || volumes.iter().map(|volume| &volume.volume).chain(unread.iter().map(|(volume, _)| volume));
    let Some(first) = systems.first() else {
        return split(volumes, all, gaps).or_else(|| in_memory(volumes, all));
    };
    let disk = first.volume.volume.disk;
    let active = slots::active(all(), disk);
    let slot = |system: &System<'_>| {
        let on_disk = Some(&system.volume.volume).filter(|volume| volume.disk == disk);
        on_disk.and_then(|volume| volume.partition.as_ref()).and_then(slots::of)
    };
    let is_named = |system: &System<'_>| is_its_root(system.volume, &system.root);
    let named = systems.iter().position(is_named);
    let booted = systems.iter().position(|system| active.is_some() && slot(system) == active);
    let system = systems.swap_remove(named.or(booted).unwrap_or(0));
    // A system for updates lies beside the one that runs; one on another disk may be anybody's.
    let (own, disk) = (&system.volume.volume.id, system.volume.volume.disk);
    for other in &systems {
        let is_foreign = named.is_none() && other.volume.volume.disk != disk;
        let is_unsure = named.or(booted).is_none() && slot(other).is_some();
        if is_foreign || is_unsure || is_named(other) {
            let detail = format!("it holds an operating system too, and {own} is taken for the node's");
            let effect = "its own packages are not reported";
            let id = &other.volume.volume.id;
            gaps.push(Gap::new(Code::MissingDisk, Scope::Volume, id, detail, effect));
        }
    }
    Some(system)
}

/// The operating system on a volume.
fn on<'a>(
    volume: &'a NodeVolume,
    volumes: &'a [NodeVolume],
    gaps: &mut Vec<Gap>,
) -> Result<Option<System<'a>>, FormatError> {
    let fs = &volume.opened.fs;
    let mut tell = |error: &FormatError| {
        let effect = "the node's own system may be another one";
        gaps.push(Gap::from_error(error, Scope::Volume, &volume.volume.id, effect));
    };
    let mut notes = Vec::new();
    let deployment = ostree::booted(fs, volumes, &mut notes);
    // Told in any case: what could not be read may be what would have decided.
    notes.iter().for_each(&mut tell);
    let deployment = deployment?;
    if !deployment.as_ref().is_some_and(|deployment| deployment.has_entry)
        && let Some(tree) = root_of(fs, &mut tell)?
    {
        let (root, spec) = (Root::new(tree), Some("root".to_owned()));
        return Ok(Some(System { volume, root, spec, placed: Vec::new(), os: None }));
    }
    let Some(deployment) = deployment else { return Ok(None) };
    deployment.doubt.iter().for_each(tell);
    let mut placed = vec![Placed {
        shows: Some(GuestPath::ROOT),
        ..Placed::whole("sysroot", volume, "the root of ostree".to_owned())
    }];
    if let Some(var) = deployment.var {
        let spec = var.path.to_string();
        placed.push(Placed::directory("var", var, volume, spec));
    }
    if let Some(boot) = deployment.boot.and_then(|number| volumes.get(number)) {
        placed.push(Placed::whole("boot", boot, "the boot loader's entries".to_owned()));
    }
    let root = Root::below(&deployment.dir);
    Ok(Some(System { volume, root, spec: Some(deployment.spec), placed, os: None }))
}

/// A root whose `/usr`, with all that names the system, is a volume of its own (Flatcar).
fn split<'a, 'b, I: Iterator<Item = &'b Volume>>(
    volumes: &'a [NodeVolume],
    all: impl Fn() -> I,
    gaps: &mut Vec<Gap>,
) -> Option<System<'a>> {
    let lost = RefCell::new(Vec::new());
    let has = |volume: &NodeVolume, path: &str| match Root::new(Arc::clone(&volume.opened.fs))
        .find(path.as_bytes())
    {
        Ok(found) => found.is_some(),
        Err(error) => {
            let effect = "whether the node's own system is on it is not known";
            let gap = Gap::from_error(&error, Scope::Volume, &volume.volume.id, effect);
            let mut lost = lost.borrow_mut();
            if !lost.contains(&gap) {
                lost.push(gap);
            }
            false
        }
    };
    let system = two_volumes(volumes, all, has);
    gaps.append(&mut lost.into_inner());
    system
}

/// A root and a `/usr`, by what volumes have.
fn two_volumes<'a, 'b, I: Iterator<Item = &'b Volume>>(
    volumes: &'a [NodeVolume],
    all: impl Fn() -> I,
    has: impl Fn(&NodeVolume, &str) -> bool,
) -> Option<System<'a>> {
    let is_usr =
        |volume: &&NodeVolume| has(volume, "lib/os-release") && has(volume, "bin") && !has(volume, "etc");
    let is_root = |volume: &&NodeVolume| has(volume, "etc") && has(volume, "usr") && !has(volume, "usr/lib");
    let partition = |volume: &NodeVolume| volume.volume.partition.clone().unwrap_or_default();
    let first = volumes.iter().find(is_usr)?;
    let active = slots::active(all(), first.volume.disk);
    let booted = |volume: &&NodeVolume| active.is_some() && slots::of(&partition(volume)) == active;
    let usr = volumes.iter().filter(is_usr).find(booted).unwrap_or(first);
    let roots = || volumes.iter().filter(is_root).filter(|root| root.volume.disk == usr.volume.disk);
    let volume =
        roots().find(|root| root.opened.label.as_deref() == Some("ROOT")).or_else(|| roots().next())?;
    let spec = partition(usr).name.map_or_else(|| usr.volume.id.clone(), |name| format!("PARTLABEL={name}"));
    let placed = vec![Placed::whole("usr", usr, spec)];
    let root = Root::new(Arc::clone(&volume.opened.fs));
    Some(System { volume, root, spec: Some("root".to_owned()), placed, os: None })
}

/// A system that is unpacked to memory when it starts, and keeps `/var` on a partition of its own (Talos).
fn in_memory<'a, 'b, I: Iterator<Item = &'b Volume>>(
    volumes: &'a [NodeVolume],
    all: impl Fn() -> I,
) -> Option<System<'a>> {
    let is_called = |volume: &Volume, name: &str| {
        volume.partition.as_ref().is_some_and(|partition| partition.name.as_deref() == Some(name))
    };
    let volume = volumes.iter().find(|volume| is_called(&volume.volume, "EPHEMERAL"))?;
    all().find(|other| other.disk == volume.volume.disk && is_called(other, "STATE"))?;
    let mut tree = Tree::default();
    tree.insert(&GuestPath::new("var"), Entry::new(FileKind::Directory));
    let os = Os { id: "talos".to_owned(), name: Some("Talos Linux".to_owned()), ..Os::default() };
    let placed = vec![Placed::whole("var", volume, "PARTLABEL=EPHEMERAL".to_owned())];
    Some(System { volume, root: Root::new(tree.build()), spec: None, placed, os: Some(os) })
}

/// An option of a line that counts only where its mount point is.
pub(super) const IF_THERE: &str = "x-icecore.if-there";

/// What a system mounts by its own programs, where neither an fstab nor a unit says so.
pub(super) fn lines(os: Option<&Os>) -> Vec<Line> {
    // Container-Optimized OS, Disks and file system overview; on GKE local SSDs hold the state where there are some.
    const COS: &[(&str, &str, &str)] = &[
        ("PARTLABEL=STATE", "/mnt/stateful_partition", ""),
        ("/dev/md0", "/mnt/stateful_partition/kube-ephemeral-ssd", IF_THERE),
        ("/mnt/stateful_partition/kube-ephemeral-ssd/containerd", "/var/lib/containerd", "bind"),
        ("/mnt/stateful_partition/var", "/var", "bind"),
        ("/mnt/stateful_partition/home", "/home", "bind"),
    ];
    let rows = if os.is_some_and(|os| os.id == "cos") { COS } else { &[] };
    let line = |(spec, at, options): &(&str, &str, &str)| Line {
        from: "Container-Optimized OS".to_owned(),
        spec: (*spec).to_owned(),
        at: GuestPath::new(at),
        kind: "ext4".to_owned(),
        options: vec![(*options).to_owned()],
    };
    rows.iter().map(line).collect()
}
