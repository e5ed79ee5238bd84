//! A machine from its volumes.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Runtime, Site,
    config::{self, Configured},
    mounting::Absent,
    sites::{self, DOCKERS_CONTAINERD, HOME_PLACES, PLACES, Remapped},
    slots,
    storage::StorageOptions,
    systems,
    users::{User, Users},
    verdict, windows,
};
use crate::{
    Gap,
    error::FormatError,
    fs::{Branch, FileSystem, GuestPath, Opened, Owners, Root, Subvolume},
    gap::{Code, Reason, Scope},
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
    /// Why: the fstab line's first field, what takes its place, or `root`.
    pub spec: String,
    /// The place in the tree where the same files are seen already, for a directory that is shown a second time.
    pub shows: Option<GuestPath>,
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
    /// The letter of the copy of its system that boots, if its disk has copies.
    pub slot: Option<char>,
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
        slot: None,
        sites: Vec::new(),
        reasons: Vec::new(),
        gaps: Vec::new(),
    };
    let mut rest: Vec<&NodeVolume> = volumes.iter().collect();
    let all = || volumes.iter().map(|volume| &volume.volume).chain(unread.iter().map(|(volume, _)| volume));
    let disks: BTreeSet<usize> = all().map(|volume| volume.disk).collect();
    let mut absent = Vec::new();
    if let Some(system) = systems::own(volumes, unread, &mut machine.gaps) {
        absent = machine.mount(system, (volumes, &disks), &mut rest);
    }
    let own =
        machine.mounts.first().and_then(|mount| volumes.iter().find(|one| one.volume.id == mount.volume));
    machine.slot = own.and_then(|own| slots::active(all(), own.volume.disk));
    let mut missing = machine.find_sites();
    machine.find_elsewhere(&rest, &mut missing);
    if machine.sites.is_empty() {
        machine.find_unmounted(volumes, &mut missing);
    }
    machine.judge(volumes, unread, &missing, &absent);
    machine
}

impl Machine {
    /// The content of a small file.
    pub(super) fn text(&mut self, root: &Root, volume: &str, path: &str) -> Option<String> {
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

    /// Tells that a file of the machine could not be used.
    pub(super) fn lost(&mut self, error: &FormatError, volume: &str, path: &str) {
        let effect = "what it tells of the machine is not known";
        let path = format!("/{}", path.trim_start_matches('/'));
        self.gaps.push(Gap::from_error(error, Scope::Volume, volume, effect).at(path));
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
            if configured.in_use && !self.sites.iter().any(is_it) && !is_dir(&root, &configured.path) {
                missing.push(configured);
            }
        }
        for (runtime, path) in PLACES {
            self.look(&root, None, *runtime, path);
        }
        self.find_in_homes(&root);
        missing
    }

    /// State directories of users who run runtimes without privileges.
    fn find_in_homes(&mut self, root: &Root) {
        let users = Users::read(root);
        for (file, error) in &users.damage {
            self.lost(error, "node", &file.to_string());
        }
        for user in &users.all {
            // Most accounts are of services, and their homes are not there.
            if !is_dir(root, &user.home) {
                continue;
            }
            let keeper = Keeper { owners: users.owners(user), user: Some(user.clone()) };
            let (configured, damage) = config::of_user(root, user);
            for (file, error) in damage {
                let effect = "a state directory that it names is not searched";
                self.gaps.push(Gap::from_error(&error, Scope::Volume, "node", effect).at(file.to_string()));
            }
            for (runtime, path) in configured {
                self.look_as(root, None, runtime, &path, &keeper);
            }
            for (runtime, path) in HOME_PLACES {
                let path = user.home.join(path.as_bytes());
                self.look_as(root, None, *runtime, &String::from_utf8_lossy(path.as_bytes()), &keeper);
            }
        }
    }

    /// State directories on volumes that are not part of the machine's tree: a data disk may hold a runtime's
    /// root, `/var`, or the root's directories from some depth on. What is found there of those that are configured
    /// is no longer missing.
    fn find_elsewhere(&mut self, rest: &[&NodeVolume], missing: &mut Vec<Configured>) {
        for volume in rest {
            self.find_in(&volume.opened.fs, &volume.volume.id, missing);
            // Copies that were taken of them lie deeper.
            for branch in volume.opened.fs.subvolumes().iter().filter(|branch| branch.top_name.is_some()) {
                self.find_in_branch(volume, branch, missing);
            }
        }
    }

    /// State directories in subvolumes that nothing is known to mount, wherever they are.
    fn find_unmounted(&mut self, volumes: &[NodeVolume], missing: &mut Vec<Configured>) {
        for volume in volumes {
            let branches = volume.opened.fs.subvolumes();
            if branches.len() > limits::ROOT_SUBVOLUMES {
                let error = FormatError::limit(format!("more than {} subvolumes", limits::ROOT_SUBVOLUMES));
                let effect = "a runtime's state in the others is not reported";
                self.gaps.push(Gap::from_error(&error, Scope::Volume, &volume.volume.id, effect));
            }
            for branch in branches.iter().take(limits::ROOT_SUBVOLUMES) {
                self.find_in_branch(volume, branch, missing);
            }
        }
    }

    fn find_in_branch(&mut self, volume: &NodeVolume, branch: &Branch, missing: &mut Vec<Configured>) {
        let (fs, id) = (&volume.opened.fs, &volume.volume.id);
        if branch.root == fs.root() {
            return;
        }
        match fs.subvolume(Subvolume::Id(branch.id)) {
            Ok(tree) => tree.iter().for_each(|tree| self.find_in(tree, id, missing)),
            Err(error) => self.lost(&error, id, &format!("subvolume {}", branch.id)),
        }
    }

    /// State directories of a tree that is not part of the machine's.
    fn find_in(&mut self, fs: &Arc<dyn FileSystem>, id: &String, missing: &mut Vec<Configured>) {
        let root = Root::new(Arc::clone(fs));
        for runtime in [Runtime::Containerd, Runtime::Docker, Runtime::ContainersStorage] {
            self.look(&root, Some(id), runtime, "");
        }
        for (runtime, path) in PLACES {
            self.look_from_any_depth(&root, id, *runtime, path);
        }
        missing.retain(|configured| {
            let path = String::from_utf8_lossy(configured.path.as_bytes()).into_owned();
            !self.look_from_any_depth(&root, id, configured.runtime, path.trim_start_matches('/'))
        });
    }

    /// Looks for a path of which the first components may be those of the place where the volume is mounted.
    fn look_from_any_depth(&mut self, root: &Root, volume: &String, runtime: Runtime, path: &str) -> bool {
        let mut found = false;
        let mut tail = path;
        while !tail.is_empty() {
            found |= self.look(root, Some(volume), runtime, tail);
            tail = tail.split_once('/').map_or("", |(_, below)| below);
        }
        found
    }

    /// What speaks against an analysis. What is configured and not there does only if nothing else was found: else it
    /// is a gap, unless it is a usual place, where a runtime that never ran leaves nothing.
    fn judge(
        &mut self,
        volumes: &[NodeVolume],
        unread: &[(Volume, Signature)],
        missing: &[Configured],
        absent: &[Absent],
    ) {
        let Some(root) = self.root.clone() else { return self.find_windows(volumes, unread) };
        self.reasons.extend(verdict::ephemeral(&root));
        for configured in missing {
            let elsewhere = verdict::elsewhere(&root, configured, absent);
            let is_usual = PLACES.iter().any(|(_, place)| GuestPath::new(place) == configured.path);
            // What a runtime left in its usual place before it was told to use a temporary disk is not the node's.
            let is_left = |site: &Site| site.runtime == configured.runtime && site.volume.is_none();
            let is_temporary = elsewhere.code == Code::EphemeralOsDisk;
            // The usual place, and no disk that is to be mounted over it: the runtime never ran here.
            let never_ran = is_usual && !absent.iter().any(|one| configured.path.starts_with(&one.line.at));
            if self.sites.is_empty() && !never_ran || is_temporary && self.sites.iter().all(is_left) {
                self.reasons.push(elsewhere);
            } else if !is_usual {
                let detail = format!("{} ({})", elsewhere.detail, elsewhere.evidence);
                let effect = "the images and containers in it are not reported";
                self.gaps.push(Gap::new(elsewhere.code, Scope::Runtime, "node", detail, effect));
            }
        }
        let sites = &self.sites;
        let reasons = absent.iter().filter(|one| one.is_needed).filter_map(|one| verdict::absent(one, sites));
        self.reasons.extend(reasons);
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

    /// Notes the state directory of a runtime that root runs at a path, and tells whether one is there.
    fn look(&mut self, root: &Root, volume: Option<&String>, runtime: Runtime, path: &str) -> bool {
        self.look_as(root, volume, runtime, path, &Keeper::default())
    }

    /// The same of a runtime that someone runs. In the place of Docker's may be more: its own containerd's, and those that
    /// it uses for containers with users of their own.
    fn look_as(
        &mut self,
        root: &Root,
        volume: Option<&String>,
        runtime: Runtime,
        path: &str,
        keeper: &Keeper,
    ) -> bool {
        let mut found = self.look_at(root, volume, runtime, path, keeper);
        if runtime == Runtime::Docker && !path.is_empty() {
            self.look_at(root, volume, Runtime::Containerd, &format!("{path}/{DOCKERS_CONTAINERD}"), keeper);
            let remapped = sites::remapped(root, path).unwrap_or_else(|error| {
                self.lost(&error, volume.map_or("node", String::as_str), path);
                Vec::new()
            });
            // Who has which ids is said in the machine's root.
            let machine = self.root.as_ref().filter(|_| !remapped.is_empty());
            let users = machine.map(Users::read).unwrap_or_default();
            for Remapped { path, uid, gid } in remapped {
                let keeper = Keeper { owners: users.remapped(uid, gid), ..keeper.clone() };
                found |= self.look_at(root, volume, Runtime::Docker, &path, &keeper);
                let containerd = format!("{path}/{DOCKERS_CONTAINERD}");
                self.look_at(root, volume, Runtime::Containerd, &containerd, &keeper);
            }
        }
        found
    }

    fn look_at(
        &mut self,
        root: &Root,
        volume: Option<&String>,
        runtime: Runtime,
        path: &str,
        keeper: &Keeper,
    ) -> bool {
        match sites::at(root, runtime, path) {
            Ok(Some(dir)) => {
                // The subvolumes of a volume have one numbering of inodes.
                let is_same = |site: &&Site| {
                    Arc::ptr_eq(&site.dir.fs, &dir.fs) || volume.is_some() && site.volume.as_ref() == volume
                };
                let mut same = self.sites.iter().filter(is_same);
                let known = same.any(|site| site.dir.ino == dir.ino && site.runtime == runtime);
                if !known {
                    let Keeper { owners, user } = keeper.clone();
                    let machine = self.root.as_ref().filter(|_| runtime == Runtime::ContainersStorage);
                    let storage = machine.map(|root| StorageOptions::read(root, user.as_ref()));
                    let (storage, rootless) = (storage.unwrap_or_default(), user.is_some());
                    let (volume, path) = (volume.cloned(), dir.path.clone());
                    let root = root.within(&dir);
                    self.sites.push(Site { runtime, volume, path, dir, root, owners, rootless, storage });
                }
                true
            }
            Ok(None) => false,
            Err(error) => {
                self.lost(&error, volume.map_or("node", String::as_str), path);
                false
            }
        }
    }
}

/// Who runs a runtime.
#[derive(Clone, Default)]
struct Keeper {
    /// Whose the files are in containers.
    owners: Owners,
    /// The user, if it is one without privileges.
    user: Option<User>,
}

/// Whether a directory is there: a runtime that never ran leaves one.
fn is_dir(root: &Root, path: &GuestPath) -> bool {
    matches!(root.find(path.as_bytes()), Ok(Some(dir)) if matches!(dir.is_dir(), Ok(true)))
}

#[cfg(test)]
mod tests;
