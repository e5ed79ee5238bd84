//! Snapshots: `meta.db` maps a namespace's key to a name, the snapshotter's `metadata.db` maps the name to a
//! directory.

mod kind;
mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use self::{
    kind::{Layout, base, layout, missing},
    record::{Kind, Record},
};
use crate::{
    Digest, Gap,
    database::bolt::Bucket,
    error::FormatError,
    fs::Root,
    gap::{Code, Scope},
    limits,
    store::{LayerRef, LooseLayer, Unpacked},
};

/// A layer that was unpacked, and the bytes of disk that it took, if they were recorded.
type Committed = (Unpacked, Option<u64>);

#[derive(Default)]
pub(super) struct Snapshots {
    by_name: BTreeMap<String, Snapshotter>,
    /// Chain id → the snapshotters and names of its committed snapshots: one for each namespace that unpacked it.
    committed: BTreeMap<Digest, Vec<(String, String)>>,
    /// (namespace, snapshotter, key) → what `meta.db` says of it.
    keys: BTreeMap<(String, String, String), Named>,
}

/// A snapshot as `meta.db` knows it.
struct Named {
    /// Its name in the snapshotter's own database.
    name: String,
    /// The key of the one below it.
    parent: Option<String>,
}

struct Snapshotter {
    layout: Layout,
    /// The directory of its state, and its snapshots; none if it is not read, or why it cannot be.
    state: Option<(Root, BTreeMap<String, Record>)>,
}

impl Snapshots {
    /// Of the snapshotters that `meta` has snapshots of, in containerd's root directory or elsewhere on the node.
    pub(super) fn open(
        root: &Root,
        node: Option<&Root>,
        place: &str,
        meta: &Bucket,
        gaps: &mut Vec<Gap>,
    ) -> Self {
        let mut all = Self::default();
        for (namespace, bucket) in &meta.buckets {
            let namespace = String::from_utf8_lossy(namespace).into_owned();
            let Some(snapshotters) = bucket.bucket("snapshots") else { continue };
            for (snapshotter, keys) in
                snapshotters.buckets.iter().filter(|(_, keys)| !keys.buckets.is_empty())
            {
                let snapshotter = String::from_utf8_lossy(snapshotter).into_owned();
                all.add(&namespace, &snapshotter, keys);
                all.by_name.entry(snapshotter.clone()).or_insert_with(|| {
                    let layout = layout(&snapshotter);
                    let state = state(root, node, layout, &snapshotter, place, gaps);
                    Snapshotter { layout, state }
                });
            }
        }
        all
    }

    fn add(&mut self, namespace: &str, snapshotter: &str, keys: &Bucket) {
        for (key, snapshot) in &keys.buckets {
            let key = String::from_utf8_lossy(key).into_owned();
            let Some(name) = snapshot.text("name") else { continue };
            if let Ok(chain) = key.parse::<Digest>() {
                self.committed.entry(chain).or_default().push((snapshotter.to_owned(), name.clone()));
            }
            let parent = snapshot.text("parent").filter(|parent| !parent.is_empty());
            self.keys.insert((namespace.to_owned(), snapshotter.to_owned(), key), Named { name, parent });
        }
    }

    /// An unpacked layer, `None` if it was not unpacked here.
    pub(super) fn committed(&self, chain: &Digest) -> Result<Option<Committed>, FormatError> {
        let mut failure = None;
        for (snapshotter, name) in self.copies(chain) {
            match self.snapshot(snapshotter, name) {
                Ok((unpacked, record)) => return Ok(Some((unpacked, record.size))),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    /// The snapshotters and names of the copies of an unpacked layer, the one that is looked at first before others.
    fn copies(&self, chain: &Digest) -> Vec<(&str, &str)> {
        let copies = self.committed.get(chain).into_iter().flatten();
        let mut copies: Vec<(u8, &str, &str)> = copies
            .map(|(snapshotter, name)| {
                let rank = self.by_name.get(snapshotter).map_or(u8::MAX, |known| known.layout.rank());
                (rank, snapshotter.as_str(), name.as_str())
            })
            .collect();
        copies.sort_unstable();
        copies.into_iter().map(|(_, snapshotter, name)| (snapshotter, name)).collect()
    }

    /// The first of these copies that its snapshotter knows, whether its files are there or not.
    fn recorded(&self, chain: &Digest) -> Option<(&str, &Record)> {
        let mut copies = self.copies(chain).into_iter();
        copies.find_map(|(snapshotter, name)| Some((snapshotter, self.record(snapshotter, name).ok()?)))
    }

    /// The chains that an unpacked layer ends and lies on, base first; none if it is not there.
    pub(super) fn chains(&self, top: &Digest) -> Result<Vec<Digest>, FormatError> {
        let Some((snapshotter, mut record)) = self.recorded(top) else { return Ok(Vec::new()) };
        let mut chains = vec![top.clone()];
        let mut steps = 0usize;
        while let Some(name) = record.parent.as_deref() {
            steps = steps.saturating_add(1);
            if steps > limits::IMAGE_LAYERS {
                return Err(FormatError::limit(format!(
                    "more than {} layers below {top}",
                    limits::IMAGE_LAYERS
                )));
            }
            chains.extend(chain_of(name));
            record = self.record(snapshotter, name)?;
        }
        chains.reverse();
        Ok(chains)
    }

    /// The committed snapshots on which no image and no container lies: `images` are the chains of images, `is_used` tells of
    /// a namespace, snapshotter and key whether a container writes that snapshot.
    pub(super) fn loose(
        &self,
        images: &BTreeSet<&Digest>,
        is_used: &dyn Fn(&str, &str, &str) -> bool,
    ) -> Vec<LooseLayer> {
        let mut loose = Vec::new();
        for (snapshotter, known) in &self.by_name {
            let Some((_, records)) = &known.state else { continue };
            let is_root = |name: &str| match split(name) {
                Some((_, key)) if key.parse::<Digest>().is_ok_and(|chain| images.contains(&chain)) => true,
                Some((namespace, key)) => is_used(namespace, snapshotter, key),
                None => false,
            };
            let mut used: BTreeSet<&str> = BTreeSet::new();
            let mut todo: Vec<&str> =
                records.keys().map(String::as_str).filter(|name| is_root(name)).collect();
            while let Some(name) = todo.pop() {
                if used.insert(name) {
                    todo.extend(records.get(name).and_then(|record| record.parent.as_deref()));
                }
            }
            let rest = records
                .iter()
                .filter(|(name, record)| record.kind == Kind::Committed && !used.contains(name.as_str()));
            loose.extend(rest.map(|(name, record)| {
                let id = split(name).map_or(name.as_str(), |(_, key)| key).to_owned();
                LooseLayer { id, size: record.size }
            }));
        }
        loose.sort();
        loose
    }

    /// The snapshots between an unpacked layer and the one below it, base first. Without them, it must lie over the layer that
    /// it is over in its image.
    pub(super) fn between(&self, layer: &LayerRef) -> Result<Vec<Unpacked>, FormatError> {
        let Some((snapshotter, record)) = self.recorded(&layer.chain_id) else { return Ok(Vec::new()) };
        let (mut found, mut parent) = (Vec::new(), record.parent.as_deref());
        let mut below = None;
        while let Some(name) = parent {
            below = chain_of(name);
            if below.is_some() {
                break;
            }
            if found.len() >= limits::BETWEEN_LAYERS {
                let what = format!("more than {} snapshots below the layer {}", found.len(), layer.diff_id);
                return Err(FormatError::limit(what));
            }
            let (unpacked, record) = self.snapshot(snapshotter, name)?;
            found.push(unpacked);
            parent = record.parent.as_deref();
        }
        if !found.is_empty() && !layer.is_over(below.as_ref()) {
            let below = below.map_or_else(|| "nothing".to_owned(), |below| below.to_string());
            let problem =
                format!("the layer {} of the chain {} lies over {below}", layer.diff_id, layer.chain_id);
            return Err(FormatError::corrupt("snapshot", 0, problem));
        }
        found.reverse();
        Ok(found)
    }

    /// Whether a layer was unpacked by any snapshotter.
    pub(super) fn unpacked(&self, chain: &Digest) -> bool {
        self.committed.contains_key(chain)
    }

    /// The writable snapshot of a container and what lies between it and the layers of its image, base first.
    pub(super) fn active(
        &self,
        namespace: &str,
        snapshotter: &str,
        key: &str,
    ) -> Result<Vec<Unpacked>, FormatError> {
        let mut all = Vec::new();
        for key in self.own_keys(namespace, snapshotter, key)?.0 {
            let named = self.named(namespace, snapshotter, key);
            let named = named.ok_or_else(|| missing(format!("the snapshot {key:?} is not in meta.db")))?;
            all.push(self.snapshot(snapshotter, &named.name)?.0);
        }
        all.reverse();
        Ok(all)
    }

    /// The chain of layers that a container's snapshot lies on: what it runs, whatever its image is called now.
    pub(super) fn chain(&self, namespace: &str, snapshotter: &str, key: &str) -> Option<Digest> {
        self.own_keys(namespace, snapshotter, key).ok()?.1
    }

    /// The keys of a container's own snapshots, the top first, and the chain of layers below them.
    fn own_keys<'a>(
        &'a self,
        namespace: &str,
        snapshotter: &str,
        key: &'a str,
    ) -> Result<(Vec<&'a str>, Option<Digest>), FormatError> {
        let (mut keys, mut last) = (vec![key], key);
        while let Some(parent) =
            self.named(namespace, snapshotter, last).and_then(|named| named.parent.as_deref())
        {
            if let Ok(chain) = parent.parse() {
                return Ok((keys, Some(chain)));
            }
            if keys.len() >= limits::CONTAINER_LAYERS {
                let what =
                    format!("more than {} snapshots of the container {key:?}", limits::CONTAINER_LAYERS);
                return Err(FormatError::limit(what));
            }
            keys.push(parent);
            last = parent;
        }
        Ok((keys, None))
    }

    /// Whether a layer is kept as a whole tree, of it and of all below.
    pub(super) fn is_whole(&self, chain: &Digest) -> bool {
        let copies = self.committed.get(chain).into_iter().flatten();
        let layouts =
            copies.filter_map(|(snapshotter, _)| self.by_name.get(snapshotter)).map(|known| known.layout);
        layouts.min_by_key(|layout| layout.rank()).is_some_and(Layout::is_whole)
    }

    fn named(&self, namespace: &str, snapshotter: &str, key: &str) -> Option<&Named> {
        self.keys.get(&(namespace.to_owned(), snapshotter.to_owned(), key.to_owned()))
    }

    fn snapshot(&self, snapshotter: &str, name: &str) -> Result<(Unpacked, &Record), FormatError> {
        let (layout, base, records) = self.state(snapshotter)?;
        let record = self.record(snapshotter, name)?;
        let below = record.parent.as_ref().and_then(|parent| records.get(parent));
        Ok((layout.unpacked(snapshotter, base, record, below)?, record))
    }

    fn record(&self, snapshotter: &str, name: &str) -> Result<&Record, FormatError> {
        let (_, _, records) = self.state(snapshotter)?;
        records.get(name).ok_or_else(|| missing(format!("{name:?} has no directory in metadata.db")))
    }

    /// How a snapshotter keeps its snapshots, and those.
    fn state(&self, snapshotter: &str) -> Result<(Layout, &Root, &BTreeMap<String, Record>), FormatError> {
        let known = self.by_name.get(snapshotter);
        let layout = known.map_or(Layout::Other, |known| known.layout);
        let unknown = || match layout {
            Layout::Lazy | Layout::Other => layout.refused(snapshotter, "the files are kept by"),
            _ => missing(format!("metadata.db of the snapshotter {snapshotter:?} could not be read")),
        };
        let (base, records) = known.and_then(|known| known.state.as_ref()).ok_or_else(unknown)?;
        Ok((layout, base, records))
    }
}

/// The namespace and key of a snapshot's name, `NAMESPACE/NUMBER/KEY`.
fn split(name: &str) -> Option<(&str, &str)> {
    let (namespace, rest) = name.split_once('/')?;
    Some((namespace, rest.split_once('/')?.1))
}

/// The chain of layers that a snapshot of this name ends, if it is a layer's.
fn chain_of(name: &str) -> Option<Digest> {
    split(name)?.1.parse().ok()
}

/// The state of a snapshotter, `None` with a gap if it cannot be read; without one if it is not read at all, as each
/// layer that only it has is a gap of its own.
fn state(
    root: &Root,
    node: Option<&Root>,
    layout: Layout,
    snapshotter: &str,
    place: &str,
    gaps: &mut Vec<Gap>,
) -> Option<(Root, BTreeMap<String, Record>)> {
    let read = || {
        let not_there =
            || FormatError::malformed("snapshotter", format!("metadata.db of {snapshotter} is not there"));
        let base = base(root, node, snapshotter)?.ok_or_else(not_there)?;
        let (records, damage) = record::read(&base)?;
        Ok::<_, FormatError>((base, records, damage))
    };
    match read() {
        Ok((base, records, damage)) => {
            for error in &damage {
                let effect = "unpacked layers that only this page names are read from their blobs";
                gaps.push(
                    Gap::from_error(error, Scope::Runtime, place, effect)
                        .at(format!("{snapshotter}: metadata.db")),
                );
            }
            Some((base, records))
        }
        // What such a snapshotter has is no loss where the blobs are there.
        Err(_) if matches!(layout, Layout::Lazy | Layout::Other) => None,
        Err(error) => {
            let effect =
                "no unpacked layer can be found; layers are read from their blobs, if those are there";
            let gap = Gap::from_error(&error, Scope::Runtime, place, effect);
            let code = if error.is_host_io() { gap.code } else { Code::RuntimeStateUnreadable };
            gaps.push(Gap { code, ..gap });
            None
        }
    }
}
