//! The kubelet's own directories: what pods there were, whatever the runtime says.

use std::collections::BTreeMap;

use super::PodRef;
use crate::{
    error::FormatError,
    fs::{FileKind, Root},
    limits,
};

/// A directory `<namespace>_<pod>_<uid>` for each pod, in it one for each container, in it `<attempt>.log`.
const LOGS: &str = "var/log/pods";

/// A pod that the kubelet has had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KubeletPod {
    /// Namespace, name and UID.
    pub id: PodRef,
    /// Its containers by name, with how often each was started again, as the names of their logs tell.
    pub containers: BTreeMap<String, u64>,
}

/// The pods of which a node has logs, by UID, and what of them could not be read.
pub fn pods(root: &Root) -> (BTreeMap<String, KubeletPod>, Vec<FormatError>) {
    let (mut pods, mut damage) = (BTreeMap::new(), Vec::new());
    let found =
        root.find(LOGS.as_bytes()).and_then(|dir| dir.map(|dir| names(&Root::below(&dir), "")).transpose());
    let names = match found {
        Ok(names) => names.unwrap_or_default(),
        Err(error) => {
            damage.push(error);
            return (pods, damage);
        }
    };
    for name in names {
        if pods.len() >= limits::KUBELET_PODS {
            damage.push(FormatError::limit(format!(
                "more than {} directories in {LOGS}",
                limits::KUBELET_PODS
            )));
            break;
        }
        let mut parts = name.splitn(3, '_');
        let (Some(namespace), Some(pod), Some(uid)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let id = PodRef { namespace: namespace.to_owned(), name: pod.to_owned(), uid: uid.to_owned() };
        match containers(root, &name) {
            Ok(containers) => {
                pods.insert(uid.to_owned(), KubeletPod { id, containers });
            }
            Err(error) => {
                damage.push(error);
                pods.insert(uid.to_owned(), KubeletPod { id, containers: BTreeMap::new() });
            }
        }
    }
    (pods, damage)
}

fn containers(root: &Root, pod: &str) -> Result<BTreeMap<String, u64>, FormatError> {
    let mut containers = BTreeMap::new();
    for name in names(root, &format!("{LOGS}/{pod}"))?.into_iter().take(limits::KUBELET_PODS) {
        let attempt = |log: &String| log.split('.').next()?.parse::<u64>().ok();
        let logs = names_of(root, &format!("{LOGS}/{pod}/{name}"), &|kind| kind != FileKind::Directory)?;
        if let Some(last) = logs.iter().filter_map(attempt).max() {
            containers.insert(name, last);
        }
    }
    Ok(containers)
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
        tree.file("var/log/pods/shop_web-1_0a-1/web/0.log", "");
        tree.file("var/log/pods/shop_web-1_0a-1/web/2.log.20260101-000000.gz", "");
        tree.file("var/log/pods/stray/0.log", "");
        let (pods, damage) = pods(&Root::new(tree.build()));
        assert!(damage.is_empty());
        let id = PodRef { namespace: "shop".into(), name: "web-1".into(), uid: "0a-1".into() };
        let expected = KubeletPod { id, containers: [("web".to_owned(), 2)].into() };
        assert_eq!(pods, [("0a-1".to_owned(), expected)].into());
    }
}
