//! Podman's JSON documents (libpod, `container_config.go`, `container.go`, `pod.go`, `volume.go`) and the OCI runtime
//! specification in them.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};

use crate::store::{self, oci::nullable};

pub(super) fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(json)
}

/// What a container was made with; never changed.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(in super::super) struct Config {
    #[serde(deserialize_with = "nullable")]
    pub(in super::super) spec: Spec,
    pub(in super::super) name: String,
    pub(in super::super) pod: String,
    #[serde(rename = "rootfsImageID")]
    pub(in super::super) image: String,
    #[serde(rename = "rootfsImageName")]
    pub(in super::super) image_name: String,
    #[serde(rename = "createdTime")]
    pub(in super::super) created: String,
    #[serde(deserialize_with = "nullable")]
    pub(in super::super) labels: BTreeMap<String, String>,
    #[serde(rename = "namedVolumes", deserialize_with = "nullable")]
    pub(super) named_volumes: Vec<NamedVolume>,
    #[serde(rename = "userVolumes", deserialize_with = "nullable")]
    pub(super) user_volumes: Vec<String>,
    restart_policy: String,
    restart_retries: u64,
    /// Whether it is the sandbox of its pod.
    #[serde(rename = "pause")]
    pub(in super::super) is_infra: bool,
    #[serde(rename = "init_container_type")]
    init: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct NamedVolume {
    #[serde(rename = "volumeName")]
    pub(super) name: String,
    #[serde(rename = "dest")]
    pub(super) destination: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) options: Vec<String>,
}

/// An OCI runtime specification (runtime-spec, `config.md`), as far as it is used.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(in super::super) struct Spec {
    #[serde(deserialize_with = "nullable")]
    pub(in super::super) process: Process,
    #[serde(deserialize_with = "nullable")]
    pub(super) mounts: Vec<SpecMount>,
    #[serde(deserialize_with = "nullable")]
    pub(in super::super) annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(in super::super) struct Process {
    #[serde(deserialize_with = "nullable")]
    pub(in super::super) args: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct SpecMount {
    pub(super) destination: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) source: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) options: Vec<String>,
}

/// The state of a container when Podman wrote it last.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(in super::super) struct State {
    /// `define.ContainerStatus`.
    state: i64,
    #[serde(rename = "startedTime")]
    pub(in super::super) started: String,
    #[serde(rename = "finishedTime")]
    pub(in super::super) finished: String,
    #[serde(rename = "exitCode")]
    pub(in super::super) exit_code: i64,
    #[serde(rename = "restartCount")]
    pub(in super::super) restarts: u64,
}

/// What a pod was made with.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(in super::super) struct PodConfig {
    pub(in super::super) name: String,
    #[serde(deserialize_with = "nullable")]
    pub(in super::super) labels: BTreeMap<String, String>,
}

/// The state of a pod.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(in super::super) struct PodState {
    /// The id of its sandbox, empty if it has none.
    #[serde(rename = "InfraContainerID")]
    pub(in super::super) infra: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct VolumeConfig {
    #[serde(rename = "mountPoint")]
    pub(super) mount_point: String,
}

impl Config {
    /// When it is to be started again, as it is given to `--restart`; what is not set is `no`.
    pub(in super::super) fn restart_policy(&self) -> String {
        match (self.restart_policy.as_str(), self.restart_retries) {
            ("", _) => "no".to_owned(),
            (policy, 0) => policy.to_owned(),
            (policy, retries) => format!("{policy}:{retries}"),
        }
    }

    /// What it is for.
    pub(in super::super) fn kind(&self) -> store::ContainerKind {
        if self.init.is_empty() { store::ContainerKind::Ordinary } else { store::ContainerKind::Init }
    }
}

impl State {
    /// `define.ContainerStatus`: 1 configured, 2 created, 3 running, 4 stopped, 5 paused, 6 exited, 7 removing, 8 stopping.
    pub(in super::super) fn state(&self) -> store::State {
        match self.state {
            1 | 2 => store::State::Created,
            3 | 5 | 8 => store::State::Running,
            4 | 6 => store::State::Exited,
            _ => store::State::Unknown,
        }
    }
}
