//! The files behind `ls`, `stat`, `cat`, `hash` and `export`: of the node, a volume, an image, a layer or a
//! container.

use super::{OpenStore, OpenedNode, copies::Copies, images};
use crate::{
    Digest, FormatError, Gap,
    fs::{Handle, Root},
    gap::{Code, Scope},
    image,
    store::{Container, Image},
};

/// Which files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// The assembled node.
    Node,
    /// One volume, by its id.
    Volume(String),
    /// A reconstructed image, by a name or digest.
    Image(String),
    /// A layer, by its DiffID or its blob's digest.
    Layer(String),
    /// A container's view: its image with its changes.
    Container(String),
}

/// The tree of files that is asked for.
pub fn view(node: &OpenedNode, place: &Where) -> Result<Root, FormatError> {
    match place {
        Where::Node => {
            let alone = match node.file_systems.as_slice() {
                [only] => Some(Root::new(only.opened.fs.clone())),
                _ => None,
            };
            node.machine.root.clone().or(alone).ok_or_else(|| {
                missing("no volume holds an operating system; name a volume with --volume".to_owned())
            })
        }
        Where::Volume(id) => {
            let found = node.file_systems.iter().find(|volume| volume.volume.id == *id);
            let found = found.ok_or_else(|| missing(format!("no readable volume {id:?}")))?;
            Ok(Root::new(found.opened.fs.clone()))
        }
        Where::Image(name) => Ok(Root::new(image::merge(&trees(node, find_image(node, name)?)?))),
        Where::Layer(digest) => {
            let digest: Digest = digest.parse().map_err(|error| missing(format!("{error}")))?;
            let copies = Copies::new(&node.stores);
            let diff_id = copies.named(&digest).ok_or_else(|| missing(format!("no layer {digest}")))?;
            Ok(Root::below(&copies.tree(diff_id)?))
        }
        Where::Container(id) => {
            let (store, container) = find_container(node, id)?;
            let image =
                store.contents.images.iter().find(|image| Some(&image.id) == container.image.as_ref());
            let image =
                image.ok_or_else(|| missing(format!("the image of container {id} is not on the disk")))?;
            let upper = store.store.writable_layer(container)?;
            let upper = upper.ok_or_else(|| missing(format!("no writable layer of container {id}")))?;
            let mut trees = trees(node, image)?;
            trees.push(upper);
            Ok(Root::new(image::merge(&trees)))
        }
    }
}

/// What is known to be missing from the tree that is asked for.
pub fn gaps(node: &OpenedNode, place: &Where) -> Vec<Gap> {
    let of_image = |image: &Image| image.gaps.clone();
    let of_volumes = |only: Option<&String>| {
        let wanted = |gap: &&Gap| match gap.scope {
            Scope::Disk => true,
            Scope::Volume => only.is_none_or(|id| gap.subject == *id),
            _ => false,
        };
        node.gaps.iter().filter(wanted).cloned().collect()
    };
    match place {
        Where::Node => of_volumes(None),
        Where::Volume(id) => of_volumes(Some(id)),
        Where::Image(name) => find_image(node, name).map(of_image).unwrap_or_default(),
        Where::Container(id) => {
            let image = find_container(node, id).ok().and_then(|(store, container)| {
                store.contents.images.iter().find(|image| Some(&image.id) == container.image.as_ref())
            });
            image.map(of_image).unwrap_or_default()
        }
        Where::Layer(_) => Vec::new(),
    }
}

pub(super) fn find_image<'a>(node: &'a OpenedNode, name: &str) -> Result<&'a Image, FormatError> {
    let exact = |image: &&Image| {
        let short = |reference: &String| reference.rsplit('/').next() == Some(name);
        image.references.contains(name) || image.references.iter().any(short) || images::fits(image, name)
    };
    let all = || node.stores.iter().flat_map(|store| &store.contents.images);
    let by_name = all().find(|image| image.references.contains(name));
    if let Some(found) = by_name {
        return Ok(found);
    }
    // A short name or a pattern is good for one image only; two stores may hold the same one.
    let mut found: Vec<&Image> = all().filter(exact).collect();
    found.dedup_by(|a, b| a.id == b.id);
    match found.as_slice() {
        [] => Err(missing(format!("no image {name:?}"))),
        [first, rest @ ..] if rest.iter().all(|other| other.id == first.id) => Ok(*first),
        several => Err(missing(format!("{} images are called {name:?}: name one in full", several.len()))),
    }
}

/// By the id or an unambiguous beginning of it.
fn find_container<'a>(node: &'a OpenedNode, id: &str) -> Result<(&'a OpenStore, &'a Container), FormatError> {
    let all = node.stores.iter().flat_map(|store| store.contents.containers.iter().map(move |c| (store, c)));
    let mut found = all.filter(|(_, container)| container.id.starts_with(id) || container.name == id);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(missing(format!("no container {id:?}"))),
        (Some(_), Some(_)) => Err(missing(format!("more than one container {id:?}"))),
    }
}

fn trees(node: &OpenedNode, image: &Image) -> Result<Vec<Handle>, FormatError> {
    let copies = Copies::new(&node.stores);
    image.layers.iter().map(|layer| copies.tree(&layer.diff_id)).collect()
}

fn missing(what: String) -> FormatError {
    FormatError::Unsupported { code: Code::MissingDisk, what }
}
