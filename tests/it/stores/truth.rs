//! What `scripts/make-stores.sh` wrote down of a disk, as the runtimes and the kernel told it. What a runtime does not tell is `None`,
//! and not asked for.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use icecore::fs::{IdRange, Owners};
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Truth {
    pub(super) runtime: String,
    /// Where the store is in the node; an archive is in none.
    pub(super) root: Option<String>,
    /// Docker whose images are a containerd's: where that is.
    pub(super) containerd_root: Option<String>,
    /// Whose the store is, if not root's.
    user: Option<String>,
    /// The form, of an archive.
    pub(super) kind: Option<String>,
    pub(super) images: Vec<Image>,
    pub(super) containers: Vec<Container>,
    #[serde(default)]
    pub(super) pods: Vec<Pod>,
    /// What other stores of the disk have, or an earlier version of the runtime.
    #[serde(default)]
    others: Vec<Self>,
}

#[derive(Deserialize)]
pub(super) struct Image {
    pub(super) id: String,
    #[serde(default)]
    pub(super) names: Vec<String>,
    /// `name@digest`, or containerd's bare ones.
    #[serde(default)]
    pub(super) digests: Vec<String>,
    /// What its name leads to first, where that is told: of an index, manifests of other platforms are digests, too.
    pub(super) target: Option<String>,
    pub(super) created: Option<String>,
    pub(super) labels: Option<BTreeMap<String, String>>,
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
    pub(super) name: String,
    pub(super) image: String,
    pub(super) image_name: String,
    pub(super) state: String,
    pub(super) exit_code: Option<i64>,
    pub(super) command: Option<Vec<String>>,
    pub(super) created: Option<Time>,
    pub(super) started: Option<Time>,
    pub(super) finished: Option<Time>,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) restart: Option<String>,
    pub(super) mounts: Option<Vec<Mount>>,
    /// Of Podman the pod's id, of the CRI the sandbox's.
    pub(super) pod: Option<String>,
    #[serde(default)]
    infra: bool,
    pub(super) changes: Option<Vec<String>>,
    pub(super) tree: Option<String>,
}

/// A moment as text, or as the CRI tells it: nanoseconds since 1970.
#[derive(Deserialize, Clone)]
#[serde(untagged)]
pub(super) enum Time {
    Text(String),
    Nanos(i64),
}

#[derive(Deserialize)]
pub(super) struct Mount {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: Option<String>,
    pub(super) source: String,
    pub(super) destination: String,
    pub(super) writable: bool,
}

#[derive(Deserialize)]
pub(super) struct Pod {
    #[serde(default)]
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) id: String,
    uid: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    infra: Option<String>,
    pub(super) containers: Vec<String>,
}

impl Truth {
    /// Where it lies: in the place of a disk, or beside an archive.
    pub(super) fn path(disk: &Path) -> PathBuf {
        let is_disk = disk.extension().is_some_and(|extension| extension == "raw");
        if is_disk { disk.with_extension("json") } else { PathBuf::from(format!("{}.json", disk.display())) }
    }

    /// All that is told of a disk: its stores' truths.
    pub(super) fn read(disk: &Path) -> Vec<Self> {
        let path = Self::path(disk);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut first: Self =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let others = std::mem::take(&mut first.others);
        std::iter::once(first).chain(others).collect()
    }

    /// Whether it is a user's, not root's.
    pub(super) fn is_rootless(&self) -> bool {
        self.user.is_some()
    }

    /// By which runtime its figures are told.
    pub(super) fn title(&self) -> String {
        if self.kind.is_some() { format!("archives of {}", self.runtime) } else { self.runtime.clone() }
    }

    /// The runtime of the store that has its images.
    pub(super) fn of_images(&self) -> &str {
        if self.containerd_root.is_some() { "containerd" } else { &self.runtime }
    }

    pub(super) fn images(&self) -> impl Iterator<Item = &Image> {
        self.images.iter().filter(|image| image.list.is_null())
    }

    pub(super) fn lists(&self) -> impl Iterator<Item = &Image> {
        self.images.iter().filter(|image| !image.list.is_null())
    }

    /// Its containers but for the sandboxes of pods.
    pub(super) fn containers(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| !container.is_sandbox())
    }

    /// Owners in containers of those on the disk: user 1000 of the disks is lent 65536 ids from 100000 on; Docker names a store
    /// whose owners it maps after the first.
    pub(super) fn owners(&self) -> Owners {
        let lent = |inside| IdRange { inside, outside: 100_000, count: 65_536 };
        let is_mapped = self.root.as_ref().is_some_and(|root| root.ends_with("/100000.100000"));
        let ranges = match () {
            () if self.is_rootless() => vec![IdRange { inside: 0, outside: 1000, count: 1 }, lent(1)],
            () if is_mapped => vec![lent(0)],
            () => Vec::new(),
        };
        Owners { users: ranges.clone(), groups: ranges }
    }
}

impl Pod {
    /// Kubernetes' own id, or else the runtime's.
    pub(super) fn uid(&self) -> &str {
        self.uid.as_deref().unwrap_or(&self.id)
    }

    /// The container that holds its namespaces: of the CRI, the pod's id is its.
    pub(super) fn sandbox(&self) -> &str {
        self.infra.as_deref().unwrap_or(&self.id)
    }
}

impl Container {
    fn is_sandbox(&self) -> bool {
        let kind = self.labels.as_ref().and_then(|labels| labels.get("io.cri-containerd.kind"));
        self.infra || kind.is_some_and(|kind| kind == "sandbox")
    }

    pub(super) fn title(&self) -> String {
        format!("container {} ({})", self.name, self.id.get(..12).unwrap_or(&self.id))
    }
}
