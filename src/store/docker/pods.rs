//! Pods, as cri-dockerd (and the kubelet before it) labels their containers: `io.kubernetes.docker.type` is `podsandbox` or
//! `container`, and names tell the same.

use std::collections::BTreeMap;

use crate::store::{Container, ContainerKind, Pod, PodRef, SANDBOX_NAME};

const KIND: &str = "io.kubernetes.docker.type";
const SANDBOX: &str = "io.kubernetes.sandbox.id";
const CONTAINER: &str = "io.kubernetes.container.name";
const POD: [&str; 3] = ["io.kubernetes.pod.namespace", "io.kubernetes.pod.name", "io.kubernetes.pod.uid"];
const RESTARTS: &str = "annotation.io.kubernetes.container.restartCount";

/// The pods that were met, by their sandboxes.
#[derive(Default)]
pub(super) struct Pods {
    by_sandbox: BTreeMap<String, Pod>,
    sandboxes: Vec<Container>,
}

impl Pods {
    /// A container as one of its pod, if it is in one; the sandbox of a pod is none.
    pub(super) fn take(&mut self, container: Container) -> Option<Container> {
        let label = |key: &str| container.labels.get(key).map(String::as_str).unwrap_or_default();
        let [namespace, name, uid] = POD.map(|key| label(key).to_owned());
        let id = PodRef { namespace, name, uid };
        if id.uid.is_empty() {
            return Some(container);
        }
        // The labels alone may be anybody's.
        match label(KIND) {
            "podsandbox" if container.name.starts_with("k8s_POD_") => {
                let mut container = Container {
                    kind: ContainerKind::Sandbox,
                    name: SANDBOX_NAME.to_owned(),
                    pod: Some(id.clone()),
                    ..container
                };
                let mut labels = std::mem::take(&mut container.labels);
                labels.retain(|key, _| !is_bookkeeping(key));
                let (sandbox, sandbox_image) = (container.id.clone(), container.image.clone());
                let pod = Pod { id, sandbox, sandbox_image, labels, ..Pod::default() };
                self.by_sandbox.insert(container.id.clone(), pod);
                self.sandboxes.push(container);
                None
            }
            "container" if container.name.starts_with("k8s_") => {
                let name = Some(label(CONTAINER).to_owned()).filter(|name| !name.is_empty());
                let name = name.unwrap_or_else(|| container.name.clone());
                // k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT
                let attempt = container.name.rsplit('_').next().and_then(|attempt| attempt.parse().ok());
                let attempt = attempt.or(label(RESTARTS).parse().ok());
                let restarts = attempt.or(container.restarts);
                Some(Container { name, restarts, attempt, pod: Some(id), ..container })
            }
            _ => Some(container),
        }
    }

    /// The pods, each with those of the containers that are in it: by the sandbox that they name, else by the pod's UID; and the
    /// sandboxes.
    pub(super) fn finish(mut self, containers: &[Container]) -> (Vec<Pod>, Vec<Container>) {
        let sandboxes: BTreeMap<String, String> =
            self.by_sandbox.values().map(|pod| (pod.id.uid.clone(), pod.sandbox.clone())).collect();
        for container in containers {
            let Some(pod) = &container.pod else { continue };
            let named =
                container.labels.get(SANDBOX).filter(|sandbox| self.by_sandbox.contains_key(*sandbox));
            if let Some(pod) =
                named.or(sandboxes.get(&pod.uid)).and_then(|sandbox| self.by_sandbox.get_mut(sandbox))
            {
                pod.containers.push(container.id.clone());
            }
        }
        let mut pods: Vec<Pod> = self.by_sandbox.into_values().collect();
        pods.sort();
        (pods, self.sandboxes)
    }
}

/// Whether a label of a sandbox is not the pod's own.
fn is_bookkeeping(key: &str) -> bool {
    key.starts_with("annotation.") || POD.contains(&key) || [KIND, CONTAINER, SANDBOX].contains(&key)
}
