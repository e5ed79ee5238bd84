//! Containers and pods as a store knows them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// The last state of a container that reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Created, never started.
    Created,
    /// Started; running when the disk was copied, as far as the disk tells.
    Running,
    /// Ended.
    Exited,
    /// The disk does not tell.
    Unknown,
}

/// Which pod a container belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PodRef {
    /// The Kubernetes namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's UID.
    pub uid: String,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The key of its writable snapshot, and the snapshotter.
    pub snapshot: Option<(String, String)>,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    /// Namespace, name and UID.
    pub id: PodRef,
    /// The id of its sandbox container.
    pub sandbox: String,
    /// The digest of the sandbox's image, if it could be resolved.
    pub sandbox_image: Option<Digest>,
    /// The pod's labels.
    pub labels: BTreeMap<String, String>,
    /// Ids of its containers.
    pub containers: Vec<String>,
}
