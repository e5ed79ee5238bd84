//! A machine from its volumes.

use std::sync::Arc;

use super::{
    Reason, Runtime, Site,
    config::{self, Configured},
    devices::is_on,
    fstab::{self, Line},
    roots::{is_its_root, root_of},
    sites::{self, PLACES},
    verdict, windows,
};
use crate::{
    Gap,
    error::FormatError,
    fs::{FileSystem, GuestPath, Mount, Opened, Root},
    gap::{Code, Scope},
    inventory::Os,
    limits,
    volume::{Signature, Volume},
};

/// A volume whose file system was opened.
pub struct NodeVolume {
    /// The volume.
    pub volume: Volume,
    /// Its file system.
    pub opened: Opened,
}

/// A volume's place in the machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountPoint {
    /// Where it is mounted.
    pub path: GuestPath,
    /// Which volume.
    pub volume: String,
    /// Why: the fstab line's first field, or `root`.
    pub spec: String,
}

/// A machine, as far as its disks tell.
pub struct Machine {
    /// Its files, `None` if no volume holds an operating system.
    pub root: Option<Root>,
    /// The file systems of the tree: the root first.
    pub mounts: Vec<MountPoint>,
    /// Its operating system.
    pub os: Option<Os>,
    /// Its host name.
    pub hostname: Option<String>,
    /// The runtimes' state directories.
    pub sites: Vec<Site>,
    /// What speaks against an analysis.
    pub reasons: Vec<Reason>,
    /// What could not be read or found.
    pub gaps: Vec<Gap>,
}

/// Puts a machine together from the file systems of all its disks, and from what was recognised on the volumes
/// that are not read.
pub fn assemble(volumes: &[NodeVolume], unread: &[(Volume, Signature)]) -> Machine {
    let mut machine = Machine {
        root: None,
        mounts: Vec::new(),
        os: None,
        hostname: None,
        sites: Vec::new(),
        reasons: Vec::new(),
        gaps: Vec::new(),
    };
    let mut rest: Vec<&NodeVolume> = volumes.iter().collect();
    let mut systems = Vec::new();
    for volume in volumes {
        match root_of(&volume.opened.fs) {
            Ok(Some(fs)) => systems.push((volume, Root::new(fs))),
            Ok(None) => {}
            Err(error) => {
                let effect = "whether the node's own system is on it is not known";
                machine.gaps.push(Gap::from_error(&error, Scope::Volume, &volume.volume.id, effect));
            }
        }
    }
    let named = systems.iter().position(|(volume, root)| is_its_root(volume, root));
    if !systems.is_empty() {
        let (volume, root) = systems.swap_remove(named.unwrap_or(0));
        // A system for updates lies beside the one that runs; one on another disk may be anybody's.
        let others = systems.iter().filter(|(other, _)| other.volume.disk != volume.volume.disk);
        for (other, _) in others.filter(|_| named.is_none()) {
            let detail =
                format!("it holds an operating system too, and {} is taken for the node's", volume.volume.id);
            let effect = "its own packages are not reported";
            machine.gaps.push(Gap::new(Code::MissingDisk, Scope::Volume, &other.volume.id, detail, effect));
        }
        rest.retain(|other| other.volume.id != volume.volume.id);
        machine.mount(root, volume, volumes, &mut rest);
    }
    let missing = machine.find_sites();
    machine.find_elsewhere(&rest);
    machine.judge(volumes, unread, &missing);
    machine
}

/// The tree of a volume that an fstab line mounts.
fn tree(volume: &NodeVolume, line: &Line) -> Result<Arc<dyn FileSystem>, FormatError> {
    let fs = &volume.opened.fs;
    let Some(which) = line.subvolume() else { return Ok(Arc::clone(fs)) };
    fs.subvolume(which)?.ok_or_else(|| FormatError::Unsupported {
        code: Code::MissingDisk,
        what: format!(
            "fstab mounts {} with {}, which the volume does not have",
            line.spec,
            line.options.join(",")
        ),
    })
}

impl Machine {
    /// Mounts what the root volume's fstab names; the volumes that it used leave `rest`.
    fn mount(
        &mut self,
        mut root: Root,
        volume: &NodeVolume,
        volumes: &[NodeVolume],
        rest: &mut Vec<&NodeVolume>,
    ) {
        let id = volume.volume.id.clone();
        self.mounts.push(MountPoint { path: GuestPath::ROOT, volume: id.clone(), spec: "root".to_owned() });
        let text = self.text(&root, &id, "etc/fstab").unwrap_or_default();
        let mut lines = fstab::parse(&text);
        lines.retain(|line| line.is_disk() || line.is_bind());
        if lines.len() > limits::MOUNTS {
            let error = FormatError::limit(format!("{} mounts, more than {}", lines.len(), limits::MOUNTS));
            self.lost(&error, &id, "etc/fstab");
            lines.truncate(limits::MOUNTS);
        }
        // A mount point may lie below another one.
        lines.sort_by_key(|line| line.at.depth());
        let mut mounts: Vec<Mount> = Vec::new();
        for line in &lines {
            if line.is_disk() {
                let fitting: Vec<usize> =
                    (0..).zip(&*rest).filter(|(_, one)| is_on(one, line)).map(|(at, _)| at).collect();
                if fitting.len() > 1 {
                    let ids = fitting.iter().filter_map(|at| rest.get(*at)).map(|one| one.volume.id.as_str());
                    let ids = ids.collect::<Vec<_>>().join(", ");
                    let problem = format!("{} is each of {ids}; the first is mounted", line.spec);
                    self.lost(&FormatError::corrupt("fstab", 0, problem), &id, "etc/fstab");
                }
                let free = fitting.first().map(|at| rest.remove(*at));
                // Of one volume many subvolumes may be mounted.
                let shared = || volumes.iter().find(|candidate| is_on(candidate, line));
                match free.or_else(|| line.subvolume().and_then(|_| shared())) {
                    Some(found) => match tree(found, line) {
                        Ok(fs) => {
                            let ino = fs.root();
                            mounts.push(Mount { at: line.at.clone(), fs, ino });
                            self.mounts.push(MountPoint {
                                path: line.at.clone(),
                                volume: found.volume.id.clone(),
                                spec: line.spec.clone(),
                            });
                        }
                        Err(error) => self.lost(&error, &found.volume.id, "etc/fstab"),
                    },
                    None if is_needed(line) => self.missing(&id, line),
                    None => {}
                }
            } else if line.is_bind() {
                match root.find(line.spec.as_bytes()) {
                    Ok(Some(dir)) => mounts.push(Mount { at: line.at.clone(), fs: dir.fs, ino: dir.ino }),
                    // As on the machine: what is not there is not mounted.
                    Ok(None) => {}
                    Err(error) => self.lost(&error, &id, &line.spec),
                }
            }
            root = root.with_mounts(mounts.clone());
        }
        for file in Os::FILES {
            if self.os.is_none() {
                self.os = self.text(&root, &id, file).map(|text| Os::parse(&text));
            }
        }
        self.hostname = self.text(&root, &id, "etc/hostname").map(|name| name.trim().to_owned());
        self.root = Some(root);
    }

    fn missing(&mut self, volume: &str, line: &Line) {
        let detail = format!("fstab mounts {} at {}, and no given volume is that", line.spec, line.at);
        let effect = "what it holds is not examined";
        self.gaps.push(Gap::new(Code::MissingDisk, Scope::Volume, volume, detail, effect).at("/etc/fstab"));
    }

    fn text(&mut self, root: &Root, volume: &str, path: &str) -> Option<String> {
        match root.read(path.as_bytes(), "configuration file") {
            // An empty file says nothing: a mask, or data that never reached the disk.
            Ok(bytes) => {
                let bytes = bytes.filter(|bytes| !bytes.is_empty());
                bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            }
            Err(error) => {
                self.lost(&error, volume, path);
                None
            }
        }
    }

    fn lost(&mut self, error: &FormatError, volume: &str, path: &str) {
        let effect = "what it tells of the machine is not known";
        self.gaps.push(Gap::from_error(error, Scope::Volume, volume, effect).at(format!("/{path}")));
    }

    /// State directories in the machine's tree: where they are configured to be, and in the usual places. Gives
    /// those configured that are not there.
    fn find_sites(&mut self) -> Vec<Configured> {
        let Some(root) = self.root.clone() else { return Vec::new() };
        let (configured, damage) = config::read(&root);
        for (file, error) in damage {
            let effect = "a state directory that it names is not searched";
            self.gaps.push(Gap::from_error(&error, Scope::Volume, "node", effect).at(file.to_string()));
        }
        let mut missing = Vec::new();
        for configured in configured {
            let path = String::from_utf8_lossy(configured.path.as_bytes()).into_owned();
            self.look(&root, None, configured.runtime, &path);
            let is_it = |site: &Site| site.runtime == configured.runtime && site.path == configured.path;
            if !self.sites.iter().any(is_it) && !is_dir(&root, &configured.path) {
                missing.push(configured);
            }
        }
        for (runtime, path) in PLACES {
            self.look(&root, None, *runtime, path);
        }
        missing
    }

    /// State directories on volumes that are not part of the machine's tree: a data disk may hold a runtime's
    /// root, `/var`, or the root's directories from some depth on.
    fn find_elsewhere(&mut self, rest: &[&NodeVolume]) {
        for volume in rest {
            let root = Root::new(Arc::clone(&volume.opened.fs));
            let id = &volume.volume.id;
            for runtime in [Runtime::Containerd, Runtime::Docker, Runtime::ContainersStorage] {
                self.look(&root, Some(id), runtime, "");
            }
            for (runtime, path) in PLACES {
                let mut tail = *path;
                while !tail.is_empty() {
                    self.look(&root, Some(id), *runtime, tail);
                    tail = tail.split_once('/').map_or("", |(_, below)| below);
                }
            }
        }
    }

    /// What speaks against an analysis. What is configured and not there does only if nothing else was found: it
    /// is a gap then, unless it is a usual place, where a runtime that never ran leaves nothing.
    fn judge(&mut self, volumes: &[NodeVolume], unread: &[(Volume, Signature)], missing: &[Configured]) {
        let Some(root) = self.root.clone() else { return self.find_windows(volumes, unread) };
        self.reasons.extend(verdict::ephemeral(&root));
        for configured in missing {
            let elsewhere = verdict::elsewhere(configured);
            let is_usual = PLACES.iter().any(|(_, place)| GuestPath::new(place) == configured.path);
            if self.sites.is_empty() {
                self.reasons.push(elsewhere);
            } else if !is_usual {
                let detail = format!("{} ({})", elsewhere.detail, elsewhere.evidence);
                let effect = "the images and containers in it are not reported";
                self.gaps.push(Gap::new(elsewhere.code, Scope::Runtime, "node", detail, effect));
            }
        }
    }

    /// Windows, by the volume that it starts from; if there is none, by how a disk with NTFS is partitioned.
    fn find_windows(&mut self, volumes: &[NodeVolume], unread: &[(Volume, Signature)]) {
        match windows::find(volumes) {
            Ok(Some(windows)) => {
                for (path, error) in &windows.damage {
                    self.lost(error, &windows.volume, path);
                }
                self.reasons.push(windows.reason);
                self.os = Some(windows.os);
                self.hostname = windows.hostname;
                return;
            }
            Ok(None) => {}
            Err((id, error)) => {
                let effect = "whether Windows is on it is not known";
                self.gaps.push(Gap::from_error(&error, Scope::Volume, id, effect));
            }
        }
        self.reasons.extend(verdict::windows(volumes, unread));
    }

    fn look(&mut self, root: &Root, volume: Option<&String>, runtime: Runtime, path: &str) {
        match sites::at(root, runtime, path) {
            Ok(Some(dir)) => {
                let known = self.sites.iter().any(|site| {
                    Arc::ptr_eq(&site.dir.fs, &dir.fs) && site.dir.ino == dir.ino && site.runtime == runtime
                });
                if !known {
                    self.sites.push(Site { runtime, volume: volume.cloned(), path: dir.path.clone(), dir });
                }
            }
            Ok(None) => {}
            Err(error) => self.lost(&error, volume.map_or("node", String::as_str), path),
        }
    }
}

/// Whether a directory is there: a runtime that never ran leaves one.
fn is_dir(root: &Root, path: &GuestPath) -> bool {
    matches!(root.find(path.as_bytes()), Ok(Some(dir)) if matches!(dir.is_dir(), Ok(true)))
}

/// Whether something is lost if the disk of an fstab line was not given. The machine itself does without one that
/// is marked `nofail`: it matters only where a runtime's usual places lie on it.
fn is_needed(line: &Line) -> bool {
    let holds_state = || PLACES.iter().any(|(_, place)| GuestPath::new(place).starts_with(&line.at));
    !line.options.iter().any(|option| option == "nofail") || holds_state()
}

#[cfg(test)]
mod tests;
