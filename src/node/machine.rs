//! A machine from its volumes.

use std::sync::Arc;

use super::{
    Reason, Runtime, Site, config,
    fstab::{self, Line},
    sites::{self, PLACES},
    verdict,
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
    for at in 0..rest.len() {
        let Some(volume) = rest.get(at).copied() else { break };
        match holds_os(&volume.opened.fs) {
            Ok(true) => {
                rest.remove(at);
                machine.mount(volume, &mut rest);
                break;
            }
            Ok(false) => {}
            Err(error) => {
                let effect = "whether the node's own system is on it is not known";
                machine.gaps.push(Gap::from_error(&error, Scope::Volume, &volume.volume.id, effect));
            }
        }
    }
    machine.find_sites(&rest);
    machine.judge(unread);
    machine
}

/// Whether a file system is an operating system's root. What was found holds, whatever else cannot be read.
fn holds_os(fs: &Arc<dyn FileSystem>) -> Result<bool, FormatError> {
    let root = Root::new(Arc::clone(fs));
    let mut failure = None;
    let mut has = |path: &str| match root.find(path.as_bytes()) {
        Ok(found) => found.is_some(),
        Err(error) => {
            failure.get_or_insert(error);
            false
        }
    };
    let found = has("etc/fstab") && has("usr") || Os::FILES.iter().any(|file| has(file));
    failure.filter(|_| !found).map_or(Ok(found), Err)
}

impl Machine {
    /// Mounts what the root volume's fstab names; the volumes that it used leave `rest`.
    fn mount(&mut self, volume: &NodeVolume, rest: &mut Vec<&NodeVolume>) {
        let id = volume.volume.id.clone();
        let mut root = Root::new(Arc::clone(&volume.opened.fs));
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

    /// What speaks against an analysis.
    fn judge(&mut self, unread: &[(Volume, Signature)]) {
        let Some(root) = self.root.clone() else {
            self.reasons.extend(verdict::windows(unread));
            return;
        };
        self.reasons.extend(verdict::ephemeral(&root));
        let (configured, damage) = config::read(&root);
        for (file, error) in damage {
            let effect = "a state directory that it names is not searched";
            self.gaps.push(Gap::from_error(&error, Scope::Volume, "node", effect).at(file.to_string()));
        }
        for configured in configured {
            let before = self.sites.len();
            self.look(&root, None, configured.runtime, &String::from_utf8_lossy(configured.path.as_bytes()));
            let is_known = |site: &Site| site.runtime == configured.runtime;
            // A runtime that is configured and never ran is no loss while another one's state is there.
            if self.sites.len() == before
                && !self.sites.iter().any(is_known)
                && !is_dir(&root, &configured.path)
            {
                self.reasons.push(verdict::elsewhere(&configured));
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

/// Whether a volume is what an fstab line names.
fn matches(candidate: &NodeVolume, line: &Line) -> bool {
    let partition = candidate.volume.partition.as_ref();
    if candidate.volume.names.contains(&line.spec) {
        return true;
    }
    let spec = line.spec.strip_prefix("/dev/disk/by-").and_then(|by| by.split_once('/'));
    let (key, value) = match spec {
        Some((key, value)) => (key.to_ascii_uppercase(), value),
        None => match line.spec.split_once('=') {
            Some((key, value)) => (key.to_ascii_uppercase(), value.trim_matches('"')),
            None => {
                // A name of a disk is none of what several make.
                let is_of_disk = candidate.volume.parts.is_empty();
                return device(&line.spec).is_some_and(|(disk, number)| {
                    is_of_disk
                        && candidate.volume.disk == disk
                        && partition.map(|partition| partition.number) == number
                });
            }
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

/// The disk's position and the partition's number in a kernel name: `sdb1`, `vda`, `nvme1n1p2`, `xvdf`.
fn device(spec: &str) -> Option<(usize, Option<u32>)> {
    let name = spec.strip_prefix("/dev/")?;
    if let Some(rest) = name.strip_prefix("nvme") {
        let (disk, rest) = rest.split_once('n')?;
        let number = rest.split_once('p').map(|(_, number)| number.parse()).transpose().ok()?;
        return Some((disk.parse().ok()?, number));
    }
    let rest = ["sd", "vd", "xvd", "hd"].iter().find_map(|prefix| name.strip_prefix(prefix))?;
    let letter = rest.bytes().next().filter(u8::is_ascii_lowercase)?;
    let number = rest.get(1..).filter(|number| !number.is_empty()).map(str::parse).transpose().ok()?;
    Some((usize::from(letter.checked_sub(b'a')?), number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{block, fs::memory::Tree};

    fn volume(id: &str, disk: usize, uuid: &str, tree: Tree) -> NodeVolume {
        let source: block::Source = Arc::new(block::Memory::default());
        let volume = Volume {
            id: id.to_owned(),
            disk,
            start: 0,
            source,
            partition: None,
            names: Vec::new(),
            parts: Vec::new(),
        };
        let opened = Opened {
            fs: tree.build(),
            kind: "memory",
            uuid: Some(uuid.to_owned()),
            label: None,
            notes: Vec::new(),
        };
        NodeVolume { volume, opened }
    }

    fn root(fstab: &str, files: &[(&str, &str)]) -> NodeVolume {
        let mut tree = Tree::default();
        tree.file("usr/lib/os-release", "ID=debian\n");
        tree.file("etc/fstab", fstab);
        for (path, content) in files {
            tree.file(path, *content);
        }
        volume("disk0p1", 0, "aaaa", tree)
    }

    fn data(path: &str) -> NodeVolume {
        let mut tree = Tree::default();
        tree.file(&format!("{path}/io.containerd.metadata.v1.bolt/meta.db"), "x");
        volume("disk1", 1, "bbbb", tree)
    }

    fn sites(machine: &Machine) -> Vec<(Option<String>, String)> {
        machine.sites.iter().map(|site| (site.volume.clone(), site.path.to_string())).collect()
    }

    #[test]
    fn a_separate_var_is_mounted_by_uuid_or_device() {
        for spec in ["UUID=BBBB", "/dev/disk/by-uuid/bbbb", "/dev/sdb", "/dev/nvme1n1"] {
            let machine = assemble(
                &[root(&format!("{spec} /var ext4 defaults 0 2\n"), &[]), data("lib/containerd")],
                &[],
            );
            assert_eq!(sites(&machine), [(None, "/var/lib/containerd".to_owned())], "{spec}");
            assert!(machine.gaps.is_empty() && machine.reasons.is_empty());
        }
    }

    #[test]
    fn a_data_disk_that_nothing_mounts_is_searched() {
        for path in ["", "containerd", "lib/containerd", "var/lib/containerd"] {
            let machine = assemble(&[root("", &[]), data(path)], &[]);
            assert_eq!(sites(&machine), [(Some("disk1".to_owned()), format!("/{path}"))], "{path}");
        }
    }

    #[test]
    fn state_that_is_on_no_given_disk_is_a_reason() {
        let config = |root: &str| format!("root = \"{root}\"\n");
        for (path, code) in
            [("/mnt/aks/containers", Code::EphemeralOsDisk), ("/data/ctrd", Code::MissingDisk)]
        {
            let machine = assemble(&[root("", &[("etc/containerd/config.toml", &config(path))])], &[]);
            assert_eq!(machine.reasons.iter().map(|r| r.code).collect::<Vec<_>>(), [code], "{path}");
        }
        let label = "KUBELET_NODE_LABELS=agentpool=a,kubernetes.azure.com/storageprofile=ephemeral,x=y\n";
        let machine = assemble(&[root("", &[("etc/default/kubelet", label)])], &[]);
        assert_eq!(machine.reasons[0].code, Code::EphemeralOsDisk);
        assert!(machine.reasons[0].evidence.contains("storageprofile=ephemeral"));
    }

    #[test]
    fn a_volume_that_fstab_names_and_nobody_gave_is_a_gap() {
        let machine = assemble(&[root("UUID=cccc /var/lib/containerd ext4 defaults 0 2\n", &[])], &[]);
        assert_eq!(machine.gaps[0].code, Code::MissingDisk);
    }

    #[test]
    fn a_missing_disk_that_the_machine_does_without_is_none_unless_it_holds_a_runtimes_state() {
        let gaps =
            |at: &str| assemble(&[root(&format!("LABEL=x {at} auto defaults,nofail 0 2\n"), &[])], &[]).gaps;
        assert_eq!(gaps("/mnt").len(), 0);
        assert_eq!(gaps("/var").len(), 1);
    }

    #[test]
    fn a_bind_mount_does_not_replace_the_root() {
        let machine = assemble(&[root("/srv / none bind\n", &[("srv/x", ""), ("etc/hostname", "a\n")])], &[]);
        assert_eq!(machine.hostname.as_deref(), Some("a"));
    }

    #[test]
    fn a_long_fstab_is_cut_and_told() {
        let fstab: String = (0..20_000).map(|n| format!("/srv /m{n} none bind\n")).collect();
        let machine = assemble(&[root(&fstab, &[("srv/x", "")])], &[]);
        assert_eq!(machine.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::LimitReached]);
    }
}
