//! Containers of nerdctl's: its labels on containerd's records (nerdctl, `pkg/labels`), and its directory beside containerd's, in
//! which `HASH/containers/NAMESPACE/ID/lifecycle.json` tells when a container was started (nerdctl, `docs/dir.md`). Made from that
//! documentation, not from a disk that nerdctl wrote.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Containerd;
use crate::{
    error::FormatError,
    fs::Root,
    limits,
    store::{Container, Mount, State},
};

/// All of its labels begin so.
const PREFIX: &str = "nerdctl/";
/// Mounts as Docker records them, in JSON.
const MOUNTS: &str = "nerdctl/mounts";
/// containerd's own monitor of restarts, which nerdctl tells what to do.
const POLICY: &str = "containerd.io/restart.policy";
const STOPPED: &str = "containerd.io/restart.explicitly-stopped";
/// Directories of nerdctl's for the addresses of containerds that are looked into.
const ADDRESSES: usize = 16;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct MountPoint {
    #[serde(rename = "Type")]
    kind: String,
    name: String,
    source: String,
    destination: String,
    #[serde(rename = "RW")]
    writable: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Lifecycle {
    started_at: Option<String>,
}

/// nerdctl's directories for the addresses of containerds, in `nerdctl` beside the root directory of one.
pub(super) fn directories(node: &Root, place: &str) -> Result<Vec<Root>, FormatError> {
    let (above, _) = place.rsplit_once('/').unwrap_or_default();
    let Some((dir, listing)) = node.list(format!("{above}/nerdctl").as_bytes())? else {
        return Ok(Vec::new());
    };
    let mut names: Vec<Vec<u8>> = listing.entries.into_iter().map(|entry| entry.name).collect();
    names.sort();
    let data = node.within(&dir);
    let open = |name: Vec<u8>| data.find(&name).ok().flatten().filter(|dir| matches!(dir.is_dir(), Ok(true)));
    Ok(names.into_iter().filter_map(open).take(ADDRESSES).map(|dir| node.within(&dir)).collect())
}

/// Whether labels are those of a container of nerdctl's.
pub(super) fn is_one(labels: &BTreeMap<String, String>) -> bool {
    labels.keys().any(|key| key.starts_with(PREFIX))
}

/// Completes a container of nerdctl's.
pub(super) fn complete(
    containerd: &Containerd,
    container: &mut Container,
    lost: &mut impl FnMut(FormatError, &str),
) {
    container.restart_policy = container.labels.get(POLICY).filter(|policy| !policy.is_empty()).cloned();
    if let Some(text) = container.labels.get(MOUNTS) {
        match serde_json::from_str::<Option<Vec<MountPoint>>>(text) {
            Ok(mounts) => container.mounts = mounts.into_iter().flatten().map(mount).collect(),
            Err(error) => {
                let error = FormatError::corrupt("label of nerdctl's", 0, format!("{MOUNTS}: {error}"));
                lost(error, "the container's mounts are those of its specification");
            }
        }
    }
    // Whether its process runs is in memory only.
    if container.labels.get(STOPPED).is_some_and(|stopped| stopped == "true") {
        container.state = State::Exited;
    }
    match started(containerd, container) {
        Ok(time) => container.started = container.started.take().or(time),
        Err(error) => lost(error, "when the container was started is not reported"),
    }
}

fn mount(point: MountPoint) -> Mount {
    Mount {
        kind: if point.kind.is_empty() { "bind".to_owned() } else { point.kind },
        name: Some(point.name).filter(|name| !name.is_empty()),
        source: point.source,
        destination: point.destination,
        read_only: !point.writable,
    }
}

/// When a container was last started, if nerdctl noted it.
fn started(containerd: &Containerd, container: &Container) -> Result<Option<String>, FormatError> {
    const NAME: &str = "nerdctl's lifecycle";
    let is_name = |text: &str| !text.is_empty() && !text.contains('/') && !matches!(text, "." | "..");
    if !is_name(&container.namespace) || !is_name(&container.id) {
        return Ok(None);
    }
    let path = format!("containers/{}/{}/lifecycle.json", container.namespace, container.id);
    for own in &containerd.nerdctl {
        let Some(bytes) = own.read_regular(path.as_bytes(), NAME, limits::DOCKER_RECORD_BYTES)? else {
            continue;
        };
        let lifecycle: Lifecycle = serde_json::from_slice(&bytes)
            .map_err(|error| FormatError::corrupt(NAME, 0, format!("{path}: {error}")))?;
        // Go writes the year 1 for none.
        return Ok(lifecycle.started_at.filter(|time| !time.starts_with("0001-")));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        database::bolt::Bucket,
        fs::memory::Tree,
        store::{
            Compose, Store,
            containerd::{ContentStore, Snapshots},
        },
    };

    fn bucket(values: &[(&str, &str)], buckets: Vec<(&str, Bucket)>) -> Bucket {
        let values = values.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()));
        let buckets = buckets.into_iter().map(|(key, bucket)| (key.as_bytes().to_vec(), bucket));
        Bucket { values: values.collect(), buckets: buckets.collect() }
    }

    /// The container of a containerd with these labels, and the codes of what is told of it.
    fn container(labels: &[(&str, &str)], files: &[(&str, &str)]) -> (Container, usize) {
        let record = bucket(&[("image", "docker.io/library/a:1")], vec![("labels", bucket(labels, vec![]))]);
        let of = bucket(&[], vec![("containers", bucket(&[], vec![("c1", record)]))]);
        let meta = bucket(&[], vec![("default", of)]);
        let mut tree = Tree::default();
        tree.file("var/lib/containerd/x", "");
        files.iter().for_each(|(path, text)| tree.file(path, *text));
        let node = Root::new(tree.build());
        let root = node.within(&node.find(b"var/lib/containerd").unwrap().unwrap());
        let place = "/var/lib/containerd".to_owned();
        let nerdctl = directories(&node, &place).unwrap();
        let snapshots = Snapshots::open(&root, None, &place, &meta, &mut Vec::new());
        let content = ContentStore::new(root.clone());
        let containerd =
            Containerd { root, nerdctl, place, meta, content, snapshots, user: None, gaps: Vec::new() };
        let mut contents = containerd.contents();
        (contents.containers.remove(0), contents.gaps.len())
    }

    #[test]
    fn a_container_is_what_its_labels_and_nerdctls_files_say() {
        let mounts = r#"[{"Type":"volume","Name":"v","Source":"/var/lib/nerdctl/1935db59/volumes/default/v/_data",
            "Destination":"/data","Mode":"","RW":true,"Propagation":""}]"#;
        let labels = [
            ("nerdctl/name", "web"),
            ("nerdctl/namespace", "default"),
            ("nerdctl/mounts", mounts),
            ("com.docker.compose.project", "shop"),
            ("com.docker.compose.service", "front"),
            ("containerd.io/restart.policy", "always"),
        ];
        let lifecycle = "var/lib/nerdctl/1935db59/containers/default/c1/lifecycle.json";
        let started = "2026-01-01T00:00:00.5Z";
        let (found, gaps) = container(&labels, &[(lifecycle, &format!("{{\"started_at\":\"{started}\"}}"))]);
        assert_eq!((found.name.as_str(), found.restart_policy.as_deref(), gaps), ("web", Some("always"), 0));
        let compose = Compose { project: "shop".to_owned(), service: "front".to_owned() };
        assert_eq!((found.compose(), found.started.as_deref()), (Some(compose), Some(started)));
        let [mount] = found.mounts.as_slice() else { panic!("{:?}", found.mounts) };
        assert_eq!(
            (mount.name.as_deref(), mount.destination.as_str(), mount.read_only),
            (Some("v"), "/data", false)
        );
        // Whether it ran to its end is in memory, unless somebody stopped it.
        assert_eq!(found.state, State::Unknown);
        let stopped = [("nerdctl/name", "web"), ("containerd.io/restart.explicitly-stopped", "true")];
        assert_eq!(
            container(&stopped, &[(lifecycle, "{\"started_at\":\"0001-01-01T00:00:00Z\"}")]).0.state,
            State::Exited
        );
    }

    #[test]
    fn what_of_it_cannot_be_read_is_told() {
        let labels = [("nerdctl/name", "web"), ("nerdctl/mounts", "[{")];
        let lifecycle = "var/lib/nerdctl/1935db59/containers/default/c1/lifecycle.json";
        assert_eq!(container(&labels, &[(lifecycle, "{")]).1, 2);
        assert_eq!(container(&labels[..1], &[]).1, 0);
    }
}
