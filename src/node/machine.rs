//! A machine from its volumes.

use std::sync::Arc;

use super::{
    Reason, Runtime, Site,
    config::{self, Configured},
    fstab::{self, Line},
    sites::{self, PLACES},
    verdict,
};
use crate::{
    Gap,
    error::FormatError,
    fs::{FileSystem, GuestPath, Mount, Opened, Root, Subvolume},
    gap::{Code, Scope},
    inventory::Os,
    limits,
    volume::{Signature, Volume},
};

/// The number of the subvolume that all others are below.
const TOP_SUBVOLUME: u64 = 5;

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
    machine.judge(unread, &missing);
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

/// The tree of a volume that is an operating system's root: the one that is mounted by default, or else one of the
/// subvolumes at its top. Of several, that one which its own fstab calls the root.
fn root_of(fs: &Arc<dyn FileSystem>) -> Result<Option<Arc<dyn FileSystem>>, FormatError> {
    if holds_os(fs)? {
        return Ok(Some(Arc::clone(fs)));
    }
    let Some(top) = fs.subvolume(Subvolume::Id(TOP_SUBVOLUME))? else { return Ok(None) };
    let (mut found, mut failure) = (None, None);
    let entries = top.read_dir(top.root())?.entries;
    if entries.len() > limits::ROOT_SUBVOLUMES {
        let what = format!("more than {} names at the top of a file system", limits::ROOT_SUBVOLUMES);
        failure = Some(FormatError::limit(what));
    }
    for entry in entries.into_iter().take(limits::ROOT_SUBVOLUMES) {
        let tree = fs.subvolume(Subvolume::Path(&entry.name)).and_then(|tree| match tree {
            Some(tree) => Ok(holds_os(&tree)?.then_some(tree)),
            None => Ok(None),
        });
        let tree = match tree {
            Ok(Some(tree)) => tree,
            Ok(None) => continue,
            // Another one may be the root.
            Err(error) => {
                failure.get_or_insert(error);
                continue;
            }
        };
        let text =
            Root::new(Arc::clone(&tree)).read(b"etc/fstab", "fstab").ok().flatten().unwrap_or_default();
        let lines = fstab::parse(&String::from_utf8_lossy(&text));
        let own = |line: &Line| match line.subvolume() {
            Some(Subvolume::Path(path)) => path.strip_prefix(b"/").unwrap_or(path) == entry.name,
            _ => false,
        };
        if lines.iter().any(|line| line.at == GuestPath::ROOT && own(line)) {
            return Ok(Some(tree));
        }
        found.get_or_insert(tree);
    }
    match (found, failure) {
        (None, Some(error)) => Err(error),
        (found, _) => Ok(found),
    }
}

/// Whether the fstab on a volume calls that volume the root.
fn is_its_root(volume: &NodeVolume, root: &Root) -> bool {
    let text = root.read(b"etc/fstab", "fstab").ok().flatten().unwrap_or_default();
    let lines = fstab::parse(&String::from_utf8_lossy(&text));
    lines.iter().any(|line| line.at == GuestPath::ROOT && matches(volume, line))
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
                let fits = |candidate: &&&NodeVolume| matches(candidate, line);
                let fitting: Vec<String> =
                    rest.iter().filter(fits).map(|one| one.volume.id.clone()).collect();
                if fitting.len() > 1 {
                    let problem =
                        format!("{} is each of {}; the first is mounted", line.spec, fitting.join(", "));
                    self.lost(&FormatError::corrupt("fstab", 0, problem), &id, "etc/fstab");
                }
                let free =
                    rest.iter().position(|candidate| matches(candidate, line)).map(|at| rest.remove(at));
                // Of one volume many subvolumes may be mounted.
                let shared = || volumes.iter().find(|candidate| matches(candidate, line));
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
    fn judge(&mut self, unread: &[(Volume, Signature)], missing: &[Configured]) {
        let Some(root) = self.root.clone() else {
            self.reasons.extend(verdict::windows(unread));
            return;
        };
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        block,
        fs::{Ino, Listing, Stat, Xattr, memory::Tree},
    };

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
    fn a_system_on_a_data_disk_does_not_take_the_roots_place() {
        let planted = || {
            volume("disk0", 0, "cccc", {
                let mut tree = Tree::default();
                tree.file("etc/os-release", "ID=other\n");
                tree
            })
        };
        let own = |fstab: &str| {
            let mut own = root(fstab, &[]);
            (own.volume.id, own.volume.disk) = ("vg/root".to_owned(), 1);
            own
        };
        let named = assemble(&[planted(), own("UUID=aaaa / ext4 defaults 0 1\n")], &[]);
        assert_eq!((named.os.unwrap().id.as_str(), named.gaps.len()), ("debian", 0));
        let unnamed = assemble(&[planted(), own("")], &[]);
        assert_eq!(unnamed.gaps.iter().map(|gap| gap.subject.as_str()).collect::<Vec<_>>(), ["vg/root"]);
    }

    #[test]
    fn two_volumes_that_fit_one_line_are_told() {
        let machine = assemble(
            &[root("UUID=bbbb /var ext4 defaults 0 2\n", &[]), data("lib/containerd"), {
                let mut other = data("lib/containerd");
                other.volume.id = "disk2".to_owned();
                other
            }],
            &[],
        );
        assert_eq!(machine.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::CorruptStructure]);
    }

    #[test]
    fn a_second_runtime_that_is_not_there_is_a_gap_and_no_reason_to_stop() {
        let state = ("var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", "x");
        let docker = |root: &str| format!("{{\"data-root\": \"{root}\"}}");
        let machine =
            |data: &str| assemble(&[root("", &[state, ("etc/docker/daemon.json", &docker(data))])], &[]);
        let elsewhere = machine("/data/docker");
        assert!(elsewhere.reasons.is_empty());
        assert_eq!(elsewhere.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::MissingDisk]);
        assert!(machine("/var/lib/docker").gaps.is_empty(), "one that never ran");
    }

    #[test]
    fn a_configured_store_goes_before_one_on_a_volume_that_is_not_mounted() {
        let config = ("etc/containerd/config.toml", "root = \"/srv/ctrd\"\n");
        let state = ("srv/ctrd/io.containerd.metadata.v1.bolt/meta.db", "x");
        let machine = assemble(&[data("containerd"), root("", &[config, state])], &[]);
        let order: Vec<_> = sites(&machine).into_iter().map(|(volume, _)| volume).collect();
        assert_eq!(order, [None, Some("disk1".to_owned())]);
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

    /// A file system with subvolumes, all of them at its top.
    struct Subvolumes {
        shown: Arc<dyn FileSystem>,
        all: Arc<BTreeMap<Vec<u8>, Arc<dyn FileSystem>>>,
    }

    impl FileSystem for Subvolumes {
        fn root(&self) -> Ino {
            self.shown.root()
        }
        fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
            self.shown.stat(ino)
        }
        fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
            self.shown.lookup(dir, name)
        }
        fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
            self.shown.read_dir(dir)
        }
        fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
            self.shown.read_link(ino)
        }
        fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
            self.shown.xattrs(ino)
        }
        fn open(&self, ino: Ino) -> Result<block::Source, FormatError> {
            self.shown.open(ino)
        }
        fn subvolume(&self, which: Subvolume<'_>) -> Result<Option<Arc<dyn FileSystem>>, FormatError> {
            let name = match which {
                Subvolume::Id(_) => b"".as_slice(),
                Subvolume::Path(path) => path.strip_prefix(b"/").unwrap_or(path),
            };
            let all = || Arc::clone(&self.all);
            let shown = self.all.get(name).map(Arc::clone);
            Ok(shown.map(|shown| -> Arc<dyn FileSystem> { Arc::new(Self { shown, all: all() }) }))
        }
    }

    #[test]
    fn subvolumes_are_mounted_where_fstab_says() {
        let fstab = "UUID=aaaa / btrfs defaults,subvol=@ 0 0\nUUID=aaaa /home btrfs subvol=/@home 0 0\n\
                     UUID=aaaa /var btrfs compress=zstd,subvol=@var 0 0\nUUID=aaaa /gone btrfs subvol=@gone 0 0\n";
        let os = |name: &str| {
            let mut tree = Tree::default();
            tree.file("usr/lib/os-release", "ID=debian\n");
            tree.file("etc/fstab", fstab);
            tree.file("etc/hostname", name);
            tree
        };
        let (mut top, mut home, mut var) = (Tree::default(), Tree::default(), Tree::default());
        for name in ["@", "@home", "@old", "@var"] {
            top.file(&format!("{name}/x"), "");
        }
        home.file("user/file", "here");
        var.file("lib/containerd/io.containerd.metadata.v1.bolt/meta.db", "x");
        let trees = [("", top), ("@", os("now")), ("@old", os("before")), ("@home", home), ("@var", var)];
        let all: BTreeMap<_, _> =
            trees.map(|(name, tree)| (name.as_bytes().to_vec(), tree.build())).into_iter().collect();
        let shown = Arc::clone(&all[b"".as_slice()]);
        let mut only = volume("disk0p1", 0, "aaaa", Tree::default());
        only.opened.fs = Arc::new(Subvolumes { shown, all: Arc::new(all) });
        let machine = assemble(&[only], &[]);
        assert_eq!(machine.hostname.as_deref(), Some("now"));
        assert_eq!(sites(&machine), [(None, "/var/lib/containerd".to_owned())]);
        let root = machine.root.unwrap();
        assert_eq!(root.read(b"home/user/file", "file").unwrap().unwrap(), b"here");
        assert_eq!(machine.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::MissingDisk]);
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
