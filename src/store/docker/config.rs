//! What Docker records of a container: `config.v2.json` (moby's `container.Container`) and `hostconfig.json`
//! (`container.HostConfig`), as far as they are used.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::store::oci::Descriptor;

/// `config.v2.json`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Record {
    #[serde(rename = "ID")]
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created: String,
    pub(super) path: String,
    pub(super) args: Vec<String>,
    pub(super) config: Config,
    /// The digest of the image's configuration; with a containerd's images, of its index or manifest.
    pub(super) image: String,
    /// The manifest, where a containerd has the images (Docker 28 and later).
    pub(super) image_manifest: Option<Descriptor>,
    /// The storage driver or snapshotter.
    pub(super) driver: String,
    pub(super) state: RunState,
    pub(super) restart_count: u64,
    pub(super) mount_points: BTreeMap<String, MountPoint>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Config {
    /// As the user spelled it.
    pub(super) image: String,
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RunState {
    pub(super) running: bool,
    pub(super) restarting: bool,
    pub(super) dead: bool,
    pub(super) exit_code: i64,
    pub(super) started_at: String,
    pub(super) finished_at: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct MountPoint {
    #[serde(rename = "Type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) source: String,
    /// Of volumes: `local`, or a plugin's name.
    pub(super) driver: String,
    pub(super) destination: String,
    #[serde(rename = "RW")]
    pub(super) writable: bool,
}

/// `hostconfig.json`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Host {
    pub(super) restart_policy: RestartPolicy,
    /// Places in the container and mount options.
    pub(super) tmpfs: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RestartPolicy {
    pub(super) name: String,
    pub(super) maximum_retry_count: u64,
}
