//! What the CRI plugin keeps beside containerd's own records: documents in their extensions, and a directory of its own with
//! one for each container and sandbox (containerd, `internal/cri/store`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Containerd, any};
use crate::{
    Gap,
    database::bolt::Bucket,
    error::FormatError,
    gap::{Code, Scope},
    limits,
    store::{Mount, State},
};

const CONTAINERS: &str = "io.containerd.grpc.v1.cri/containers";
const SANDBOXES: &str = "io.containerd.grpc.v1.cri/sandboxes";

/// The envelope of the CRI plugin's extensions.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versioned<T> {
    metadata: T,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CriContainer {
    #[serde(rename = "SandboxID")]
    pub(super) sandbox: String,
    pub(super) config: CriConfig,
    pub(super) image_ref: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CriSandbox {
    pub(super) config: CriConfig,
}

/// `ContainerConfig` and `PodSandboxConfig` of the CRI API, as far as they are alike.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct CriConfig {
    pub(super) metadata: CriMetadata,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) mounts: Vec<CriMount>,
}

/// `Mount` of the CRI API.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct CriMount {
    container_path: String,
    host_path: String,
    readonly: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct CriMetadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) attempt: u64,
}

/// The CRI plugin's `status` file.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CriStatus {
    created_at: i64,
    pub(super) started_at: i64,
    pub(super) finished_at: i64,
    pub(super) exit_code: i64,
}

impl CriMount {
    pub(super) fn mount(self) -> Mount {
        Mount {
            kind: "bind".to_owned(),
            name: None,
            source: self.host_path,
            destination: self.container_path,
            read_only: self.readonly,
        }
    }
}

/// A document of the plugin's in a container's record.
pub(super) fn extension<T: for<'de> Deserialize<'de>>(
    record: &Bucket,
    name: &'static str,
) -> Result<Option<T>, FormatError> {
    let Some(any) = record.bucket("extensions").and_then(|all| all.value(name)) else { return Ok(None) };
    any::json::<Versioned<T>>(any, name).map(|versioned| Some(versioned.metadata))
}

/// What the plugin noted of a container of its own.
pub(super) fn status(containerd: &Containerd, id: &str) -> Result<CriStatus, FormatError> {
    const NAME: &str = "CRI container status";
    let path = format!("{CONTAINERS}/{id}/status");
    let of = |problem: String| format!("{path} of {}: {problem}", containerd.place);
    let Some(bytes) = containerd.root.read_regular(path.as_bytes(), NAME, limits::TEXT_FILE_BYTES)? else {
        // That all of them are gone is told once.
        return match containerd.root.list(CONTAINERS.as_bytes()) {
            Ok(Some(_)) => Err(FormatError::corrupt(NAME, 0, of("it is not there".to_owned()))),
            Ok(None) | Err(_) => Ok(CriStatus::default()),
        };
    };
    serde_json::from_slice(&bytes).map_err(|error| FormatError::corrupt(NAME, 0, of(error.to_string())))
}

/// That directories of the plugin's are not there, although `meta.db` has so many containers and sandboxes of its.
pub(super) fn lost(containerd: &Containerd, containers: usize, sandboxes: usize) -> Vec<Gap> {
    let all = [
        (CONTAINERS, containers, "the states, times and exit codes of these containers are not reported"),
        (SANDBOXES, sandboxes, "files that the plugin makes for these pods are not there"),
    ];
    let of = |(path, count, effect): (&str, usize, &'static str)| {
        let error = match containerd.root.list(path.as_bytes()) {
            Ok(Some(_)) => return None,
            Ok(None) => {
                let what =
                    format!("meta.db has {count} of the CRI plugin's, and there is no directory {path}");
                FormatError::Unsupported { code: Code::RuntimeStateUnreadable, what }
            }
            Err(error) => error,
        };
        (count > 0).then(|| Gap::from_error(&error, Scope::Runtime, &containerd.place, effect).at(path))
    };
    all.into_iter().filter_map(of).collect()
}

impl CriStatus {
    pub(super) fn state(&self) -> State {
        match self {
            Self { finished_at: 1.., .. } => State::Exited,
            Self { started_at: 1.., .. } => State::Running,
            Self { created_at: 1.., .. } => State::Created,
            _ => State::Unknown,
        }
    }
}

/// A time in nanoseconds since 1970 as RFC 3339, `None` if it was never set.
pub(super) fn unix_nanos(nanos: i64) -> Option<String> {
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(nanos.into()).ok().filter(|_| nanos > 0)?;
    time.format(&time::format_description::well_known::Rfc3339).ok()
}
