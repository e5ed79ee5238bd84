//! From references to images: a reference leads to an index or a manifest, through nested indexes to manifests and their
//! configurations, of which some are the images that a store has under that name.

mod choose;
mod index;

use std::collections::BTreeMap;

use self::{
    choose::{choose, host_architecture},
    index::{Candidate, Documents},
};
use super::{Image, LayerRef};
use crate::{Digest, block::Source, error::FormatError};

/// What a store has of the content that references lead to.
pub(super) trait Blobs {
    /// A blob's bytes, unchecked; `None` if it is not there.
    fn open(&self, digest: &Digest) -> Result<Option<Source>, FormatError>;

    /// Whether an image with these layers is what the store runs, or would.
    fn is_own(&self, layers: &[LayerRef]) -> bool;
}

/// A name of an image.
pub(super) struct Reference {
    /// The name; empty for what is there without one.
    pub(super) name: String,
    /// What it leads to.
    pub(super) target: Digest,
    /// The media type of that.
    pub(super) media_type: String,
    /// Whether the image is to be kept.
    pub(super) pinned: bool,
}

/// The images that the references lead to, by id.
pub(super) fn images(blobs: &dyn Blobs, references: Vec<Reference>) -> Vec<Image> {
    let mut documents = Documents::new(blobs);
    let references: Vec<(Reference, Vec<Candidate>)> = references
        .into_iter()
        .map(|reference| {
            let candidates = documents.candidates(&reference.target);
            (reference, candidates)
        })
        .collect();
    // An image of several platforms is many manifests, of which the node pulled its own. One reference
    // alone cannot tell which that is when nothing was unpacked; the others can.
    let host = host_architecture(references.iter().flat_map(|(_, candidates)| candidates));
    let mut images: BTreeMap<Digest, Image> = BTreeMap::new();
    for (Reference { name, target, media_type, pinned }, candidates) in references {
        for image in choose(candidates, &target, &media_type, host.as_deref()) {
            let known = images.entry(image.id.clone()).or_insert_with(|| image.clone());
            known.manifests.extend(image.manifests.iter().cloned());
            // A reference straight to a configuration leads to no layers.
            if known.layers.is_empty() && !image.layers.is_empty() {
                let (manifests, references) = (known.manifests.clone(), known.references.clone());
                *known = Image { manifests, references, pinned: known.pinned, ..image.clone() };
            }
            // A manifest may name blobs that another one of the same image does not, or that are there.
            for (layer, other) in known.layers.iter_mut().zip(image.layers) {
                let blob = layer.blob.as_ref();
                let is_there = blob.is_some_and(|blob| matches!(blobs.open(&blob.digest), Ok(Some(_))));
                if layer.blob != other.blob && !is_there {
                    layer.blob = other.blob.or(layer.blob.take());
                }
            }
            known.references.extend(Some(name.clone()).filter(|name| !name.is_empty()));
            known.pinned |= pinned;
        }
    }
    // The bare digest is the id over again, unless there is no other name.
    for image in images.values_mut() {
        if image.references.iter().any(|name| !name.starts_with("sha256:")) {
            image.references.retain(|name| !name.starts_with("sha256:"));
        }
    }
    images.into_values().collect()
}
