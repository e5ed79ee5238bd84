//! The files behind `ls`, `stat`, `cat`, `hash` and `export`: of the node, a volume, an image, a layer or a
//! container.

use std::{cell::RefCell, io};

use thiserror::Error;

use super::{OpenStore, OpenedNode, copies::Copies, images};
use crate::{
    Digest, FormatError, Gap,
    fs::{Handle, Root},
    gap::Scope,
    image,
    layer::{self, Sameness},
    report,
    store::{Container, Image, LayerRef},
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

/// Why what is asked for cannot be shown.
#[derive(Debug, Error)]
pub enum ViewError {
    /// Nothing on the disks is called so, or several things are.
    #[error("{0}")]
    Unknown(String),
    /// It is there and cannot be read.
    #[error(transparent)]
    Unreadable(#[from] FormatError),
    /// It cannot be written where it goes.
    #[error("the output cannot be written: {0}")]
    Output(io::Error),
}

/// An error of a copy: the reader's own, or else the writer's.
impl From<io::Error> for ViewError {
    fn from(error: io::Error) -> Self {
        error.downcast::<FormatError>().map_or_else(Self::Output, Self::Unreadable)
    }
}

/// The tree of files that is asked for.
///
/// The files of a layer that was copied soon after it was unpacked may all be empty; see [`whole_view`].
pub fn view(node: &OpenedNode, place: &Where) -> Result<Root, ViewError> {
    tree(node, place, Trees { sizes: false, layer: &|copies, layer| copies.tree(layer) })
}

/// As [`view`], with layers whose files' data never reached the disk read from their blobs; where that cannot be, with
/// a gap. This looks at the size of every file of the layers.
pub fn whole_view(node: &OpenedNode, place: &Where) -> Result<(Root, Vec<Gap>), ViewError> {
    let gaps = RefCell::new(Vec::new());
    let layer: LayerTree<'_> = &|copies, layer| {
        let (tree, gap) = copies.whole_tree(layer)?;
        gaps.borrow_mut().extend(gap);
        Ok(tree)
    };
    let root = tree(node, place, Trees { sizes: true, layer })?;
    Ok((root, gaps.into_inner()))
}

/// Gives the files of a layer.
type LayerTree<'a> = &'a dyn Fn(&Copies<'_>, &LayerRef) -> Result<Handle, FormatError>;

/// How the trees of layers are come by.
#[derive(Clone, Copy)]
struct Trees<'a> {
    /// Whether files that are empty and were not are looked for.
    sizes: bool,
    layer: LayerTree<'a>,
}

fn tree(node: &OpenedNode, place: &Where, Trees { sizes, layer }: Trees<'_>) -> Result<Root, ViewError> {
    let own = match place {
        Where::Container(id) => find_container(node, id).ok().map(|(store, _)| store),
        _ => None,
    };
    let own = own.and_then(|own| node.stores.iter().position(|store| std::ptr::eq(store, own)));
    let copies = Copies::new(&node.stores, Sameness::Content).of_store(own);
    let trees = |image: &Image| -> Result<Vec<Handle>, FormatError> {
        let mut trees = Vec::new();
        for of in &image.layers {
            trees.extend(copies.between(of)?);
            trees.push(layer(&copies, of)?);
        }
        Ok(trees)
    };
    match place {
        Where::Node => {
            let alone = match node.file_systems.as_slice() {
                [only] => Some(Root::new(only.opened.fs.clone())),
                _ => None,
            };
            node.machine.root.clone().or(alone).ok_or_else(|| {
                ViewError::Unknown(match (node.file_systems.as_slice(), node.volumes.as_slice()) {
                    ([], [only]) => why_not_read(node, &only.id),
                    _ => "no volume holds an operating system; name a volume with --volume".to_owned(),
                })
            })
        }
        Where::Volume(id) => {
            let id = read_as(node, id);
            let found = node.file_systems.iter().find(|volume| volume.volume.id == *id);
            let found = found.ok_or_else(|| ViewError::Unknown(why_not_read(node, id)))?;
            Ok(Root::new(found.opened.fs.clone()))
        }
        Where::Image(name) => {
            let image = find_image(node, name)?;
            // A tree that is there as a whole needs no merging of what was taken apart from it.
            match image.layers.last().and_then(|top| copies.all_below(top, sizes)) {
                Some(whole) => Ok(Root::below(&whole)),
                None => Ok(Root::new(image::merge(&trees(image)?))),
            }
        }
        Where::Layer(digest) => {
            let digest: Digest = digest.parse().map_err(|error| ViewError::Unknown(format!("{error}")))?;
            let found =
                copies.named(&digest).ok_or_else(|| ViewError::Unknown(format!("no layer {digest}")))?;
            Ok(Root::below(&layer(&copies, found)?))
        }
        Where::Container(id) => {
            let (store, container) = find_container(node, id)?;
            let image = container.image.as_ref().and_then(|id| image_by_id(node, store, id));
            if image.is_none() && !container.is_from_scratch() {
                return Err(ViewError::Unknown(format!("the image of container {id} is not on the disk")));
            }
            let own = store.store.writable_layers(container)?;
            let Some(top) = own.last() else {
                return Err(ViewError::Unknown(format!("no writable layer of container {id}")));
            };
            if let Some(whole) = layer::whole_tree(top) {
                return Ok(Root::below(&whole));
            }
            let mut trees = image.map_or(Ok(Vec::new()), trees)?;
            for unpacked in &own {
                trees.push(layer::changes(unpacked, Sameness::Content)?);
            }
            Ok(Root::new(image::merge(&trees)))
        }
    }
}

/// The id of the volume under which the file system of a volume is read: its own, but for a further device of one that
/// spans several.
fn read_as<'a>(node: &'a OpenedNode, id: &'a str) -> &'a str {
    let record = node.volumes.iter().find(|volume| volume.id == id);
    record.and_then(|volume| volume.part_of.as_deref()).unwrap_or(id)
}

/// Why there are no files of a volume: it is part of others, which have them; it could not be read; or there is none.
fn why_not_read(node: &OpenedNode, id: &str) -> String {
    let names = |volumes: &mut dyn Iterator<Item = &report::Volume>| {
        volumes.map(|volume| volume.id.as_str()).collect::<Vec<_>>().join(", ")
    };
    let Some(record) = node.volumes.iter().find(|volume| volume.id == id) else {
        let all = names(&mut node.volumes.iter());
        return format!("no volume {id:?}; there are {all}");
    };
    let holds = format!("volume {id:?} holds {}", record.content);
    let is_made_of = |volume: &&report::Volume| volume.parts.iter().any(|part| part == id);
    match names(&mut node.volumes.iter().filter(is_made_of)).as_str() {
        "" => {
            let told = node.gaps.iter().find(|gap| gap.scope == Scope::Volume && gap.subject == id);
            let why = told.map_or(String::new(), |gap| format!(": {}", gap.detail));
            format!("{holds}, of which no files are read{why}")
        }
        made => format!("{holds}; what is on it is read as volume {made}"),
    }
}

/// What is known to be missing from the tree that is asked for.
pub fn gaps(node: &OpenedNode, place: &Where) -> Vec<Gap> {
    let is_of = |gap: &&Gap| match (gap.scope, place) {
        (Scope::Disk, _) | (Scope::Volume, Where::Node) => true,
        (Scope::Volume, Where::Volume(id)) => gap.subject == *id || gap.subject == read_as(node, id),
        (Scope::Volume, _) => holds_stores(node, &gap.subject),
        _ => false,
    };
    let image = image_of(node, place).map(|image| image.gaps.as_slice()).unwrap_or_default();
    node.gaps.iter().filter(is_of).chain(image).cloned().collect()
}

/// Whether layers may lie on a volume; of a store on a part of a volume it is not known which one.
fn holds_stores(node: &OpenedNode, volume: &str) -> bool {
    node.stores.iter().any(|store| store.volume.as_deref().is_none_or(|id| id == volume))
}

/// The image whose files show at a place.
fn image_of<'a>(node: &'a OpenedNode, place: &Where) -> Option<&'a Image> {
    match place {
        Where::Node | Where::Volume(_) | Where::Layer(_) => None,
        Where::Image(name) => find_image(node, name).ok(),
        Where::Container(id) => {
            let (store, container) = find_container(node, id).ok()?;
            image_by_id(node, store, container.image.as_ref()?)
        }
    }
}

/// The image of a container, from its own store if that has it: Docker may leave its images to a containerd.
fn image_by_id<'a>(node: &'a OpenedNode, own: &'a OpenStore, id: &Digest) -> Option<&'a Image> {
    super::containers::image_of(&node.stores, own, id)
}

pub(super) fn find_image<'a>(node: &'a OpenedNode, name: &str) -> Result<&'a Image, ViewError> {
    let fits = |image: &&Image| {
        let short = |reference: &String| reference.rsplit('/').next() == Some(name);
        let same = |reference: &String| familiar(reference) == familiar(name);
        image.references.iter().any(|reference| short(reference) || same(reference))
            || images::fits(image, name)
            || is_digest_of(image, name)
    };
    let all = || node.stores.iter().flat_map(|store| &store.contents.images);
    let by_name = all().find(|image| image.references.contains(name));
    if let Some(found) = by_name {
        return Ok(found);
    }
    // A short name, a pattern or the beginning of a digest is good for one image only; two stores may hold the same one.
    let mut found: Vec<&Image> = all().filter(fits).collect();
    found.dedup_by(|a, b| a.id == b.id);
    match found.as_slice() {
        [] => Err(ViewError::Unknown(format!("no image {name:?}"))),
        [first, rest @ ..] if rest.iter().all(|other| other.id == first.id) => Ok(*first),
        several => {
            Err(ViewError::Unknown(format!("{} images are called {name:?}: name one in full", several.len())))
        }
    }
}

/// A name without what Docker adds to short ones.
fn familiar(name: &str) -> &str {
    let hosts = ["docker.io/library/", "docker.io/"];
    hosts.iter().find_map(|host| name.strip_prefix(host)).unwrap_or(name)
}

/// Whether a name is the beginning of a digest of the image (of its configuration, manifest or index) as tables show it,
/// behind a repository only that the image has a name in.
fn is_digest_of(image: &Image, name: &str) -> bool {
    let (repository, digest) = name
        .rsplit_once('@')
        .map_or((None, name), |(repository, digest)| (Some(familiar(repository)), digest));
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest).trim_end_matches('…');
    let is_hex = hex.len() >= 6 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    let in_repository = |repository| {
        let of = |reference: &String| {
            familiar(reference).strip_prefix(repository).is_some_and(|rest| rest.starts_with([':', '@']))
        };
        image.references.iter().any(of)
    };
    let mut digests = image.manifests.iter().chain([&image.id]);
    is_hex && repository.is_none_or(in_repository) && digests.any(|digest| digest.hex().starts_with(hex))
}

/// By the id, an unambiguous beginning of it, or a name that one container has, in a pod also `NAMESPACE/POD/NAME`.
pub(super) fn find_container<'a>(
    node: &'a OpenedNode,
    id: &str,
) -> Result<(&'a OpenStore, &'a Container), ViewError> {
    let all = node.stores.iter().flat_map(|store| store.contents.all_containers().map(move |c| (store, c)));
    let in_pod = |container: &Container| {
        let whole =
            container.pod.as_ref().map(|pod| format!("{}/{}/{}", pod.namespace, pod.name, container.name));
        whole.is_some_and(|whole| whole == id || whole.strip_prefix('/') == Some(id))
    };
    let is_it = |container: &Container| {
        !id.is_empty() && container.id.starts_with(id) || container.name == id || in_pod(container)
    };
    let found: Vec<_> = all.filter(|(_, container)| is_it(container)).collect();
    let whole = found.iter().find(|(_, container)| container.id == id);
    match (whole, found.as_slice()) {
        (Some(found), _) | (None, [found]) => Ok(*found),
        (None, []) => Err(ViewError::Unknown(format!("no container {id:?}"))),
        (None, several) => {
            let ids: Vec<&str> = several.iter().map(|(_, container)| container.id.as_str()).collect();
            Err(ViewError::Unknown(format!(
                "{} containers are called {id:?}: {}",
                several.len(),
                ids.join(", ")
            )))
        }
    }
}
