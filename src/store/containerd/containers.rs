//! Containers and pods: records of `meta.db`, with the CRI plugin's JSON in their extensions and its status
//! files beside.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    Containerd, any,
    chains::Chains,
    cri::{
        self, CriConfig, CriContainer, CriMetadata, CriMount, CriSandbox, CriStatus, extension, unix_nanos,
    },
    go_time, is_dockers, nerdctl,
};
use crate::{
    Digest, Gap, bytes,
    database::bolt::Bucket,
    error::FormatError,
    gap::Scope,
    store::{Container, ContainerKind, Contents, Image, Mount, Pod, PodRef, SANDBOX_NAME, lost::Lost},
};

/// The namespace of the CRI plugin.
const CRI_NAMESPACE: &str = "k8s.io";

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    process: Process,
    mounts: Vec<SpecMount>,
}

/// A mount of the OCI runtime spec.
#[derive(Deserialize, Default)]
#[serde(default)]
struct SpecMount {
    destination: String,
    #[serde(rename = "type")]
    kind: String,
    source: String,
    options: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Process {
    args: Vec<String>,
}

impl Spec {
    /// The mounts of what lies on the node.
    fn binds(&self) -> Vec<Mount> {
        let is_bind = |mount: &&SpecMount| {
            mount.kind == "bind" || mount.options.iter().any(|option| option == "bind" || option == "rbind")
        };
        let binds = self.mounts.iter().filter(is_bind).map(|mount| Mount {
            kind: "bind".to_owned(),
            name: None,
            source: mount.source.clone(),
            destination: mount.destination.clone(),
            read_only: mount.options.iter().any(|option| option == "ro"),
        });
        binds.collect()
    }
}

/// Adds the containers and pods of every namespace to `contents`, whose images are known already.
pub(super) fn read(containerd: &Containerd, contents: &mut Contents) {
    let resolver = Resolver::new(&contents.images);
    let mut used: BTreeSet<(String, String, String)> = BTreeSet::new();
    let (mut orphans, mut sandboxes) = (Vec::new(), Vec::new());
    let mut containers = Vec::new();
    let mut pods: BTreeMap<String, Pod> = BTreeMap::new();
    for (namespace, bucket) in containerd.namespaces() {
        for (id, record) in bucket.bucket("containers").map(|all| &all.buckets).into_iter().flatten() {
            let id = String::from_utf8_lossy(id).into_owned();
            let mut lost = |error: FormatError, effect: &str| {
                contents.gaps.push(Gap::from_error(&error, Scope::Container, &id, effect));
            };
            let snapshot = record.text("snapshotter").zip(record.text("snapshotKey"));
            used.extend(snapshot.map(|(snapshotter, key)| (namespace.clone(), snapshotter, key)));
            // Elsewhere the label may be anybody's; there the CRI plugin sets it itself.
            if namespace == CRI_NAMESPACE
                && let Some(pod) = sandbox(&id, record, &resolver, &mut lost)
            {
                let (container, _, noted) =
                    container(containerd, &namespace, &id, record, &resolver, &mut lost);
                let container = Container {
                    kind: ContainerKind::Sandbox,
                    name: SANDBOX_NAME.to_owned(),
                    pod: Some(pod.id.clone()),
                    labels: BTreeMap::new(),
                    ..container
                };
                sandboxes.push((container, noted));
                pods.insert(id.clone(), pod);
                continue;
            }
            let (container, sandbox, noted) =
                container(containerd, &namespace, &id, record, &resolver, &mut lost);
            if container.image.is_none() {
                orphans.push((containers.len(), noted));
            }
            containers.push((container, sandbox));
        }
    }
    let (mut known, mut lost) = (Chains::default(), Lost::new(&contents.images));
    let mut restore = |container: &mut Container, noted: Option<Digest>| {
        let below = |images: &[Image], one: &Container| known.below(containerd, images, one);
        lost.restore(&mut contents.images, container, noted, below, &mut contents.gaps);
    };
    for (number, noted) in orphans {
        if let Some((container, _)) = containers.get_mut(number) {
            restore(container, noted);
        }
    }
    for (mut sandbox, noted) in sandboxes {
        if sandbox.image.is_none() {
            restore(&mut sandbox, noted);
        }
        if let Some(pod) = pods.get_mut(&sandbox.id) {
            pod.sandbox_image = sandbox.image.clone().or(pod.sandbox_image.take());
        }
        contents.sandboxes.push(sandbox);
    }
    let chains =
        contents.images.iter().flat_map(|image| &image.layers).map(|layer| &layer.chain_id).collect();
    // Of Docker's containers, those that do not run are only in its own records.
    let is_used = |namespace: &str, snapshotter: &str, key: &str| {
        let is_id = || bytes::is_hex_id(key.as_bytes());
        is_dockers(namespace) && is_id()
            || used.contains(&(namespace.to_owned(), snapshotter.to_owned(), key.to_owned()))
    };
    contents.loose = containerd.snapshots.loose(&chains, &is_used);
    let of_cri = containers.iter().filter(|(_, sandbox)| !sandbox.is_empty()).count();
    contents.gaps.extend(cri::lost(containerd, of_cri, pods.len()));
    for (container, sandbox) in &mut containers {
        if let Some(pod) = pods.get_mut(sandbox) {
            pod.containers.push(container.id.clone());
            container.pod.get_or_insert_with(|| pod.id.clone());
        }
    }
    contents.containers = containers.into_iter().map(|(container, _)| container).collect();
    contents.containers.sort_by(|a, b| a.id.cmp(&b.id));
    contents.sandboxes.sort_by(|a, b| a.id.cmp(&b.id));
    contents.pods = pods.into_values().collect();
    contents.pods.sort();
}

/// The pod of a sandbox container, `None` for other containers.
fn sandbox(
    id: &str,
    record: &Bucket,
    resolver: &Resolver,
    lost: &mut impl FnMut(FormatError, &str),
) -> Option<Pod> {
    let labels = record.bucket("labels").map(Bucket::texts).unwrap_or_default();
    if labels.get("io.cri-containerd.kind").map(String::as_str) != Some("sandbox") {
        return None;
    }
    let metadata: CriSandbox = match extension(record, "io.cri-containerd.sandbox.metadata") {
        // The label alone may be anybody's.
        Ok(metadata) => metadata?,
        Err(error) => {
            lost(error, "the pod's name and labels are taken from the container's labels");
            CriSandbox::default()
        }
    };
    let CriConfig { metadata, labels: pod_labels, annotations, .. } = metadata.config;
    let or_label = |value: String, key: &str| {
        if value.is_empty() { labels.get(key).cloned().unwrap_or_default() } else { value }
    };
    Some(Pod {
        id: PodRef {
            namespace: or_label(metadata.namespace, "io.kubernetes.pod.namespace"),
            name: or_label(metadata.name, "io.kubernetes.pod.name"),
            uid: or_label(metadata.uid, "io.kubernetes.pod.uid"),
        },
        sandbox: id.to_owned(),
        sandbox_image: resolver.find(&record.text("image").unwrap_or_default()),
        labels: pod_labels,
        annotations,
        containers: Vec::new(),
    })
}

/// A container, the id of the sandbox that it runs in (empty outside a pod), and what is noted as the id of its image.
fn container(
    containerd: &Containerd,
    namespace: &str,
    id: &str,
    record: &Bucket,
    resolver: &Resolver,
    lost: &mut impl FnMut(FormatError, &str),
) -> (Container, String, Option<Digest>) {
    let metadata: CriContainer = match extension(record, "io.cri-containerd.container.metadata") {
        Ok(metadata) => metadata.unwrap_or_default(),
        Err(error) => {
            lost(error, "the container's pod is taken from its labels");
            CriContainer::default()
        }
    };
    let spec = record.value("spec").map(|any| any::json::<Spec>(any, "OCI runtime spec")).transpose();
    let spec = spec.unwrap_or_else(|error| {
        lost(error, "the container's command and mounts are not reported");
        None
    });
    let spec = spec.unwrap_or_default();
    let labels = record.bucket("labels").map(Bucket::texts).unwrap_or_default();
    let label = |key: &str| labels.get(key).cloned().unwrap_or_default();
    let is_cri = !metadata.config.metadata.name.is_empty();
    let has_status = is_cri || namespace == CRI_NAMESPACE && label("io.cri-containerd.kind") == "container";
    let status = if has_status { cri::status(containerd, id) } else { Ok(CriStatus::default()) };
    let status = status.unwrap_or_else(|error| {
        lost(error, "the container's state is not reported");
        CriStatus::default()
    });
    let pod = PodRef {
        namespace: label("io.kubernetes.pod.namespace"),
        name: label("io.kubernetes.pod.name"),
        uid: label("io.kubernetes.pod.uid"),
    };
    let image_name = record.text("image").unwrap_or_default();
    let snapshot = record.text("snapshotter").zip(record.text("snapshotKey"));
    let snapshot = snapshot.filter(|(snapshotter, key)| !snapshotter.is_empty() && !key.is_empty());
    let named = resolver.find(&metadata.image_ref).or_else(|| resolver.find(&image_name));
    let chain = snapshot.as_ref().and_then(|(by, key)| containerd.snapshots.chain(namespace, by, key));
    let image = resolver.on_chain(named.clone(), chain.as_ref());
    let noted = named.or_else(|| metadata.image_ref.parse().ok());
    let CriConfig { metadata: CriMetadata { name, attempt, .. }, labels: own_labels, mounts, .. } =
        metadata.config;
    let names = [name, label("io.kubernetes.container.name"), label("nerdctl/name")];
    let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| id.to_owned());
    // The CRI plugin's own list is of what the pod asked for, the spec's has the runtime's as well.
    let mounts = if is_cri { mounts.into_iter().map(CriMount::mount).collect() } else { spec.binds() };
    let labels = if is_cri { own_labels } else { labels };
    let mut container = Container {
        id: id.to_owned(),
        name,
        namespace: namespace.to_owned(),
        image,
        image_name,
        state: status.state(),
        started: unix_nanos(status.started_at),
        finished: unix_nanos(status.finished_at),
        exit_code: (status.finished_at > 0).then_some(status.exit_code),
        restarts: is_cri.then_some(attempt),
        attempt: is_cri.then_some(attempt),
        mounts,
        created: record.value("createdat").and_then(go_time),
        pod: (!pod.uid.is_empty()).then_some(pod),
        command: spec.process.args,
        labels,
        snapshot,
        ..Container::default()
    };
    if nerdctl::is_one(&container.labels) {
        nerdctl::complete(containerd, &mut container, lost);
    }
    let sandbox = record.text("sandboxid").filter(|id| !id.is_empty()).unwrap_or(metadata.sandbox);
    (container, sandbox, noted)
}

/// Finds an image by any name that a runtime records for it.
struct Resolver {
    by_name: BTreeMap<String, Digest>,
    /// The image that ends with a chain of layers; several may.
    by_chain: BTreeMap<Digest, BTreeSet<Digest>>,
}

impl Resolver {
    fn new(images: &[Image]) -> Self {
        let (mut by_name, mut by_chain) = (BTreeMap::new(), BTreeMap::<_, BTreeSet<_>>::new());
        for image in images {
            if let Some(top) = image.layers.last() {
                by_chain.entry(top.chain_id.clone()).or_default().insert(image.id.clone());
            }
            for name in &image.references {
                by_name.insert(name.clone(), image.id.clone());
            }
            for digest in &image.manifests {
                by_name.entry(digest.to_string()).or_insert_with(|| image.id.clone());
            }
            by_name.insert(image.id.to_string(), image.id.clone());
        }
        Self { by_name, by_chain }
    }

    /// The image that a container runs: the one by its name if its layers are those that the container lies on, as a
    /// name may have moved since; else another one with these layers.
    fn on_chain(&self, named: Option<Digest>, chain: Option<&Digest>) -> Option<Digest> {
        let Some(chain) = chain else { return named };
        let images = self.by_chain.get(chain)?;
        named.filter(|named| images.contains(named)).or_else(|| images.first().cloned())
    }

    fn find(&self, name: &str) -> Option<Digest> {
        let by_digest = || self.by_name.get(name.split_once('@')?.1);
        self.by_name.get(name).or_else(by_digest).cloned()
    }
}
