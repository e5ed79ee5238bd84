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
    report::LayerSource,
    store::{Blob, LayerRef, LayerSources, Store, TarSplit, Unpacked},
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

/// What is the same wherever it lies: a layer, by its DiffID; of one that is only kept as a whole tree of it and all below,
/// by what lies below, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) diff_id: Digest,
    /// The chain id of a layer that is bound to those below it.
    pub(super) chain: Option<Digest>,
}

/// All layers of the stores.
pub(super) struct Copies<'a> {
    all: BTreeMap<Key, Vec<Copy<'a>>>,
    /// The number of the store whose copies are shown first.
    own: Option<usize>,
}

impl<'a> Copies<'a> {
    /// In the order of the stores; of one store those with a blob first, as it can tell whether a snapshot is whole.
    pub(super) fn new(stores: &'a [OpenStore], sameness: Sameness) -> Self {
        let mut known: Places<'_> = BTreeMap::new();
        for (number, store) in stores.iter().enumerate() {
            let mut layers: Vec<&LayerRef> =
                store.contents.images.iter().flat_map(|image| &image.layers).collect();
            layers.sort();
            layers.dedup();
            for layer in layers {
                let LayerRef { diff_id, chain_id, .. } = layer;
                let is_bound = chain_id != diff_id && store.store.is_bound(layer);
                let chain = is_bound.then(|| chain_id.clone());
                let key = Key { diff_id: diff_id.clone(), chain };
                known.entry(key).or_default().push((number, layer.blob.is_none(), layer));
            }
        }
        let disputes = disputes(&known);
        let copies = known.into_iter().map(|(key, mut places)| {
            places.sort();
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
            (key, copies.collect())
        });
        Self { all: copies.collect(), own: None }
    }

    /// The same, of which the copies of one store are shown first: a container lies over its own store's.
    pub(super) fn of_store(self, number: Option<usize>) -> Self {
        Self { own: number, ..self }
    }

    /// What a layer is analyzed as: by itself if any copy of it is good over all layers.
    pub(super) fn key(&self, layer: &LayerRef) -> Key {
        let free = Key { diff_id: layer.diff_id.clone(), chain: None };
        if self.all.contains_key(&free) { free } else { Key { chain: Some(layer.chain_id.clone()), ..free } }
    }

    /// The copies of a layer that are tried, and whether there are more.
    pub(super) fn of(&self, key: &Key) -> (&[Copy<'a>], bool) {
        let all = self.all.get(key).map(Vec::as_slice).unwrap_or_default();
        match all.get(..limits::LAYER_COPIES) {
            Some(first) => (first, all.len() > limits::LAYER_COPIES),
            None => (all, false),
        }
    }

    /// The copies of a layer in the order in which its files are shown: those over the layers of the image first, as
    /// directories that a layer does not name have times of their own in each.
    fn shown(&self, layer: &LayerRef) -> Vec<&Copy<'a>> {
        let key = self.key(layer);
        let over = |copy: &&Copy<'_>| copy.layer.chain_id == layer.chain_id;
        let first = self.all.get(&key).into_iter().flatten().filter(over).take(limits::LAYER_COPIES);
        let mut shown: Vec<&Copy<'a>> = first.collect();
        shown.extend(self.of(&key).0.iter().filter(|copy| !over(copy)));
        shown.sort_by_key(|copy| self.own.is_some_and(|own| own != copy.of));
        shown
    }

    /// The files of a layer, from the first copy that can be opened; else the first failure.
    pub(super) fn tree(&self, layer: &LayerRef) -> Result<Handle, FormatError> {
        let mut failure = None;
        for copy in self.shown(layer) {
            match copy.tree(false) {
                Ok(tree) => return Ok(tree),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| lost(&layer.diff_id)))
    }

    /// What the store whose copy of a layer is shown mounts between it and the layer below.
    pub(super) fn between(&self, layer: &LayerRef) -> Result<Vec<Handle>, FormatError> {
        let over = |copy: &&Copy<'_>| copy.layer.chain_id == layer.chain_id;
        for copy in self.shown(layer).into_iter().filter(over) {
            let between = copy.store.between(layer)?;
            if !between.is_empty() {
                return between.iter().map(|unpacked| copy.changes(unpacked)).collect();
            }
        }
        Ok(Vec::new())
    }

    /// All files of a layer and of those below it, if a driver keeps them as one tree; if the sizes of files are looked at,
    /// only if they are not those of files whose data never reached the disk.
    pub(super) fn all_below(&self, layer: &LayerRef, sizes: bool) -> Option<Handle> {
        let key = self.key(layer);
        let whole = |copy: &Copy<'_>| layer::whole_tree(&copy.sources().snapshot?);
        let whole = self.shown(layer).into_iter().filter(|_| key.chain.is_some()).find_map(whole);
        whole.filter(|tree| !sizes || !layer::emptiness(tree).is_suspicious(None))
    }

    /// As [`Self::tree`], of a copy whose empty files are so in the image; if there is none, with a gap. This looks at
    /// the size of every file of the layer.
    pub(super) fn whole_tree(&self, layer: &LayerRef) -> Result<(Handle, Option<Gap>), FormatError> {
        let (mut failure, mut emptied) = (None, None);
        for copy in self.shown(layer) {
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
        emptied.ok_or_else(|| failure.unwrap_or_else(|| lost(&layer.diff_id)))
    }

    /// Which source of a layer there is, before anything of it is read.
    pub(super) fn found(&self, layer: &LayerRef) -> LayerSource {
        let mut found = LayerSource::Missing;
        for copy in self.of(&self.key(layer)).0 {
            let sources = copy.sources();
            if sources.snapshot.is_some() {
                return LayerSource::Snapshot;
            }
            if sources.blob.is_some() {
                found = LayerSource::Blob;
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

    /// A blob of a layer, if one is there: the one that its image's manifest names, as other images may have the same layer
    /// in another.
    pub(super) fn blob(&self, layer: &LayerRef) -> Option<Blob> {
        let all = self.all.range(Key { diff_id: layer.diff_id.clone(), chain: None }..);
        let copies = all.take_while(|(key, _)| key.diff_id == layer.diff_id).flat_map(|(_, copies)| copies);
        let digest = |of: &LayerRef| of.blob.as_ref().map(|blob| blob.digest.clone());
        let (own, others): (Vec<_>, Vec<_>) = copies.partition(|copy| digest(copy.layer) == digest(layer));
        own.iter().chain(&others).take(limits::LAYER_COPIES).find_map(|copy| copy.sources().blob)
    }

    /// What the tar of a layer is made of again, of each copy of which something is kept.
    pub(super) fn tar_splits(&self, layer: &LayerRef) -> impl Iterator<Item = Result<TarSplit, FormatError>> {
        let all = self.all.range(Key { diff_id: layer.diff_id.clone(), chain: None }..);
        let copies = all.take_while(|(key, _)| key.diff_id == layer.diff_id).flat_map(|(_, copies)| copies);
        copies.take(limits::LAYER_COPIES).filter_map(|copy| copy.store.tar_split(copy.layer).transpose())
    }

    /// The layer that a DiffID or the digest of a blob names.
    pub(super) fn named(&self, digest: &Digest) -> Option<&'a LayerRef> {
        let by_id = self.all.range(Key { diff_id: digest.clone(), chain: None }..).next();
        let by_id = by_id.filter(|(key, _)| key.diff_id == *digest).and_then(|(_, copies)| copies.first());
        let is_blob = |copy: &&Copy<'_>| copy.layer.blob.as_ref().is_some_and(|blob| blob.digest == *digest);
        by_id.or_else(|| self.all.values().flatten().find(is_blob)).map(|copy| copy.layer)
    }
}

/// Where layers lie: the numbers of the stores, and that no blob is known.
type Places<'a> = BTreeMap<Key, Vec<(usize, bool, &'a LayerRef)>>;

/// The blobs of each store that are said to be several layers.
fn disputes<'a>(known: &Places<'a>) -> BTreeMap<(usize, &'a Digest), Disputed> {
    let mut claims: BTreeMap<(usize, &Digest), BTreeSet<&Digest>> = BTreeMap::new();
    for (diff_id, (of, _, layer)) in
        known.iter().flat_map(|(key, places)| places.iter().map(move |p| (&key.diff_id, p)))
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
        /// What a commit leaves empty: the files that the runtime mounted over.
        const MOUNTED_OVER: u64 = 5;
        let found = layer::emptiness(tree);
        let is_known = sources.snapshot_size.is_none() && found.empty <= MOUNTED_OVER;
        (!is_known && found.is_suspicious(sources.snapshot_size)).then(|| {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fs::memory::Tree,
        store::{Container, Contents, Image, oci::Config},
    };

    /// A store that keeps whole trees, by their chain ids.
    struct Whole(BTreeMap<Digest, Unpacked>);

    impl Store for Whole {
        fn runtime(&self) -> &'static str {
            "test"
        }
        fn contents(&self) -> Contents {
            Contents::default()
        }
        fn layer(&self, layer: &LayerRef) -> LayerSources {
            let snapshot = self.0.get(&layer.chain_id).cloned();
            LayerSources { snapshot, ..LayerSources::default() }
        }
        fn writable_layers(&self, _: &Container) -> Result<Vec<Unpacked>, FormatError> {
            Ok(Vec::new())
        }
        fn document(&self, _: &Digest) -> Result<Option<Vec<u8>>, FormatError> {
            Ok(None)
        }
    }

    #[test]
    fn a_layer_that_is_kept_as_a_whole_tree_removes_what_lies_below_it_in_each_image() {
        let top = Digest::of(b"removes everything");
        let (mut trees, mut images) = (BTreeMap::new(), Vec::new());
        for name in ["one", "two"] {
            let mut config = Config::default();
            config.rootfs.diff_ids = vec![Digest::of(name.as_bytes()), top.clone()];
            let id = Digest::of(format!("image {name}").as_bytes());
            let layers = LayerRef::all(&id, &config, |_, _| None).unwrap();
            let mut tree = Tree::default();
            tree.file(name, "");
            let below = Root::new(tree.build()).top();
            let above = Root::new(Tree::default().build()).top();
            trees.insert(layers[0].chain_id.clone(), Unpacked::whole(below.clone(), None));
            trees.insert(layers[1].chain_id.clone(), Unpacked::whole(above, Some(below)));
            images.push(Image::new(id, &config, layers));
        }
        let contents = Contents { images, ..Contents::default() };
        let stores = [OpenStore { store: Arc::new(Whole(trees)), contents, volume: None }];
        let copies = Copies::new(&stores, Sameness::Attributes);
        for (image, name) in stores[0].contents.images.iter().zip(["one", "two"]) {
            let [base, top] = image.layers.as_slice() else { panic!() };
            assert_eq!((copies.key(base).chain, copies.key(top).chain.as_ref()), (None, Some(&top.chain_id)));
            let names = copies.tree(top).unwrap().read_dir().unwrap().entries;
            assert_eq!(names.into_iter().map(|entry| entry.name).collect::<Vec<_>>(), [name.as_bytes()]);
            assert!(copies.all_below(top, false).is_some() && copies.all_below(base, false).is_none());
        }
        // A copy that is good over all layers stands for all.
        let portable = Root::new(Tree::default().build()).top();
        let other = &stores[0].contents.images[0].layers[1];
        let contents = Contents { images: stores[0].contents.images.clone(), ..Contents::default() };
        let overlay = [(other.chain_id.clone(), Unpacked::overlay(portable))].into();
        let [whole] = stores;
        let stores = [whole, OpenStore { store: Arc::new(Whole(overlay)), contents, volume: None }];
        let copies = Copies::new(&stores, Sameness::Attributes);
        assert!(stores[0].contents.images.iter().all(|image| copies.key(&image.layers[1]).chain.is_none()));
    }
}
