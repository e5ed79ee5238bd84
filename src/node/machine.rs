//! A machine from its volumes.

use std::sync::Arc;

use super::{
    Reason, Runtime, Site,
    fstab::{self, Line},
    sites::{self, PLACES},
};
use crate::{
    Gap,
    error::FormatError,
    fs::{FileSystem, GuestPath, Mount, Opened, Root},
    gap::{Code, Scope},
    inventory::Os,
    volume::Volume,
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

/// Puts a machine together from the file systems of all its disks.
pub fn assemble(volumes: &[NodeVolume]) -> Machine {
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
    if let Some(at) = rest.iter().position(|volume| holds_os(&volume.opened.fs)) {
        let root = rest.remove(at);
        machine.mount(root, &mut rest);
    }
    machine.find_sites(&rest);
    machine
}

fn holds_os(fs: &Arc<dyn FileSystem>) -> bool {
    let root = Root::new(Arc::clone(fs));
    let has = |path: &str| matches!(root.find(path.as_bytes()), Ok(Some(_)));
    has("etc/fstab") && has("usr") || Os::FILES.iter().any(|file| has(file))
}

impl Machine {
    /// Mounts what the root volume's fstab names; the volumes that it used leave `rest`.
    fn mount(&mut self, volume: &NodeVolume, rest: &mut Vec<&NodeVolume>) {
        let id = volume.volume.id.clone();
        let mut root = Root::new(Arc::clone(&volume.opened.fs));
        self.mounts.push(MountPoint { path: GuestPath::ROOT, volume: id.clone(), spec: "root".to_owned() });
        let text = self.text(&root, &id, "etc/fstab").unwrap_or_default();
        let mut lines = fstab::parse(&text);
        // A mount point may lie below another one.
        lines.sort_by_key(|line| line.at.depth());
        let mut mounts: Vec<Mount> = Vec::new();
        for line in &lines {
            if line.is_disk() {
                match rest.iter().position(|candidate| matches(candidate, line)) {
                    Some(at) => {
                        let found = rest.remove(at);
                        let fs = Arc::clone(&found.opened.fs);
                        let ino = fs.root();
                        mounts.push(Mount { at: line.at.clone(), fs, ino });
                        self.mounts.push(MountPoint {
                            path: line.at.clone(),
                            volume: found.volume.id.clone(),
                            spec: line.spec.clone(),
                        });
                    }
                    None => self.missing(&id, line),
                }
            } else if line.is_bind()
                && let Ok(Some(dir)) = root.find(line.spec.as_bytes())
            {
                mounts.push(Mount { at: line.at.clone(), fs: dir.fs, ino: dir.ino });
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
            Ok(bytes) => bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
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

    /// State directories in the machine's tree, and on volumes that are not part of it: a data disk may hold
    /// a runtime's root, `/var`, or the root's directories from some depth on.
    fn find_sites(&mut self, rest: &[&NodeVolume]) {
        if let Some(root) = self.root.clone() {
            for (runtime, path) in PLACES {
                self.look(&root, None, *runtime, path);
            }
        }
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

/// Whether a volume is what an fstab line names.
fn matches(candidate: &NodeVolume, line: &Line) -> bool {
    let partition = candidate.volume.partition.as_ref();
    let spec = line.spec.strip_prefix("/dev/disk/by-").and_then(|by| by.split_once('/'));
    let (key, value) = match spec {
        Some((key, value)) => (key.to_ascii_uppercase(), value),
        None => match line.spec.split_once('=') {
            Some((key, value)) => (key.to_ascii_uppercase(), value.trim_matches('"')),
            None => return false,
        },
    };
    let same = |own: Option<&String>| own.is_some_and(|own| own.eq_ignore_ascii_case(value));
    match key.as_str() {
        "UUID" => same(candidate.opened.uuid.as_ref()),
        "LABEL" => candidate.opened.label.as_deref() == Some(value),
        "PARTUUID" => same(partition.and_then(|p| p.uuid.as_ref())),
        "PARTLABEL" => partition.and_then(|p| p.name.as_deref()) == Some(value),
        _ => false,
    }
}
