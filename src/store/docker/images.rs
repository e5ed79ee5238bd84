//! Images: every configuration of `imagedb`, under the names of `repositories.json`, with the digests under which its layers
//! were pulled (`distribution`). An image without a name is one all the same: an older one of a tag, or a step of a build.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{files::Files, graph::Graph};
use crate::{
    Digest, Gap,
    error::FormatError,
    gap::{Code, Scope},
    limits, num,
    store::{
        Image, LayerRef,
        oci::{Config, Descriptor},
    },
};

const NAMES: &str = "repositories.json";
const NAMELESS: &str = "names of images are not known";
const LOST: &str = "the image's packages are not reported";

/// `repositories.json`: repository → name with tag or digest → image.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Repositories {
    repositories: BTreeMap<String, BTreeMap<String, String>>,
}

/// An entry of `distribution/v2metadata-by-diffid`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Pulled {
    digest: String,
    source_repository: String,
}

/// The images of all drivers, sorted by id.
pub(super) fn read(graphs: &[Graph], gaps: &mut Vec<Gap>) -> Vec<Image> {
    let mut images = BTreeMap::new();
    let mut left = limits::IMAGE_DOCUMENT_BYTES;
    for graph in graphs {
        let names = names(graph, gaps);
        let mut of =
            Reader { graph, names: names.as_ref(), pulled: BTreeMap::new(), unread: BTreeMap::new() };
        let ids = of.ids(gaps);
        if names.is_none() && !ids.is_empty() {
            let error = graph.metadata.corrupt(NAMES, NAMES, "is not there");
            gaps.push(Gap::from_error(&error, Scope::Runtime, graph.metadata.place(), NAMELESS).at(NAMES));
        }
        for id in ids {
            if images.len() >= limits::DOCKER_IMAGES {
                let what = format!("more than {} images", limits::DOCKER_IMAGES);
                let effect = "the others are not reported";
                let place = graph.metadata.place();
                gaps.push(Gap::from_error(&FormatError::limit(what), Scope::Runtime, place, effect));
                break;
            }
            let image = of.image(&id, &mut left).unwrap_or_else(|error| {
                let gap = Gap::from_error(&error, Scope::Image, id.to_string(), LOST);
                Image { gaps: vec![gap], ..Image::unknown(id.clone()) }
            });
            of.add(image, &mut images);
        }
        // A name may lead to an image that is not there.
        for id in names
            .unwrap_or_default()
            .into_keys()
            .filter(|id| !images.contains_key(id))
            .collect::<BTreeSet<_>>()
        {
            let detail = format!("{} names it, and its configuration is not there", graph.metadata.place());
            let gap = Gap::new(Code::BlobMissing, Scope::Image, id.to_string(), detail, LOST);
            images.insert(id.clone(), Image { gaps: vec![gap], ..Image::unknown(id) });
        }
    }
    images.into_values().collect()
}

/// The names of each image.
type Names = BTreeMap<Digest, BTreeSet<String>>;

/// Those of a driver's images, `None` if there is no list of them.
fn names(graph: &Graph, gaps: &mut Vec<Gap>) -> Option<Names> {
    let files = &graph.metadata;
    let mut lost = |error: FormatError| {
        gaps.push(Gap::from_error(&error, Scope::Runtime, files.place(), NAMELESS).at(NAMES));
    };
    let read = files.json::<Repositories>(NAMES, NAMES, limits::TEXT_FILE_BYTES);
    let all = read.unwrap_or_else(|error| {
        lost(error);
        Some(Repositories::default())
    });
    let mut names = Names::new();
    for (name, id) in all?.repositories.into_values().flatten() {
        match id.parse() {
            Ok(id) => {
                names.entry(id).or_default().insert(name);
            }
            Err(error) => lost(files.corrupt(NAMES, NAMES, &format!("{name:?}: {error}"))),
        }
    }
    Some(names)
}

/// The images of one driver.
struct Reader<'a> {
    graph: &'a Graph,
    names: Option<&'a Names>,
    /// As what each layer was pulled: images share most of them.
    pulled: BTreeMap<Digest, Vec<Pulled>>,
    /// The layers of which that cannot be read.
    unread: BTreeMap<Digest, FormatError>,
}

impl Reader<'_> {
    /// The images that there are, also those of which only the metadata is left.
    fn ids(&self, gaps: &mut Vec<Gap>) -> BTreeSet<Digest> {
        let files = &self.graph.metadata;
        let mut ids = BTreeSet::new();
        for directory in ["imagedb/content/sha256", "imagedb/metadata/sha256"] {
            let effect = "images that only this part of the directory names are not reported";
            let mut lost = |error: &FormatError| {
                gaps.push(Gap::from_error(error, Scope::Runtime, files.place(), effect).at(directory));
            };
            let listing = files.list(directory).unwrap_or_else(|error| {
                lost(&error);
                Default::default()
            });
            listing.damage.iter().for_each(&mut lost);
            let id = |name: &[u8]| format!("sha256:{}", str::from_utf8(name).ok()?).parse::<Digest>().ok();
            // Others are what was being written when the node stopped.
            ids.extend(listing.entries.iter().filter_map(|entry| id(&entry.name)));
        }
        ids
    }

    fn image(&mut self, id: &Digest, left: &mut u64) -> Result<Image, FormatError> {
        const NAME: &str = "image configuration";
        let bytes = self.graph.config(id)?.ok_or_else(|| FormatError::Unsupported {
            code: Code::BlobMissing,
            what: format!("{NAME} {id} is no file"),
        })?;
        *left = left.checked_sub(num::to_u64(bytes.len())).ok_or_else(|| {
            let bound = limits::IMAGE_DOCUMENT_BYTES;
            FormatError::limit(format!("{NAME} {id}: more than {bound} bytes of such documents"))
        })?;
        let config: Config = serde_json::from_slice(&bytes)
            .map_err(|error| FormatError::malformed(NAME, format!("{id}: {error}")))?;
        let names = self.names.and_then(|names| names.get(id)).cloned().unwrap_or_default();
        let layers = LayerRef::all(id, &config, |_, diff_id| self.blob(diff_id, &names, left))?;
        // One is enough: the effect is the same.
        let unread = layers.iter().find_map(|layer| self.unread.get(&layer.diff_id));
        let unread = unread.map(|error| {
            Gap::from_error(
                error,
                Scope::Image,
                id.to_string(),
                "as which blobs its layers were pulled is not known",
            )
        });
        let mut image = Image::new(id.clone(), &config, layers);
        image.gaps.extend(unread);
        if config.platform.os == "windows" {
            let detail = "an image for Windows, whose layers are not file trees of Linux";
            image.gaps.push(Gap::new(Code::UnsupportedMediaType, Scope::Image, id.to_string(), detail, LOST));
        }
        Ok(image)
    }

    /// The blob as which a layer was pulled: of the image's own repository if it is known, else of any.
    fn blob(&mut self, diff_id: &Digest, names: &BTreeSet<String>, left: &mut u64) -> Option<Descriptor> {
        if !self.pulled.contains_key(diff_id) {
            let pulled = pulled(&self.graph.metadata, diff_id, left).unwrap_or_else(|error| {
                self.unread.insert(diff_id.clone(), error);
                Vec::new()
            });
            self.pulled.insert(diff_id.clone(), pulled);
        }
        let pulled = self.pulled.get(diff_id)?;
        let is_own = |pulled: &&Pulled| names.iter().any(|name| is_of(name, &pulled.source_repository));
        let digest = pulled.iter().find(is_own).or(pulled.last())?.digest.parse().ok()?;
        Some(Descriptor::of(digest))
    }

    /// Adds an image to those of other drivers: one that can be read goes before one that cannot.
    fn add(&self, mut image: Image, images: &mut BTreeMap<Digest, Image>) {
        let names = self.names.and_then(|names| names.get(&image.id)).into_iter().flatten();
        let digests = names.clone().filter_map(|name| name.rsplit_once('@')?.1.parse().ok());
        image.manifests.extend(digests);
        image.references.extend(names.cloned());
        let Some(known) = images.remove(&image.id) else {
            images.insert(image.id.clone(), image);
            return;
        };
        let (mut best, other) =
            if known.gaps.len() > image.gaps.len() { (image, known) } else { (known, image) };
        best.manifests.extend(other.manifests);
        best.references.extend(other.references);
        images.insert(best.id.clone(), best);
    }
}

/// As what a layer was pulled, nothing if it was not.
fn pulled(metadata: &Files, diff_id: &Digest, left: &mut u64) -> Result<Vec<Pulled>, FormatError> {
    const NAME: &str = "record of a pulled layer";
    let path = format!("distribution/v2metadata-by-diffid/sha256/{}", diff_id.hex());
    let bytes = metadata.bytes(&path, NAME, (*left).min(limits::DOCKER_RECORD_BYTES))?;
    let Some(bytes) = bytes else { return Ok(Vec::new()) };
    *left = left.saturating_sub(num::to_u64(bytes.len()));
    metadata.parse(&bytes, &path, NAME)
}

/// Whether a name, which Docker shortens, is one of a repository's.
fn is_of(name: &str, repository: &str) -> bool {
    let short = ["docker.io/library/", "docker.io/"].iter().find_map(|host| repository.strip_prefix(host));
    let rest = name.strip_prefix(short.unwrap_or(repository));
    rest.is_some_and(|rest| rest.starts_with([':', '@']))
}
