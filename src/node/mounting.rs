//! A machine's tree: its root with what is mounted on it.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    devices::{Names, has_number, is_on},
    fstab::{self, Line},
    machine::{Machine, MountPoint, NodeVolume},
    sites::PLACES,
    systems::{self, IF_THERE, Placed, System},
    units,
};
use crate::{
    Gap,
    error::FormatError,
    fs::{self, FileSystem, GuestPath, Handle, Mount, Root},
    gap::{Code, Scope},
    inventory::Os,
    limits,
};

/// A mount whose disk was not given.
pub(super) struct Absent {
    pub(super) line: Line,
    /// Places in the tree that are seen through it: its own, and those of directories on it that are shown elsewhere.
    pub(super) places: Vec<GuestPath>,
    /// Whether something is lost without it.
    pub(super) is_needed: bool,
}

impl Absent {
    /// Whether a path leads to the disk: what is found there without it is what the disk would hide.
    fn hides(&self, path: &GuestPath) -> bool {
        !does_without(&self.line) && path.starts_with(&self.line.at)
    }
}

/// The tree of a volume that a line mounts.
fn tree(volume: &NodeVolume, line: &Line) -> Result<Arc<dyn FileSystem>, FormatError> {
    let fs = &volume.opened.fs;
    let Some(which) = line.subvolume() else { return Ok(Arc::clone(fs)) };
    fs.subvolume(which)?.ok_or_else(|| FormatError::Unsupported {
        code: Code::MissingDisk,
        what: format!("{} with {}, which the volume does not have", line.text(), line.options.join(",")),
    })
}

/// The file system in the file that a line mounts, and the file.
fn in_file(root: &Root, line: &Line) -> Result<Option<(fs::Opened, Handle)>, FormatError> {
    let Some(file) = root.find(line.spec.as_bytes())? else { return Ok(None) };
    let unknown = || FormatError::unsupported(format!("the file system that {}", line.text()));
    Ok(Some((fs::open(&file.open()?).ok_or_else(unknown)??, file)))
}

impl Machine {
    /// Mounts what the system says, and gives what is not there; the volumes that were used leave `rest`.
    pub(super) fn mount<'a>(
        &mut self,
        system: System<'a>,
        (volumes, disks): (&'a [NodeVolume], &BTreeSet<usize>),
        rest: &mut Vec<&'a NodeVolume>,
    ) -> Vec<Absent> {
        let id = system.volume.volume.id.clone();
        let own = system.volume.volume.disk;
        if let Some(spec) = system.spec {
            self.mounts.push(MountPoint { path: GuestPath::ROOT, volume: id.clone(), spec, shows: None });
        }
        let mut root = system.root;
        let used = |one: &&NodeVolume| {
            let own = &one.volume.id;
            *own != id && system.placed.iter().all(|placed| placed.volume != *own)
        };
        rest.retain(used);
        for placed in system.placed {
            root = self.place(root, placed);
        }
        self.os = system.os.or_else(|| self.own_os(&root, &id));
        let (lines, others): (Vec<Line>, Vec<Line>) =
            self.lines(&root, &id).into_iter().partition(Line::is_disk);
        let (files, binds): (Vec<Line>, Vec<Line>) = others.into_iter().partition(Line::is_file);
        let names = Names::of(&lines, own, disks);
        let (mut absent, mut doubtful): (Vec<Absent>, Vec<&NodeVolume>) = (Vec::new(), Vec::new());
        for line in lines {
            if line.options.iter().any(|option| option == IF_THERE) && !is_there(&root, &line.at) {
                continue;
            }
            let found = self.volume_of(&line, &names, &id, volumes, rest);
            if let Some(found) = found
                && let Some(gap) = doubt(&line, &names, found, own, rest)
            {
                self.gaps.push(gap);
                doubtful.push(found);
            }
            match found.map(|found| (found, tree(found, &line))) {
                Some((found, Ok(fs))) => {
                    let mount = Mount { at: canonical(&root, &line.at), ino: fs.root(), fs };
                    let volume = found.volume.id.clone();
                    root = self.place(root, Placed { mount, volume, spec: line.spec, shows: None });
                }
                Some((found, Err(error))) => self.lost(&error, &found.volume.id, line.file()),
                None => {
                    let (places, is_needed) = (vec![line.at.clone()], is_needed(&line));
                    absent.push(Absent { line, places, is_needed });
                }
            }
        }
        // State that is not where it would be in the right order is found as on a disk that nothing mounts.
        rest.append(&mut doubtful);
        root = self.bind(root, binds, &id, &mut absent);
        for line in files {
            root = self.mount_file(root, line, &id);
        }
        for one in absent.iter().filter(|one| one.is_needed) {
            let detail = format!("{}, and no given volume is known to be that", one.line.text());
            let effect = "what it holds is not examined";
            let gap = Gap::new(Code::MissingDisk, Scope::Volume, &id, detail, effect);
            self.gaps.push(gap.at(one.line.file()));
        }
        // What is mounted may name the system, as /usr does.
        if self.os.is_none() {
            self.os = self.own_os(&root, &id);
        }
        self.hostname = self.text(&root, &id, "etc/hostname").map(|name| name.trim().to_owned());
        self.root = Some(root);
        absent
    }

    /// Mounts the file system that lies in a file of the tree.
    fn mount_file(&mut self, root: Root, line: Line, id: &str) -> Root {
        let effect = "what it holds is not examined";
        match in_file(&root, &line) {
            Ok(Some((opened, file))) => {
                let as_it_is = "the file system in it is read as it is";
                let told = |note| Gap::from_error(note, Scope::Volume, id, as_it_is).at(&line.spec);
                self.gaps.extend(opened.notes.iter().map(told));
                let volume = self.holds(&file);
                let mount = Mount { at: canonical(&root, &line.at), ino: opened.fs.root(), fs: opened.fs };
                return self.place(root, Placed { mount, volume, spec: line.spec, shows: None });
            }
            Ok(None) if holds_state(&line.at) => {
                let detail = format!("{}, and there is no such file", line.text());
                let gap = Gap::new(Code::MissingDisk, Scope::Volume, id, detail, effect);
                self.gaps.push(gap.at(line.file()));
            }
            // What is not there is not mounted, as on the machine.
            Ok(None) => {}
            Err(error) => {
                self.gaps.push(Gap::from_error(&error, Scope::Volume, id, effect).at(&line.spec));
            }
        }
        root
    }

    fn own_os(&mut self, root: &Root, id: &str) -> Option<Os> {
        Os::FILES.iter().find_map(|file| self.text(root, id, file)).map(|text| Os::parse(&text))
    }

    /// What is to be mounted: by fstab, by units, and by what the system does on its own; parents first. Where several
    /// say what is mounted at a place, it is the first.
    fn lines(&mut self, root: &Root, id: &str) -> Vec<Line> {
        let text = self.text(root, id, "etc/fstab").unwrap_or_default();
        let mut lines = fstab::parse(&text);
        // systemd makes a unit of the first line for a place, and refuses others; swap has no place.
        let mut places = BTreeSet::new();
        let (first, again): (Vec<Line>, Vec<Line>) =
            lines.into_iter().partition(|line| line.kind == "swap" || places.insert(line.at.clone()));
        let counts = |line: &&Line| line.is_disk() || line.is_bind() || line.is_file() || line.is_opaque();
        let again = again.iter().filter(counts);
        for line in again.filter(|line| line.at != GuestPath::ROOT).take(limits::DAMAGED_RECORDS) {
            let problem = format!("{}, which an earlier line does; the first counts", line.text());
            self.lost(&FormatError::malformed("fstab", problem), id, line.file());
        }
        lines = first;
        lines.retain(|line| line.is_disk() || line.is_bind() || line.is_file() || line.is_opaque());
        if lines.len() > limits::MOUNTS {
            let error = FormatError::limit(format!("{} mounts, more than {}", lines.len(), limits::MOUNTS));
            self.lost(&error, id, "/etc/fstab");
            lines.truncate(limits::MOUNTS);
        }
        let units = units::read(root);
        for (path, error) in units.damage {
            self.lost(&error, id, &path.to_string());
        }
        lines.retain(|line| !units.own.contains(&line.at));
        for line in units.lines.into_iter().chain(systems::lines(self.os.as_ref())) {
            if lines.iter().all(|other| other.at != line.at) {
                lines.push(line);
            }
        }
        let (opaque, mut lines): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(Line::is_opaque);
        for line in opaque.iter().filter(|line| holds_state(&line.at)) {
            let detail = format!("{} ({})", line.text(), line.kind);
            let effect = "what it holds is not examined";
            let gap = Gap::new(Code::UnsupportedVolume, Scope::Volume, id, detail, effect);
            self.gaps.push(gap.at(line.file()));
        }
        lines.sort_by_key(|line| line.at.depth());
        lines
    }

    /// The volume that a line names.
    fn volume_of<'a>(
        &mut self,
        line: &Line,
        names: &Names,
        id: &str,
        volumes: &'a [NodeVolume],
        rest: &mut Vec<&'a NodeVolume>,
    ) -> Option<&'a NodeVolume> {
        let fitting: Vec<usize> =
            (0..).zip(&*rest).filter(|(_, one)| is_on(one, line, names)).map(|(at, _)| at).collect();
        if fitting.len() > 1 {
            let ids = fitting.iter().filter_map(|at| rest.get(*at)).map(|one| one.volume.id.as_str());
            let ids = ids.collect::<Vec<_>>().join(", ");
            let problem = format!("{} is each of {ids}; the first is mounted", line.spec);
            self.lost(&FormatError::malformed("fstab", problem), id, line.file());
        }
        let free = fitting.first().map(|at| rest.remove(*at));
        // Of one volume many subvolumes may be mounted, and what is mounted from the start is often named again.
        let is_there = |one: &&NodeVolume| {
            let id = &one.volume.id;
            self.mounts.iter().any(|mount| mount.path == line.at && mount.volume == *id)
        };
        let again =
            |one: &&NodeVolume| is_on(one, line, names) && (line.subvolume().is_some() || is_there(one));
        free.or_else(|| volumes.iter().find(again))
    }

    /// Shows directories at second places, each after what it may be seen through. One that is not there may be on a disk
    /// that was not given; else it is as on the machine: what is not there is not mounted.
    fn bind(&mut self, mut root: Root, mut lines: Vec<Line>, id: &str, absent: &mut [Absent]) -> Root {
        let mut in_order = true;
        for round in 1..=limits::BIND_ROUNDS {
            let places: Vec<GuestPath> = lines.iter().map(|line| line.at.clone()).collect();
            let mut later = Vec::new();
            for line in lines {
                let source = GuestPath::new(&line.spec);
                let waits = places.iter().any(|place| *place != line.at && source.starts_with(place));
                if waits && in_order || absent.iter().any(|one| one.hides(&source)) {
                    later.push(line);
                    continue;
                }
                match root.find(source.as_bytes()) {
                    Ok(Some(dir)) => {
                        let at = canonical(&root, &line.at);
                        let volume = self.holds(&dir);
                        let shows = Some(dir.path.clone());
                        let mount = Mount { at, fs: dir.fs, ino: dir.ino };
                        root = self.place(root, Placed { mount, volume, spec: line.spec, shows });
                    }
                    Ok(None) => later.push(line),
                    Err(error) => self.lost(&error, id, &line.spec),
                }
            }
            let is_done = later.len() == places.len();
            lines = later;
            if is_done && !in_order {
                break;
            }
            // Those that wait for each other, or for what is not there, are shown as they are found.
            in_order = !is_done;
            if round == limits::BIND_ROUNDS && !lines.is_empty() && in_order {
                let what = format!("directories shown at second places in more than {round} steps");
                self.lost(&FormatError::limit(what), id, "/etc/fstab");
            }
        }
        for line in lines {
            let source = GuestPath::new(&line.spec);
            for one in absent.iter_mut() {
                if one.places.iter().any(|place| source.starts_with(place)) {
                    one.is_needed |= holds_state(&line.at);
                    one.places.push(line.at.clone());
                }
            }
        }
        root
    }

    /// Mounts something, over what was at its place.
    fn place(&mut self, root: Root, placed: Placed) -> Root {
        let Placed { mount, volume, spec, shows } = placed;
        self.mounts.retain(|other| other.path != mount.at);
        self.mounts.push(MountPoint { path: mount.at.clone(), volume, spec, shows });
        let mut mounts = root.mounts().to_vec();
        mounts.retain(|other| other.at != mount.at);
        mounts.push(mount);
        root.with_mounts(mounts)
    }

    /// The volume that a directory of the tree is on.
    fn holds(&self, dir: &Handle) -> String {
        let above = self.mounts.iter().filter(|mount| dir.path.starts_with(&mount.path));
        above.max_by_key(|mount| mount.path.depth()).map(|mount| mount.volume.clone()).unwrap_or_default()
    }
}

/// What is to be said of a volume that was chosen by how the kernel counts disks, where another one may be meant.
fn doubt(line: &Line, names: &Names, found: &NodeVolume, own: usize, rest: &[&NodeVolume]) -> Option<Gap> {
    if names.is_certain
        || found.volume.disk == own
        || found.volume.names.contains(&line.spec)
        || !has_number(found, line)
    {
        return None;
    }
    let fits = |one: &&&NodeVolume| {
        let disk = one.volume.disk;
        disk != own && disk != found.volume.disk && has_number(one, line)
    };
    let others: Vec<&str> = rest.iter().filter(fits).map(|one| one.volume.id.as_str()).collect();
    let id = &found.volume.id;
    let which = if others.is_empty() { "a disk that was not given".to_owned() } else { others.join(", ") };
    let detail = format!(
        "{}: that is {id} in the order in which the disks were given, and may be {which}",
        line.text()
    );
    let gap = Gap::new(Code::MissingDisk, Scope::Volume, id, detail, "files may be those of another disk");
    Some(gap.at(line.file()))
}

fn is_there(root: &Root, path: &GuestPath) -> bool {
    matches!(root.find(path.as_bytes()), Ok(Some(_)))
}

/// A mount point's path without links.
fn canonical(root: &Root, at: &GuestPath) -> GuestPath {
    match root.find(at.as_bytes()) {
        Ok(Some(dir)) => dir.path,
        _ => at.clone(),
    }
}

/// Whether a runtime's usual places lie at or below a path, or the path in one of them.
fn holds_state(path: &GuestPath) -> bool {
    let places = || PLACES.iter().map(|(_, place)| GuestPath::new(place));
    places().any(|place| place.starts_with(path) || path.starts_with(&place))
}

/// Whether something is lost if the disk of a line was not given. The machine itself does without one that is marked
/// `nofail`: it matters only where a runtime's usual places lie on it. No runtime keeps its state on a FAT.
fn is_needed(line: &Line) -> bool {
    const NO_STATE: [&str; 6] = ["vfat", "msdos", "exfat", "ntfs", "iso9660", "udf"];
    !NO_STATE.contains(&line.kind.as_str()) && (!does_without(line) || holds_state(&line.at))
}

/// Whether the machine starts without the disk of a line.
fn does_without(line: &Line) -> bool {
    line.options.iter().any(|option| option == "nofail")
}
