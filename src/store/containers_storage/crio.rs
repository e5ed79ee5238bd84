//! CRI-O's containers and pods: annotations of the OCI specification that each is run with (cri-o, `pkg/annotations`), and
//! `state.json` beside it (cri-o, `internal/oci/container.go`: `ContainerState`).

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    big_data::parse,
    containers::{Documents, Metadata},
    libpod::Spec,
    time::rfc3339,
};
use crate::store::{Container, ContainerKind, Mount, Pod, PodRef, SANDBOX_NAME, State};

const PREFIX: &str = "io.kubernetes.cri-o.";

/// What a record is.
pub(super) enum Read {
    /// A pod, and its sandbox.
    Sandbox(Pod, Box<Container>),
    /// A container, and the id of the sandbox that it runs in.
    Container(Box<Container>, String),
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    status: String,
    created: String,
    started: String,
    finished: String,
    #[serde(rename = "exitCode")]
    exit_code: Option<i64>,
}

/// `ContainerMetadata` and `PodSandboxMetadata` of the CRI.
#[derive(Deserialize, Default)]
#[serde(default)]
struct CriMetadata {
    name: String,
    /// How often the kubelet made it again.
    attempt: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Volume {
    container_path: String,
    host_path: String,
    readonly: bool,
}

/// Completes what the record of a container tells.
pub(super) fn read(container: Container, metadata: &Metadata, documents: &mut Documents<'_>) -> Read {
    let spec: Spec =
        documents.needed("config.json", "the container's command and labels").unwrap_or_default();
    let annotation = |name: &str| spec.annotations.get(name).cloned().unwrap_or_default();
    let own = |name: &str| annotation(&format!("{PREFIX}{name}"));
    let or = |value: String, other: &str| if value.is_empty() { other.to_owned() } else { value };
    let labels = embedded::<BTreeMap<String, String>>(&own("Labels"), "Labels", documents);
    let pod = PodRef {
        namespace: or(annotation("io.kubernetes.pod.namespace"), &metadata.namespace),
        name: annotation("io.kubernetes.pod.name"),
        uid: or(annotation("io.kubernetes.pod.uid"), &metadata.uid),
    };
    let is_sandbox = match own("ContainerType").as_str() {
        "sandbox" => true,
        "container" => false,
        // The specification is lost: the record tells as well.
        _ => metadata.pod == Some(true),
    };
    if is_sandbox {
        let pod = PodRef { name: or(pod.name, &metadata.metadata_name), ..pod };
        let (sandbox, sandbox_image) = (container.id.clone(), container.image.clone());
        let annotations = embedded(&own("Annotations"), "Annotations", documents);
        let mut container = Container {
            kind: ContainerKind::Sandbox,
            name: SANDBOX_NAME.to_owned(),
            created: rfc3339(&own("Created")).or(container.created),
            pod: Some(pod.clone()),
            command: spec.process.args,
            ..container
        };
        if let Some(status) = documents.json::<Status>("state.json", "the sandbox's state") {
            settle(&mut container, &status, documents);
        }
        let pod = Pod { id: pod, sandbox, sandbox_image, labels, annotations, containers: Vec::new() };
        return Read::Sandbox(pod, Box::new(container));
    }
    let cri = embedded::<CriMetadata>(&own("Metadata"), "Metadata", documents);
    let volumes = embedded::<Vec<Volume>>(&own("Volumes"), "Volumes", documents);
    let mounts = volumes.into_iter().map(|volume| Mount {
        kind: "bind".to_owned(),
        name: None,
        source: volume.host_path,
        destination: volume.container_path,
        read_only: volume.readonly,
    });
    let status: Option<Status> = documents.needed("state.json", "the container's state");
    let names = [cri.name, annotation("io.kubernetes.container.name"), metadata.metadata_name.clone()];
    let mut container = Container {
        name: names.into_iter().find(|name| !name.is_empty()).unwrap_or(container.name),
        image_name: or(own("ImageName"), &container.image_name),
        created: rfc3339(&own("Created")).or(container.created),
        pod: (!pod.uid.is_empty() && !pod.name.is_empty()).then_some(pod),
        command: spec.process.args,
        restarts: Some(cri.attempt),
        attempt: Some(cri.attempt),
        labels,
        mounts: mounts.collect(),
        ..container
    };
    if let Some(status) = status {
        settle(&mut container, &status, documents);
    }
    let sandbox = or(own("SandboxID"), &metadata.pod_id);
    Read::Container(Box::new(container), sandbox)
}

/// A JSON document that is the text of an annotation; nothing if there is none.
fn embedded<T: Default + DeserializeOwned>(text: &str, what: &str, documents: &mut Documents<'_>) -> T {
    if text.is_empty() {
        return T::default();
    }
    parse::<Option<T>>(text.as_bytes(), what, "CRI-O annotation")
        .map(Option::unwrap_or_default)
        .unwrap_or_else(|error| {
            documents.lost(&error, "config.json", what);
            T::default()
        })
}

fn settle(container: &mut Container, status: &Status, documents: &mut Documents<'_>) {
    container.state = match status.status.as_str() {
        "created" => State::Created,
        "running" | "paused" => State::Running,
        "stopped" => State::Exited,
        _ => State::Unknown,
    };
    container.started = rfc3339(&status.started);
    container.finished = rfc3339(&status.finished);
    container.created = container.created.take().or_else(|| rfc3339(&status.created));
    container.exit_code = status.exit_code.filter(|_| container.state == State::Exited);
    // Its monitor writes down that it ended before CRI-O does.
    if matches!(container.state, State::Created | State::Running)
        && let Some(code) = documents.bytes("exit", "the container's exit code")
        && let Some(code) = str::from_utf8(&code).ok().and_then(|code| code.trim().parse().ok())
    {
        (container.state, container.exit_code) = (State::Exited, Some(code));
    }
}
