//! Pods: what the runtimes and the kubelet's directories tell of them together.

use std::collections::{BTreeMap, BTreeSet};

use super::OpenStore;
use crate::{
    Gap,
    gap::{Code, Scope},
    node::Declared,
    report,
    store::{Container, ContainerKind, KubeletContainer, KubeletPod, Pod, PodRef, State},
};

/// The pods of all stores, and those of which only the kubelet's directories are left.
pub(super) fn records(stores: &[OpenStore], kubelet: &BTreeMap<String, KubeletPod>) -> Vec<report::Pod> {
    let known = stores.iter().flat_map(|store| store.contents.pods.iter().map(move |pod| (store, pod)));
    let mut pods: Vec<report::Pod> = known
        .map(|(store, pod)| report::Pod {
            namespace: pod.id.namespace.clone(),
            name: pod.id.name.clone(),
            uid: pod.id.uid.clone(),
            runtime: store.store.runtime().to_owned(),
            sandbox: pod.sandbox.clone(),
            owner: owner(pod),
            labels: pod.labels.clone(),
            containers: pod.containers.clone(),
        })
        .collect();
    let known: BTreeSet<String> = pods.iter().map(|pod| pod.uid.clone()).collect();
    let left = kubelet.values().filter(|pod| !known.contains(&pod.id.uid));
    let left: Vec<report::Pod> = left
        .map(|pod| report::Pod {
            namespace: pod.id.namespace.clone(),
            name: pod.id.name.clone(),
            uid: pod.id.uid.clone(),
            containers: pod.containers.iter().map(|(name, known)| id_of(pod, name, known)).collect(),
            ..report::Pod::default()
        })
        .collect();
    pods.extend(left);
    pods
}

/// The containers of pods that no store knows: their names, and how often they were started again.
pub(super) fn of_kubelet(
    stores: &[OpenStore],
    kubelet: &BTreeMap<String, KubeletPod>,
) -> Vec<report::Container> {
    let known = stores.iter().flat_map(|store| &store.contents.pods);
    let known: BTreeSet<&str> = known.map(|pod| pod.id.uid.as_str()).collect();
    let left = kubelet.values().filter(|pod| !known.contains(pod.id.uid.as_str()));
    let of_pod = left.flat_map(|pod| pod.containers.iter().map(move |(name, known)| (pod, name, known)));
    let record = |(pod, name, known): (&KubeletPod, &String, &KubeletContainer)| report::Container {
        id: id_of(pod, name, known),
        name: name.clone(),
        kind: "ordinary".to_owned(),
        state: "unknown".to_owned(),
        pod: Some(pod.id.uid.clone()),
        restarts: known.restarts,
        ..report::Container::default()
    };
    of_pod.map(record).collect()
}

/// The id of a container that only the kubelet's directories tell of: the runtime's, or one of the pod's UID and its name.
fn id_of(pod: &KubeletPod, name: &str, known: &KubeletContainer) -> String {
    known.id.clone().unwrap_or_else(|| format!("{}/{name}", pod.id.uid))
}

/// Notes which service starts a container, where the container itself does not tell.
pub(super) fn set_units(containers: &mut [Container], runtime: &str, declared: &[Declared]) {
    if !["podman", "docker"].contains(&runtime) {
        return;
    }
    let units = declared.iter().filter(|one| one.kind != "static-pod" && !one.name.is_empty());
    let units: BTreeMap<&str, &Option<String>> = units.map(|one| (one.name.as_str(), &one.unit)).collect();
    for container in containers.iter_mut().filter(|container| container.unit.is_none()) {
        container.unit = units.get(container.name.as_str()).and_then(|unit| (*unit).clone());
    }
}

/// What a file tells to run, and which containers came of it: those of its unit, or of the static pod, which the kubelet
/// gives the node's name as a suffix.
pub(super) fn declared(one: &Declared, stores: &[OpenStore]) -> report::Declared {
    let is_of_pod = |pod: &PodRef| {
        let namespace = if one.namespace.is_empty() { "default" } else { &one.namespace };
        pod.namespace == namespace
            && pod.name.strip_prefix(&one.name).is_some_and(|rest| rest.starts_with('-'))
    };
    let is_it = |container: &&Container| match one.kind {
        "static-pod" => container.pod.as_ref().is_some_and(is_of_pod),
        _ => one.unit.is_some() && container.unit == one.unit,
    };
    let all = stores.iter().flat_map(|store| &store.contents.containers);
    report::Declared {
        kind: one.kind.to_owned(),
        path: one.path.to_string(),
        unit: one.unit.clone(),
        name: one.name.clone(),
        namespace: one.namespace.clone(),
        images: one.images.clone(),
        containers: all.filter(is_it).map(|container| container.id.clone()).collect(),
    }
}

/// Virtual machines of KubeVirt, whose disks no container's files are: each a gap.
pub(super) fn virtual_machines(stores: &[OpenStore]) -> Vec<Gap> {
    let pods = stores.iter().flat_map(|store| &store.contents.pods);
    let launchers =
        pods.filter(|pod| pod.labels.get("kubevirt.io").is_some_and(|what| what == "virt-launcher"));
    let gap = |pod: &Pod| {
        let subject = format!("{}/{}", pod.id.namespace, pod.id.name);
        let detail = "the pod runs a virtual machine of KubeVirt";
        let effect = "what is on the machine's disks is not reported";
        Gap::new(Code::UnsupportedRuntime, Scope::Container, subject, detail, effect)
    };
    launchers.map(gap).collect()
}

/// Completes what a store knows of its containers: how often the kubelet started them again, and which of a pod's
/// containers are its init containers.
pub(super) fn complete(containers: &mut [Container], kubelet: &BTreeMap<String, KubeletPod>) {
    for container in containers.iter_mut() {
        let known =
            container.pod.as_ref().and_then(|pod| kubelet.get(&pod.uid)?.containers.get(&container.name));
        // The logs are those of the last attempt, of which this may be an earlier one.
        container.restarts = container.restarts.or(known.and_then(|known| known.restarts));
    }
    let mut by_pod: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, container) in containers.iter().enumerate() {
        if let Some(pod) = &container.pod {
            by_pod.entry(pod.uid.clone()).or_default().push(number);
        }
    }
    for members in by_pod.into_values() {
        let of_pod = members.iter().filter_map(|number| containers.get(*number));
        let of_pod = of_pod.filter(|container| !is_debugger(&container.name));
        let mut made: Vec<time::OffsetDateTime> =
            of_pod.filter_map(|one| time(one.created.as_ref()?)).collect();
        made.sort_unstable();
        for number in members {
            if let Some(container) = containers.get_mut(number) {
                container.kind = match () {
                    () if ran_before_others(container, &made) => ContainerKind::Init,
                    () if is_debugger(&container.name) => ContainerKind::Ephemeral,
                    () => container.kind,
                };
            }
        }
    }
}

/// No runtime records which containers are init containers; the kubelet runs each of them to its successful end before
/// it makes the next container. `made` has the times at which those of the pod were made, in order.
fn ran_before_others(container: &Container, made: &[time::OffsetDateTime]) -> bool {
    let (State::Exited, Some(0), Some(end)) = (container.state, container.exit_code, &container.finished)
    else {
        return false;
    };
    let Some(end) = time(end) else { return false };
    let own = container.created.as_deref().and_then(time);
    let next = made.get(own.map_or(0, |own| made.partition_point(|made| *made <= own)));
    next.is_some_and(|next| *next >= end)
}

fn time(text: &str) -> Option<time::OffsetDateTime> {
    time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()
}

/// The name that `kubectl debug` gives an ephemeral container.
fn is_debugger(name: &str) -> bool {
    let random = name.strip_prefix("debugger-");
    random.is_some_and(|random| random.len() == 5 && random.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// What made a pod, by the labels that the controllers give their pods.
fn owner(pod: &Pod) -> Option<report::Owner> {
    let owner = |kind: &str, name: &str| Some(report::Owner { kind: kind.to_owned(), name: name.to_owned() });
    let label = |key: &str| pod.labels.get(key).map(String::as_str);
    let name = pod.id.name.as_str();
    if pod.annotations.get("kubernetes.io/config.source").is_some_and(|source| source == "file") {
        return owner("Node", "");
    }
    if let Some(job) = label("batch.kubernetes.io/job-name").or_else(|| label("job-name")) {
        return owner("Job", job);
    }
    let (stem, last) = name.rsplit_once('-')?;
    if let Some(hash) = label("pod-template-hash") {
        return match stem.strip_suffix(hash).and_then(|name| name.strip_suffix('-')) {
            Some(deployment) => owner("Deployment", deployment),
            None => owner("ReplicaSet", stem),
        };
    }
    label("controller-revision-hash")?;
    let is_numbered = label("statefulset.kubernetes.io/pod-name").is_some() || last.parse::<u32>().is_ok();
    owner(if is_numbered { "StatefulSet" } else { "DaemonSet" }, stem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::PodRef;

    fn pod(name: &str, labels: &[(&str, &str)]) -> Pod {
        let id = PodRef { name: name.to_owned(), ..PodRef::default() };
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Pod { id, labels, ..Pod::default() }
    }

    #[test]
    fn controllers_are_known_by_the_labels_that_they_give() {
        let of = |name: &str, labels: &[(&str, &str)]| {
            owner(&pod(name, labels)).map(|owner| format!("{}/{}", owner.kind, owner.name))
        };
        let hash = ("controller-revision-hash", "5d8b9c");
        assert_eq!(of("web-7c9-x2x4z", &[("pod-template-hash", "7c9")]).unwrap(), "Deployment/web");
        assert_eq!(of("web-x2x4z", &[("pod-template-hash", "7c9")]).unwrap(), "ReplicaSet/web");
        assert_eq!(of("db-0", &[hash]).unwrap(), "StatefulSet/db");
        assert_eq!(of("agent-x2x4z", &[hash]).unwrap(), "DaemonSet/agent");
        assert_eq!(of("backup-29-x2x4z", &[("job-name", "backup-29")]).unwrap(), "Job/backup-29");
        assert_eq!(of("alone", &[("app", "alone")]), None);
    }

    #[test]
    fn a_container_that_ended_before_the_others_began_is_an_init_container() {
        let container = |name: &str, created: &str, finished: Option<&str>| Container {
            id: name.to_owned(),
            name: name.to_owned(),
            state: if finished.is_some() { State::Exited } else { State::Running },
            exit_code: finished.map(|_| 0),
            created: Some(format!("2026-01-01T00:00:{created}Z")),
            finished: finished.map(|finished| format!("2026-01-01T00:00:{finished}Z")),
            pod: Some(PodRef { uid: "1".to_owned(), ..PodRef::default() }),
            ..Container::default()
        };
        let mut containers = [
            container("first", "01", Some("02.5")),
            container("second", "03", Some("04")),
            container("app", "05", None),
            container("job", "05", Some("06")),
            container("debugger-x2x4z", "09", None),
        ];
        complete(&mut containers, &BTreeMap::new());
        let kinds: Vec<ContainerKind> = containers.iter().map(|container| container.kind).collect();
        let (init, ordinary) = (ContainerKind::Init, ContainerKind::Ordinary);
        // `job` ended before somebody looked into the pod: that container was made by hand.
        assert_eq!(kinds, [init, init, ordinary, ordinary, ContainerKind::Ephemeral]);
    }
}
