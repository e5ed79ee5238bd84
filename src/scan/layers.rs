//! Layers: each analyzed once, in parallel, from its snapshot or else its blob.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use rayon::prelude::*;

use super::{OpenStore, Progress};
use crate::{
    Digest, FormatError, Gap,
    fs::{Handle, Root},
    gap::{Code, Scope},
    layer::{self, Cache, LayerFacts, Walk},
    report::LayerSource,
    store::{Blob, LayerRef, Store},
};

/// A layer that was analyzed.
pub(super) struct Analyzed {
    pub(super) facts: Arc<LayerFacts>,
    pub(super) source: LayerSource,
    pub(super) cached: bool,
    /// What stands between this layer and the truth, beside the gaps in its facts.
    pub(super) gaps: Vec<Gap>,
    /// Its tree, opened when it is asked for.
    tree: OnceLock<Handle>,
}

/// All layers of the chosen images by DiffID.
pub(super) type Layers = BTreeMap<Digest, Analyzed>;

struct Job<'a> {
    store: &'a dyn Store,
    layer: &'a LayerRef,
}

/// Analyzes every layer that one of these images has.
pub(super) fn analyze<'a>(
    images: impl Iterator<Item = (&'a OpenStore, &'a [LayerRef])>,
    cache: Option<&Cache>,
    progress: &dyn Progress,
) -> Layers {
    let mut jobs: BTreeMap<&Digest, Job<'a>> = BTreeMap::new();
    for (store, layers) in images {
        for layer in layers {
            let job = Job { store: store.store.as_ref(), layer };
            // Of two that know the layer, one that also knows its blob.
            jobs.entry(&layer.diff_id)
                .and_modify(|known| {
                    if known.layer.blob.is_none() {
                        *known = Job { store: store.store.as_ref(), layer };
                    }
                })
                .or_insert(job);
        }
    }
    progress.stage("layers", crate::num::to_u64(jobs.len()));
    let mut jobs: Vec<_> = jobs.into_iter().collect();
    // The largest first, one by one: a large layer that is begun last would be waited for.
    jobs.sort_by_key(|(_, job)| Reverse(job.layer.blob.as_ref().map_or(u64::MAX, |blob| blob.size)));
    jobs.into_par_iter()
        .with_max_len(1)
        .map(|(diff_id, job)| {
            let analyzed = job.run(cache);
            progress.step();
            (diff_id.clone(), analyzed)
        })
        .collect()
}

impl Analyzed {
    fn new(facts: LayerFacts, source: LayerSource, gaps: Vec<Gap>) -> Self {
        Self { facts: Arc::new(facts), source, cached: false, gaps, tree: OnceLock::new() }
    }

    /// Whether everything of it was examined.
    pub(super) fn is_complete(&self) -> bool {
        self.gaps.is_empty() && self.facts.gaps.is_empty() && self.source != LayerSource::Missing
    }

    /// The layer's files. `store` and `layer` tell where they are.
    pub(super) fn tree(&self, store: &dyn Store, layer: &LayerRef) -> Result<Handle, FormatError> {
        if let Some(tree) = self.tree.get() {
            return Ok(tree.clone());
        }
        let tree = super::view::tree(store, layer, self.source == LayerSource::Blob)?;
        Ok(self.tree.get_or_init(|| tree).clone())
    }
}

impl Job<'_> {
    fn run(&self, cache: Option<&Cache>) -> Analyzed {
        let diff_id = &self.layer.diff_id;
        if let Some(facts) = cache.and_then(|cache| cache.load(diff_id)) {
            let source = if facts.from_blob { LayerSource::Blob } else { LayerSource::Snapshot };
            return Analyzed { cached: true, ..Analyzed::new(facts, source, Vec::new()) };
        }
        let analyzed = self.analyze();
        if let Some(cache) = cache.filter(|_| analyzed.is_complete()) {
            // A cache that cannot be written costs time at the next run, nothing else.
            let _ = cache.store(diff_id, &analyzed.facts);
        }
        analyzed
    }

    fn analyze(&self) -> Analyzed {
        let subject = self.layer.diff_id.to_string();
        let sources = self.store.layer(self.layer);
        let mut gaps = sources.gaps;
        if let Some(dir) = sources.snapshot {
            let facts = layer::analyze(&dir, Walk::whole(&subject, Scope::Layer));
            if facts.empty == 0 {
                return Analyzed::new(facts, LayerSource::Snapshot, gaps);
            }
            // A package file is empty: either it was so when it was packed, as the blob shows, or its data
            // never reached the disk.
            if let Some(analyzed) = sources.blob.as_ref().and_then(|blob| self.blob(blob, &mut gaps)) {
                // A blob that is not what its digest says shows nothing.
                let meant = analyzed.is_complete() && analyzed.facts.empty >= facts.empty;
                return if meant { Analyzed::new(facts, LayerSource::Snapshot, gaps) } else { analyzed };
            }
            let lost = layer::emptiness(&dir);
            if !lost.is_suspicious(sources.snapshot_size) {
                return Analyzed::new(facts, LayerSource::Snapshot, gaps);
            }
            let detail = format!(
                "{} of {} files are empty, and the layer's blob cannot be read instead",
                lost.empty, lost.files
            );
            let effect = "packages of this layer are missing";
            gaps.push(Gap::new(Code::ZeroLengthFiles, Scope::Layer, subject, detail, effect));
            return Analyzed::new(facts, LayerSource::Snapshot, gaps);
        }
        if let Some(analyzed) = sources.blob.as_ref().and_then(|blob| self.blob(blob, &mut gaps)) {
            return analyzed;
        }
        if gaps.is_empty() {
            let detail = format!("neither a snapshot {} nor its blob is on the disk", self.layer.chain_id);
            let effect = "files and packages of this layer are missing";
            gaps.push(Gap::new(Code::LayerMissing, Scope::Layer, subject, detail, effect));
        }
        Analyzed::new(LayerFacts::default(), LayerSource::Missing, gaps)
    }

    fn blob(&self, blob: &Blob, gaps: &mut Vec<Gap>) -> Option<Analyzed> {
        let subject = self.layer.diff_id.to_string();
        let effect = "files and packages of this layer may be missing";
        let readable = if blob.media_type.contains("encrypted") {
            Err(FormatError::Unsupported {
                code: Code::UnsupportedMediaType,
                what: format!("an encrypted layer ({})", blob.media_type),
            })
        } else {
            layer::open_blob(&blob.bytes, &blob.digest, &self.layer.diff_id, &layer::wants)
        };
        match readable {
            Ok(tree) => {
                let mut facts =
                    layer::analyze(&Root::new(tree.fs).top(), Walk::whole(&subject, Scope::Layer));
                facts.from_blob = true;
                let notes =
                    tree.notes.iter().map(|note| Gap::from_error(note, Scope::Layer, &subject, effect));
                // The gaps so far are about the snapshot, which the blob stands in for.
                Some(Analyzed::new(facts, LayerSource::Blob, notes.collect()))
            }
            Err(error) => {
                gaps.push(Gap::from_error(&error, Scope::Layer, &subject, effect));
                None
            }
        }
    }
}
