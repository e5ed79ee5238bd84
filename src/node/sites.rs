//! Where container runtimes keep their state.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::FormatError,
    fs::{GuestPath, Handle, Root},
};

/// A container runtime's way to keep state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// containerd's root directory.
    Containerd,
    /// Docker's data root with its own image store.
    Docker,
    /// containers/storage: CRI-O, Podman, Buildah.
    ContainersStorage,
}

/// A state directory that was found.
#[derive(Clone)]
pub struct Site {
    /// Whose.
    pub runtime: Runtime,
    /// The volume, if it is on one that is not mounted in the node's root.
    pub volume: Option<String>,
    /// Where in the node (or the volume).
    pub path: GuestPath,
    /// The directory.
    pub dir: Handle,
}

/// The usual places from the root of a node.
pub(super) const PLACES: &[(Runtime, &str)] = &[
    (Runtime::Containerd, "var/lib/containerd"),
    (Runtime::Containerd, "var/lib/rancher/k3s/agent/containerd"),
    (Runtime::Containerd, "var/lib/rancher/rke2/agent/containerd"),
    (Runtime::Containerd, "var/snap/microk8s/common/var/lib/containerd"),
    (Runtime::Containerd, "var/lib/k0s/containerd"),
    (Runtime::Containerd, "var/lib/docker/containerd/daemon"),
    (Runtime::Docker, "var/lib/docker"),
    (Runtime::ContainersStorage, "var/lib/containers/storage"),
];

/// What shows that a directory is a runtime's: files that it makes when it first runs, not directories that
/// packages make.
fn evidence(runtime: Runtime) -> &'static [&'static str] {
    match runtime {
        Runtime::Containerd => &["io.containerd.metadata.v1.bolt/meta.db"],
        Runtime::Docker => {
            &["image/overlay2", "image/vfs", "image/btrfs", "image/fuse-overlayfs", "image/aufs"]
        }
        Runtime::ContainersStorage => {
            &["overlay-images/images.json", "vfs-images/images.json", "btrfs-images/images.json"]
        }
    }
}

/// The state directory at `path`, if one is there.
pub(super) fn at(root: &Root, runtime: Runtime, path: &str) -> Result<Option<Handle>, FormatError> {
    let Some(dir) = root.find(path.as_bytes())? else { return Ok(None) };
    if !dir.is_dir()? {
        return Ok(None);
    }
    let below = Root::below(&dir);
    for file in evidence(runtime) {
        if below.find(file.as_bytes())?.is_some() {
            return Ok(Some(dir));
        }
    }
    Ok(None)
}
