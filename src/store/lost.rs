//! Images whose documents are gone while a container still lies on their layers: what is left of such an image is its layers,
//! and so its files and packages.

use std::collections::BTreeSet;

use super::{Container, Image, LayerRef};
use crate::{
    Digest, Gap,
    error::FormatError,
    gap::{Code, Scope},
    limits,
};

/// Finds images of containers again.
pub(super) struct Lost {
    /// The names of images that are known.
    names: BTreeSet<String>,
    /// Layers that may still be looked for.
    left: usize,
}

impl Lost {
    pub(super) fn new(images: &[Image]) -> Self {
        let names = images.iter().flat_map(|image| &image.references).cloned().collect();
        Self { names, left: limits::LOST_LAYERS }
    }

    /// Gives a container of no known image the one that it must have been made of: with the layers that it lies on, base
    /// first, which `layers` finds, and the id that the runtime noted, if it did. The images are sorted by id, and stay so.
    pub(super) fn restore(
        &mut self,
        images: &mut Vec<Image>,
        container: &mut Container,
        noted: Option<Digest>,
        layers: impl FnOnce(&[Image], &Container) -> Result<Vec<LayerRef>, FormatError>,
        gaps: &mut Vec<Gap>,
    ) {
        if self.left == 0 {
            // That its image was not examined is told with the container.
            return;
        }
        let found = layers(images, container);
        let cost = found.as_ref().map_or(limits::IMAGE_LAYERS, |layers| layers.len().max(1));
        self.left = self.left.saturating_sub(cost);
        match found {
            Ok(layers) => self.add(images, container, noted, layers),
            Err(error) => {
                let effect = "the layers that the container lies on are not known";
                gaps.push(Gap::from_error(&error, Scope::Container, &container.id, effect));
            }
        }
    }

    fn add(
        &mut self,
        images: &mut Vec<Image>,
        container: &mut Container,
        noted: Option<Digest>,
        layers: Vec<LayerRef>,
    ) {
        let Some(top) = layers.last().map(|layer| layer.chain_id.clone()) else { return };
        let at = |id: &Digest| images.binary_search_by(|image| image.id.cmp(id));
        // One that is whole has other layers, or it would have been found by them.
        let is_other = |id: &Digest| {
            let known = at(id).ok().and_then(|at| images.get(at)?.layers.last());
            known.is_some_and(|other| other.chain_id != top)
        };
        let id = noted.filter(|id| !is_other(id)).unwrap_or_else(|| top.clone());
        container.image = Some(id.clone());
        let of = &container.id;
        let effect =
            format!("its layers are those that the container {of} lies on, and nothing else is known of it");
        match at(&id) {
            Ok(at) => {
                if let Some(image) = images.get_mut(at).filter(|image| image.layers.is_empty()) {
                    (image.layers, image.is_lost) = (layers, true);
                    image.gaps.iter_mut().for_each(|gap| gap.effect.clone_from(&effect));
                }
            }
            Err(at) => {
                let name = Some(&container.image_name).filter(|name| name.parse::<Digest>().is_err());
                let name = name.filter(|name| !name.is_empty() && self.names.insert((*name).clone()));
                let references = name.cloned().into_iter().collect();
                let detail =
                    format!("the image {:?} of a container is not in the store", container.image_name);
                let gaps = vec![Gap::new(Code::BlobMissing, Scope::Image, id.to_string(), detail, effect)];
                let image = Image { references, layers, gaps, is_lost: true, ..Image::unknown(id) };
                images.insert(at, image);
            }
        }
    }
}
