//! Containers and pods as a store knows them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// The last state of a container that reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Created, never started.
    Created,
    /// Started; running when the disk was copied, as far as the disk tells.
    Running,
    /// Ended.
    Exited,
    /// The disk does not tell.
    #[default]
    Unknown,
}

/// Which pod a container belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PodRef {
    /// The Kubernetes namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's UID.
    pub uid: String,
}

/// The name of a pod's sandbox among the pod's containers, as the kubelet has it.
pub(crate) const SANDBOX_NAME: &str = "POD";

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContainerKind {
    /// What people mean by a container.
    #[default]
    Ordinary,
    /// An init container of a pod, as far as its name tells in the pod's manifest on the disk.
    Init,
    /// An ephemeral container, put into a pod to debug it.
    Ephemeral,
    /// The container that holds a pod's namespaces (`pause`, Podman's infra container).
    Sandbox,
}

/// A directory or file of the node, or a volume, that a container sees. It is named, not followed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mount {
    /// `bind`, `volume`, `tmpfs`, as the runtime names it.
    pub kind: String,
    /// The volume's name, if it has one.
    pub name: Option<String>,
    /// Where on the node (empty for what has no place there).
    pub source: String,
    /// Where in the container.
    pub destination: String,
    /// Whether the container may not write to it.
    pub read_only: bool,
}

/// The Docker Compose project and service that a container is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Compose {
    /// The project.
    pub project: String,
    /// The service, empty if it is not told.
    pub service: String,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Container {
    /// The runtime's id.
    pub id: String,
    /// The name that people gave it (in a pod, the container's name in the pod).
    pub name: String,
    /// The containerd namespace or store it is in.
    pub namespace: String,
    /// The configuration digest of its image, if it could be resolved.
    pub image: Option<Digest>,
    /// The name of the image as the runtime recorded it.
    pub image_name: String,
    /// Its last known state.
    pub state: State,
    /// When it was created (RFC 3339).
    pub created: Option<String>,
    /// Its pod, if it is in one.
    pub pod: Option<PodRef>,
    /// The command line of its first process.
    pub command: Vec<String>,
    /// What it is for.
    pub kind: ContainerKind,
    /// When it was last started (RFC 3339).
    pub started: Option<String>,
    /// When it last ended (RFC 3339).
    pub finished: Option<String>,
    /// With what it last ended.
    pub exit_code: Option<i64>,
    /// How often it was restarted; of a pod's, how many attempts there were before this one.
    pub restarts: Option<u64>,
    /// Which attempt of the kubelet's at this container of the pod it is, from 0 on.
    pub attempt: Option<u64>,
    /// When it is to be started again, in the runtime's words (`always`, `on-failure:3`).
    pub restart_policy: Option<String>,
    /// Its labels, without those that it has from its image as far as the runtime tells them apart.
    pub labels: BTreeMap<String, String>,
    /// What of the node it sees.
    pub mounts: Vec<Mount>,
    /// The systemd unit that runs it (Podman's quadlets).
    pub unit: Option<String>,
    /// The storage driver or snapshotter and its key for the writable layer.
    pub snapshot: Option<(String, String)>,
}

impl Container {
    /// Whether it was made of no image (`FROM scratch`), so that all that it holds is in its own layers.
    pub fn is_from_scratch(&self) -> bool {
        self.image.is_none() && self.image_name == "scratch"
    }

    /// The Docker Compose project that its labels name, or Podman Compose's.
    pub fn compose(&self) -> Option<Compose> {
        let label = |names: [&str; 2]| names.iter().find_map(|name| self.labels.get(*name)).cloned();
        Some(Compose {
            project: label(["com.docker.compose.project", "io.podman.compose.project"])?,
            service: label(["com.docker.compose.service", "io.podman.compose.service"]).unwrap_or_default(),
        })
    }
}

/// A pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    /// Namespace, name and UID.
    pub id: PodRef,
    /// The id of its sandbox container.
    pub sandbox: String,
    /// The digest of the sandbox's image, if it could be resolved.
    pub sandbox_image: Option<Digest>,
    /// The pod's labels.
    pub labels: BTreeMap<String, String>,
    /// The pod's annotations.
    pub annotations: BTreeMap<String, String>,
    /// Ids of its containers.
    pub containers: Vec<String>,
}
