//! The layers of which a chain of snapshots is made, where no image tells: a container's, whose image is lost.

use std::collections::BTreeMap;

use super::Containerd;
use crate::{
    Digest,
    error::FormatError,
    limits,
    store::{Container, Image, LayerRef, oci::Descriptor},
};

/// A label of a layer's blob: its DiffID.
const UNCOMPRESSED: &str = "containerd.io/uncompressed";

/// What is known of layers by the chains that they end; found out when it is first asked for.
#[derive(Default)]
pub(in crate::store) struct Chains {
    is_read: bool,
    layers: BTreeMap<Digest, LayerRef>,
    /// The DiffIDs that are noted beside blobs.
    blobs: BTreeMap<Digest, Descriptor>,
    /// How often one of them was tried.
    tried: usize,
}

impl Chains {
    fn read(&mut self, containerd: &Containerd, images: &[Image]) {
        if std::mem::replace(&mut self.is_read, true) {
            return;
        }
        let layers = images.iter().flat_map(|image| &image.layers);
        self.layers = layers.map(|layer| (layer.chain_id.clone(), layer.clone())).collect();
        for (_, bucket) in containerd.namespaces() {
            let all = bucket.bucket("content").and_then(|content| content.bucket("blob"));
            for (digest, blob) in all.map(|all| &all.buckets).into_iter().flatten() {
                let digest = String::from_utf8_lossy(digest).parse().ok();
                let diff_id = || blob.bucket("labels")?.text(UNCOMPRESSED)?.parse().ok();
                self.blobs.extend(diff_id().zip(digest.map(Descriptor::of)));
            }
        }
    }

    /// The layers that a container lies on, base first.
    pub(in crate::store) fn below(
        &mut self,
        containerd: &Containerd,
        images: &[Image],
        container: &Container,
    ) -> Result<Vec<LayerRef>, FormatError> {
        let Some((by, key)) = &container.snapshot else { return Ok(Vec::new()) };
        let Some(top) = containerd.snapshots.chain(&container.namespace, by, key) else {
            return Ok(Vec::new());
        };
        self.read(containerd, images);
        let mut layers: Vec<LayerRef> = Vec::new();
        for chain_id in containerd.snapshots.chains(&top)? {
            let layer = self.layer(chain_id, layers.last().map(|below| &below.chain_id));
            layers.push(layer);
        }
        Ok(layers)
    }

    /// The layer that ends a chain; if no image and no blob tells its DiffID, of the chain only.
    fn layer(&mut self, chain_id: Digest, below: Option<&Digest>) -> LayerRef {
        if let Some(known) = self.layers.get(&chain_id) {
            return known.clone();
        }
        let may_be_tried = self.tried < limits::LAYER_GUESSES;
        self.tried = self.tried.saturating_add(self.blobs.len());
        let mut blobs = self.blobs.iter().filter(|_| may_be_tried);
        let blob = blobs.find(|(diff_id, _)| diff_id.chain(below) == chain_id);
        let layer = match blob {
            Some((diff_id, blob)) => {
                LayerRef { diff_id: diff_id.clone(), chain_id: chain_id.clone(), blob: Some(blob.clone()) }
            }
            None => LayerRef { diff_id: chain_id.clone(), chain_id: chain_id.clone(), blob: None },
        };
        self.layers.insert(chain_id, layer.clone());
        layer
    }
}
