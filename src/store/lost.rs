//! Images whose documents are gone while a container still lies on their layers: what is left of such an image is its layers,
//! and so its files and packages.

use super::{Container, Image, LayerRef};
use crate::{
    Digest, Gap,
    gap::{Code, Scope},
};

/// Gives a container of no known image the one that it must have been made of: with the layers that it lies on, base first,
/// and the id that the runtime noted, if it did. The images are sorted by id, and stay so.
pub(super) fn restore(
    images: &mut Vec<Image>,
    container: &mut Container,
    noted: Option<Digest>,
    layers: Vec<LayerRef>,
) {
    let Some(top) = layers.last().map(|layer| layer.chain_id.clone()) else { return };
    // One that is whole has other layers, or it would have been found by them.
    let is_other = |id: &Digest| {
        let known = images.binary_search_by(|image| image.id.cmp(id)).ok().and_then(|at| images.get(at));
        known.is_some_and(|image| image.layers.last().is_some_and(|other| other.chain_id != top))
    };
    let id = noted.filter(|id| !is_other(id)).unwrap_or(top);
    container.image = Some(id.clone());
    let effect = format!(
        "its layers are those that the container {} lies on, and nothing else is known of it",
        container.id
    );
    match images.binary_search_by(|image| image.id.cmp(&id)) {
        Ok(at) => {
            if let Some(image) = images.get_mut(at).filter(|image| image.layers.is_empty()) {
                (image.layers, image.is_lost) = (layers, true);
                image.gaps.iter_mut().for_each(|gap| gap.effect.clone_from(&effect));
            }
        }
        Err(at) => {
            let name = Some(&container.image_name)
                .filter(|name| name.parse::<Digest>().is_err() && !name.is_empty());
            let is_known = |name: &&String| images.iter().any(|image| image.references.contains(*name));
            let references = name.filter(|name| !is_known(name)).cloned().into_iter().collect();
            let detail = format!("the image {:?} of a container is not in the store", container.image_name);
            let gaps = vec![Gap::new(Code::BlobMissing, Scope::Image, id.to_string(), detail, effect)];
            images.insert(at, Image { references, layers, gaps, is_lost: true, ..Image::unknown(id) });
        }
    }
}
