//! Images: a reference's target descriptor, followed through indexes and a manifest to a configuration.

use std::collections::{BTreeMap, BTreeSet};

use super::Containerd;
use crate::{
    Digest, Gap,
    database::bolt::Bucket,
    error::FormatError,
    gap::{Code, Scope},
    limits,
    store::{
        Image, LayerRef,
        oci::{Config, Descriptor, Manifest, Platform},
    },
};

/// A manifest that a reference leads to.
struct Candidate {
    platform: Option<Platform>,
    /// The indexes on the way and the manifest itself.
    via: BTreeSet<Digest>,
    resolved: Result<Resolved, FormatError>,
}

struct Resolved {
    id: Digest,
    config: Config,
    layers: Vec<LayerRef>,
    /// The top layer was unpacked: this is what the node runs.
    unpacked: bool,
}

/// Every image of every namespace, sorted by id.
pub(super) fn read(containerd: &Containerd, gaps: &mut Vec<Gap>) -> Vec<Image> {
    let mut references = Vec::new();
    for (namespace, bucket) in containerd.namespaces() {
        for (reference, image) in bucket.bucket("images").map(|images| &images.buckets).into_iter().flatten()
        {
            let reference = String::from_utf8_lossy(reference).into_owned();
            references.push((namespace.clone(), reference, image));
        }
    }
    // An image of several platforms is many manifests, of which the node pulled its own. One reference
    // alone cannot tell which that is when nothing was unpacked; the others can.
    let mut found = Vec::new();
    for (namespace, reference, image) in references {
        match target(image) {
            Ok((digest, media_type)) => {
                let mut candidates = Vec::new();
                let mut walk = IndexWalk { containerd, seen: BTreeSet::new(), out: &mut candidates };
                walk.visit(&digest, &Step::default());
                found.push((reference, digest, media_type, sandbox(image), candidates));
            }
            Err(error) => {
                let subject = format!("{namespace}/{reference}");
                gaps.push(Gap::from_error(&error, Scope::Image, subject, "the image is not reported"));
            }
        }
    }
    let host = host_architecture(found.iter().flat_map(|(.., candidates)| candidates));
    let mut images: BTreeMap<Digest, Image> = BTreeMap::new();
    for (reference, digest, media_type, sandbox, candidates) in found {
        for image in choose(candidates, &digest, &media_type, host.as_deref()) {
            let known = images.entry(image.id.clone()).or_insert_with(|| image.clone());
            known.manifests.extend(image.manifests);
            // A manifest names blobs that another one of the same image does not.
            for (layer, other) in known.layers.iter_mut().zip(image.layers) {
                layer.blob = layer.blob.take().or(other.blob);
            }
            // The bare digest is the id over again, unless there is no other name.
            known.references.insert(reference.clone());
            known.sandbox |= sandbox;
        }
    }
    for image in images.values_mut() {
        if image.references.iter().any(|name| !name.starts_with("sha256:")) {
            image.references.retain(|name| !name.starts_with("sha256:"));
        }
    }
    images.into_values().collect()
}

fn target(image: &Bucket) -> Result<(Digest, String), FormatError> {
    let corrupt = |problem: String| FormatError::corrupt("containerd image record", 0, problem);
    let target = image.bucket("target").ok_or_else(|| corrupt("no target".to_owned()))?;
    let digest = target.text("digest").ok_or_else(|| corrupt("no target digest".to_owned()))?;
    let digest = digest.parse().map_err(|error| corrupt(format!("target: {error}")))?;
    Ok((digest, target.text("mediatype").unwrap_or_default()))
}

fn sandbox(image: &Bucket) -> bool {
    image.bucket("labels").is_some_and(|labels| labels.value("io.cri-containerd.pinned").is_some())
}

/// The walk from a reference's target through nested indexes.
struct IndexWalk<'a> {
    containerd: &'a Containerd,
    /// What was read, with whether it was as an attestation: indexes may name each other many times.
    seen: BTreeSet<(Digest, bool)>,
    out: &'a mut Vec<Candidate>,
}

/// How a walk came to where it is.
#[derive(Default, Clone)]
struct Step {
    platform: Option<Platform>,
    via: BTreeSet<Digest>,
    depth: usize,
    /// An index says that it is no image. Only one that was unpacked is believed to be one all the same:
    /// runtimes do not look at that mark.
    attestation: bool,
}

impl IndexWalk<'_> {
    fn visit(&mut self, digest: &Digest, step: &Step) {
        if !self.seen.insert((digest.clone(), step.attestation)) {
            return;
        }
        if step.depth > limits::INDEX_DEPTH {
            let what = format!("image indexes nested deeper than {}", limits::INDEX_DEPTH);
            return self.found(step, Err(FormatError::limit(what)));
        }
        let mut step = step.clone();
        step.via.insert(digest.clone());
        let manifest: Manifest = match self.containerd.content.json(digest, "image manifest") {
            Ok(manifest) => manifest,
            Err(error) => return self.found(&step, Err(error)),
        };
        if let Some(config) = &manifest.config {
            return self.found(&step, self.containerd.resolve(config, &manifest));
        }
        if manifest.manifests.is_empty() {
            let problem = format!("{digest}: neither config nor manifests");
            return self.found(&step, Err(FormatError::corrupt("image manifest", 0, problem)));
        }
        for child in &manifest.manifests {
            if self.out.len() >= limits::INDEX_MANIFESTS {
                let what = format!("more than {} manifests of one reference", limits::INDEX_MANIFESTS);
                return self.found(&step, Err(FormatError::limit(what)));
            }
            let attestation = step.attestation || child.is_attestation();
            let depth = step.depth.saturating_add(1);
            let platform = child.platform.clone();
            self.visit(&child.digest, &Step { platform, via: step.via.clone(), depth, attestation });
        }
    }

    fn found(&mut self, step: &Step, resolved: Result<Resolved, FormatError>) {
        if !step.attestation || resolved.as_ref().is_ok_and(|resolved| resolved.unpacked) {
            self.out.push(Candidate { platform: step.platform.clone(), via: step.via.clone(), resolved });
        }
    }
}

impl Containerd {
    fn resolve(&self, config: &Descriptor, manifest: &Manifest) -> Result<Resolved, FormatError> {
        let id = config.digest.clone();
        if !config.media_type.contains("image") && !config.media_type.contains("config") {
            return Err(FormatError::Unsupported {
                code: Code::UnsupportedMediaType,
                what: format!("an artifact with configuration {:?}, not an image", config.media_type),
            });
        }
        let config: Config = self.content.json(&id, "image configuration")?;
        let count = config.rootfs.diff_ids.len();
        if count > limits::IMAGE_LAYERS {
            let bound = limits::IMAGE_LAYERS;
            return Err(FormatError::limit(format!(
                "image configuration {id} has {count} layers, more than {bound}"
            )));
        }
        let mut layers: Vec<LayerRef> = Vec::new();
        let aligned = manifest.layers.len() == count;
        for (number, diff_id) in config.rootfs.diff_ids.iter().enumerate() {
            let chain_id = diff_id.chain(layers.last().map(|below| &below.chain_id));
            let blob = manifest.layers.get(number).filter(|_| aligned).cloned();
            layers.push(LayerRef { diff_id: diff_id.clone(), chain_id, blob });
        }
        let unpacked = layers.last().is_some_and(|top| self.snapshots.unpacked(&top.chain_id));
        Ok(Resolved { id, config, layers, unpacked })
    }
}

/// The architecture of most images that the node unpacked.
fn host_architecture<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for resolved in candidates.filter_map(|candidate| candidate.resolved.as_ref().ok()) {
        if resolved.unpacked {
            let count = counts.entry(&resolved.config.platform.architecture).or_default();
            *count = count.saturating_add(1);
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(architecture, _)| architecture.to_owned())
}

/// The images among a reference's manifests: all that were unpacked; else the one for the host's
/// architecture; else any that can be read. If there is none, what is missing is the image's gap.
fn choose(candidates: Vec<Candidate>, target: &Digest, media_type: &str, host: Option<&str>) -> Vec<Image> {
    let all: BTreeSet<Digest> =
        candidates.iter().flat_map(|candidate| candidate.via.iter().cloned()).collect();
    let mut unpacked = Vec::new();
    let mut native = None;
    let mut readable = None;
    let mut failure: Option<(bool, FormatError)> = None;
    let mut cut = None;
    for candidate in candidates {
        let Candidate { platform, via, resolved } = candidate;
        match resolved {
            Ok(resolved) => {
                let is_native = host.is_none_or(|host| host == resolved.config.platform.architecture);
                let is_unpacked = resolved.unpacked;
                let image = image(resolved, via);
                if is_unpacked {
                    unpacked.push(image);
                } else if is_native {
                    native.get_or_insert(image);
                } else {
                    readable.get_or_insert(image);
                }
            }
            Err(error) if error.code() == Code::LimitReached => cut = Some(error),
            Err(error) => {
                // Indexes name manifests of platforms that the node never pulled: the one for its own counts.
                let own = platform.is_none_or(|p| host.is_some_and(|host| host == p.architecture));
                if failure.as_ref().is_none_or(|(known_own, _)| own && !known_own) {
                    failure = Some((own, error));
                }
            }
        }
    }
    let lost = |error: &FormatError, image: &mut Image| {
        let effect = "another image of the same name may be the one that the node ran";
        image.gaps.push(Gap::from_error(error, Scope::Image, image.id.to_string(), effect));
    };
    // Of another platform than the node's: it stands in for one that was lost.
    let stands_in = unpacked.is_empty() && native.is_none();
    let mut images = unpacked;
    if images.is_empty() {
        images.extend(native.or(readable));
    }
    if let Some(first) = images.first_mut() {
        if let Some(error) = &cut {
            lost(error, first);
        }
        if let Some((true, error)) = failure.as_ref().filter(|_| stands_in) {
            lost(error, first);
        }
        return images;
    }
    let error = cut.or(failure.map(|(_, error)| error));
    let error = error.unwrap_or_else(|| FormatError::corrupt("image index", 0, "no manifest of an image"));
    let mut gap =
        Gap::from_error(&error, Scope::Image, target.to_string(), "the image's packages are not reported");
    if media_type.contains("schema1") || media_type.contains("manifest.v1") && media_type.contains("docker") {
        gap = Gap { code: Code::UnsupportedMediaType, ..gap };
    }
    vec![Image {
        id: target.clone(),
        manifests: all,
        references: BTreeSet::new(),
        platform: String::new(),
        created: None,
        labels: BTreeMap::new(),
        history: Vec::new(),
        layers: Vec::new(),
        sandbox: false,
        gaps: vec![gap],
    }]
}

fn image(resolved: Resolved, manifests: BTreeSet<Digest>) -> Image {
    let Resolved { id, config, layers, .. } = resolved;
    let mut gaps = Vec::new();
    if layers.is_empty() {
        let detail = "the configuration names no layers";
        gaps.push(Gap::new(
            Code::CorruptStructure,
            Scope::Image,
            id.to_string(),
            detail,
            "the image has no files",
        ));
    }
    Image {
        id,
        manifests,
        references: BTreeSet::new(),
        platform: config.platform.text(),
        created: config.created,
        labels: config.config.labels,
        history: config.history,
        layers,
        sandbox: false,
        gaps,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fs::{Root, memory::Tree};

    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

    #[derive(Default)]
    struct Blobs(Tree);

    impl Blobs {
        fn add(&mut self, document: &Value) -> Digest {
            let text = document.to_string();
            let digest = Digest::of(text.as_bytes());
            self.0.file(&format!("io.containerd.content.v1.content/blobs/sha256/{}", digest.hex()), text);
            digest
        }

        /// A manifest of one layer for this architecture, and the layer's chain id.
        fn image(&mut self, architecture: &str) -> (Digest, Digest) {
            let layer = Digest::of(architecture.as_bytes());
            let config =
                json!({"os": "linux", "architecture": architecture, "rootfs": {"diff_ids": [layer]}});
            let config = self.add(&config);
            let layers = json!([{"digest": layer}]);
            (self.add(&json!({"config": {"mediaType": CONFIG, "digest": config}, "layers": layers})), layer)
        }

        /// A containerd with one reference to each of these targets, and these chain ids unpacked.
        fn read(self, targets: &[&Digest], unpacked: &[&Digest]) -> Vec<Image> {
            let bucket = |buckets: Vec<(String, Bucket)>| Bucket {
                buckets: buckets.into_iter().map(|(name, bucket)| (name.into_bytes(), bucket)).collect(),
                ..Bucket::default()
            };
            let values = |values: &[(&str, String)]| Bucket {
                values: values.iter().map(|(k, v)| (k.as_bytes().to_vec(), v.clone().into_bytes())).collect(),
                ..Bucket::default()
            };
            let images = targets.iter().enumerate().map(|(number, digest)| {
                let target = values(&[("digest", digest.to_string()), ("mediatype", INDEX.to_owned())]);
                (format!("name:{number}"), bucket(vec![("target".to_owned(), target)]))
            });
            let images = bucket(images.collect());
            let keys =
                unpacked.iter().map(|chain| (chain.to_string(), values(&[("name", chain.to_string())])));
            let snapshots = bucket(vec![("overlayfs".to_owned(), bucket(keys.collect()))]);
            let namespace = bucket(vec![("images".to_owned(), images), ("snapshots".to_owned(), snapshots)]);
            let meta = bucket(vec![("k8s.io".to_owned(), namespace)]);
            let root = Root::new(self.0.build());
            let mut gaps = Vec::new();
            let snapshots = super::super::Snapshots::open(&root, "/", &meta, &mut gaps);
            let content = super::super::ContentStore::new(root.clone());
            let place = "/".to_owned();
            read(&Containerd { root, place, meta, content, snapshots, gaps }, &mut Vec::new())
        }
    }

    fn child(digest: &Digest, architecture: &str) -> Value {
        json!({"mediaType": MANIFEST, "digest": digest,
            "platform": {"os": "linux", "architecture": architecture}})
    }

    #[test]
    fn an_annotation_does_not_hide_an_image_that_was_unpacked() {
        let mut blobs = Blobs::default();
        let ((own, chain), (decoy, _)) = (blobs.image("amd64"), blobs.image("arm64"));
        let mut marked = child(&own, "amd64");
        marked["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
        let index = blobs.add(&json!({"manifests": [marked, child(&decoy, "arm64")]}));
        let images = blobs.read(&[&index], &[&chain]);
        assert_eq!(images.iter().map(|i| i.platform.as_str()).collect::<Vec<_>>(), ["linux/amd64"]);
    }

    #[test]
    fn an_image_of_another_platform_does_not_hide_that_the_own_one_is_lost() {
        let mut blobs = Blobs::default();
        let ((first, chain), (other, _)) = (blobs.image("amd64"), blobs.image("arm64"));
        let lost = Digest::of(b"lost");
        let index = blobs.add(&json!({"manifests": [child(&lost, "amd64"), child(&other, "arm64")]}));
        let images = blobs.read(&[&first, &index], &[&chain]);
        let other = images.iter().find(|image| image.platform == "linux/arm64").unwrap();
        assert_eq!(other.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::BlobMissing]);
    }

    #[test]
    fn indexes_that_name_the_same_again_and_again_are_read_once() {
        let mut blobs = Blobs::default();
        let attestation = json!({"digest": Digest::of(b"x"),
            "platform": {"os": "unknown", "architecture": "unknown"}});
        let mut below = blobs.add(&json!({"manifests": [attestation]}));
        for _ in 0..6 {
            below = blobs.add(&json!({"manifests": vec![json!({"digest": below}); 12]}));
        }
        let images = blobs.read(&[&below], &[]);
        assert_eq!(images[0].gaps.len(), 1);
    }

    #[test]
    fn what_a_bound_cuts_off_is_told() {
        let mut blobs = Blobs::default();
        let (own, _) = blobs.image("amd64");
        let mut index = own.clone();
        for _ in 0..12 {
            index = blobs.add(&json!({"manifests": [{"digest": index}]}));
        }
        let images = blobs.read(&[&index], &[]);
        assert_eq!(images[0].gaps[0].code, Code::LimitReached);
    }
}
