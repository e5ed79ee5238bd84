//! The kubelet's own directories: what pods there were, whatever the runtime says.

use std::collections::BTreeMap;

use super::PodRef;
use crate::{
    bytes,
    error::FormatError,
    fs::{FileKind, Root},
    limits,
};

/// A directory `<namespace>_<pod>_<uid>` for each pod, in it one for each container, in it `<attempt>.log`.
const LOGS: &str = "var/log/pods";
/// Links `<pod>_<namespace>_<container>-<id>.log`.
const LINKS: &str = "var/log/containers";
/// A directory for each pod by its UID, in it `containers/<container>`.
const PODS: &str = "var/lib/kubelet/pods";

/// A pod that the kubelet has had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KubeletPod {
    /// Namespace, name and UID; only that of a pod without logs.
    pub id: PodRef,
    /// Its containers by name.
    pub containers: BTreeMap<String, KubeletContainer>,
}

/// A container of a pod, as far as the kubelet's directories tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KubeletContainer {
    /// How often it was started again, as the names of its logs tell.
    pub restarts: Option<u64>,
    /// The runtime's id of the last attempt, as the link to its log tells.
    pub id: Option<String>,
}

/// The pods of which a node has logs or directories, by UID, and what of them could not be read.
pub fn pods(root: &Root) -> (BTreeMap<String, KubeletPod>, Vec<FormatError>) {
    let (mut pods, mut damage) = (BTreeMap::new(), Vec::new());
    for dir in [LOGS, PODS] {
        let names = names(root, dir).unwrap_or_else(|error| {
            damage.push(error);
            Vec::new()
        });
        for name in names {
            let Some(id) = (if dir == LOGS { of_logs(&name) } else { of_uid(&name) }) else { continue };
            if pods.len() >= limits::KUBELET_PODS {
                let what = format!("more than {} directories in {dir}", limits::KUBELET_PODS);
                damage.push(FormatError::limit(what));
                break;
            }
            let pod =
                pods.entry(id.uid.clone()).or_insert_with(|| KubeletPod { id, ..KubeletPod::default() });
            let read = match dir {
                LOGS => attempts(root, &name, pod),
                _ => directories(root, &name, pod),
            };
            damage.extend(read.err());
        }
    }
    damage.extend(ids(root, &mut pods).err());
    (pods, damage)
}

fn of_logs(name: &str) -> Option<PodRef> {
    let mut parts = name.splitn(3, '_').map(str::to_owned);
    Some(PodRef { namespace: parts.next()?, name: parts.next()?, uid: parts.next()? })
}

fn of_uid(name: &str) -> Option<PodRef> {
    let is_uid = name.len() >= 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_uid.then(|| PodRef { uid: name.to_owned(), ..PodRef::default() })
}

/// The containers of a pod that have logs, with their attempts.
fn attempts(root: &Root, name: &str, pod: &mut KubeletPod) -> Result<(), FormatError> {
    for container in names(root, &format!("{LOGS}/{name}"))?.into_iter().take(limits::KUBELET_PODS) {
        let attempt = |log: &String| log.split('.').next()?.parse::<u64>().ok();
        let logs =
            names_of(root, &format!("{LOGS}/{name}/{container}"), &|kind| kind != FileKind::Directory)?;
        if let Some(last) = logs.iter().filter_map(attempt).max() {
            pod.containers.entry(container).or_default().restarts = Some(last);
        }
    }
    Ok(())
}

/// The containers for which a pod has directories.
fn directories(root: &Root, name: &str, pod: &mut KubeletPod) -> Result<(), FormatError> {
    for container in names(root, &format!("{PODS}/{name}/containers"))?.into_iter().take(limits::KUBELET_PODS)
    {
        pod.containers.entry(container).or_default();
    }
    Ok(())
}

/// Adds the ids that links to logs have in their names.
fn ids(root: &Root, pods: &mut BTreeMap<String, KubeletPod>) -> Result<(), FormatError> {
    let mut by_name = BTreeMap::new();
    for link in names_of(root, LINKS, &|kind| kind == FileKind::Symlink)? {
        let parsed = link.strip_suffix(".log").and_then(|link| link.rsplit_once('-'));
        if let Some((name, id)) = parsed.filter(|(_, id)| bytes::is_hex_id(id.as_bytes())) {
            by_name.insert(name.to_owned(), id.to_owned());
        }
    }
    for pod in pods.values_mut() {
        let PodRef { namespace, name, .. } = &pod.id;
        for (container, known) in &mut pod.containers {
            known.id = by_name.get(&format!("{name}_{namespace}_{container}")).cloned();
        }
    }
    Ok(())
}

/// The directories in a directory.
fn names(root: &Root, path: &str) -> Result<Vec<String>, FormatError> {
    names_of(root, path, &|kind| kind == FileKind::Directory)
}

fn names_of(root: &Root, path: &str, fits: &dyn Fn(FileKind) -> bool) -> Result<Vec<String>, FormatError> {
    let Some(dir) = root.find(path.as_bytes())? else { return Ok(Vec::new()) };
    if !dir.is_dir()? {
        return Ok(Vec::new());
    }
    let listing = dir.read_dir()?;
    if let Some(error) = listing.damage.into_iter().next() {
        return Err(error);
    }
    let names = listing.entries.into_iter().filter(|entry| fits(entry.kind));
    Ok(names.map(|entry| String::from_utf8_lossy(&entry.name).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::memory::Tree;

    #[test]
    fn logs_tell_of_pods_and_of_restarts() {
        let mut tree = Tree::default();
        tree.file(&format!("var/log/pods/shop_web-1_{UID}/web/0.log"), "");
        tree.file(&format!("var/log/pods/shop_web-1_{UID}/web/2.log.20260101-000000.gz"), "");
        tree.file("var/log/pods/stray/0.log", "");
        tree.file(&format!("var/lib/kubelet/pods/{UID}/containers/init/0a1b2c3d"), "");
        tree.file(&format!("var/lib/kubelet/pods/{}/containers/etcd/0a1b2c3d", "1".repeat(32)), "");
        tree.link(&format!("var/log/containers/web-1_shop_web-{}.log", "a".repeat(64)), "x");
        const UID: &str = "0aa0aa0a-1111-2222-3333-444444444444";
        let (pods, damage) = pods(&Root::new(tree.build()));
        assert!(damage.is_empty());
        let id = PodRef { namespace: "shop".into(), name: "web-1".into(), uid: UID.into() };
        let own = |restarts, id| KubeletContainer { restarts, id };
        let containers =
            [("web".to_owned(), own(Some(2), Some("a".repeat(64)))), ("init".to_owned(), own(None, None))];
        let expected = KubeletPod { id, containers: containers.into() };
        let uid = "1".repeat(32);
        let other = KubeletPod {
            id: PodRef { uid: uid.clone(), ..PodRef::default() },
            containers: [("etcd".to_owned(), own(None, None))].into(),
        };
        assert_eq!(pods, [(UID.to_owned(), expected), (uid, other)].into());
    }
}
