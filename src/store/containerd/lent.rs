//! What a Docker daemon leaves to a containerd (moby's package `daemon/containerd`): images, and snapshots of containers whose
//! key is the container's id. Between such a snapshot and the image lies one of Docker's own, `ID-init`.

use super::Containerd;
use crate::{Digest, database::bolt::Bucket, error::FormatError, limits, store::Unpacked};

/// Docker's namespace; that of a daemon with `userns-remap` has a suffix.
const NAMESPACE: &str = "moby";

/// Where the snapshot of a container is.
pub struct Lent {
    /// The namespace.
    pub namespace: String,
    /// The snapshotter.
    pub snapshotter: String,
    /// The chain id of the image's layers below the container's own; `None` if there is nothing below.
    pub chain: Option<Digest>,
}

impl Containerd {
    /// The snapshot of one of Docker's containers, of any snapshotter if it is not known of which.
    pub fn lent(&self, container: &str, snapshotter: Option<&str>) -> Option<Lent> {
        let own = self.namespaces().filter(|(name, _)| is_dockers(name)).take(limits::DOCKER_REMAPPED);
        let of = |(namespace, bucket): (String, &Bucket)| {
            let all = bucket.bucket("snapshots")?.buckets.keys().take(limits::DOCKER_DRIVERS);
            let names: Vec<String> = match snapshotter {
                Some(name) => vec![name.to_owned()],
                None => all.map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
            };
            let is_there = |name: &String| self.has_snapshot(&namespace, name, container);
            let snapshotter = names.into_iter().find(is_there)?;
            let chain = self.snapshots.chain(&namespace, &snapshotter, container);
            Some(Lent { namespace, snapshotter, chain })
        };
        own.filter_map(of).next()
    }

    /// Whether there is a snapshot of this key.
    pub fn has_snapshot(&self, namespace: &str, snapshotter: &str, key: &str) -> bool {
        self.snapshot(namespace, snapshotter, key).is_some()
    }

    /// The snapshots of a container, base first, without those of its image.
    pub fn own_layers(
        &self,
        namespace: &str,
        snapshotter: &str,
        key: &str,
    ) -> Result<Vec<Unpacked>, FormatError> {
        let layers = self.snapshots.active(namespace, snapshotter, key)?;
        Ok(layers.into_iter().map(|layer| self.seen(layer)).collect())
    }

    fn snapshot(&self, namespace: &str, snapshotter: &str, key: &str) -> Option<&Bucket> {
        self.meta.bucket(namespace)?.bucket("snapshots")?.bucket(snapshotter)?.bucket(key)
    }
}

/// Whether a namespace is one of Docker's.
pub fn is_dockers(namespace: &str) -> bool {
    let rest = namespace.strip_prefix(NAMESPACE);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fs::{Root, memory::Tree},
        gap::Code,
        store::containerd::{ContentStore, Snapshots},
    };

    fn bucket(buckets: Vec<(&str, Bucket)>) -> Bucket {
        let buckets = buckets.into_iter().map(|(key, bucket)| (key.as_bytes().to_vec(), bucket));
        Bucket { buckets: buckets.collect(), ..Bucket::default() }
    }

    /// A containerd whose snapshots have these keys and parents.
    fn containerd(namespace: &str, snapshots: &[(&str, &str)]) -> Containerd {
        let record = |parent: &str| Bucket {
            values: [("parent", parent), ("name", "n")]
                .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()))
                .into(),
            ..Bucket::default()
        };
        let keys = bucket(snapshots.iter().map(|(key, parent)| (*key, record(parent))).collect());
        let of = bucket(vec![("snapshots", bucket(vec![("overlayfs", keys)]))]);
        let meta = bucket(vec![(namespace, of)]);
        let root = Root::new(Tree::default().build());
        let snapshots = Snapshots::open(&root, None, "/", &meta, &mut Vec::new());
        let content = ContentStore::new(root.clone());
        Containerd {
            root,
            nerdctl: Vec::new(),
            place: "/".to_owned(),
            meta,
            content,
            snapshots,
            user: None,
            gaps: Vec::new(),
        }
    }

    #[test]
    fn the_snapshots_of_a_container_end_where_its_image_begins() {
        let chain = Digest::of(b"chain");
        let text = chain.to_string();
        let all = [("c", "c-init"), ("c-init", text.as_str()), (text.as_str(), "below"), ("alone", "")];
        let lent = containerd("moby", &all).lent("c", None).unwrap();
        assert_eq!((lent.namespace.as_str(), lent.snapshotter.as_str()), ("moby", "overlayfs"));
        assert_eq!(lent.chain, Some(chain));
        assert_eq!(containerd("moby-1.2", &all).lent("alone", Some("overlayfs")).unwrap().chain, None);
        assert!(containerd("moby", &all).lent("c", Some("native")).is_none());
        assert!(containerd("moby", &all).lent("other", None).is_none());
        for namespace in ["k8s.io", "mobyx", "default"] {
            assert!(containerd(namespace, &all).lent("c", None).is_none(), "{namespace}");
        }
        // Their directories are not there.
        let error = containerd("moby", &all).own_layers("moby", "overlayfs", "c").err().unwrap();
        assert_eq!(error.code(), Code::SnapshotMissing);
    }
}
