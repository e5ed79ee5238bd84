//! An image as a store knows it.

use std::collections::{BTreeMap, BTreeSet};

use super::oci;
use crate::{
    Digest, Gap,
    error::FormatError,
    gap::{Code, Scope},
    limits,
};

/// An image: one configuration with its layers, under all names by which the node knew it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of its configuration; of the manifest or index that could not be resolved, if it could not; of the chain of
    /// its layers, if a container lies on them and nothing else is left of it.
    pub id: Digest,
    /// Digests of its manifest and of the indexes that lead to it.
    pub manifests: BTreeSet<Digest>,
    /// Names with tag or digest (`docker.io/library/alpine:3.20`).
    pub references: BTreeSet<String>,
    /// `os/architecture[/variant]`, empty if the configuration could not be read.
    pub platform: String,
    /// When it was built (RFC 3339), as its configuration says.
    pub created: Option<String>,
    /// The configuration's labels.
    pub labels: BTreeMap<String, String>,
    /// The build steps, base first.
    pub history: Vec<oci::History>,
    /// The layers, base first.
    pub layers: Vec<LayerRef>,
    /// Whether the runtime is told to keep it, as the image of the sandboxes of pods is (`pause`).
    pub pinned: bool,
    /// Whether its documents are gone, and its layers are those that a container lies on.
    pub is_lost: bool,
    /// What of it could not be read.
    pub gaps: Vec<Gap>,
}

/// A layer of an image, and how its store finds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LayerRef {
    /// The digest of the uncompressed tar: what the layer *is*, wherever it lies. Of a layer of which nothing but its place in
    /// a chain is known, the chain's digest.
    pub diff_id: Digest,
    /// The digest of this layer and all below it: where an unpacked copy of it lies.
    pub chain_id: Digest,
    /// The blob that was pulled, if the manifest is there to tell.
    pub blob: Option<oci::Descriptor>,
}

impl Image {
    /// The image that a configuration describes, with its layers; its names are not known yet.
    pub(crate) fn new(id: Digest, config: &oci::Config, layers: Vec<LayerRef>) -> Self {
        let mut image = Self::unknown(id);
        if layers.is_empty() {
            let (detail, effect) = ("the configuration names no layers", "the image has no files");
            let subject = image.id.to_string();
            image.gaps.push(Gap::new(Code::CorruptStructure, Scope::Image, subject, detail, effect));
        }
        Self {
            platform: config.platform.text(),
            created: config.created.clone(),
            labels: config.config.labels.clone(),
            history: config.history.clone(),
            layers,
            ..image
        }
    }

    /// An image of which nothing but its digest is known.
    pub(super) fn unknown(id: Digest) -> Self {
        Self {
            id,
            manifests: BTreeSet::new(),
            references: BTreeSet::new(),
            platform: String::new(),
            created: None,
            labels: BTreeMap::new(),
            history: Vec::new(),
            layers: Vec::new(),
            pinned: false,
            is_lost: false,
            gaps: Vec::new(),
        }
    }
}

impl LayerRef {
    /// Whether a layer of this digest over such a chain is it, as far as its DiffID is known.
    pub(super) fn is_over(&self, below: Option<&Digest>) -> bool {
        self.diff_id == self.chain_id || self.diff_id.chain(below) == self.chain_id
    }

    /// The layers of the image `id`, whose configuration names them; `blob` tells the blob of one, by its number and DiffID.
    pub(crate) fn all(
        id: &Digest,
        config: &oci::Config,
        mut blob: impl FnMut(usize, &Digest) -> Option<oci::Descriptor>,
    ) -> Result<Vec<Self>, FormatError> {
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() > limits::IMAGE_LAYERS {
            let (count, bound) = (diff_ids.len(), limits::IMAGE_LAYERS);
            let what = format!("image configuration {id} has {count} layers, more than {bound}");
            return Err(FormatError::limit(what));
        }
        let mut layers: Vec<Self> = Vec::new();
        for (number, diff_id) in diff_ids.iter().enumerate() {
            let chain_id = diff_id.chain(layers.last().map(|below| &below.chain_id));
            layers.push(Self { diff_id: diff_id.clone(), chain_id, blob: blob(number, diff_id) });
        }
        Ok(layers)
    }
}
