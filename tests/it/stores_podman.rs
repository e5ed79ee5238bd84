//! Disks that Podman and Buildah wrote (`scripts/make-stores.sh`, in the folder that `$ICECORE_STORES` names), held against
//! what those list of their images, containers and pods, and against the kernel's view of their files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    path::Path,
};

use icecore::{
    fs::{Root, memory},
    scan::{self, Inputs, OpenedNode, Where},
    store::{self, State, Store, containers_storage},
};
use serde::Deserialize;

use crate::{judged, shared, tree};

/// What Podman says of a disk.
#[derive(Deserialize)]
struct Truth {
    runtime: String,
    root: String,
    user: Option<String>,
    images: Vec<Image>,
    containers: Vec<Container>,
    #[serde(default)]
    pods: Vec<Pod>,
}

#[derive(Deserialize)]
struct Image {
    id: String,
    names: Vec<String>,
    #[serde(default)]
    digests: Vec<String>,
    #[serde(default)]
    created: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    layers: Vec<String>,
    tree: Option<String>,
    /// A list of manifests is no image.
    #[serde(default)]
    list: serde_json::Value,
}

#[derive(Deserialize)]
struct Container {
    id: String,
    name: String,
    image: String,
    image_name: String,
    state: String,
    #[serde(default)]
    exit_code: i64,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    created: String,
    #[serde(default)]
    started: String,
    #[serde(default)]
    finished: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    restart: String,
    #[serde(default)]
    mounts: Vec<Mount>,
    #[serde(default)]
    pod: String,
    #[serde(default)]
    infra: bool,
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

#[derive(Deserialize)]
struct Pod {
    id: String,
    name: String,
    labels: BTreeMap<String, String>,
    infra: String,
    containers: Vec<String>,
}

/// A range of owners of a container.
#[derive(Deserialize, Clone, Copy)]
struct Map {
    container_id: u32,
    host_id: u32,
    size: u32,
}

struct Judge<'a> {
    name: &'a str,
    folder: &'a Path,
    user: bool,
    /// Owners of containers with user namespaces of their own: of users and of groups.
    maps: BTreeMap<String, [Vec<Map>; 2]>,
    node: OpenedNode,
    differences: Vec<String>,
    files: usize,
}

#[test]
#[ignore = "asks for disks that scripts/make-stores.sh makes"]
fn every_store_is_what_podman_says_it_is() {
    let folder = shared::directory("ICECORE_STORES");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".json")?.to_owned()))
        .collect();
    names.sort();
    let (mut all, mut counts, mut files) = (Vec::new(), [0; 3], 0);
    for name in &names {
        let text = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
        let Ok(truth) = serde_json::from_slice::<Truth>(&text) else { continue };
        if truth.runtime != "podman" {
            continue;
        }
        let inputs = Inputs { disks: vec![folder.join(format!("{name}.raw"))], ..Inputs::default() };
        let node = scan::open(&inputs).unwrap();
        let (user, maps) = (truth.user.is_some(), maps(&node, &truth.root));
        let mut judge = Judge { name, folder: &folder, user, maps, node, differences: Vec::new(), files: 0 };
        judge.all(&truth);
        println!("{name}: {} files, {} differences", judge.files, judge.differences.len());
        counts = [counts[0] + 1, counts[1] + truth.images.len(), counts[2] + truth.containers.len()];
        files += judge.files;
        all.extend(judge.differences.into_iter().take(60));
    }
    let [disks, images, containers] = counts;
    assert!(disks >= 4, "{disks} disks");
    let compared = [(disks, "disks"), (images, "images"), (containers, "containers"), (files, "files")];
    judged::tell("podman", &compared, all.len());
    all.iter().for_each(|difference| println!("{difference}"));
    tree::assert_same(&all);
}

/// The owners that records of containers tell.
fn maps(node: &OpenedNode, root: &str) -> BTreeMap<String, [Vec<Map>; 2]> {
    let tree = scan::view(node, &Where::Node).unwrap();
    let mut all = BTreeMap::new();
    for list in ["containers", "volatile-containers"] {
        for driver in ["overlay", "vfs", "btrfs"] {
            let path = format!("{root}/{driver}-containers/{list}.json");
            let Some(text) = tree.read(path.as_bytes(), "containers").unwrap() else { continue };
            for record in serde_json::from_slice::<Vec<serde_json::Value>>(&text).unwrap() {
                let map =
                    |key: &str| serde_json::from_value::<Option<Vec<Map>>>(record[key].clone()).unwrap();
                let of = ["uidmap", "gidmap"].map(|key| map(key).unwrap_or_default());
                all.insert(record["id"].as_str().unwrap().to_owned(), of);
            }
        }
    }
    all
}

#[test]
#[ignore = "asks for disks that scripts/make-stores.sh makes"]
fn a_layer_of_composefs_is_refused() {
    let disk = shared::directory("ICECORE_STORES").join("podman58-composefs.raw");
    if !disk.exists() {
        return;
    }
    let node = scan::open(&Inputs { disks: vec![disk], ..Inputs::default() }).unwrap();
    let store = &node.stores[0];
    let layers = store.contents.images.iter().flat_map(|image| &image.layers);
    let gaps: Vec<_> = layers.flat_map(|layer| store.store.layer(layer).gaps).collect();
    assert!(!gaps.is_empty() && gaps.iter().all(|gap| gap.detail.contains("composefs")), "{gaps:?}");
}

/// What Podman said of a database.
#[derive(Deserialize)]
struct Listed {
    containers: Vec<Container>,
    pods: Vec<Pod>,
}

#[test]
fn podmans_databases_tell_what_podman_lists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/podman");
    for (file, place) in [("bolt_state.db", "libpod/bolt_state.db"), ("db.sql", "db.sql")] {
        let bytes = std::fs::read(folder.join(format!("{file}.zst"))).unwrap();
        let listed = std::fs::read(folder.join(format!("{file}.json"))).unwrap();
        let listed: Listed = serde_json::from_slice(&listed).unwrap();
        let mut files = memory::Tree::default();
        files.file(place, zstd::decode_all(&bytes[..]).unwrap());
        let setting = containers_storage::Setting::default();
        let store = containers_storage::open(&Root::new(files.build()).top(), &setting).unwrap().unwrap();
        let contents = store.contents();
        assert_eq!((store.runtime(), &contents.gaps), ("podman", &Vec::new()));
        let wanted = listed.containers.iter().filter(|container| !container.infra);
        assert_eq!(contents.containers.len(), wanted.clone().count(), "{file}");
        let mut differences = Vec::new();
        for wanted in wanted {
            let found = contents.containers.iter().find(|container| container.id == wanted.id).unwrap();
            differences.extend(compare(found, wanted, None));
        }
        tree::assert_same(&differences);
        assert_eq!(pods_found(&contents), pods_wanted(&listed.pods), "{file}");
    }
}

impl Judge<'_> {
    fn all(&mut self, truth: &Truth) {
        let gaps: Vec<String> = self.node.gaps.iter().map(|gap| format!("{gap:?}")).collect();
        gaps.into_iter().for_each(|gap| self.different("node", gap));
        let sites = self.node.machine.sites.iter().map(|site| site.path.to_string());
        self.same("roots", sites.collect(), vec![truth.root.clone()]);
        let engines = self.node.stores.iter().map(|open| open.store.runtime()).collect();
        self.same("engines", engines, vec!["podman"]);
        let Some(open) = self.node.stores.first() else { return };
        let contents = open.contents.clone();
        let found = contents.images.iter().map(|image| image.id.to_string());
        let wanted = truth.images.iter().filter(|image| image.list.is_null());
        self.same(
            "images",
            found.collect(),
            wanted.clone().map(|image| image.id.clone()).collect::<BTreeSet<_>>(),
        );
        for wanted in wanted {
            if let Some(found) = contents.images.iter().find(|image| image.id.to_string() == wanted.id) {
                let lists = truth.images.iter().filter(|image| !image.list.is_null());
                let lists = lists.filter(|list| list.list.to_string().contains(wanted.id.as_str()));
                self.image(found, wanted, lists.flat_map(|list| list.names.clone()).collect());
            }
        }
        let found = contents.containers.iter().map(|container| container.id.clone());
        let wanted = truth.containers.iter().filter(|container| !container.infra);
        self.same(
            "containers",
            found.collect(),
            wanted.clone().map(|one| one.id.clone()).collect::<BTreeSet<_>>(),
        );
        for wanted in wanted {
            if let Some(found) = contents.containers.iter().find(|container| container.id == wanted.id) {
                let image = truth.images.iter().find(|image| image.id == wanted.image);
                self.container(found, wanted, image);
            }
        }
        self.same("pods", pods_found(&contents), pods_wanted(&truth.pods));
    }

    fn image(&mut self, found: &store::Image, wanted: &Image, lists: Vec<String>) {
        let at = &wanted.id;
        // Lists of manifests, which older versions do not list, add their names.
        let mut names = found.references.clone();
        names.retain(|name| lists.contains(name) || !name.starts_with("localhost/list:"));
        self.same(at, names, wanted.names.iter().cloned().chain(lists).collect());
        for name in &wanted.digests {
            let digest = name.rsplit_once('@').unwrap().1.parse().unwrap();
            self.same(at, (name, found.manifests.contains(&digest)), (name, true));
        }
        let created = Some(&wanted.created).filter(|text| !text.is_empty());
        self.same(at, found.created.as_ref(), created);
        self.same(at, &found.labels, &wanted.labels);
        let layers: Vec<String> = found.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
        self.same(at, &layers, &wanted.layers);
        self.same(at, &found.gaps, &Vec::new());
        if let Some(tree) = &wanted.tree {
            self.tree(&Where::Image(wanted.id.clone()), tree);
        }
    }

    fn container(&mut self, found: &store::Container, wanted: &Container, image: Option<&Image>) {
        let at = &wanted.name;
        self.same(at, &found.name, &wanted.name);
        let id = found.image.as_ref().map(ToString::to_string).unwrap_or_default();
        self.same(at, id.as_str(), wanted.image.as_str());
        if wanted.state == "working" {
            self.same(at, found.state, State::Unknown);
        } else {
            self.of_podman(found, wanted, image);
        }
        if let Some(tree) = &wanted.tree {
            self.tree(&Where::Container(wanted.id.clone()), tree);
        }
    }

    fn of_podman(&mut self, found: &store::Container, wanted: &Container, image: Option<&Image>) {
        compare(found, wanted, image).into_iter().for_each(|how| self.different("container", how));
    }

    /// Every path is as the kernel shows it, but for the sizes and links of directories, which are the file system's affair.
    fn tree(&mut self, place: &Where, list: &str) {
        // Refused by its name; see `a_layer_of_composefs_is_refused`.
        if self.name.contains("composefs") {
            return;
        }
        let root = match scan::view(&self.node, place) {
            Ok(root) => root,
            Err(error) => return self.different("view", format!("{place:?}: {error}")),
        };
        let container = match place {
            Where::Container(id) => self.maps.get(id).cloned().unwrap_or_default(),
            _ => Default::default(),
        };
        let ours = tree::walk(&*root.top().fs, usize::MAX);
        let errors: Vec<String> = ours.errors.iter().map(icecore::FormatError::detail).collect();
        errors.into_iter().for_each(|error| self.different("view", format!("{place:?}: {error}")));
        let theirs = std::fs::read_to_string(self.folder.join(list)).unwrap();
        let mut both: BTreeMap<String, i32> = BTreeMap::new();
        for line in theirs.lines().filter(|line| !line.starts_with('#')) {
            self.files += 1;
            *both.entry(self.comparable(line, Some(&container))).or_default() -= 1;
        }
        for line in ours.lines.values() {
            *both.entry(self.comparable(line, None)).or_default() += 1;
        }
        for (line, count) in both.into_iter().filter(|(_, count)| *count != 0) {
            let side = if count > 0 { "ours" } else { "kernel" };
            self.different("tree", format!("{place:?}: {side}: {line}"));
        }
    }

    /// The kernel's list has the owners that are on the disk: of user 1000, who lends 65536 ids from 100000 on, and of
    /// containers with owners of their own, whose images' files have others.
    fn comparable(&self, line: &str, container: Option<&[Vec<Map>; 2]>) -> String {
        let mut fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        if fields[1] == "d" {
            (fields[5], fields[6]) = ("*".to_owned(), "*".to_owned());
            // A directory that no tar names was made when its layer was unpacked, over each layer below anew.
            if !fields[8].ends_with(".000000000") {
                fields[8] = "*".to_owned();
            }
        }
        // fuse-overlayfs does not count links.
        if self.name.contains("fuse") {
            fields[6] = "*".to_owned();
        }
        for (owner, map) in [3, 4].into_iter().zip(container.into_iter().flatten()) {
            let mut id: u32 = fields[owner].parse().unwrap();
            if self.user {
                id = match id {
                    1000 => 0,
                    100_000..165_536 => id - 99_999,
                    _ => 65534,
                };
            }
            let inside = map.iter().find(|map| id >= map.host_id && id - map.host_id < map.size);
            fields[owner] = inside.map_or(id, |map| map.container_id + (id - map.host_id)).to_string();
        }
        fields.join("\t")
    }

    fn same<T: PartialEq + Debug>(&mut self, what: &str, found: T, wanted: T) {
        let mut all = Vec::new();
        same(&mut all, what, found, wanted);
        all.into_iter().for_each(|how| self.different("store", how));
    }

    fn different(&mut self, what: &str, how: String) {
        self.differences.push(format!("{} {what}: {how}", self.name));
    }
}

/// Tells how a container is another than Podman lists.
fn compare(found: &store::Container, wanted: &Container, image: Option<&Image>) -> Vec<String> {
    let (mut all, name) = (Vec::new(), &wanted.name);
    same(&mut all, name, &found.image_name, &wanted.image_name);
    let state = match wanted.state.as_str() {
        "created" | "configured" => State::Created,
        "running" | "paused" | "stopping" => State::Running,
        "exited" | "stopped" => State::Exited,
        other => panic!("state {other}"),
    };
    same(&mut all, name, found.state, state);
    let ended = (state == State::Exited).then_some(wanted.exit_code);
    same(&mut all, name, found.exit_code, ended);
    same(&mut all, name, &found.command, &wanted.command);
    let time =
        |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty() && !text.starts_with("0001"));
    let times = [&wanted.created, &wanted.started, &wanted.finished].map(|text| time(text));
    same(&mut all, name, [found.created.clone(), found.started.clone(), found.finished.clone()], times);
    let mut labels = found.labels.clone();
    let of_image = image.map(|image| image.labels.clone()).unwrap_or_default();
    of_image.into_iter().for_each(|(key, value)| {
        labels.entry(key).or_insert(value);
    });
    same(&mut all, name, &labels, &wanted.labels);
    // Older versions list what was not set as nothing.
    let wanted_policy = if wanted.restart.is_empty() { "no" } else { wanted.restart.as_str() };
    let policy = found.restart_policy.clone().unwrap_or_default();
    same(&mut all, name, policy.split(':').next().unwrap(), wanted_policy);
    same(&mut all, name, found.pod.as_ref().map_or("", |pod| pod.uid.as_str()), wanted.pod.as_str());
    same(&mut all, name, found.unit.as_ref(), wanted.labels.get("PODMAN_SYSTEMD_UNIT"));
    let mounts = found
        .mounts
        .iter()
        .filter(|mount| mount.kind != "tmpfs")
        .map(|m| (m.kind.clone(), m.name.clone(), m.source.clone(), m.destination.clone(), !m.read_only));
    let theirs = wanted
        .mounts
        .iter()
        .filter(|mount| mount.kind != "tmpfs")
        .map(|m| (m.kind.clone(), m.name.clone(), m.source.clone(), m.destination.clone(), m.writable));
    same(&mut all, name, mounts.collect(), theirs.collect::<BTreeSet<_>>());
    all
}

type PodFacts = (String, String, String, BTreeMap<String, String>, BTreeSet<String>);

fn pods_found(contents: &store::Contents) -> BTreeSet<PodFacts> {
    let facts = contents.pods.iter().map(|pod| {
        let containers = pod.containers.iter().cloned().collect();
        (pod.id.uid.clone(), pod.id.name.clone(), pod.sandbox.clone(), pod.labels.clone(), containers)
    });
    facts.collect()
}

fn pods_wanted(pods: &[Pod]) -> BTreeSet<PodFacts> {
    let facts = pods.iter().map(|pod| {
        let containers = pod.containers.iter().filter(|id| **id != pod.infra).cloned().collect();
        (pod.id.clone(), pod.name.clone(), pod.infra.clone(), pod.labels.clone(), containers)
    });
    facts.collect()
}

fn same<T: PartialEq + Debug>(all: &mut Vec<String>, what: &str, found: T, wanted: T) {
    if found != wanted {
        all.push(format!("{what}: found {found:?}, wanted {wanted:?}"));
    }
}
