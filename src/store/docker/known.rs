//! The images that containers may be of: Docker's own, and those of the containerds beside it.

use std::collections::BTreeMap;

use super::Beside;
use crate::{Digest, store::Image};

pub(super) struct Known<'a> {
    /// Docker's own, sorted by id.
    own: &'a [Image],
    /// The others, by their ids and by manifests and indexes that lead to them.
    lent: BTreeMap<&'a Digest, Vec<&'a Image>>,
    /// All, by the chain id of their layers; `None` if several have the same.
    by_layers: BTreeMap<&'a Digest, Option<&'a Image>>,
}

impl<'a> Known<'a> {
    pub(super) fn new(own: &'a [Image], beside: &'a [Beside<'_>]) -> Self {
        let mut known = Self { own, lent: BTreeMap::new(), by_layers: BTreeMap::new() };
        for image in beside.iter().flat_map(|beside| beside.images) {
            for digest in image.manifests.iter().chain([&image.id]) {
                known.lent.entry(digest).or_default().push(image);
            }
        }
        for image in own.iter().chain(beside.iter().flat_map(|beside| beside.images)) {
            let Some(top) = image.layers.last() else { continue };
            let same = known.by_layers.entry(&top.chain_id).or_insert(Some(image));
            if same.is_some_and(|other| other.id != image.id) {
                *same = None;
            }
        }
        known
    }

    /// Docker's own image of this id.
    pub(super) fn own(&self, id: &Digest) -> Option<&'a Image> {
        let at = self.own.binary_search_by(|image| image.id.cmp(id)).ok()?;
        self.own.get(at)
    }

    /// The images of a containerd to which a digest leads.
    pub(super) fn lent(&self, digest: &Digest) -> &[&'a Image] {
        self.lent.get(digest).map(Vec::as_slice).unwrap_or_default()
    }

    /// The only image with these layers.
    pub(super) fn over(&self, chain: &Digest) -> Option<&'a Image> {
        self.by_layers.get(chain).copied().flatten()
    }
}
