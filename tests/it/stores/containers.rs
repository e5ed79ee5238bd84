//! Containers and pods, as the runtimes list them.

use std::collections::{BTreeMap, BTreeSet};

use icecore::{report, store};

use super::{
    tally::Answers,
    truth::{Container, Image, Pod, Time, Truth},
};

/// `type`, name, source, destination, and whether it may be written.
type Mount = (String, Option<String>, String, String, bool);

/// What is told of a container, by a store or in a report.
pub(super) struct Facts {
    id: String,
    kind: String,
    name: String,
    image: String,
    image_name: String,
    state: String,
    exit_code: Option<i64>,
    command: Vec<String>,
    times: [Option<String>; 3],
    labels: BTreeMap<String, String>,
    restart: String,
    mounts: BTreeSet<Mount>,
    pod: Option<String>,
    unit: Option<String>,
}

impl From<&report::Container> for Facts {
    fn from(c: &report::Container) -> Self {
        let mounts = c.mounts.iter().map(|mount| {
            let place = (mount.source.clone(), mount.destination.clone());
            (mount.kind.clone(), mount.name.clone(), place.0, place.1, !mount.read_only)
        });
        Self {
            id: c.id.clone(),
            kind: c.kind.clone(),
            name: c.name.clone(),
            image: c.image.clone(),
            image_name: c.image_name.clone(),
            state: c.state.clone(),
            exit_code: c.exit_code,
            command: c.command.clone(),
            times: [c.created.clone(), c.started.clone(), c.finished.clone()],
            labels: c.labels.clone(),
            restart: c.restart_policy.clone().unwrap_or_default(),
            mounts: mounts.collect(),
            pod: c.pod.clone(),
            unit: c.unit.clone(),
        }
    }
}

impl From<&store::Container> for Facts {
    fn from(c: &store::Container) -> Self {
        let mounts = c.mounts.iter().map(|mount| {
            let place = (mount.source.clone(), mount.destination.clone());
            (mount.kind.clone(), mount.name.clone(), place.0, place.1, !mount.read_only)
        });
        Self {
            id: c.id.clone(),
            kind: format!("{:?}", c.kind).to_lowercase(),
            name: c.name.clone(),
            image: c.image.as_ref().map_or_else(|| c.image_name.clone(), ToString::to_string),
            image_name: c.image_name.clone(),
            state: format!("{:?}", c.state).to_lowercase(),
            exit_code: c.exit_code,
            command: c.command.clone(),
            times: [c.created.clone(), c.started.clone(), c.finished.clone()],
            labels: c.labels.clone(),
            restart: c.restart_policy.clone().unwrap_or_default(),
            mounts: mounts.collect(),
            pod: c.pod.as_ref().map(|pod| pod.uid.clone()),
            unit: c.unit.clone(),
        }
    }
}

/// UID, namespace, name, sandbox, labels and containers.
type PodFacts = (String, String, String, String, BTreeMap<String, String>, BTreeSet<String>);

/// Containers and pods of a report are those that the runtimes list.
pub(super) fn judge(report: &report::Report, truths: &[Truth], answers: &mut Answers<'_>) {
    let pods = report.pods.iter().map(|pod| {
        let (labels, containers) = (pod.labels.clone(), pod.containers.iter().cloned().collect());
        let names = (pod.namespace.clone(), pod.name.clone());
        (pod.uid.clone(), names.0, names.1, pod.sandbox.clone(), labels, containers)
    });
    let facts: Vec<Facts> = report.containers.iter().chain(&report.sandboxes).map(Facts::from).collect();
    compare(&facts, pods.collect(), truths, answers);
}

/// The same of what a store holds.
pub(super) fn judge_store(contents: &store::Contents, truth: &Truth, answers: &mut Answers<'_>) {
    let pods = contents.pods.iter().map(|pod| {
        let (labels, containers) = (pod.labels.clone(), pod.containers.iter().cloned().collect());
        let names = (pod.id.namespace.clone(), pod.id.name.clone());
        (pod.id.uid.clone(), names.0, names.1, pod.sandbox.clone(), labels, containers)
    });
    let facts: Vec<Facts> = contents.all_containers().map(Facts::from).collect();
    compare(&facts, pods.collect(), std::slice::from_ref(truth), answers);
}

fn compare(found: &[Facts], pods: BTreeSet<PodFacts>, truths: &[Truth], answers: &mut Answers<'_>) {
    let first = truths[0].title();
    let (sandboxes, found): (Vec<&Facts>, Vec<&Facts>) =
        found.iter().partition(|facts| facts.kind == "sandbox");
    let ids: BTreeSet<&str> = found.iter().map(|facts| facts.id.as_str()).collect();
    let wanted_ids = truths.iter().flat_map(Truth::containers).map(|container| container.id.as_str());
    answers.same(&first, "containers", &ids, &wanted_ids.collect());
    answers.same(&first, "containers, each once", ids.len(), found.len());
    for truth in truths {
        let title = truth.title();
        for wanted in truth.containers() {
            answers.count(&title, "containers", 1);
            if let Some(facts) = found.iter().find(|facts| facts.id == wanted.id) {
                container(answers, &title, facts, wanted, truth);
            }
        }
        answers.count(&title, "pods", truth.pods.len());
    }
    let of_sandboxes: BTreeSet<&str> = sandboxes.iter().map(|facts| facts.id.as_str()).collect();
    let wanted = truths.iter().flat_map(|truth| &truth.pods).map(Pod::sandbox).filter(|id| !id.is_empty());
    answers.same(&first, "sandboxes", &of_sandboxes, &wanted.collect());
    answers.same(&first, "pods", pods, truths.iter().flat_map(|truth| &truth.pods).map(pod).collect());
}

fn pod(pod: &Pod) -> PodFacts {
    let containers = pod.containers.iter().filter(|id| *id != pod.sandbox()).cloned().collect();
    let (names, sandbox) = ((pod.namespace.clone(), pod.name.clone()), pod.sandbox().to_owned());
    (pod.uid().to_owned(), names.0, names.1, sandbox, pod.labels.clone(), containers)
}

fn container(answers: &mut Answers<'_>, title: &str, found: &Facts, wanted: &Container, truth: &Truth) {
    let name = wanted.title();
    let mut same = |what: &str, found: &dyn std::fmt::Debug, wanted: &dyn std::fmt::Debug| {
        answers.same(title, &format!("{name}: {what}"), format!("{found:?}"), format!("{wanted:?}"));
    };
    same("name", &found.name, &wanted.name);
    if !wanted.image_name.is_empty() {
        same("image name", &found.image_name, &wanted.image_name);
    }
    // What is of no image is told by the name of what it is of; a database alone has no images to resolve it to.
    if !truth.images.is_empty() {
        let image = if wanted.image.is_empty() { &found.image_name } else { &wanted.image };
        same("image", &found.image, image);
    }
    let state = match wanted.state.as_str() {
        "created" | "configured" => "created",
        "running" | "paused" | "restarting" | "stopping" => "running",
        "exited" | "stopped" | "dead" => "exited",
        // Of Buildah, and of a containerd without a task.
        "working" | "none" => "unknown",
        other => panic!("state {other}"),
    };
    same("state", &found.state, &state);
    same("exit code", &found.exit_code, &wanted.exit_code.filter(|_| state == "exited"));
    if let Some(command) = &wanted.command {
        same("command", &found.command, command);
    }
    let times = [&wanted.created, &wanted.started, &wanted.finished];
    for (found, wanted) in found.times.iter().zip(times) {
        if let Some(wanted) = wanted {
            same("time", found, &text(wanted));
        }
    }
    if let Some(labels) = &wanted.labels {
        let image = truth.images.iter().find(|image| image.id == wanted.image);
        let (found, wanted) = (with_image(&found.labels, image), with_image(labels, image));
        same("labels", &found, &wanted);
    }
    if let Some(restart) = &wanted.restart {
        // Older versions list what was not set as nothing.
        let restart = if restart.is_empty() { "no" } else { restart };
        let found = found.restart.split(':').next().filter(|policy| !policy.is_empty());
        same("restart policy", &found.unwrap_or("no"), &restart);
    }
    let of_pod = |id: &String| truth.pods.iter().find(|pod| pod.id == *id).map(Pod::uid);
    same("pod", &found.pod, &wanted.pod.as_ref().filter(|id| !id.is_empty()).map(of_pod).map(Option::unwrap));
    let unit = wanted.labels.as_ref().and_then(|labels| labels.get("PODMAN_SYSTEMD_UNIT"));
    // A service may start it by its name, of which the runtime knows nothing.
    let service = Some(format!("container-{}.service", wanted.name))
        .filter(|service| found.unit.as_ref() == Some(service));
    same("unit", &found.unit, &unit.cloned().or(service));
    if let Some(mounts) = &wanted.mounts {
        let mounts = mounts.iter().map(|m| {
            let place = (m.source.clone(), m.destination.clone());
            (m.kind.clone(), m.name.clone(), place.0, place.1, m.writable)
        });
        same("mounts", &of_node(found.mounts.iter().cloned()), &of_node(mounts));
    }
}

/// Mounts without what is only in memory, which runtimes do not list, and without what the CRI makes for every container.
fn of_node(mounts: impl Iterator<Item = Mount>) -> BTreeSet<Mount> {
    mounts.filter(|mount| mount.0 != "tmpfs" && !mount.2.contains("/io.containerd.")).collect()
}

/// Labels with those of the image, which a container has, too, and without what the CRI notes for itself.
fn with_image(labels: &BTreeMap<String, String>, image: Option<&Image>) -> BTreeMap<String, String> {
    let mut labels = labels.clone();
    for (key, value) in image.and_then(|image| image.labels.as_ref()).into_iter().flatten() {
        labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    labels.retain(|key, _| !key.starts_with("io.cri-containerd") && !key.starts_with("io.kubernetes"));
    labels
}

fn text(time: &Time) -> Option<String> {
    match time {
        Time::Text(text) => Some(text.clone()).filter(|text| !text.is_empty() && !text.starts_with("0001")),
        Time::Nanos(0) => None,
        Time::Nanos(nanos) => {
            let time = time::OffsetDateTime::from_unix_timestamp_nanos((*nanos).into()).unwrap();
            Some(time.format(&time::format_description::well_known::Rfc3339).unwrap())
        }
    }
}
