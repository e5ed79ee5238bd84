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
                containerd.candidates(&digest, None, &BTreeSet::new(), 0, &mut candidates);
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

impl Containerd {
    /// The manifests that a digest leads to, through nested indexes.
    fn candidates(
        &self,
        digest: &Digest,
        platform: Option<&Platform>,
        via: &BTreeSet<Digest>,
        depth: usize,
        out: &mut Vec<Candidate>,
    ) {
        let mut via = via.clone();
        if !via.insert(digest.clone()) || depth > limits::INDEX_DEPTH || out.len() >= limits::INDEX_MANIFESTS
        {
            return;
        }
        let failed = |error, via| Candidate { platform: platform.cloned(), via, resolved: Err(error) };
        let manifest: Manifest = match self.content.json(digest, "image manifest") {
            Ok(manifest) => manifest,
            Err(error) => return out.push(failed(error, via)),
        };
        if let Some(config) = &manifest.config {
            let resolved = self.resolve(config, &manifest);
            out.push(Candidate { platform: platform.cloned(), via, resolved });
            return;
        }
        if manifest.manifests.is_empty() {
            let error =
                FormatError::corrupt("image manifest", 0, format!("{digest}: neither config nor manifests"));
            return out.push(failed(error, via));
        }
        for child in manifest.manifests.iter().filter(|child| !child.is_attestation()) {
            self.candidates(&child.digest, child.platform.as_ref(), &via, depth.saturating_add(1), out);
        }
    }

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
            Err(error) => {
                // Indexes name manifests of platforms that the node never pulled: the one for its own counts.
                let own = platform.is_none_or(|p| host.is_some_and(|host| host == p.architecture));
                if failure.as_ref().is_none_or(|(known_own, _)| own && !known_own) {
                    failure = Some((own, error));
                }
            }
        }
    }
    if !unpacked.is_empty() {
        return unpacked;
    }
    if let Some(image) = native.or(readable) {
        return vec![image];
    }
    let error = failure.map(|(_, error)| error);
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
