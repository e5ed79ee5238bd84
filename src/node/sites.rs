//! Where container runtimes keep their state.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::storage::StorageOptions;
use crate::{
    bytes,
    error::FormatError,
    fs::{FileKind, GuestPath, Handle, Owners, Root},
    limits,
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
    /// The tree that it is in, as seen from it.
    pub root: Root,
    /// Whose the files are in containers.
    pub owners: Owners,
    /// Whether the runtime runs for a user without privileges.
    pub rootless: bool,
    /// What is configured for it, if it is containers/storage.
    pub storage: StorageOptions,
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

/// The usual places in the home of a user who runs a runtime without privileges.
pub(super) const HOME_PLACES: &[(Runtime, &str)] = &[
    (Runtime::Docker, ".local/share/docker"),
    (Runtime::Containerd, ".local/share/containerd"),
    (Runtime::ContainersStorage, ".local/share/containers/storage"),
];

/// The containerd that Docker runs for itself, in its data root.
pub(super) const DOCKERS_CONTAINERD: &str = "containerd/daemon";

/// What shows that a directory is a runtime's: files that it makes when it first runs, not directories that
/// packages make.
fn evidence(runtime: Runtime) -> &'static [&'static str] {
    match runtime {
        Runtime::Containerd => &[
            "io.containerd.metadata.v1.bolt/meta.db",
            // Those of a containerd whose own database is lost.
            "io.containerd.snapshotter.v1.overlayfs/metadata.db",
            "io.containerd.snapshotter.v1.native/metadata.db",
            "io.containerd.snapshotter.v1.btrfs/metadata.db",
            "io.containerd.snapshotter.v1.erofs/metadata.db",
            "io.containerd.content.v1.content/blobs/sha256",
        ],
        Runtime::Docker => &[
            "image/overlay2",
            "image/vfs",
            "image/btrfs",
            "image/fuse-overlayfs",
            "image/zfs",
            "image/aufs",
            "image/devicemapper",
            "image/overlay",
            "image/windowsfilter",
            "containerd/daemon/io.containerd.metadata.v1.bolt/meta.db",
        ],
        Runtime::ContainersStorage => &[
            "overlay-images/images.json",
            "vfs-images/images.json",
            "btrfs-images/images.json",
            "zfs-images/images.json",
            "aufs-images/images.json",
            "devicemapper-images/images.json",
            // Containers without images, or with those of other stores.
            "overlay-layers/layers.json",
            "vfs-layers/layers.json",
            "btrfs-layers/layers.json",
            "libpod/bolt_state.db",
            "db.sql",
        ],
    }
}

/// The state directory at `path`, if one is there.
pub(super) fn at(root: &Root, runtime: Runtime, path: &str) -> Result<Option<Handle>, FormatError> {
    let Some(dir) = root.find(path.as_bytes())? else { return Ok(None) };
    if !dir.is_dir()? {
        return Ok(None);
    }
    let below = root.within(&dir);
    for file in evidence(runtime) {
        if below.find(file.as_bytes())?.is_some() {
            return Ok(Some(dir));
        }
    }
    // A Docker whose images are a containerd's has its containers only.
    let is_there = runtime == Runtime::Docker && has_containers(&below)?;
    Ok(is_there.then_some(dir))
}

/// Whether a directory holds records of Docker's containers.
fn has_containers(root: &Root) -> Result<bool, FormatError> {
    let Some((dir, listing)) = root.list(b"containers")? else { return Ok(false) };
    let below = root.within(&dir);
    let named = listing.entries.iter().filter(|entry| bytes::is_hex_id(&entry.name));
    for entry in named.take(limits::DOCKER_CONTAINERS) {
        if below.find(&[&entry.name, &b"/config.v2.json"[..]].concat())?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A data root in one of Docker's that it uses with `userns-remap`, named `UID.GID` by the root of its containers.
pub(super) struct Remapped {
    pub(super) path: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Those in the data root at a path.
pub(super) fn remapped(root: &Root, path: &str) -> Result<Vec<Remapped>, FormatError> {
    let Some((_, listing)) = root.list(path.as_bytes())? else { return Ok(Vec::new()) };
    let of = |name: &[u8]| {
        let name = str::from_utf8(name).ok()?;
        let (uid, gid) = name.split_once('.')?;
        Some(Remapped { path: format!("{path}/{name}"), uid: uid.parse().ok()?, gid: gid.parse().ok()? })
    };
    let directories = listing.entries.iter().filter(|entry| entry.kind == FileKind::Directory);
    let mut found: Vec<Remapped> = directories.filter_map(|entry| of(&entry.name)).collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    if found.len() > limits::DOCKER_REMAPPED {
        let (count, bound) = (found.len(), limits::DOCKER_REMAPPED);
        return Err(FormatError::limit(format!(
            "{count} data roots of Docker's with users of their own, more than {bound}"
        )));
    }
    Ok(found)
}
