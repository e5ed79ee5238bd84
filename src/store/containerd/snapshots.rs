//! Snapshots: `meta.db` maps a namespace's key to a name, the snapshotter's `metadata.db` maps the name to a
//! directory `snapshots/<id>`.

use std::collections::BTreeMap;

use super::{uvarint, varint};
use crate::{
    Digest, Gap,
    database::bolt::{self, Bucket},
    error::FormatError,
    fs::{Handle, Root},
    gap::{Code, Scope},
};

/// The snapshotter whose directories are read. Others are named.
const OVERLAYFS: &str = "overlayfs";
/// Those that pull a file's data when it is first read, so that no disk has all of it.
const LAZY: [&str; 5] = ["gcfs", "stargz", "soci", "nydus", "overlaybd"];

pub(super) struct Snapshots {
    root: Root,
    /// Chain id → names of committed overlayfs snapshots: one for each namespace that unpacked it.
    committed: BTreeMap<Digest, Vec<String>>,
    /// (namespace, key) → name, for the writable snapshots of containers.
    keys: BTreeMap<(String, String), String>,
    /// Name → directory number, and the bytes of disk that it took when it was committed.
    ids: BTreeMap<String, (u64, Option<u64>)>,
    /// Chain ids that only a snapshotter which is not read has unpacked.
    elsewhere: BTreeMap<Digest, String>,
}

impl Snapshots {
    pub(super) fn open(root: &Root, place: &str, meta: &Bucket, gaps: &mut Vec<Gap>) -> Self {
        let mut all = Self {
            root: root.clone(),
            committed: BTreeMap::new(),
            keys: BTreeMap::new(),
            ids: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
        };
        let mut others: BTreeMap<String, usize> = BTreeMap::new();
        for (namespace, bucket) in &meta.buckets {
            let namespace = String::from_utf8_lossy(namespace).into_owned();
            let Some(snapshotters) = bucket.bucket("snapshots") else { continue };
            for (snapshotter, keys) in &snapshotters.buckets {
                let snapshotter = String::from_utf8_lossy(snapshotter).into_owned();
                if snapshotter != OVERLAYFS {
                    let count = others.entry(snapshotter.clone()).or_default();
                    *count = count.saturating_add(keys.buckets.len());
                }
                all.add(&namespace, &snapshotter, keys);
            }
        }
        for (snapshotter, count) in others.into_iter().filter(|(_, count)| *count > 0) {
            let detail = format!("{count} snapshots of the snapshotter {snapshotter:?}");
            let effect = "layers that only it has unpacked are read from their blobs, if those are there";
            gaps.push(Gap::new(code_of(&snapshotter), Scope::Runtime, place, detail, effect));
        }
        if !all.keys.is_empty()
            && let Err(error) = all.read_ids(gaps, place)
        {
            let effect =
                "no unpacked layer can be found; layers are read from their blobs, if those are there";
            let gap = Gap::from_error(&error, Scope::Runtime, place, effect);
            let code = if error.is_host_io() { gap.code } else { Code::RuntimeStateUnreadable };
            gaps.push(Gap { code, ..gap });
        }
        all
    }

    fn add(&mut self, namespace: &str, snapshotter: &str, keys: &Bucket) {
        for (key, snapshot) in &keys.buckets {
            let key = String::from_utf8_lossy(key).into_owned();
            let Some(name) = snapshot.text("name") else { continue };
            let chain = key.parse::<Digest>().ok();
            if snapshotter == OVERLAYFS {
                if let Some(chain) = chain {
                    self.committed.entry(chain).or_default().push(name.clone());
                }
                self.keys.insert((namespace.to_owned(), key), name);
            } else if let Some(chain) = chain {
                self.elsewhere.insert(chain, snapshotter.to_owned());
            }
        }
    }

    fn read_ids(&mut self, gaps: &mut Vec<Gap>, place: &str) -> Result<(), FormatError> {
        let path = directory(OVERLAYFS, "metadata.db");
        let file = self.root.find(path.as_bytes())?;
        let file =
            file.ok_or_else(|| FormatError::corrupt("snapshotter", 0, format!("{path} is not there")))?;
        let database = bolt::read(file.open()?)?;
        for error in &database.damage {
            let effect = "unpacked layers that only this page names are read from their blobs";
            gaps.push(Gap::from_error(error, Scope::Runtime, place, effect).at(&path));
        }
        let snapshots = database.root.bucket("v1").and_then(|v1| v1.bucket("snapshots"));
        for (name, snapshot) in snapshots.map(|s| &s.buckets).into_iter().flatten() {
            if let Some(id) = snapshot.value("id").and_then(uvarint) {
                let size = snapshot.value("size").and_then(varint).and_then(|size| size.try_into().ok());
                self.ids.insert(String::from_utf8_lossy(name).into_owned(), (id, size));
            }
        }
        Ok(())
    }

    /// The directory of an unpacked layer and the bytes it took, `None` if it was not unpacked here.
    pub(super) fn committed(&self, chain: &Digest) -> Result<Option<(Handle, Option<u64>)>, FormatError> {
        let Some(names) = self.committed.get(chain) else {
            return match self.elsewhere.get(chain) {
                Some(snapshotter) => Err(FormatError::Unsupported {
                    code: code_of(snapshotter),
                    what: format!("the layer is unpacked by the snapshotter {snapshotter:?} only"),
                }),
                None => Ok(None),
            };
        };
        let mut missing = None;
        for name in names {
            match self.directory(name) {
                Ok(found) => return Ok(Some(found)),
                Err(error) => missing = Some(error),
            }
        }
        missing.map_or(Ok(None), Err)
    }

    /// Whether a layer was unpacked by any snapshotter.
    pub(super) fn unpacked(&self, chain: &Digest) -> bool {
        self.committed.contains_key(chain) || self.elsewhere.contains_key(chain)
    }

    /// The directory of a container's writable snapshot.
    pub(super) fn active(
        &self,
        namespace: &str,
        snapshotter: &str,
        key: &str,
    ) -> Result<Handle, FormatError> {
        if snapshotter != OVERLAYFS {
            return Err(FormatError::Unsupported {
                code: code_of(snapshotter),
                what: format!("the container's snapshot {key:?} is one of the snapshotter {snapshotter:?}"),
            });
        }
        let name = self.keys.get(&(namespace.to_owned(), key.to_owned()));
        let name = name.ok_or_else(|| missing(format!("the snapshot {key:?} is not in meta.db")))?;
        self.directory(name).map(|(directory, _)| directory)
    }

    fn directory(&self, name: &str) -> Result<(Handle, Option<u64>), FormatError> {
        let (id, size) =
            self.ids.get(name).ok_or_else(|| missing(format!("{name:?} has no directory in metadata.db")))?;
        let path = directory(OVERLAYFS, &format!("snapshots/{id}/fs"));
        match self.root.find_no_follow(path.as_bytes())? {
            Some(found) if found.is_dir()? => Ok((found, *size)),
            _ => Err(missing(format!("{path} is not there"))),
        }
    }
}

fn code_of(snapshotter: &str) -> Code {
    if LAZY.contains(&snapshotter) { Code::LazySnapshotter } else { Code::UnsupportedSnapshotter }
}

fn missing(what: String) -> FormatError {
    FormatError::Unsupported { code: Code::SnapshotMissing, what }
}

fn directory(snapshotter: &str, below: &str) -> String {
    format!("io.containerd.snapshotter.v1.{snapshotter}/{below}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::memory::Tree;

    fn bucket(buckets: Vec<(&str, Bucket)>) -> Bucket {
        let buckets = buckets.into_iter().map(|(key, bucket)| (key.as_bytes().to_vec(), bucket)).collect();
        Bucket { buckets, ..Bucket::default() }
    }

    #[test]
    fn layers_of_snapshotters_that_are_not_read_are_told_by_their_names() {
        let chain = |n: usize| format!("sha256:{n:064x}");
        let snapshot = |name: &str| {
            let values = [(b"name".to_vec(), name.as_bytes().to_vec())].into();
            Bucket { values, ..Bucket::default() }
        };
        let names = ["gcfs", "soci", "native", "btrfs"];
        let snapshotters = (0..)
            .zip(names)
            .map(|(n, name)| (name, bucket(vec![(chain(n).as_str(), snapshot(&format!("k8s.io/{n}/x")))])));
        let k8s = bucket(vec![("snapshots", bucket(snapshotters.collect()))]);
        let overlayfs = bucket(vec![(chain(9).as_str(), snapshot("moby/9/x"))]);
        let moby = bucket(vec![("snapshots", bucket(vec![(OVERLAYFS, overlayfs)]))]);
        let meta = bucket(vec![("k8s.io", k8s), ("moby", moby)]);
        let mut gaps = Vec::new();
        let snapshots = Snapshots::open(&Root::new(Tree::default().build()), "/ctrd", &meta, &mut gaps);
        let error = |n: usize| snapshots.committed(&chain(n).parse().unwrap()).err().unwrap();
        let expected = [
            Code::LazySnapshotter,
            Code::LazySnapshotter,
            Code::UnsupportedSnapshotter,
            Code::UnsupportedSnapshotter,
        ];
        for ((n, name), code) in (0..).zip(names).zip(expected) {
            assert_eq!(error(n).code(), code, "{name}");
            assert!(error(n).detail().contains(name), "{name}");
        }
        // The other namespace's layer is unpacked, and what says where is not there.
        assert_eq!(error(9).code(), Code::SnapshotMissing);
        assert!(gaps.iter().any(|gap| gap.code == Code::RuntimeStateUnreadable), "{gaps:?}");
        assert_eq!(
            gaps.iter().filter(|gap| names.iter().any(|name| gap.detail.contains(name))).count(),
            4,
            "{gaps:?}"
        );
        assert!(matches!(snapshots.committed(&chain(10).parse().unwrap()), Ok(None)));
    }
}
