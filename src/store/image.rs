//! An image as a store knows it.

use std::collections::{BTreeMap, BTreeSet};

use super::oci;
use crate::{Digest, Gap};

/// An image: one configuration with its layers, under all names by which the node knew it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of its configuration; of the manifest or index that could not be resolved, if it could not.
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
    /// What of it could not be read.
    pub gaps: Vec<Gap>,
}

/// A layer of an image, and how its store finds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LayerRef {
    /// The digest of the uncompressed tar: what the layer *is*, wherever it lies.
    pub diff_id: Digest,
    /// The digest of this layer and all below it: where an unpacked copy of it lies.
    pub chain_id: Digest,
    /// The blob that was pulled, if the manifest is there to tell.
    pub blob: Option<oci::Descriptor>,
}
