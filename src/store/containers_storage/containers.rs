//! Containers and pods: records of `containers.json`, each with what the engine that made it has beside them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    big_data::{open, parse},
    crio,
    images::Images,
    layers::{Layers, Place},
    libpod::{self, Libpod, Spec},
    records::{ContainerRecord, shown},
    time::rfc3339,
};
use crate::{
    Gap,
    block::{self, ReadAt},
    error::FormatError,
    gap::{Code, Scope},
    limits,
    store::{Container, ContainerKind, Pod, PodRef, State},
};

/// The containers and pods of a store.
#[derive(Default)]
pub(super) struct Found {
    pub(super) containers: Vec<Container>,
    pub(super) sandboxes: Vec<Container>,
    pub(super) pods: Vec<Pod>,
    /// The records of images that containers are of and that are lost.
    pub(super) lost: BTreeMap<String, String>,
    /// The records of those that have owners of their own.
    pub(super) mapped: BTreeMap<String, ContainerRecord>,
    /// Who made them.
    pub(super) engines: BTreeSet<Engine>,
}

/// What made a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Engine {
    CriO,
    Podman,
    Buildah,
}

/// The `metadata` of a container's record: CRI-O's, or libpod's with the first of these fields only.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Metadata {
    pub(super) image_name: String,
    pub(super) name: String,
    /// Of the sandbox's record.
    pub(super) pod_name: String,
    pub(super) pod_id: String,
    pub(super) metadata_name: String,
    pub(super) uid: String,
    pub(super) namespace: String,
    /// Whether it is the sandbox.
    pub(super) pod: Option<bool>,
}

/// Buildah's notes on a container that it works in (buildah, `buildah.go`: `Builder`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Buildah {
    #[serde(rename = "image")]
    image_name: String,
}

/// Reads the containers of all drivers in the store itself; additional image stores have none.
pub(super) fn read(parts: &[Layers], images: &Images, libpod: Libpod, gaps: &mut Vec<Gap>) -> Found {
    let mut reader = Reader {
        images,
        left: limits::CONTAINER_DOCUMENT_BYTES,
        sandboxes: BTreeMap::new(),
        of_pods: Vec::new(),
        infra: BTreeSet::new(),
        found: Found::default(),
        gaps,
        libpod,
    };
    for layers in parts {
        let Some(place) = layers.places.first() else { continue };
        for file in ["containers.json", "volatile-containers.json"] {
            let effect = "containers that only it names are missing";
            for record in
                layers.list::<ContainerRecord>(place, "containers", file, effect, reader.gaps).values()
            {
                reader.record(layers, place, record);
            }
        }
    }
    reader.without_records();
    reader.finish()
}

struct Reader<'a> {
    images: &'a Images,
    libpod: Libpod,
    /// Bytes of documents that may still be read.
    left: u64,
    /// CRI-O's pods by their sandboxes.
    sandboxes: BTreeMap<String, Pod>,
    /// Containers of pods: the sandbox (CRI-O) or pod (Podman), and the container's number in `found`.
    of_pods: Vec<(String, usize)>,
    /// Podman's sandboxes.
    infra: BTreeSet<String>,
    found: Found,
    gaps: &'a mut Vec<Gap>,
}

impl Reader<'_> {
    fn record(&mut self, layers: &Layers, place: &Place, record: &ContainerRecord) {
        let userdata = format!("{}-containers/{}/userdata", layers.driver.name(), record.id);
        let mut documents =
            Documents { place, userdata, id: &record.id, left: &mut self.left, gaps: self.gaps };
        let metadata = documents.metadata(&record.metadata);
        let image = self.images.by_record.get(&record.image).cloned();
        let container = Container {
            id: record.id.clone(),
            name: record.names.first().cloned().unwrap_or_else(|| record.id.clone()),
            image,
            image_name: metadata.image_name.clone(),
            created: rfc3339(&record.created),
            snapshot: (!record.layer.is_empty())
                .then(|| (layers.driver.name().to_owned(), record.layer.clone())),
            ..Container::default()
        };
        if container.image.is_none() && !record.image.is_empty() {
            self.found.lost.insert(record.id.clone(), record.image.clone());
        }
        if !(record.uidmap.is_empty() && record.gidmap.is_empty()) {
            self.found.mapped.insert(record.id.clone(), record.clone());
        }
        if let Some(known) = self.libpod.containers.remove(&record.id) {
            self.found.engines.insert(Engine::Podman);
            return self.podman(container, known);
        }
        if !metadata.pod_id.is_empty() {
            self.found.engines.insert(Engine::CriO);
            return match crio::read(container, &metadata, &mut documents) {
                crio::Read::Sandbox(pod, sandbox) => {
                    self.sandboxes.insert(pod.sandbox.clone(), pod);
                    self.found.sandboxes.push(*sandbox);
                }
                crio::Read::Container(container, sandbox) => self.of_pod(*container, sandbox),
            };
        }
        let mut container = container;
        if let Some(notes) = documents.json::<Buildah>("buildah.json", "the container's image name") {
            self.found.engines.insert(Engine::Buildah);
            container.image_name = notes.image_name;
            if container.image_name.is_empty() && record.image.is_empty() {
                "scratch".clone_into(&mut container.image_name);
            }
        } else {
            // A container of Podman's whose state is lost is still named by its record.
            let spec = documents.json::<Spec>("config.json", "the container's command");
            container.command = spec.map(|spec| spec.process.args).unwrap_or_default();
            if !metadata.image_name.is_empty() {
                self.found.engines.insert(Engine::Podman);
            }
        }
        self.found.containers.push(container);
    }

    /// What Podman knows of a container.
    fn podman(&mut self, container: Container, known: libpod::Container) {
        let libpod::Container { config, state } = known;
        let mut container = container;
        if !config.name.is_empty() {
            container.name.clone_from(&config.name);
        }
        if !config.image_name.is_empty() {
            container.image_name.clone_from(&config.image_name);
        }
        container.image = container.image.or_else(|| self.images.by_record.get(&config.image).cloned());
        container.created = rfc3339(&config.created).or(container.created);
        container.state = state.state();
        container.started = rfc3339(&state.started);
        container.finished = rfc3339(&state.finished);
        container.exit_code = (container.state == State::Exited).then_some(state.exit_code);
        container.restarts = Some(state.restarts);
        container.restart_policy = Some(config.restart_policy());
        container.mounts = self.libpod.mounts(&config);
        container.kind = config.kind();
        container.unit = config.labels.get("PODMAN_SYSTEMD_UNIT").cloned();
        let of_image =
            container.image.as_ref().and_then(|id| self.images.all.get(id)).map(|image| &image.labels);
        container.labels = config.labels;
        container.labels.retain(|key, value| of_image.and_then(|labels| labels.get(key)) != Some(value));
        container.command = config.spec.process.args;
        if config.pod.is_empty() {
            self.found.containers.push(container);
            return;
        }
        if config.is_infra {
            self.infra.insert(container.id.clone());
        }
        self.of_pod(container, config.pod);
    }

    /// Podman's containers that have no record in the store: those of a directory (`--rootfs`), and what was lost.
    fn without_records(&mut self) {
        for (id, known) in std::mem::take(&mut self.libpod.containers) {
            self.found.engines.insert(Engine::Podman);
            self.podman(Container { name: id.clone(), id, ..Container::default() }, known);
        }
    }

    fn of_pod(&mut self, container: Container, pod: String) {
        self.of_pods.push((pod, self.found.containers.len()));
        self.found.containers.push(container);
    }

    /// Puts containers into their pods. Sandboxes are no containers of their own.
    fn finish(mut self) -> Found {
        let mut pods: BTreeMap<String, Pod> = std::mem::take(&mut self.sandboxes);
        for (id, libpod::Pod { config, state }) in std::mem::take(&mut self.libpod.pods) {
            let name = if config.name.is_empty() { id.clone() } else { config.name };
            let reference = PodRef { namespace: String::new(), name, uid: id.clone() };
            let (sandbox, labels) = (state.infra, config.labels);
            pods.insert(id, Pod { id: reference, sandbox, labels, ..Pod::default() });
        }
        let mut sandboxes = BTreeSet::new();
        for (pod, number) in self.of_pods {
            let Some(container) = self.found.containers.get_mut(number) else { continue };
            let Some(pod) = pods.get_mut(&pod) else { continue };
            if self.infra.contains(&container.id) || pod.sandbox == container.id {
                pod.sandbox.clone_from(&container.id);
                pod.sandbox_image.clone_from(&container.image);
                (container.kind, container.pod) = (ContainerKind::Sandbox, Some(pod.id.clone()));
                sandboxes.insert(container.id.clone());
                continue;
            }
            container.pod.get_or_insert_with(|| pod.id.clone());
            pod.containers.push(container.id.clone());
        }
        let Found { containers, sandboxes: others, pods: all, .. } = &mut self.found;
        others.extend(containers.extract_if(.., |container| sandboxes.contains(&container.id)));
        // One container may be in two lists.
        for list in [containers, others] {
            list.sort_by(|a, b| a.id.cmp(&b.id));
            list.dedup_by(|a, b| a.id == b.id);
        }
        all.extend(pods.into_values());
        all.iter_mut().for_each(|pod| {
            pod.containers.sort();
            pod.containers.dedup();
        });
        all.sort();
        self.found
    }
}

/// The documents beside a container's record.
pub(super) struct Documents<'a> {
    place: &'a Place,
    userdata: String,
    id: &'a str,
    left: &'a mut u64,
    gaps: &'a mut Vec<Gap>,
}

impl Documents<'_> {
    fn metadata(&mut self, text: &str) -> Metadata {
        if text.is_empty() {
            return Metadata::default();
        }
        parse(text.as_bytes(), "metadata", "container record").unwrap_or_else(|error| {
            self.lost(&error, "containers.json", "what the engine knows of the container");
            Metadata::default()
        })
    }

    /// A document, `None` if it is not there or cannot be read: then `what` is not reported.
    pub(super) fn json<T: DeserializeOwned>(&mut self, file: &str, what: &str) -> Option<T> {
        let bytes = self.bytes(file, what)?;
        parse(&bytes, file, "container document").map_err(|error| self.lost(&error, file, what)).ok()
    }

    /// As [`Self::json`], of a document that the engine always writes.
    pub(super) fn needed<T: DeserializeOwned>(&mut self, file: &str, what: &str) -> Option<T> {
        let path = format!("{}/{file}", self.userdata);
        if matches!(self.place.root.find_no_follow(path.as_bytes()), Ok(None)) {
            let code = Code::RuntimeStateUnreadable;
            self.lost(&FormatError::Unsupported { code, what: "it is not there".to_owned() }, file, what);
        }
        self.json(file, what)
    }

    /// The bytes of one.
    pub(super) fn bytes(&mut self, file: &str, what: &str) -> Option<Vec<u8>> {
        self.read(file).unwrap_or_else(|error| {
            self.lost(&error, file, what);
            None
        })
    }

    fn read(&mut self, file: &str) -> Result<Option<Vec<u8>>, FormatError> {
        const NAME: &str = "container document";
        let Some(source) = open(&self.place.root, &format!("{}/{file}", self.userdata))? else {
            return Ok(None);
        };
        let size = source.size().min(limits::TEXT_FILE_BYTES);
        *self.left = self.left.checked_sub(size).ok_or_else(|| {
            let bound = limits::CONTAINER_DOCUMENT_BYTES;
            FormatError::limit(format!("{file}: more than {bound} bytes of such documents"))
        })?;
        block::read_all(&source, NAME, limits::TEXT_FILE_BYTES).map(Some)
    }

    /// Tells what is not reported because a document could not be read.
    pub(super) fn lost(&mut self, error: &FormatError, file: &str, what: &str) {
        let path = format!("{}/{file}", self.userdata);
        let effect = format!("{what} is not reported");
        self.gaps.push(Gap::from_error(error, Scope::Container, shown(self.id), effect).at(path));
    }
}
