//! Containers and pods of a report.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Finding, Package};
use crate::inventory::PackageKind;

/// A container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    /// The runtime's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for: `ordinary`, or in a pod `init`, `ephemeral` or `sandbox`, which holds the pod's namespaces.
    pub kind: String,
    /// The id of its image, or the name by which the runtime knew an image that is not on the disk.
    pub image: String,
    /// The name of its image, as the runtime recorded it.
    pub image_name: String,
    /// `created`, `running`, `exited`, `unknown`: the last state that reached the disk.
    pub state: String,
    /// The pod's UID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pod: Option<String>,
    /// The runtime's name.
    pub runtime: String,
    /// The namespace of the runtime that it is in (containerd's `k8s.io`, `moby`), if the runtime has any.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub namespace: String,
    /// When it was created.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created: Option<String>,
    /// When it was last started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started: Option<String>,
    /// When it last ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finished: Option<String>,
    /// With what it last ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i64>,
    /// How often it was restarted; of a pod's, how many attempts there were before this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub restarts: Option<u64>,
    /// Which attempt of the kubelet's at this container of the pod it is, from 0 on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempt: Option<u64>,
    /// When it is to be started again, in the runtime's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub restart_policy: Option<String>,
    /// The command line of its first process.
    pub command: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What of the node it sees. None of it is followed.
    pub mounts: Vec<ContainerMount>,
    /// The Docker Compose project that it is of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub compose: Option<Compose>,
    /// The systemd unit that runs it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<String>,
    /// What it changed, `None` if its writable layer could not be read.
    pub changes: Option<Changes>,
    /// Packages that it has and its image lacks; `None` of an inspection, here and in the next two.
    pub packages_added: Option<Vec<Package>>,
    /// Packages that its image has and it lacks.
    pub packages_removed: Option<Vec<Package>>,
    /// Packages that both have, in other versions: they are among the added and the removed, too.
    pub packages_changed: Option<Vec<PackageChange>>,
    /// Packages that its lock files and manifests name, those of its image do not, and that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub packages_declared: Vec<Package>,
    /// Findings of the added packages; `None` if they were not matched.
    pub findings: Option<Vec<Finding>>,
}

/// A directory or file of the node, or a volume, that a container sees.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ContainerMount {
    /// `bind`, `volume`, `tmpfs`, as the runtime names it.
    pub kind: String,
    /// The volume's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Where on the node.
    pub source: String,
    /// Where in the container.
    pub destination: String,
    /// Whether the container may not write to it.
    pub read_only: bool,
}

/// A Docker Compose project and a service of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Compose {
    /// The project.
    pub project: String,
    /// The service.
    pub service: String,
}

/// How a container's files differ from its image's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changes {
    /// Files that are new. Directories are not counted, here and below.
    pub added: u64,
    /// Files that were written again, or given other attributes.
    pub modified: u64,
    /// Files and directories that were removed; of a directory, what was in it is not counted.
    pub deleted: u64,
    /// Among the added and modified: files that may be run.
    pub executables: u64,
    /// Among these: files that run with the rights of their owner or group, or with capabilities.
    pub privileged: u64,
    /// The paths, sorted; as many as the limit allows, the executable ones before others.
    pub paths: Vec<Change>,
    /// How many paths the limit left out.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub paths_omitted: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One path that a container changed. Directories are here, too: of a changed file, all directories that it is in
/// are changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The path in the container.
    pub path: String,
    /// What happened to it.
    pub change: ChangeKind,
    /// What is there now: `regular`, `directory`, `symlink`, `char-device`, `block-device`, `fifo`, `socket`; `None` if nothing
    /// is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<String>,
    /// What may be run in which way.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub flags: Vec<ChangeFlag>,
}

/// What a container did to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Nothing was there.
    Added,
    /// Something was there.
    Modified,
    /// Nothing is there any more.
    Deleted,
}

/// Why a changed file deserves a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeFlag {
    /// It may be run.
    Executable,
    /// It runs with its owner's rights.
    Setuid,
    /// It runs with its group's rights.
    Setgid,
    /// It runs with capabilities of its own.
    Capabilities,
}

/// A package of which a container has another version than its image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PackageChange {
    /// The purl type.
    #[serde(rename = "type")]
    pub kind: PackageKind,
    /// Its name.
    pub name: String,
    /// The image's version.
    pub from: String,
    /// The container's version.
    pub to: String,
}

/// A pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Pod {
    /// The Kubernetes namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The runtime's name; empty for a pod that only the kubelet's directories tell of.
    pub runtime: String,
    /// The id of its sandbox.
    pub sandbox: String,
    /// What made it, as far as its labels and annotations tell.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<Owner>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Ids of its containers.
    pub containers: Vec<String>,
}

/// What made a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Owner {
    /// `Deployment`, `DaemonSet`, `StatefulSet`, `Job`, `Node` (a static pod).
    pub kind: String,
    /// Its name.
    pub name: String,
}
