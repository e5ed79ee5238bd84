//! What `scripts/make-stores.sh` wrote down of a disk.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use icecore::report;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Truth {
    pub(super) images: Vec<Image>,
    pub(super) containers: Vec<Container>,
    #[serde(default)]
    pub(super) pods: Vec<Pod>,
    /// Owners on the disk, where they are not those in the container.
    #[serde(default)]
    pub(super) owners: Vec<Range>,
}

#[derive(Deserialize)]
pub(super) struct Range {
    inside: u32,
    outside: u32,
    count: u32,
}

#[derive(Deserialize)]
pub(super) struct Image {
    pub(super) id: String,
    pub(super) names: Vec<String>,
    #[serde(default)]
    pub(super) digests: Vec<String>,
    /// What its name leads to first, where that is told: of an index, manifests of other platforms are digests, too.
    pub(super) target: Option<String>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) layers: Vec<String>,
    /// A list of manifests, no image.
    #[serde(default)]
    pub(super) list: serde_json::Value,
    pub(super) tree: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Container {
    pub(super) id: String,
    name: String,
    image: Option<String>,
    image_name: Option<String>,
    state: String,
    exit_code: Option<i64>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    infra: bool,
    #[serde(default)]
    mounts: Vec<Mount>,
    pub(super) changes: Option<Vec<String>>,
    pub(super) tree: Option<String>,
}

#[derive(Deserialize)]
struct Mount {
    #[serde(default)]
    source: String,
    destination: String,
    #[serde(default)]
    writable: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct Pod {
    #[serde(default)]
    pub(super) namespace: String,
    pub(super) name: String,
    id: String,
    uid: Option<String>,
    pub(super) containers: Vec<String>,
}

impl Truth {
    /// Where it lies: in the place of a disk, or beside an archive.
    pub(super) fn path(disk: &Path) -> PathBuf {
        let is_disk = disk.extension().is_some_and(|extension| extension == "raw");
        if is_disk { disk.with_extension("json") } else { PathBuf::from(format!("{}.json", disk.display())) }
    }

    pub(super) fn read(disk: &Path) -> Self {
        let path = Self::path(disk);
        let text = std::fs::read_to_string(&path).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A line as both sides must have it: a directory's size, links and time are its file system's, and owners are those
    /// in the container.
    pub(super) fn normal(&self, line: &str, of_kernel: bool) -> String {
        let mut fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        if fields[1] == "d" {
            // One that no layer names has another time in each copy of the layer.
            fields[8] = "-".to_owned();
            fields[5] = "-".to_owned();
            fields[6] = "-".to_owned();
        }
        if of_kernel {
            for owner in &mut fields[3..5] {
                *owner = self.inside(owner.parse().unwrap()).to_string();
            }
        }
        fields.join("\t")
    }

    fn inside(&self, outside: u32) -> u32 {
        if self.owners.is_empty() {
            return outside;
        }
        let of = |range: &Range| {
            outside.checked_sub(range.outside).filter(|at| *at < range.count).map(|at| at + range.inside)
        };
        self.owners.iter().find_map(of).unwrap_or(65534)
    }
}

impl Pod {
    /// Kubernetes' own id, or else the runtime's.
    pub(super) fn uid(&self) -> &str {
        self.uid.as_deref().unwrap_or(&self.id)
    }
}

impl Container {
    pub(super) fn is_sandbox(&self) -> bool {
        self.infra || self.labels.get("io.cri-containerd.kind").is_some_and(|kind| kind == "sandbox")
    }

    pub(super) fn title(&self) -> String {
        format!("container {} ({})", self.name, self.id.get(..12).unwrap_or(&self.id))
    }

    /// The id of its image.
    pub(super) fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// What a record says otherwise.
    pub(super) fn compare(&self, found: &report::Container, image: Option<&Image>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |what: &str, found: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
            let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
            if found != expected {
                wrong.push(format!("{}: {what} {found}, not {expected}", self.title()));
            }
        };
        check("name", &found.name, &self.name);
        if let Some(image) = self.image.as_ref().filter(|image| !image.is_empty()) {
            check("image", &found.image, image);
        }
        if let Some(name) = self.image_name.as_ref().filter(|name| !name.is_empty()) {
            check("image name", &found.image_name, name);
        }
        let state = match self.state.as_str() {
            "none" | "working" => "unknown",
            state => state,
        };
        check("state", &found.state, &state);
        if let Some(code) = self.exit_code.filter(|_| found.state == "exited") {
            check("exit code", &found.exit_code, &Some(code));
        }
        check("command", &found.command, &self.command);
        for (key, value) in &self.labels {
            let of_cri = key.starts_with("io.cri-containerd") || key.starts_with("io.kubernetes");
            let of_image = image.is_some_and(|image| image.labels.get(key) == Some(value));
            if found.labels.get(key) != Some(value) && !of_cri && !of_image {
                check("label", &found.labels.get(key), &Some((key, value)));
            }
        }
        // What a runtime makes for every container is no mount of the node's.
        for mount in self.mounts.iter().filter(|mount| !mount.source.contains("/io.containerd.")) {
            let there = found.mounts.iter().find(|found| found.destination == mount.destination);
            let read_only = mount.writable.map(|writable| !writable);
            check("mount", &there.map(|there| read_only.map(|_| there.read_only)), &Some(read_only));
        }
        wrong
    }
}

/// The lines of a tree, by path.
pub(super) fn lines(disk: &Path, tree: &str) -> BTreeMap<String, String> {
    let path = disk.parent().unwrap().join(tree);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().map(|line| {
        let path = line.split('\t').next().unwrap();
        (if path == "/" { String::new() } else { path.to_owned() }, line.to_owned())
    });
    lines.collect()
}
