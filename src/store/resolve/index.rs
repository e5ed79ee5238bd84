//! From a reference's target through nested indexes to manifests and their configurations.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::de::DeserializeOwned;

use super::Blobs;
use crate::{
    Digest,
    error::FormatError,
    gap::Code,
    limits,
    store::{
        LayerRef,
        oci::{self, Config, Descriptor, Manifest, Platform},
    },
};

/// A manifest that a reference leads to.
pub(super) struct Candidate {
    pub(super) platform: Option<Platform>,
    /// The indexes on the way and the manifest itself.
    pub(super) via: BTreeSet<Digest>,
    pub(super) resolved: Result<Arc<Resolved>, FormatError>,
}

pub(super) struct Resolved {
    pub(super) id: Digest,
    pub(super) config: Arc<Config>,
    pub(super) layers: Vec<LayerRef>,
    /// The store has it as its own: this is what the node runs.
    pub(super) unpacked: bool,
}

/// The documents of a store's images, each read once however many references, indexes and manifests name it.
pub(super) struct Documents<'a> {
    blobs: &'a dyn Blobs,
    manifests: Parsed<Manifest>,
    configs: Parsed<Config>,
    /// What manifests lead to.
    resolved: Parsed<Resolved>,
    /// Bytes that may still be read.
    left: u64,
}

/// Documents by digest; of one that cannot be read, why.
type Parsed<T> = BTreeMap<Digest, Result<Arc<T>, (Code, String)>>;

impl<'a> Documents<'a> {
    pub(super) fn new(blobs: &'a dyn Blobs) -> Self {
        let left = limits::IMAGE_DOCUMENT_BYTES;
        Self { blobs, manifests: BTreeMap::new(), configs: BTreeMap::new(), resolved: BTreeMap::new(), left }
    }

    /// The manifests that a target leads to.
    pub(super) fn candidates(&mut self, target: &Digest) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        IndexWalk { documents: self, seen: BTreeSet::new(), out: &mut candidates }
            .visit(target, &Step::default());
        candidates
    }

    fn manifest(&mut self, digest: &Digest) -> Result<Arc<Manifest>, FormatError> {
        parsed(self.blobs, &mut self.left, &mut self.manifests, digest, "image manifest")
    }

    fn config(&mut self, digest: &Digest) -> Result<Arc<Config>, FormatError> {
        parsed(self.blobs, &mut self.left, &mut self.configs, digest, "image configuration")
    }

    /// What a manifest leads to, found out once: many references may lead to it.
    fn resolved(
        &mut self,
        digest: &Digest,
        config: &Descriptor,
        manifest: &Manifest,
    ) -> Result<Arc<Resolved>, FormatError> {
        if let Some(known) = self.resolved.get(digest) {
            return again(known);
        }
        let resolved = self.resolve(config, manifest);
        let resolved = resolved.map(Arc::new).map_err(|error| (error.code(), error.detail()));
        again(self.resolved.entry(digest.clone()).or_insert(resolved))
    }

    fn resolve(&mut self, config: &Descriptor, manifest: &Manifest) -> Result<Resolved, FormatError> {
        let id = config.digest.clone();
        if !config.media_type.contains("image") && !config.media_type.contains("config") {
            return Err(FormatError::Unsupported {
                code: Code::UnsupportedMediaType,
                what: format!("an artifact with configuration {:?}, not an image", config.media_type),
            });
        }
        let config = self.config(&id)?;
        let aligned = manifest.layers.len() == config.rootfs.diff_ids.len();
        let blob = |number, _: &Digest| manifest.layers.get(number).filter(|_| aligned).cloned();
        let layers = LayerRef::all(&id, &config, blob)?;
        let unpacked = self.blobs.is_own(&layers);
        Ok(Resolved { id, config, layers, unpacked })
    }
}

fn parsed<T: DeserializeOwned>(
    blobs: &dyn Blobs,
    left: &mut u64,
    known: &mut Parsed<T>,
    digest: &Digest,
    structure: &'static str,
) -> Result<Arc<T>, FormatError> {
    let parsed = known.entry(digest.clone()).or_insert_with(|| {
        let read = json(blobs, digest, structure, left);
        read.map(Arc::new).map_err(|error| (error.code(), error.detail()))
    });
    again(parsed)
}

/// A JSON blob, its digest checked. Its bytes are taken from `left`.
fn json<T: DeserializeOwned>(
    blobs: &dyn Blobs,
    digest: &Digest,
    structure: &'static str,
    left: &mut u64,
) -> Result<T, FormatError> {
    let missing = || FormatError::Unsupported {
        code: Code::BlobMissing,
        what: format!("{structure} {digest} is not in the store"),
    };
    let source = blobs.open(digest)?.ok_or_else(missing)?;
    *left = left.checked_sub(source.size().min(limits::TEXT_FILE_BYTES)).ok_or_else(|| {
        let bound = limits::IMAGE_DOCUMENT_BYTES;
        FormatError::limit(format!("{structure} {digest}: more than {bound} bytes of such documents"))
    })?;
    let bytes = oci::checked(&source, digest, structure)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| FormatError::malformed(structure, format!("{digest}: {error}")))
}

/// A document that was met before, or why it is none.
fn again<T>(known: &Result<Arc<T>, (Code, String)>) -> Result<Arc<T>, FormatError> {
    let known = known.as_ref().map(Arc::clone);
    known.map_err(|(code, what)| FormatError::Unsupported { code: *code, what: what.clone() })
}

/// The walk from a reference's target through nested indexes.
struct IndexWalk<'a, 'b> {
    documents: &'a mut Documents<'b>,
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

impl IndexWalk<'_, '_> {
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
        let manifest = match self.documents.manifest(digest) {
            Ok(manifest) => manifest,
            Err(error) => return self.found(&step, Err(error)),
        };
        if let Some(config) = &manifest.config {
            let resolved = self.documents.resolved(digest, config, &manifest);
            return self.found(&step, resolved);
        }
        if manifest.manifests.is_empty() {
            let problem = format!("{digest}: neither config nor manifests");
            return self.found(&step, Err(FormatError::malformed("image manifest", problem)));
        }
        for child in &manifest.manifests {
            if self.out.len().max(self.seen.len()) >= limits::INDEX_MANIFESTS {
                let what = format!("more than {} manifests of one reference", limits::INDEX_MANIFESTS);
                return self.found(&step, Err(FormatError::limit(what)));
            }
            let attestation = step.attestation || child.is_attestation();
            let depth = step.depth.saturating_add(1);
            let platform = child.platform.clone();
            self.visit(&child.digest, &Step { platform, via: step.via.clone(), depth, attestation });
        }
    }

    fn found(&mut self, step: &Step, resolved: Result<Arc<Resolved>, FormatError>) {
        if !step.attestation || resolved.as_ref().is_ok_and(|resolved| resolved.unpacked) {
            self.out.push(Candidate { platform: step.platform.clone(), via: step.via.clone(), resolved });
        }
    }
}
