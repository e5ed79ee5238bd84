//! Images: records of `images.json`, their manifests and configurations beside them, and their layers by `layers.json`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    big_data::{BigData, MANIFEST, parse},
    layers::{Layers, Place},
    records::{ImageRecord, LayerRecord, shown},
};
use crate::{
    Digest, Gap,
    error::FormatError,
    gap::{Code, Scope},
    limits,
    store::{
        Image, LayerRef,
        oci::{Config, Descriptor, Manifest},
    },
};

/// The image that Podman makes for the sandboxes of its pods, without its tag.
const SANDBOX: &str = "localhost/podman-pause:";

/// Where a document's file is.
#[derive(Clone)]
pub(super) struct Document {
    pub(super) place: Place,
    pub(super) path: String,
}

/// The images of all drivers and places.
#[derive(Default)]
pub(super) struct Images {
    /// By the digests of their configurations.
    pub(super) all: BTreeMap<Digest, Image>,
    /// The id of a record → the digest of the configuration.
    pub(super) by_record: BTreeMap<String, Digest>,
    /// Manifests, indexes and configurations.
    pub(super) documents: BTreeMap<Digest, Document>,
    lists: Vec<List>,
}

/// A record that is no image, but a list of some.
struct List {
    id: Digest,
    names: BTreeSet<String>,
    manifests: BTreeSet<Digest>,
    children: Vec<Digest>,
}

/// Reads the images of every driver, and notes what their layers stand for.
pub(super) fn read(parts: &mut [Layers], gaps: &mut Vec<Gap>) -> Images {
    let mut images = Images::default();
    let mut left = limits::IMAGE_DOCUMENT_BYTES;
    for layers in parts {
        for place in layers.places.clone() {
            let effect = "images that only it names are missing";
            for record in layers.list::<ImageRecord>(&place, "images", "images.json", effect, gaps).values() {
                let data = BigData { root: &place.root, driver: layers.driver.name(), record };
                images.note(&data, &place);
                let mut reader = Reader { data, layers: &mut *layers, left: &mut left, gaps: Vec::new() };
                match reader.read() {
                    Ok(Read::Image(image)) => images.add(&record.id, *image),
                    Ok(Read::List(list)) => images.lists.push(list),
                    Err(error) => {
                        let effect = "the image is not reported";
                        gaps.push(Gap::from_error(&error, Scope::Image, shown(&record.id), effect));
                    }
                }
            }
        }
    }
    images.settle_lists();
    images
}

impl Images {
    /// Where the documents of an image are.
    fn note(&mut self, data: &BigData<'_>, place: &Place) {
        let mut add = |digest: Digest, key: &str| {
            let document = || Document { place: place.clone(), path: data.path(key) };
            self.documents.entry(digest).or_insert_with(document);
        };
        for key in &data.record.big_data_names {
            if let Ok(digest) = key.parse() {
                add(digest, key);
            }
        }
        for digest in data.manifests() {
            let key = data.key_of(&digest);
            if data.record.big_data_names.contains(&key) {
                add(digest, &key);
            }
        }
    }

    /// Several records may be one image: in additional image stores, or known by several manifests.
    fn add(&mut self, record: &str, image: Image) {
        self.by_record.insert(record.to_owned(), image.id.clone());
        let Some(known) = self.all.get_mut(&image.id) else {
            self.all.insert(image.id.clone(), image);
            return;
        };
        let mut other = image;
        if other.gaps.len() < known.gaps.len() {
            std::mem::swap(known, &mut other);
        }
        known.references.append(&mut other.references);
        known.manifests.append(&mut other.manifests);
        known.pinned |= other.pinned;
    }

    /// A list has no files: its names are those of the images that it lists and that are here.
    fn settle_lists(&mut self) {
        let mut by_manifest: BTreeMap<Digest, Digest> = BTreeMap::new();
        for image in self.all.values() {
            by_manifest.extend(image.manifests.iter().map(|digest| (digest.clone(), image.id.clone())));
        }
        for List { id, names, manifests, children } in std::mem::take(&mut self.lists) {
            let here: BTreeSet<&Digest> =
                children.iter().filter_map(|child| by_manifest.get(child)).collect();
            if here.is_empty() {
                let detail = format!("a list of {} manifests, none of which is in the store", children.len());
                let gap = Gap::new(Code::BlobMissing, Scope::Image, id.to_string(), detail, NO_PACKAGES);
                let image = Image { references: names, manifests, gaps: vec![gap], ..Image::unknown(id) };
                self.all.entry(image.id.clone()).or_insert(image);
                continue;
            }
            for image in here {
                if let Some(image) = self.all.get_mut(image) {
                    image.references.extend(names.iter().cloned());
                    image.manifests.extend(manifests.iter().cloned());
                }
            }
        }
    }
}

const NO_PACKAGES: &str = "the image's packages are not reported";

enum Read {
    Image(Box<Image>),
    List(List),
}

struct Reader<'a> {
    data: BigData<'a>,
    layers: &'a mut Layers,
    left: &'a mut u64,
    gaps: Vec<(FormatError, &'static str)>,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<Read, FormatError> {
        let record = self.data.record;
        let names: BTreeSet<String> = record.names.iter().cloned().collect();
        let manifests: BTreeSet<Digest> = self.data.manifests().collect();
        let own = format!("sha256:{}", record.id).parse::<Digest>();
        let main = self.data.main();
        let manifest = self.manifest(MANIFEST, main.as_ref());
        if let Ok(Manifest { config: None, manifests: children, .. }) = &manifest
            && !children.is_empty()
        {
            let id = main.or_else(|| manifests.first().cloned()).or(own.ok());
            let id = id.ok_or_else(|| FormatError::malformed("images.json", "a list without a digest"))?;
            let children = children.iter().map(|child| child.digest.clone()).collect();
            return Ok(Read::List(List { id, names, manifests, children }));
        }
        // The id is the digest of the configuration, but where an image was not pulled with it.
        let id = match (&manifest, own) {
            (Ok(Manifest { config: Some(config), .. }), _) => config.digest.clone(),
            (_, Ok(own)) => own,
            (Err(_) | Ok(_), Err(error)) => {
                return Err(manifest.err().unwrap_or_else(|| {
                    FormatError::malformed("images.json", format!("image {:?}: {error}", shown(&record.id)))
                }));
            }
        };
        let config = self.config(&id, manifest.as_ref().ok());
        let (below, broken) = self.layers.descent(&record.layer);
        let below: Vec<LayerRecord> = below.into_iter().cloned().collect();
        let effect = "layers may be missing";
        self.gaps.extend(broken.map(|error| (error, effect)));
        let (config, diff_ids) = match config {
            Ok(config) => (config.clone(), config.rootfs.diff_ids),
            Err(error) => {
                self.gaps.push((error, "the image's platform, labels and history are not reported"));
                let known = below.iter().rev().map(|layer| layer.diff_digest.parse());
                (Config::default(), known.collect::<Result<_, _>>().unwrap_or_default())
            }
        };
        let manifest =
            manifest.map_err(|error| self.gaps.push((error, "digests of blobs are not reported"))).ok();
        let layers = self.chain(diff_ids, &below, manifest, &id)?;
        let mut image = Image::unknown(id);
        image.pinned = names.iter().any(|name| name.starts_with(SANDBOX));
        (image.references, image.manifests, image.layers) = (names, manifests, layers);
        if config != Config::default() {
            image.platform = config.platform.text();
        }
        (image.created, image.labels, image.history) = (config.created, config.config.labels, config.history);
        let subject = image.id.to_string();
        let gaps = self.gaps.drain(..);
        image.gaps =
            gaps.map(|(error, effect)| Gap::from_error(&error, Scope::Image, &subject, effect)).collect();
        Ok(Read::Image(Box::new(image)))
    }

    fn manifest(&mut self, key: &str, digest: Option<&Digest>) -> Result<Manifest, FormatError> {
        const NAME: &str = "image manifest";
        let manifest: Manifest = parse(&self.data.bytes(key, digest, NAME, self.left)?, key, NAME)?;
        match manifest.config.is_none() && manifest.manifests.is_empty() {
            true => Err(FormatError::Unsupported {
                code: Code::UnsupportedMediaType,
                what: format!(
                    "image {} has a manifest with neither config nor manifests",
                    self.data.record.id
                ),
            }),
            false => Ok(manifest),
        }
    }

    fn config(&mut self, id: &Digest, manifest: Option<&Manifest>) -> Result<Config, FormatError> {
        const NAME: &str = "image configuration";
        let media_type =
            manifest.and_then(|manifest| manifest.config.as_ref()).map(|config| &config.media_type);
        if let Some(other) = media_type.filter(|kind| !kind.contains("image") && !kind.contains("config")) {
            let what = format!("an artifact with configuration {other:?}, not an image");
            return Err(FormatError::Unsupported { code: Code::UnsupportedMediaType, what });
        }
        let key = id.to_string();
        let config: Config = parse(&self.data.bytes(&key, Some(id), NAME, self.left)?, &key, NAME)?;
        let count = config.rootfs.diff_ids.len();
        match count > limits::IMAGE_LAYERS {
            true => Err(FormatError::limit(format!("{count} layers, more than {}", limits::IMAGE_LAYERS))),
            false => Ok(config),
        }
    }

    /// The layers of an image, base first. Those of `below` (top first) are what they stand for.
    fn chain(
        &mut self,
        diff_ids: Vec<Digest>,
        below: &[LayerRecord],
        manifest: Option<Manifest>,
        id: &Digest,
    ) -> Result<Vec<LayerRef>, FormatError> {
        let count = diff_ids.len();
        if below.len() != count && self.gaps.is_empty() {
            let problem = format!("the configuration has {count} layers, layers.json {}", below.len());
            self.gaps.push((FormatError::malformed("images.json", problem), "layers may be missing"));
        }
        if count == 0 && self.gaps.is_empty() {
            let error = FormatError::malformed("image configuration", "it names no layers");
            self.gaps.push((error, "the image has no files"));
        }
        // From the top, as what is below may be lost.
        let records =
            (0..count).map(|n| below.get(count.checked_sub(n)?.checked_sub(1)?)).collect::<Vec<_>>();
        let blobs = self.blobs(&records, manifest, id);
        let mut layers: Vec<LayerRef> = Vec::with_capacity(count);
        for (n, (diff_id, record)) in diff_ids.into_iter().zip(records).enumerate() {
            let chain_id = diff_id.chain(layers.last().map(|below| &below.chain_id));
            if let Some(record) = record {
                self.stands_for(record, &diff_id, &chain_id);
            }
            let pulled = record.and_then(pulled).filter(|blob| blob.digest != diff_id);
            let blob = blobs.get(n).cloned().or(pulled);
            layers.push(LayerRef { diff_id, chain_id, blob });
        }
        if let Some(top) = layers.last() {
            for copy in &self.data.record.mapped_layers {
                let parent = |id: &str| self.layers.record(id).map(|record| &record.parent);
                if parent(copy).is_some() && parent(copy) == parent(&self.data.record.layer) {
                    self.layers.stands_for(copy, &top.chain_id);
                }
            }
        }
        Ok(layers)
    }

    fn stands_for(&mut self, record: &LayerRecord, diff_id: &Digest, chain_id: &Digest) {
        let told = record.diff_digest.as_str();
        if told.is_empty() || *told == diff_id.to_string() {
            return self.layers.stands_for(&record.id, chain_id);
        }
        let problem = format!("layer {} is {:?}, the image has {diff_id} there", record.id, shown(told));
        self.gaps.push((FormatError::malformed("layers.json", problem), "the layer is missing"));
    }

    /// The blobs of an image by the manifest that it was pulled by: there may be several, with other compressions.
    fn blobs(
        &mut self,
        records: &[Option<&LayerRecord>],
        main: Option<Manifest>,
        id: &Digest,
    ) -> Vec<Descriptor> {
        let fits = |manifest: &Manifest| {
            let layers = manifest.layers.iter().zip(records);
            manifest.layers.len() == records.len()
                && layers.into_iter().all(|(blob, record)| {
                    let pulled =
                        record.map(|record| record.compressed_diff_digest.as_str()).unwrap_or_default();
                    pulled.is_empty() || *pulled == blob.digest.to_string()
                })
        };
        if main.as_ref().is_some_and(fits) {
            return main.map(|main| main.layers).unwrap_or_default();
        }
        let others: Vec<Digest> =
            self.data.manifests().filter(|digest| self.data.main().as_ref() != Some(digest)).collect();
        for digest in others.into_iter().take(limits::LAYER_COPIES) {
            let key = self.data.key_of(&digest);
            if let Ok(manifest) = self.manifest(&key, Some(&digest))
                && manifest.config.as_ref().is_some_and(|config| config.digest == *id)
                && fits(&manifest)
            {
                return manifest.layers;
            }
        }
        main.map(|main| main.layers).filter(|layers| layers.len() == records.len()).unwrap_or_default()
    }
}

/// The blob of a layer by its record.
fn pulled(record: &LayerRecord) -> Option<Descriptor> {
    Some(Descriptor {
        digest: record.compressed_diff_digest.parse().ok()?,
        media_type: String::new(),
        size: record.compressed_size,
        platform: None,
        annotations: BTreeMap::new(),
    })
}
