//! Where layers lie. A layer is what its DiffID says, but several images and stores may each know a copy of it:
//! over other layers and so in another snapshot, or as another blob. What one copy has lost, another may have.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use super::OpenStore;
use crate::{
    Digest, FormatError, Gap,
    fs::{Handle, Root},
    gap::{Code, Scope},
    layer::{self, Sameness},
    limits,
    report::{LayerSource, Status},
    store::{Blob, LayerRef, LayerSources, Store, Unpacked},
};

/// One place where a layer may lie.
pub(super) struct Copy<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) layer: &'a LayerRef,
    /// The number of the store.
    pub(super) of: usize,
    /// How exactly whole trees are compared.
    sameness: Sameness,
    /// What its blob unpacks to, if that is disputed.
    disputed: Option<Disputed>,
}

/// A blob that is said to be several layers. It is one of them at most, which unpacking it once tells for all:
/// images that name one large blob a thousand times would have it unpacked as often. A blob that cannot be unpacked,
/// or is not what its own digest says, is none of them.
type Disputed = Arc<OnceLock<Result<Digest, (Code, String)>>>;

/// All layers of the stores, by DiffID.
pub(super) struct Copies<'a> {
    by_id: BTreeMap<&'a Digest, Vec<Copy<'a>>>,
}

impl<'a> Copies<'a> {
    /// In the order of the stores; of one store those with a blob first, as it can tell whether a snapshot is whole.
    pub(super) fn new(stores: &'a [OpenStore], sameness: Sameness) -> Self {
        let mut known: BTreeMap<&Digest, Vec<(usize, bool, &LayerRef)>> = BTreeMap::new();
        for (number, store) in stores.iter().enumerate() {
            for layer in store.contents.images.iter().flat_map(|image| &image.layers) {
                known.entry(&layer.diff_id).or_default().push((number, layer.blob.is_none(), layer));
            }
        }
        let disputes = disputes(&known);
        let copies = known.into_iter().map(|(diff_id, mut places)| {
            places.sort();
            places.dedup();
            let copies = places.into_iter().filter_map(|(of, _, layer)| {
                let blob = layer.blob.as_ref().map(|blob| (of, &blob.digest));
                let disputed = blob.and_then(|blob| disputes.get(&blob).cloned());
                stores.get(of).map(|store| Copy {
                    store: store.store.as_ref(),
                    layer,
                    of,
                    sameness,
                    disputed,
                })
            });
            (diff_id, copies.collect())
        });
        Self { by_id: copies.collect() }
    }

    /// The copies of a layer that are tried, and whether there are more.
    pub(super) fn of(&self, diff_id: &Digest) -> (&[Copy<'a>], bool) {
        let all = self.by_id.get(diff_id).map(Vec::as_slice).unwrap_or_default();
        match all.get(..limits::LAYER_COPIES) {
            Some(first) => (first, all.len() > limits::LAYER_COPIES),
            None => (all, false),
        }
    }

    /// The files of a layer, from the first copy that can be opened; else the first failure.
    pub(super) fn tree(&self, diff_id: &Digest) -> Result<Handle, FormatError> {
        let mut failure = None;
        for copy in self.of(diff_id).0 {
            match copy.tree(false) {
                Ok(tree) => return Ok(tree),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| lost(diff_id)))
    }

    /// Everything that shows of a layer and of those below it, if a store keeps that together; if the sizes of its files
    /// are looked at, only if they are not those of files whose data never reached the disk.
    pub(super) fn with_below(&self, layer: &LayerRef, sizes: bool) -> Option<Handle> {
        let copies = self.of(&layer.diff_id).0.iter().filter(|copy| copy.layer.chain_id == layer.chain_id);
        let whole = copies
            .filter_map(|copy| copy.sources().snapshot)
            .find_map(|unpacked| layer::whole_tree(&unpacked));
        whole.filter(|tree| !sizes || !layer::emptiness(tree).is_suspicious(None))
    }

    /// As [`Self::tree`], of a copy whose empty files are so in the image; if there is none, with a gap. This looks at
    /// the size of every file of the layer.
    pub(super) fn whole_tree(&self, diff_id: &Digest) -> Result<(Handle, Option<Gap>), FormatError> {
        let (mut failure, mut emptied) = (None, None);
        for copy in self.of(diff_id).0 {
            let sources = copy.sources();
            match copy.tree_of(&sources, false) {
                Ok(tree) => match copy.emptied(&sources, &tree) {
                    None => return Ok((tree, None)),
                    Some(gap) => match copy.tree_of(&sources, true) {
                        Ok(blob) if sources.blob.is_some() => return Ok((blob, None)),
                        _ => emptied = emptied.or(Some((tree, Some(gap)))),
                    },
                },
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        emptied.ok_or_else(|| failure.unwrap_or_else(|| lost(diff_id)))
    }

    /// Which source of a layer there is, before anything of it is read.
    pub(super) fn found(&self, diff_id: &Digest) -> (LayerSource, Status) {
        let mut found = (LayerSource::Missing, Status::Failed);
        for copy in self.of(diff_id).0 {
            let sources = copy.sources();
            if sources.snapshot.is_some() {
                return (LayerSource::Snapshot, Status::Complete);
            }
            if sources.blob.is_some() {
                found = (LayerSource::Blob, Status::Complete);
            }
        }
        found
    }

    /// That none of a layer's copies is there.
    pub(super) fn gap(&self, diff_id: &Digest) -> Gap {
        let detail = lost(diff_id).detail();
        let effect = "files and packages of this layer are missing";
        Gap::new(Code::LayerMissing, Scope::Layer, diff_id.to_string(), detail, effect)
    }

    /// The layer that a DiffID or the digest of a blob names.
    pub(super) fn named(&self, digest: &Digest) -> Option<&'a Digest> {
        if let Some((diff_id, _)) = self.by_id.get_key_value(digest) {
            return Some(diff_id);
        }
        let is_blob = |copy: &Copy<'_>| copy.layer.blob.as_ref().is_some_and(|blob| blob.digest == *digest);
        self.by_id.iter().find(|(_, copies)| copies.iter().any(is_blob)).map(|(diff_id, _)| *diff_id)
    }
}

/// The blobs of each store that are said to be several layers.
fn disputes<'a>(
    known: &BTreeMap<&'a Digest, Vec<(usize, bool, &'a LayerRef)>>,
) -> BTreeMap<(usize, &'a Digest), Disputed> {
    let mut claims: BTreeMap<(usize, &Digest), BTreeSet<&Digest>> = BTreeMap::new();
    for (diff_id, (of, _, layer)) in
        known.iter().flat_map(|(id, places)| places.iter().map(move |p| (*id, p)))
    {
        if let Some(blob) = &layer.blob {
            claims.entry((*of, &blob.digest)).or_default().insert(diff_id);
        }
    }
    claims.retain(|_, claims| claims.len() > 1);
    claims.into_keys().map(|blob| (blob, Disputed::default())).collect()
}

impl Copy<'_> {
    /// That a blob which several layers claim is this one.
    pub(super) fn settle(&self, blob: &Blob) -> Result<(), FormatError> {
        let Some(disputed) = &self.disputed else { return Ok(()) };
        let unpack = || layer::diff_id(&blob.bytes, &blob.digest).map_err(|e| (e.code(), e.detail()));
        let (code, why) = match disputed.get_or_init(unpack) {
            Ok(actual) if *actual == self.layer.diff_id => return Ok(()),
            Ok(actual) => (Code::BlobDigestMismatch, format!("it has digest {actual}")),
            Err((code, detail)) => (*code, detail.clone()),
        };
        let what = format!("layer blob {} is said to be several layers; {why}", blob.digest);
        Err(FormatError::Unsupported { code, what })
    }

    /// Its snapshot as an upper directory.
    pub(super) fn changes(&self, unpacked: &Unpacked) -> Result<Handle, FormatError> {
        layer::changes(unpacked, self.sameness)
    }

    /// What the store has of it.
    pub(super) fn sources(&self) -> LayerSources {
        self.store.layer(self.layer)
    }

    /// That the files of its snapshot are empty that are not so in the image: their data never reached the disk.
    fn emptied(&self, sources: &LayerSources, tree: &Handle) -> Option<Gap> {
        sources.snapshot.as_ref()?;
        let found = layer::emptiness(tree);
        found.is_suspicious(sources.snapshot_size).then(|| {
            let detail = format!("{} of {} files are empty", found.empty, found.files);
            let effect = "files of this layer may be empty that are not so in the image";
            Gap::new(Code::ZeroLengthFiles, Scope::Layer, self.layer.diff_id.to_string(), detail, effect)
        })
    }

    /// Its files: of its snapshot if there is one, unless its blob is asked for.
    pub(super) fn tree(&self, blob_first: bool) -> Result<Handle, FormatError> {
        self.tree_of(&self.sources(), blob_first)
    }

    /// The same, of what the store said that it has.
    fn tree_of(&self, sources: &LayerSources, blob_first: bool) -> Result<Handle, FormatError> {
        let blob = match (&sources.snapshot, &sources.blob) {
            (Some(unpacked), None) => return self.changes(unpacked),
            (Some(unpacked), Some(_)) if !blob_first => return self.changes(unpacked),
            (_, blob) => blob.as_ref().ok_or_else(|| lost(&self.layer.diff_id))?,
        };
        self.settle(blob)?;
        let tree = layer::open_blob(&blob.bytes, &blob.digest, &self.layer.diff_id, &|_, _| false)?;
        match tree.notes.into_iter().next() {
            Some(note) => Err(note),
            None => Ok(Root::new(tree.fs).top()),
        }
    }
}

fn lost(diff_id: &Digest) -> FormatError {
    FormatError::Unsupported {
        code: Code::LayerMissing,
        what: format!("neither snapshot nor blob of layer {diff_id} is on the disk"),
    }
}
