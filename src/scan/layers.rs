//! Layers: each analyzed once, in parallel, from its snapshot or else its blob.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rayon::prelude::*;

use super::{
    Progress,
    copies::{Copies, Copy, Key},
};
use crate::{
    FormatError, Gap,
    fs::{Handle, Root},
    gap::{Code, Scope},
    layer::{self, Cache, LayerFacts, Walk},
    limits, num,
    report::LayerSource,
    store::{Blob, Image, LayerRef},
};

/// A layer that was analyzed.
pub(super) struct Analyzed {
    pub(super) facts: Arc<LayerFacts>,
    pub(super) source: LayerSource,
    pub(super) cached: bool,
    /// What stands between this layer and the truth, beside the gaps in its facts.
    pub(super) gaps: Vec<Gap>,
    /// Which of its copies it was read from.
    copy: usize,
    /// Its tree, opened when it is asked for.
    tree: OnceLock<Handle>,
}

/// The layers of the chosen images.
pub(super) struct Layers<'a> {
    copies: &'a Copies<'a>,
    analyzed: BTreeMap<Key, Analyzed>,
}

impl<'a> Layers<'a> {
    /// Analyzes every layer that one of these images has.
    pub(super) fn analyze(
        images: impl Iterator<Item = &'a Image>,
        copies: &'a Copies<'a>,
        cache: Option<&Cache>,
        progress: &dyn Progress,
    ) -> Self {
        let wanted: BTreeSet<Key> =
            images.flat_map(|image| &image.layers).map(|layer| copies.key(layer)).collect();
        progress.stage("layers", num::to_u64(wanted.len()));
        let mut jobs: Vec<Job<'_>> =
            wanted.into_iter().map(|key| Job { copies: copies.of(&key), key }).collect();
        // The largest first, one by one: a large layer that is begun last would be waited for.
        jobs.sort_by_key(|job| Reverse(job.size()));
        let seen = (AtomicU64::new(0), AtomicU64::new(0));
        let analyzed = jobs.into_par_iter().with_max_len(1).map(|job| {
            let (entries, packages) = &seen;
            let analyzed = match () {
                () if entries.load(Relaxed) > limits::SCAN_ENTRIES => {
                    job.too_much(limits::SCAN_ENTRIES, "entries")
                }
                () if packages.load(Relaxed) > limits::SCAN_PACKAGES => {
                    job.too_much(limits::SCAN_PACKAGES, "packages")
                }
                () => job.run(cache),
            };
            entries.fetch_add(analyzed.facts.entries, Relaxed);
            packages.fetch_add(num::to_u64(analyzed.facts.packages()), Relaxed);
            progress.step();
            (job.key, analyzed)
        });
        Self { copies, analyzed: analyzed.collect() }
    }

    /// No layer is analyzed, as for an inspection.
    pub(super) fn none(copies: &'a Copies<'a>) -> Self {
        Self { copies, analyzed: BTreeMap::new() }
    }

    pub(super) fn get(&self, layer: &LayerRef) -> Option<&Analyzed> {
        self.analyzed.get(&self.copies.key(layer))
    }

    /// How many layers there are, by their DiffIDs.
    pub(super) fn count(&self, is_counted: fn(&Analyzed) -> bool) -> usize {
        let counted = self.analyzed.iter().filter(|(_, analyzed)| is_counted(analyzed));
        counted.map(|(key, _)| &key.diff_id).collect::<BTreeSet<_>>().len()
    }

    /// Frees them on all threads.
    pub(super) fn free(self) {
        self.analyzed.into_par_iter().for_each(drop);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Analyzed> {
        self.analyzed.values()
    }

    /// The facts of an image's layers, base first; `None` unless all were analyzed.
    pub(super) fn facts(&self, image: &Image) -> Option<Vec<Arc<LayerFacts>>> {
        image.layers.iter().map(|layer| Some(Arc::clone(&self.get(layer)?.facts))).collect()
    }

    /// The trees of an image's layers and of what is mounted between them, base first.
    pub(super) fn trees(&self, image: &Image) -> Result<Vec<Handle>, FormatError> {
        let mut trees = Vec::new();
        for layer in &image.layers {
            trees.extend(self.copies.between(layer)?);
            trees.push(self.tree(layer)?);
        }
        Ok(trees)
    }

    /// A layer's files, of the copy whose facts are known.
    fn tree(&self, layer: &LayerRef) -> Result<Handle, FormatError> {
        let not_analyzed = || FormatError::malformed("layer", format!("{} was not analyzed", layer.diff_id));
        let analyzed = self.get(layer).ok_or_else(not_analyzed)?;
        if let Some(tree) = analyzed.tree.get() {
            return Ok(tree.clone());
        }
        let tree =
            match self.copies.of(&self.copies.key(layer)).0.get(analyzed.copy).filter(|_| !analyzed.cached) {
                Some(copy) => copy.tree(analyzed.source == LayerSource::Blob)?,
                // Facts from the cache are of no copy here.
                None => self.copies.tree(layer)?,
            };
        Ok(analyzed.tree.get_or_init(|| tree).clone())
    }
}

impl Analyzed {
    fn new(facts: LayerFacts, source: LayerSource, gaps: Vec<Gap>) -> Self {
        Self { facts: Arc::new(facts), source, cached: false, gaps, copy: 0, tree: OnceLock::new() }
    }

    /// Whether everything of it was examined.
    pub(super) fn is_complete(&self) -> bool {
        self.gaps.is_empty() && self.facts.gaps.is_empty() && self.source != LayerSource::Missing
    }
}

struct Job<'a> {
    key: Key,
    /// Its copies, and whether there are more than are tried.
    copies: (&'a [Copy<'a>], bool),
}

impl Job<'_> {
    /// Compressed bytes, as far as they are known before anything is read.
    fn size(&self) -> u64 {
        let blob = self.copies.0.iter().find_map(|copy| copy.layer.blob.as_ref());
        blob.map(|blob| blob.size).filter(|size| *size > 0).unwrap_or(u64::MAX)
    }

    fn run(&self, cache: Option<&Cache>) -> Analyzed {
        // What is kept is true of a layer over whatever layers.
        let cache = cache.filter(|_| self.key.chain.is_none());
        if let Some(facts) = cache.and_then(|cache| cache.load(&self.key.diff_id)) {
            let source = if facts.from_blob { LayerSource::Blob } else { LayerSource::Snapshot };
            return Analyzed { cached: true, ..Analyzed::new(facts, source, Vec::new()) };
        }
        let analyzed = self.whole_or_best();
        if let Some(cache) = cache.filter(|_| analyzed.is_complete()) {
            // A cache that cannot be written costs time at the next run, nothing else.
            let _ = cache.store(&self.key.diff_id, &analyzed.facts);
        }
        analyzed
    }

    /// A layer that is left out: many layers that name one large directory would be read without end.
    fn too_much(&self, bound: u64, what: &str) -> Analyzed {
        let detail = format!("the layers before it have more than {bound} {what}");
        let effect = "files and packages of this layer are missing";
        let gap = Gap::new(Code::LimitReached, Scope::Layer, self.key.diff_id.to_string(), detail, effect);
        Analyzed::new(LayerFacts::default(), LayerSource::Missing, vec![gap])
    }

    /// The first copy that is whole; else the one with the most in it, and the gaps of that one.
    fn whole_or_best(&self) -> Analyzed {
        let (copies, more) = self.copies;
        let mut best: Option<Analyzed> = None;
        for (number, copy) in copies.iter().enumerate() {
            // What lies unpacked in another store is no proof against what this one has.
            let of_another = copies.first().is_some_and(|first| first.of != copy.of);
            if of_another && best.as_ref().is_some_and(|best| best.source != LayerSource::Missing) {
                break;
            }
            let analyzed = Analyzed { copy: number, ..copy.analyze() };
            if analyzed.is_complete() {
                return analyzed;
            }
            let rank = |of: &Analyzed| (of.source != LayerSource::Missing, of.facts.entries);
            if best.as_ref().is_none_or(|best| rank(&analyzed) > rank(best)) {
                best = Some(analyzed);
            }
        }
        let mut best =
            best.unwrap_or_else(|| Analyzed::new(LayerFacts::default(), LayerSource::Missing, Vec::new()));
        if more {
            let detail = format!("none of the first {} copies of the layer is whole", limits::LAYER_COPIES);
            let effect = "the other copies were not tried";
            best.gaps.push(Gap::new(
                Code::LimitReached,
                Scope::Layer,
                self.key.diff_id.to_string(),
                detail,
                effect,
            ));
        }
        best
    }
}

impl Copy<'_> {
    fn analyze(&self) -> Analyzed {
        let subject = self.layer.diff_id.to_string();
        let sources = self.sources();
        let mut gaps = sources.gaps;
        let effect = "the layer is read from its blob, if that is there";
        let unpacked =
            sources.snapshot.as_ref().map(|unpacked| self.changes(unpacked)).and_then(|unpacked| {
                unpacked
                    .map_err(|error| gaps.push(Gap::from_error(&error, Scope::Layer, &subject, effect)))
                    .ok()
            });
        if let Some(dir) = unpacked {
            let facts = layer::analyze(&dir, Walk::whole(&subject, Scope::Layer));
            // No runtime commits such layers.
            gaps.extend(facts.indirect.iter().map(|path| {
                let detail = "an overlay's redirection in the layer of an image";
                let effect = "what it redirects to is not seen here";
                let gap = Gap::new(Code::UnsupportedFeature, Scope::Layer, &subject, detail, effect);
                gap.at(path.0.to_string())
            }));
            let is_gone = facts.entries == 0 && layer::emptiness(&dir).is_suspicious(sources.snapshot_size);
            if facts.empty == 0 && !is_gone {
                return Analyzed::new(facts, LayerSource::Snapshot, gaps);
            }
            // A package file is empty: either it was so when it was packed, as the blob shows, or its data
            // never reached the disk. A blob that is not what its digest says shows nothing.
            let blob = sources.blob.as_ref().and_then(|blob| self.blob(blob, &mut gaps));
            if let Some(blob) = blob.as_ref().filter(|blob| blob.is_complete() && !is_gone)
                && blob.facts.empty >= facts.empty
            {
                return Analyzed::new(facts, LayerSource::Snapshot, gaps);
            }
            let blob = match blob {
                Some(blob) if blob.is_complete() => return blob,
                damaged => damaged,
            };
            gaps.extend(blob.into_iter().flat_map(|blob| blob.gaps));
            let lost = layer::emptiness(&dir);
            if facts.empty_databases == 0 && !lost.is_suspicious(sources.snapshot_size) {
                return Analyzed::new(facts, LayerSource::Snapshot, gaps);
            }
            let what = match is_gone {
                true => "nothing is left of its files".to_owned(),
                false => format!("{} of {} files are empty", lost.empty, lost.files),
            };
            let detail = format!("{what}, and the layer's blob cannot be read instead");
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
            self.settle(blob).and_then(|()| {
                layer::open_blob(&blob.bytes, &blob.digest, &self.layer.diff_id, &layer::wants)
            })
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

#[cfg(test)]
mod tests;
