//! Layers of stores made for the purpose.

use super::*;
use crate::layer::Sameness;
use crate::{
    Digest,
    fs::memory::Tree,
    scan::{OpenStore, Silent},
    store::{Container, Contents, LayerSources, Store, Unpacked},
};

/// A store that has the layer unpacked, or has lost it; and has a blob of it, or none.
struct One(Option<Handle>, Option<Blob>);

impl Store for One {
    fn runtime(&self) -> &'static str {
        "test"
    }
    fn contents(&self) -> Contents {
        Contents::default()
    }
    fn layer(&self, _: &LayerRef) -> LayerSources {
        let snapshot = self.0.clone().map(Unpacked::overlay);
        LayerSources { snapshot, blob: self.1.clone(), ..LayerSources::default() }
    }
    fn writable_layers(&self, _: &Container) -> Result<Vec<Unpacked>, FormatError> {
        Ok(Vec::new())
    }
    fn document(&self, _: &Digest) -> Result<Option<Vec<u8>>, FormatError> {
        Ok(None)
    }
}

fn store(snapshot: Option<Handle>) -> OpenStore {
    store_with(snapshot, None)
}

fn store_with(snapshot: Option<Handle>, blob: Option<Blob>) -> OpenStore {
    let diff_id = Digest::of(b"layer");
    let layer = LayerRef { diff_id: diff_id.clone(), chain_id: diff_id, blob: None };
    let image = Image {
        id: Digest::of(b"image"),
        manifests: BTreeSet::new(),
        references: BTreeSet::new(),
        platform: String::new(),
        created: None,
        labels: BTreeMap::new(),
        history: Vec::new(),
        layers: vec![layer],
        pinned: false,
        is_lost: false,
        gaps: Vec::new(),
    };
    let contents = Contents { images: vec![image], ..Contents::default() };
    OpenStore { store: Arc::new(One(snapshot, blob)), contents, volume: None }
}

#[test]
fn a_layer_that_one_store_has_lost_is_read_from_another() {
    let mut tree = Tree::default();
    tree.file("etc/os-release", "ID=debian\n");
    let there = Some(Root::new(tree.build()).top());
    for stores in [[store(None), store(there.clone())], [store(there.clone()), store(None)]] {
        let copies = Copies::new(&stores, Sameness::Attributes);
        let images = stores.iter().flat_map(|store| &store.contents.images);
        let layers = Layers::analyze(images, &copies, None, &Silent);
        let layer = layers.all().next().unwrap();
        assert!(layer.is_complete(), "{:?}", layer.gaps);
        assert_eq!(layer.facts.entries, 2);
        let trees = layers.trees(&stores[0].contents.images[0]).unwrap();
        assert_eq!(trees[0].read_dir().unwrap().entries.len(), 1);
    }
}

#[test]
fn a_layer_that_every_store_has_lost_is_a_gap() {
    let stores = [store(None), store(None)];
    let copies = Copies::new(&stores, Sameness::Attributes);
    let images = stores.iter().flat_map(|store| &store.contents.images);
    let layers = Layers::analyze(images, &copies, None, &Silent);
    let gaps: Vec<_> = layers.all().flat_map(|layer| &layer.gaps).map(|gap| gap.code).collect();
    assert_eq!(gaps, [Code::LayerMissing]);
}

#[test]
fn a_blob_that_is_not_what_it_says_does_not_stand_in_for_a_snapshot() {
    let mut tree = Tree::default();
    tree.file("srv/node_modules/a/package.json", "");
    tree.file("srv/node_modules/b/package.json", "{\"name\": \"b\", \"version\": \"1.0.0\"}");
    tree.file("srv/node_modules/b/index.js", "1");
    let bytes: crate::block::Source = Arc::new(crate::block::Memory::new(vec![0; 1024]));
    let blob = Blob { digest: Digest::of(b"other bytes"), media_type: String::new(), bytes };
    let stores = [store_with(Some(Root::new(tree.build()).top()), Some(blob))];
    let copies = Copies::new(&stores, Sameness::Attributes);
    let images = stores.iter().flat_map(|store| &store.contents.images);
    let layers = Layers::analyze(images, &copies, None, &Silent);
    let layer = layers.all().next().unwrap();
    assert_eq!(layer.source, LayerSource::Snapshot);
    assert_eq!(layer.facts.files.iter().map(|file| file.packages.len()).sum::<usize>(), 1);
    assert!(layer.gaps.iter().any(|gap| gap.code == Code::BlobDigestMismatch), "{:?}", layer.gaps);
}

#[test]
fn what_another_store_has_unpacked_does_not_replace_what_this_one_has() {
    let (mut own, mut planted) = (Tree::default(), Tree::default());
    // An empty database is a gap.
    own.file("var/lib/dpkg/status", "");
    own.file("srv/node_modules/b/package.json", "{\"name\": \"b\", \"version\": \"1.0.0\"}");
    planted.file("etc/os-release", "ID=debian\n");
    let [own, planted] = [own, planted].map(|tree| store(Some(Root::new(tree.build()).top())));
    let stores = [own, planted];
    let copies = Copies::new(&stores, Sameness::Attributes);
    let images = stores.iter().flat_map(|store| &store.contents.images);
    let layers = Layers::analyze(images, &copies, None, &Silent);
    let layer = layers.all().next().unwrap();
    assert_eq!(layer.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::ZeroLengthFiles]);
    assert!(layer.facts.os.is_empty());
}

#[test]
fn what_one_node_lacks_is_not_believed_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let node = |files: &[&str], blob: Option<Blob>| {
        let mut tree = Tree::default();
        files.iter().for_each(|path| tree.file(path, "{\"name\": \"a\", \"version\": \"1.0.0\"}"));
        let snapshot = (!files.is_empty()).then(|| Root::new(tree.build()).top());
        let mut store = store_with(snapshot, blob);
        let tar = Digest::of(&[0; 1024]);
        let layer = LayerRef { diff_id: tar.clone(), chain_id: tar, blob: None };
        store.contents.images[0].layers = vec![layer];
        store
    };
    let seen = |store: OpenStore, cache: Cache| {
        let stores = [store];
        let copies = Copies::new(&stores, Sameness::Attributes);
        let layers = Layers::analyze(stores[0].contents.images.iter(), &copies, Some(&cache), &Silent);
        let layer = layers.all().next().unwrap();
        (layer.facts.files.len(), layer.cached)
    };
    let blob = |bytes: Vec<u8>| Blob {
        digest: Digest::of(&[0; 1024]),
        media_type: String::new(),
        bytes: Arc::new(crate::block::Memory::new(bytes)),
    };
    const FILES: [&str; 2] = ["a/node_modules/a/package.json", "b/node_modules/a/package.json"];
    let (damaged, whole) = (&FILES[..1], &FILES[..]);
    let cache = Cache::new(dir.path());
    assert_eq!(seen(node(damaged, None), cache.clone()), (1, false));
    assert_eq!(seen(node(whole, None), cache.clone()), (2, false));
    // Bytes that are not what their digest says are not kept, and those that are go for all.
    assert_eq!(seen(node(&[], Some(blob(vec![0; 2048]))), cache.clone()), (0, false));
    assert_eq!(seen(node(&[], Some(blob(vec![0; 1024]))), cache.clone()), (0, false));
    assert_eq!(seen(node(whole, None), cache), (0, true));
    // Of who asks for it, the first node is believed.
    let dir = tempfile::tempdir().unwrap();
    let all = Cache::new(dir.path()).with_unpacked(true);
    assert_eq!(seen(node(damaged, None), all.clone()), (1, false));
    assert_eq!(seen(node(whole, None), all), (1, true));
}

#[test]
fn a_blob_that_is_said_to_be_several_layers_is_the_one_that_it_is() {
    let bytes: crate::block::Source = Arc::new(crate::block::Memory::new(vec![0; 1024]));
    let (real, other) = (Digest::of(&[0; 1024]), Digest::of(b"other"));
    let blob = Blob { digest: real.clone(), media_type: String::new(), bytes };
    let mut stores = [store_with(None, Some(blob))];
    let descriptor: crate::store::oci::Descriptor =
        serde_json::from_value(serde_json::json!({ "digest": real })).unwrap();
    stores[0].contents.images[0].layers = [&real, &other]
        .map(|id| LayerRef { diff_id: id.clone(), chain_id: id.clone(), blob: Some(descriptor.clone()) })
        .to_vec();
    let copies = Copies::new(&stores, Sameness::Attributes);
    let images = stores.iter().flat_map(|store| &store.contents.images);
    let layers = Layers::analyze(images, &copies, None, &Silent);
    assert_eq!(layers.get(&stores[0].contents.images[0].layers[0]).map(Analyzed::is_complete), Some(true));
    let refused = layers.get(&stores[0].contents.images[0].layers[1]).unwrap();
    assert_eq!(refused.source, LayerSource::Missing);
    assert_eq!(refused.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::BlobDigestMismatch]);
}

/// A store with an unpacked layer that took so many bytes.
struct Sized(Handle, u64);

impl Store for Sized {
    fn runtime(&self) -> &'static str {
        "test"
    }
    fn contents(&self) -> Contents {
        Contents::default()
    }
    fn layer(&self, _: &LayerRef) -> LayerSources {
        let (snapshot, snapshot_size) = (Some(Unpacked::overlay(self.0.clone())), Some(self.1));
        LayerSources { snapshot, snapshot_size, ..LayerSources::default() }
    }
    fn writable_layers(&self, _: &Container) -> Result<Vec<Unpacked>, FormatError> {
        Ok(Vec::new())
    }
    fn document(&self, _: &Digest) -> Result<Option<Vec<u8>>, FormatError> {
        Ok(None)
    }
}

#[test]
fn a_layer_of_which_nothing_is_left_is_told() {
    for (size, codes) in [(4096, vec![]), (10 << 20, vec![Code::ZeroLengthFiles])] {
        let mut open = store(None);
        open.store = Arc::new(Sized(Root::new(Tree::default().build()).top(), size));
        let stores = [open];
        let copies = Copies::new(&stores, Sameness::Attributes);
        let images = stores.iter().flat_map(|store| &store.contents.images);
        let layers = Layers::analyze(images, &copies, None, &Silent);
        let gaps: Vec<_> = layers.all().flat_map(|layer| &layer.gaps).map(|gap| gap.code).collect();
        assert_eq!(gaps, codes, "{size}");
    }
}
