//! Disks that Docker wrote (`scripts/make-stores.sh`, in the folder that `$ICECORE_STORES` names), held against what Docker
//! itself listed of its images and containers, and against the kernel's view of their files.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use icecore::{
    scan::{self, Inputs, OpenedNode, Where},
    store::{self, Owners, State},
};
use serde::Deserialize;

use crate::{judged, shared, tree};

/// What Docker says of a disk.
#[derive(Deserialize)]
struct Truth {
    runtime: String,
    root: String,
    containerd_root: Option<String>,
    driver: String,
    /// What other stores of the disk have, or an earlier Docker.
    #[serde(default)]
    others: Vec<serde_json::Value>,
    images: Vec<Image>,
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Image {
    id: String,
    names: Vec<String>,
    digests: Vec<String>,
    created: String,
    labels: BTreeMap<String, String>,
    layers: Vec<String>,
    tree: Option<String>,
}

#[derive(Deserialize)]
struct Container {
    id: String,
    name: String,
    image: String,
    image_name: String,
    state: String,
    exit_code: i64,
    command: Vec<String>,
    created: String,
    started: String,
    finished: String,
    labels: BTreeMap<String, String>,
    restart: String,
    mounts: Vec<Mount>,
    tree: Option<String>,
}

#[derive(Deserialize)]
struct Mount {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    source: String,
    destination: String,
    writable: bool,
}

/// What Docker puts between an image and a container.
const INIT: [&str; 11] = [
    "/.dockerenv",
    "/dev",
    "/dev/console",
    "/dev/pts",
    "/dev/shm",
    "/etc",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/mtab",
    "/etc/resolv.conf",
    "/",
];

/// A disk of the folder, and what is different on it.
struct Judge<'a> {
    name: &'a str,
    folder: &'a Path,
    node: OpenedNode,
    /// Whether nothing else is on the disk.
    is_alone: bool,
    /// Whether Docker itself has the images.
    is_classic: bool,
    /// Owners on the disk are these in containers.
    owners: Owners,
    differences: Vec<String>,
    files: usize,
}

#[test]
#[ignore = "asks for disks that scripts/make-stores.sh makes"]
fn every_store_is_what_docker_says_it_is() {
    let folder = shared::directory("ICECORE_STORES");
    let mut disks: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    disks.retain(|path| path.extension().is_some_and(|end| end == "json"));
    disks.sort();
    let (mut all, mut judged_disks, mut images, mut containers, mut files) = (Vec::new(), 0, 0, 0, 0);
    for path in disks {
        let Ok(truth) = serde_json::from_slice::<Truth>(&std::fs::read(&path).unwrap()) else { continue };
        // Of a containerd, only overlayfs is read.
        let is_read = truth.containerd_root.is_none() || truth.driver == "overlayfs";
        if truth.runtime != "docker" || !is_read {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_alone = truth.others.is_empty();
        let inputs = Inputs { disks: vec![path.with_extension("raw")], ..Inputs::default() };
        let node = scan::open(&inputs).unwrap();
        let is_classic = truth.containerd_root.is_none();
        let site = node.machine.sites.iter().find(|site| site.path.to_string() == truth.root);
        let owners = site.map(|site| site.owners.clone()).unwrap_or_default();
        let mut judge = Judge {
            name,
            folder: &folder,
            node,
            is_alone,
            is_classic,
            owners,
            differences: Vec::new(),
            files: 0,
        };
        judge.all(&truth);
        judged_disks += 1;
        images += truth.images.len();
        containers += truth.containers.len();
        files += judge.files;
        println!("{name}: {} differences", judge.differences.len());
        all.extend(judge.differences.into_iter().take(2000));
    }
    assert!(judged_disks >= 4, "{judged_disks} disks");
    let compared =
        [(judged_disks, "disks"), (images, "images"), (containers, "containers"), (files, "files")];
    judged::tell("docker", &compared, all.len());
    tree::assert_same(&all);
}

impl Judge<'_> {
    fn all(&mut self, truth: &Truth) {
        let gaps: Vec<String> = self.node.gaps.iter().map(|gap| format!("{gap:?}")).collect();
        if self.is_alone {
            gaps.into_iter().for_each(|gap| self.differences.push(format!("{}: {gap}", self.name)));
        }
        let places: Vec<String> = self.node.machine.sites.iter().map(|site| site.path.to_string()).collect();
        self.same("root", places.contains(&truth.root), true);
        // Docker's own images before those of others.
        let mut stores: Vec<_> = self.node.stores.iter().collect();
        stores.sort_by_key(|open| open.store.runtime() != "docker");
        let images: Vec<store::Image> = stores.iter().flat_map(|open| open.contents.images.clone()).collect();
        let containers: Vec<store::Container> =
            stores.iter().flat_map(|open| open.contents.containers.clone()).collect();
        let ids: BTreeSet<String> = images.iter().map(|image| image.id.to_string()).collect();
        self.all_of("images", &ids, &truth.images.iter().map(|image| image.id.clone()).collect());
        for wanted in &truth.images {
            if let Some(found) = images.iter().find(|image| image.id.to_string() == wanted.id) {
                self.image(found, wanted);
            }
        }
        let ids: BTreeSet<String> = containers.iter().map(|container| container.id.clone()).collect();
        self.same("containers, each once", ids.len(), containers.len());
        let wanted = truth.containers.iter().map(|container| container.id.clone()).collect();
        self.all_of("containers", &ids, &wanted);
        for wanted in &truth.containers {
            if let Some(found) = containers.iter().find(|container| container.id == wanted.id) {
                let image = truth.images.iter().find(|image| image.id == wanted.image).unwrap();
                self.container(found, wanted, image);
            }
        }
    }

    fn all_of(&mut self, what: &str, found: &BTreeSet<String>, wanted: &BTreeSet<String>) {
        let is_right = if self.is_alone { found == wanted } else { found.is_superset(wanted) };
        self.same(what, (is_right, found), (true, if is_right { found } else { wanted }));
    }

    fn image(&mut self, found: &store::Image, wanted: &Image) {
        // A containerd has the names in full, and the digests as targets of these only.
        let found_names: BTreeSet<String> = found.references.iter().map(|name| familiar(name)).collect();
        let tags = |names: &BTreeSet<String>| -> BTreeSet<String> {
            names.iter().filter(|name| !name.contains('@')).cloned().collect()
        };
        let names: BTreeSet<String> = wanted.names.iter().chain(&wanted.digests).cloned().collect();
        if self.is_classic {
            self.same(&wanted.id, &found_names, &names);
        }
        self.same(&wanted.id, tags(&found_names), tags(&names));
        let digests: BTreeSet<String> =
            wanted.digests.iter().map(|name| name.rsplit_once('@').unwrap().1.to_owned()).collect();
        let manifests: BTreeSet<String> = found.manifests.iter().map(ToString::to_string).collect();
        if self.is_classic {
            self.same(&wanted.id, &manifests, &digests);
        }
        self.same(&wanted.id, manifests.is_superset(&digests), true);
        self.same(&wanted.id, found.created.as_ref(), Some(&wanted.created));
        self.same(&wanted.id, &found.labels, &wanted.labels);
        let layers: Vec<String> = found.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
        self.same(&wanted.id, &layers, &wanted.layers);
        self.same(&wanted.id, &found.gaps, &Vec::new());
        // Another store may have another copy of the image.
        if let Some(tree) = wanted.tree.as_ref().filter(|_| self.is_alone) {
            self.tree(&Where::Image(wanted.id.clone()), tree);
        }
    }

    fn container(&mut self, found: &store::Container, wanted: &Container, image: &Image) {
        let at = &wanted.name;
        self.same(at, &found.name, &wanted.name);
        self.same(at, found.image.as_ref().map(ToString::to_string), Some(wanted.image.clone()));
        self.same(at, &found.image_name, &wanted.image_name);
        let state = match wanted.state.as_str() {
            "created" => State::Created,
            "running" | "paused" | "restarting" => State::Running,
            _ => State::Exited,
        };
        self.same(at, found.state, state);
        let time = |text: &str| Some(text.to_owned()).filter(|text| !text.starts_with("0001"));
        self.same(at, &found.created, &time(&wanted.created));
        self.same(at, &found.started, &time(&wanted.started));
        self.same(at, &found.finished, &time(&wanted.finished));
        let ended = (state == State::Exited).then_some(wanted.exit_code);
        self.same(at, found.exit_code, ended);
        self.same(at, &found.command, &wanted.command);
        let mut labels = wanted.labels.clone();
        labels.retain(|key, value| image.labels.get(key) != Some(value));
        self.same(at, &found.labels, &labels);
        let policy = found.restart_policy.as_ref().map(|policy| policy.split(':').next().unwrap());
        self.same(at, policy, Some(wanted.restart.as_str()));
        // What is only in memory is not among those that Docker lists.
        let mounts: BTreeSet<_> = found
            .mounts
            .iter()
            .filter(|mount| mount.kind != "tmpfs")
            .map(|m| (m.kind.clone(), m.name.clone(), m.source.clone(), m.destination.clone(), !m.read_only))
            .collect();
        let theirs = wanted
            .mounts
            .iter()
            .filter(|mount| mount.kind != "tmpfs")
            .map(|m| (m.kind.clone(), m.name.clone(), m.source.clone(), m.destination.clone(), m.writable))
            .collect();
        self.same(at, mounts, theirs);
        if let Some(tree) = &wanted.tree {
            self.tree(&Where::Container(wanted.id.clone()), tree);
        }
    }

    /// Every path is as the kernel shows it, but for the sizes and links of directories, which are the file system's affair.
    fn tree(&mut self, place: &Where, list: &str) {
        let root = match scan::view(&self.node, place) {
            Ok(root) => root,
            Err(error) => {
                self.differences.push(format!("{} {place:?}: {error}", self.name));
                return;
            }
        };
        let ours = tree::walk(&*root.top().fs, usize::MAX);
        let errors: Vec<String> = ours.errors.iter().map(icecore::FormatError::detail).collect();
        self.differences.extend(errors.into_iter().map(|error| format!("{} {place:?}: {error}", self.name)));
        let theirs = std::fs::read_to_string(self.folder.join(list)).unwrap();
        let mut both: BTreeMap<String, i32> = BTreeMap::new();
        for line in theirs.lines().filter(|line| !line.starts_with('#')) {
            self.files += 1;
            self.comparable(line, true).into_iter().for_each(|line| *both.entry(line).or_default() -= 1);
        }
        for line in ours.lines.values().filter_map(|line| self.comparable(line, false)) {
            *both.entry(line).or_default() += 1;
        }
        for (line, count) in both.into_iter().filter(|(_, count)| *count != 0) {
            let side = if count > 0 { "ours" } else { "kernel" };
            self.differences.push(format!("{} {place:?}: {side}: {line}", self.name));
        }
    }

    /// A line as it is compared: the kernel shows owners as they are on the disk, fuse-overlayfs counts links in its own way, and
    /// a layer that BuildKit made lies twice on the disk, once with whole seconds. `None` for what is not.
    fn comparable(&self, line: &str, on_disk: bool) -> Option<String> {
        let mut fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        // Between the layers of images that it built itself, Docker leaves its own in a containerd.
        if !self.is_classic && INIT.contains(&fields[0].as_str()) {
            return None;
        }
        if fields[1] == "d" || self.name.contains("fuse") {
            "*".clone_into(&mut fields[6]);
        }
        if fields[1] == "d" {
            "*".clone_into(&mut fields[5]);
        }
        if self.name.contains("overlay2") && !self.name.starts_with("docker-") {
            let seconds = fields[8].find('.').unwrap();
            fields[8].truncate(seconds);
        }
        if on_disk {
            fields[3] = self.owners.user(fields[3].parse().unwrap()).to_string();
            fields[4] = self.owners.group(fields[4].parse().unwrap()).to_string();
        }
        Some(fields.join("\t"))
    }

    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, wanted: T) {
        if found != wanted {
            let name = self.name;
            self.differences.push(format!("{name} {what}: found {found:?}, wanted {wanted:?}"));
        }
    }
}

/// A name as Docker shows it.
fn familiar(name: &str) -> String {
    let short = ["docker.io/library/", "docker.io/"].iter().find_map(|host| name.strip_prefix(host));
    short.unwrap_or(name).to_owned()
}
