//! Containers: a directory each in `containers`, with `config.v2.json` and `hostconfig.json`.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Beside,
    config::{Host, MountPoint, Record, RestartPolicy, RunState},
    files::Files,
    graph::Graph,
    known::Known,
    pods::Pods,
};
use crate::{
    Digest, Gap, bytes,
    error::FormatError,
    gap::{Code, Scope},
    limits, num,
    store::{
        Container, ContainerKind, Contents, Image, LayerRef, Mount, State,
        containerd::{Chains, Lent},
        lost::Lost,
    },
};

const DIRECTORY: &str = "containers";
const CONTAINER: &str = "container record";
const CONFIG: &str = "config.v2.json";
const HOST: &str = "hostconfig.json";
/// What is lost without it.
const HOST_EFFECT: &str = "the container's restart policy and temporary mounts are not reported";

/// Adds the containers and pods to `contents`, whose images are known already.
pub(super) fn read(files: &Files, graphs: &[Graph], beside: &[Beside<'_>], contents: &mut Contents) {
    let ids = ids(files, &mut contents.gaps);
    if !files.has(DIRECTORY) {
        contents.gaps.extend(without_records(files, graphs));
    }
    let mut reader = Reader {
        files,
        graphs,
        beside,
        known: Known::new(&contents.images, beside),
        left: limits::DOCKER_CONTAINER_BYTES,
    };
    let mut all = Vec::new();
    for id in ids {
        let mut lost = |error: &FormatError, effect: &str| {
            contents.gaps.push(Gap::from_error(error, Scope::Container, &id, effect));
        };
        all.push(reader.container(&id, &mut lost));
    }
    let mut chains: Vec<Chains> = beside.iter().map(|_| Chains::default()).collect();
    let mut lost = Lost::new(&contents.images);
    let lent = beside.iter().flat_map(|beside| beside.images).filter(|image| !image.layers.is_empty());
    let lent: BTreeSet<&Digest> = lent.map(|image| &image.id).collect();
    let (mut containers, mut pods) = (Vec::new(), Pods::default());
    for (mut container, noted) in all {
        let is_own = |id: &Digest| {
            let at = contents.images.binary_search_by(|image| image.id.cmp(id)).ok();
            at.and_then(|at| contents.images.get(at)).is_some_and(|image| !image.layers.is_empty())
        };
        let has_layers = container.image.as_ref().is_some_and(|id| lent.contains(id) || is_own(id));
        if !has_layers {
            let below = |_: &[Image], one: &Container| below(one, graphs, beside, &mut chains);
            lost.restore(&mut contents.images, &mut container, noted, below, &mut contents.gaps);
        }
        containers.extend(pods.take(container));
    }
    (contents.pods, contents.sandboxes) = pods.finish(&containers);
    contents.containers = containers;
}

/// The layers that a container lies on, base first, as far as they are known.
fn below(
    container: &Container,
    graphs: &[Graph],
    beside: &[Beside<'_>],
    chains: &mut [Chains],
) -> Result<Vec<LayerRef>, FormatError> {
    let Some((driver, key)) = &container.snapshot else { return Ok(Vec::new()) };
    if container.namespace.is_empty() {
        let Some(graph) = graphs.iter().find(|graph| graph.name == *driver) else { return Ok(Vec::new()) };
        let parent = graph.mount(&container.id)?.and_then(|mount| mount.parent);
        return parent.map_or(Ok(Vec::new()), |top| graph.below(&top));
    }
    let holds = |beside: &Beside<'_>| beside.store.has_snapshot(&container.namespace, driver, key);
    let of = beside.iter().zip(chains).find(|(beside, _)| holds(beside));
    of.map_or(Ok(Vec::new()), |(beside, chains)| chains.below(&beside.store, beside.images, container))
}

/// That containers have layers, and the directory of their records is not there, which Docker makes before any of them.
fn without_records(files: &Files, graphs: &[Graph]) -> Option<Gap> {
    // What of these cannot be read is told elsewhere.
    let count: usize = graphs.iter().filter_map(|graph| graph.mounts().ok()).map(|ids| ids.len()).sum();
    let detail = format!("{count} containers have layers, and their records are not there");
    let effect = "these containers are not reported";
    (count > 0).then(|| {
        Gap::new(Code::RuntimeStateUnreadable, Scope::Runtime, files.place(), detail, effect).at(DIRECTORY)
    })
}

/// The ids of the containers, sorted.
fn ids(files: &Files, gaps: &mut Vec<Gap>) -> Vec<String> {
    let effect = "containers that only this part of the directory names are not reported";
    let mut lost = |error: &FormatError, effect: &str| {
        gaps.push(Gap::from_error(error, Scope::Runtime, files.place(), effect).at(DIRECTORY));
    };
    let (names, damage) = files.directories(DIRECTORY, bytes::is_hex_id).unwrap_or_else(|error| {
        lost(&error, effect);
        Default::default()
    });
    damage.iter().for_each(|error| lost(error, effect));
    let (mut ids, others): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| is_id(name));
    for name in others.iter().take(limits::DAMAGED_RECORDS) {
        let problem =
            format!("{DIRECTORY}/{:?} is no container's id", name.chars().take(100).collect::<String>());
        lost(&FormatError::malformed("container directory", problem), "what it holds is not reported");
    }
    ids.sort();
    if ids.len() > limits::DOCKER_CONTAINERS {
        let what = format!("{} containers, more than {}", ids.len(), limits::DOCKER_CONTAINERS);
        lost(&FormatError::limit(what), "the others are not reported");
        ids.truncate(limits::DOCKER_CONTAINERS);
    }
    ids
}

fn is_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

struct Reader<'a> {
    files: &'a Files,
    graphs: &'a [Graph],
    beside: &'a [Beside<'a>],
    known: Known<'a>,
    /// Bytes of records that may still be read.
    left: u64,
}

impl<'a> Reader<'a> {
    /// A container, and what is noted as the id of its image; of one whose record cannot be read, what else is known of it.
    fn container(
        &mut self,
        id: &str,
        lost: &mut impl FnMut(&FormatError, &str),
    ) -> (Container, Option<Digest>) {
        let record = self.record(id).unwrap_or_else(|error| {
            lost(&error, "the container's name, command, state, labels and mounts are not reported");
            None
        });
        let is_read = record.is_some();
        // Docker writes both. Of a container without either, that was told.
        let host: Option<Host> = match self.json(id, HOST) {
            Ok(None) if is_read => {
                Err(self.files.corrupt(HOST, &format!("containers/{id}/{HOST}"), "is not there"))
            }
            read => read,
        }
        .unwrap_or_else(|error| {
            lost(&error, HOST_EFFECT);
            None
        });
        let (record, host) = (record.unwrap_or_default(), host.unwrap_or_default());
        let mut place = Place::of(self.graphs, self.beside, id, &record.driver, &mut |error| {
            lost(error, "whether the container's layers lie over those of its image is not known");
        });
        let image = self.image(&record, &place);
        if let Some(image) = image
            && place.snapshot.is_some()
            && place.is_over(image) == Some(false)
        {
            let problem = format!("the layers of {id} do not lie over those of its image {}", image.id);
            let effect = "what the container changed is not reported";
            lost(&FormatError::malformed("record of a container's layer", problem), effect);
            place.snapshot = None;
        }
        let mut labels = record.config.labels.clone();
        if let Some(image) = image {
            labels.retain(|key, value| image.labels.get(key) != Some(value));
        }
        let (finished, state) = (time(&record.state.finished_at), state(&record.state));
        let ended = finished.is_some() && state == State::Exited;
        let name = record.name.trim_start_matches('/');
        let container = Container {
            id: id.to_owned(),
            name: if name.is_empty() { id.to_owned() } else { name.to_owned() },
            namespace: place.namespace,
            image: image.map(|image| image.id.clone()),
            image_name: [&record.config.image, &record.image]
                .into_iter()
                .find(|n| !n.is_empty())
                .cloned()
                .unwrap_or_default(),
            state: if is_read { state } else { State::Unknown },
            created: time(&record.created),
            pod: None,
            command: command(&record),
            kind: ContainerKind::Ordinary,
            started: time(&record.state.started_at),
            exit_code: ended.then_some(record.state.exit_code),
            finished,
            restarts: is_read.then_some(record.restart_count),
            attempt: None,
            restart_policy: policy(&host),
            labels,
            mounts: mounts(&record, &host, self.files.place()),
            unit: None,
            snapshot: place.snapshot,
        };
        (container, record.image.parse().ok())
    }

    /// `config.v2.json`, which says itself whose it is.
    fn record(&mut self, id: &str) -> Result<Option<Record>, FormatError> {
        let path = format!("containers/{id}/{CONFIG}");
        let record: Option<Record> = self.json(id, CONFIG)?;
        let record = record.ok_or_else(|| self.files.corrupt(CONTAINER, &path, "is not there"))?;
        if record.id != id {
            let other: String = record.id.chars().take(100).collect();
            return Err(self.files.corrupt(CONTAINER, &path, &format!("is of the container {other:?}")));
        }
        Ok(Some(record))
    }

    fn json<T: DeserializeOwned>(&mut self, id: &str, name: &str) -> Result<Option<T>, FormatError> {
        let path = format!("containers/{id}/{name}");
        let bytes = self.files.bytes(&path, CONTAINER, self.left.min(limits::DOCKER_RECORD_BYTES))?;
        let Some(bytes) = bytes else { return Ok(None) };
        self.left = self.left.saturating_sub(num::to_u64(bytes.len()));
        self.files.parse(&bytes, &path, CONTAINER).map(Some)
    }

    /// The image that a container was made of.
    fn image(&self, record: &Record, place: &Place) -> Option<&'a Image> {
        let digest = |text: &str| text.parse::<Digest>().ok();
        let Some(id) = digest(&record.image) else {
            // Its layers tell, if they are those of one image only.
            return self.known.over(place.chain.as_ref()?.as_ref()?);
        };
        if let Some(own) = self.known.own(&id) {
            return Some(own);
        }
        let manifest = record.image_manifest.as_ref().map(|manifest| self.known.lent(&manifest.digest));
        let exact = manifest.and_then(|images| images.first());
        let all = self.known.lent(&id);
        let over = || all.iter().find(|image| place.is_over(image) == Some(true));
        exact.or_else(over).or(all.first()).copied()
    }
}

/// Where a container's own layers are.
#[derive(Default)]
struct Place {
    /// The namespace of the containerd that has them; empty if it is Docker's own driver.
    namespace: String,
    snapshot: Option<(String, String)>,
    /// The chain id of what lies below, if that is known: `None` within for nothing at all.
    chain: Option<Option<Digest>>,
}

impl Place {
    /// As the layers' records tell. Of a container whose driver is not known, any that has it.
    fn of(
        graphs: &[Graph],
        beside: &[Beside<'_>],
        id: &str,
        driver: &str,
        lost: &mut dyn FnMut(&FormatError),
    ) -> Self {
        for graph in graphs.iter().filter(|graph| driver.is_empty() || graph.name == driver) {
            match graph.mount(id) {
                Ok(Some(mount)) => {
                    let snapshot = Some((graph.name.clone(), mount.id));
                    return Self { namespace: String::new(), snapshot, chain: Some(mount.parent) };
                }
                Ok(None) => {}
                Err(error) => lost(&error),
            }
        }
        let driver = Some(driver).filter(|driver| !driver.is_empty());
        if let Some(lent) = beside.iter().find_map(|beside| beside.store.lent(id, driver)) {
            let Lent { namespace, snapshotter, chain } = lent;
            let snapshot = Some((snapshotter, id.to_owned()));
            return Self { namespace, snapshot, chain: Some(chain) };
        }
        let snapshot = driver.map(|driver| (driver.to_owned(), id.to_owned()));
        Self { snapshot, ..Self::default() }
    }

    /// Whether the layers lie over those of an image; `None` if that is not known, as of an image that cannot be read.
    fn is_over(&self, image: &Image) -> Option<bool> {
        let top = &image.layers.last()?.chain_id;
        self.chain.as_ref().map(|chain| chain.as_ref() == Some(top))
    }
}

fn state(state: &RunState) -> State {
    match () {
        () if state.running || state.restarting => State::Running,
        () if state.dead || time(&state.started_at).is_some() => State::Exited,
        () => State::Created,
    }
}

/// A time as it is written, if it is one: Go writes the year 1 for none.
fn time(text: &str) -> Option<String> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    (time.year() > 1).then(|| text.to_owned())
}

fn command(record: &Record) -> Vec<String> {
    if record.path.is_empty() {
        return Vec::new();
    }
    [&record.path].into_iter().chain(&record.args).cloned().collect()
}

fn policy(host: &Host) -> Option<String> {
    let RestartPolicy { name, maximum_retry_count } = &host.restart_policy;
    match (name.as_str(), maximum_retry_count) {
        ("", _) => None,
        ("on-failure", 1..) => Some(format!("{name}:{maximum_retry_count}")),
        _ => Some(name.clone()),
    }
}

/// What a container sees of the node; of a volume that was never used, where Docker will keep it.
fn mounts(record: &Record, host: &Host, place: &str) -> Vec<Mount> {
    let source = |point: &MountPoint| match (point.source.as_str(), point.driver.as_str()) {
        ("", "local") if !point.name.is_empty() => format!("{place}/volumes/{}/_data", point.name),
        (source, _) => source.to_owned(),
    };
    let points = record.mount_points.iter().map(|(at, point)| Mount {
        // Older ones have no type.
        kind: match point.kind.as_str() {
            "" if point.name.is_empty() => "bind".to_owned(),
            "" => "volume".to_owned(),
            kind => kind.to_owned(),
        },
        name: Some(point.name.clone()).filter(|name| !name.is_empty()),
        source: source(point),
        destination: if point.destination.is_empty() { at.clone() } else { point.destination.clone() },
        read_only: !point.writable,
    });
    let temporary = host.tmpfs.iter().map(|(at, options)| Mount {
        kind: "tmpfs".to_owned(),
        name: None,
        source: String::new(),
        destination: at.clone(),
        read_only: options.split(',').any(|option| option == "ro"),
    });
    let mut mounts: Vec<Mount> = points.chain(temporary).collect();
    mounts.sort();
    mounts
}
