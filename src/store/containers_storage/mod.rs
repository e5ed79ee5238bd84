//! containers/storage: the store of CRI-O, Podman and Buildah. A root directory has for each storage driver that was used
//! lists of records (`DRIVER-layers`, `DRIVER-images`, `DRIVER-containers`) and the layers themselves. What engines know
//! of containers lies beside those: CRI-O's in each container's `userdata`, Podman's in a database of its own.

mod big_data;
mod containers;
mod crio;
mod driver;
mod images;
mod layers;
mod libpod;
mod owners;
mod records;
#[cfg(test)]
mod tests;
mod time;

use std::collections::BTreeMap;

use self::{
    containers::Engine,
    driver::Driver,
    images::Document,
    layers::{Layers, Place},
    records::ContainerRecord,
};
use super::{
    Container, Contents, Image, LayerRef, LayerSources, LooseLayer, Store, TarSplit, Unpacked, lost::Lost,
    oci,
};
use crate::{
    Digest, FormatError, Gap, bytes,
    fs::{Owners, Root},
    gap::{Code, Scope},
};

/// What the node says of a store, beside the store's own files.
#[derive(Clone, Default)]
pub struct Setting {
    /// Whether it belongs to a user without privileges.
    pub is_unprivileged: bool,
    /// Whose the files of such a user are in the user namespace that the store is used in.
    pub owners: Owners,
    /// Whether overlays are mounted by a program (fuse-overlayfs).
    pub mount_program: bool,
    /// Further directories whose images are used.
    pub image_stores: Vec<Root>,
    /// Where Podman keeps its state, if not in the store.
    pub static_dir: Option<Root>,
    /// Whether CRI-O ran on the node.
    pub has_crio: bool,
}

/// A root directory of containers/storage, opened.
pub struct ContainersStorage {
    engine: &'static str,
    /// The layers of each driver.
    parts: Vec<Layers>,
    documents: BTreeMap<Digest, Document>,
    /// The records of containers that have owners of their own.
    mapped: BTreeMap<String, ContainerRecord>,
    contents: Contents,
}

/// Opens a root directory (`/var/lib/containers/storage`), where the tree that is given begins; `None` if it holds no records.
pub fn open(root: &Root, setting: &Setting) -> Result<Option<ContainersStorage>, FormatError> {
    let place = |root: &Root| Place { root: root.clone(), path: root.top().path.to_string() };
    let own = place(root);
    let others: Vec<Place> = setting.image_stores.iter().map(place).collect();
    let mut gaps = Vec::new();
    let mut parts = Vec::new();
    for driver in Driver::ALL {
        let mut is_used = has_records(&own, driver)?;
        if is_used && driver.layers().is_some_and(|path| directories(&own, path) > 0) {
            gaps.extend(lost(&own, driver));
        }
        // The first place is the store's own, where its containers are.
        let mut used = vec![own.clone()];
        for other in &others {
            if has_records(other, driver)? {
                is_used = true;
                used.push(other.clone());
            }
        }
        if !is_used {
            continue;
        }
        if let Driver::Other(name) = driver {
            let detail = format!("layers of the storage driver {name:?}");
            let effect = "files and packages of these layers are missing";
            gaps.push(Gap::new(Code::UnsupportedSnapshotter, Scope::Runtime, &own.path, detail, effect));
        }
        parts.push(Layers::read(driver, &used, setting, &mut gaps));
    }
    let libpod = libpod::read(&own, setting.static_dir.as_ref().map(place).as_ref(), &mut gaps);
    if parts.is_empty() && !libpod.is_there {
        return Ok(None);
    }
    let has_podman = libpod.is_there;
    let images = images::read(&mut parts, &mut gaps);
    let found = containers::read(&parts, &images, libpod, &mut gaps);
    let engine = match () {
        () if found.engines.contains(&Engine::CriO) || setting.has_crio => "cri-o",
        () if has_podman || found.engines.contains(&Engine::Podman) => "podman",
        () if found.engines.contains(&Engine::Buildah) => "buildah",
        () => "containers-storage",
    };
    let images::Images { all: images, documents, .. } = images;
    let is_podmans = found.engines.contains(&Engine::Podman);
    let containers::Found { mut containers, mut sandboxes, pods, mapped, lost, .. } = found;
    let mut images: Vec<Image> = images.into_values().collect();
    let is_unlisted = images.is_empty();
    let mut restored = Lost::new(&images);
    for container in containers.iter_mut().chain(&mut sandboxes) {
        let Some(record) = lost.get(&container.id) else { continue };
        let noted = format!("sha256:{record}").parse().ok();
        let below = |_: &[Image], one: &Container| below(&mut parts, one);
        restored.restore(&mut images, container, noted, below, &mut gaps);
    }
    let loose = parts.iter().flat_map(|part| {
        let own = containers.iter().chain(&sandboxes).filter_map(|container| container.snapshot.as_ref());
        part.loose(own.filter(|(driver, _)| driver == part.driver.name()).map(|(_, layer)| layer.as_str()))
    });
    let mut loose: Vec<LooseLayer> = loose.collect();
    loose.sort();
    if is_podmans && !has_podman {
        let detail = "containers of Podman's are there, and its database is not";
        let effect = "states, commands and pods of these containers are not known";
        gaps.push(Gap::new(Code::RuntimeStateUnreadable, Scope::Runtime, &own.path, detail, effect));
    }
    if is_unlisted && gaps.is_empty() {
        gaps.extend(parts.iter().filter_map(|part| unlisted(&own, part.driver, containers.len())));
    }
    let contents = Contents { images, containers, sandboxes, pods, loose, gaps };
    Ok(Some(ContainersStorage { engine, parts, documents, mapped, contents }))
}

/// The layers that a container lies on, base first.
fn below(parts: &mut [Layers], container: &Container) -> Result<Vec<LayerRef>, FormatError> {
    let Some((driver, layer)) = &container.snapshot else { return Ok(Vec::new()) };
    let part = parts.iter_mut().find(|part| part.driver.name() == driver);
    part.map_or(Ok(Vec::new()), |part| part.below(layer))
}

/// That layers lie in a driver's directory, more than containers have, although no list names an image.
fn unlisted(place: &Place, driver: Driver, containers: usize) -> Option<Gap> {
    let path = driver.layers()?;
    let count = directories(place, path);
    (count > containers).then(|| {
        let detail = format!("{count} layers are in {path}, and no record of an image is there");
        let effect = "images that have these layers are not reported";
        Gap::new(Code::RuntimeStateUnreadable, Scope::Runtime, &place.path, detail, effect)
    })
}

/// How many layers lie in a driver's directory; what cannot be listed is told with the layers that are in it.
fn directories(place: &Place, path: &str) -> usize {
    let listing = place.root.list(path.as_bytes()).ok().flatten();
    let entries = listing.map(|(_, listing)| listing.entries).unwrap_or_default();
    entries.iter().filter(|entry| bytes::is_hex_id(&entry.name)).count()
}

/// That a directory of lists is not there although there are layers: containers/storage makes it before any of them.
fn lost(place: &Place, driver: Driver) -> Vec<Gap> {
    const LISTS: [(&str, &str); 2] = [
        ("layers", "layers of images and containers are missing"),
        ("containers", "containers are missing, or what the store itself knows of them"),
    ];
    let of = |(kind, effect): (&str, &'static str)| {
        let path = format!("{}-{kind}", driver.name());
        let error = match place.root.list(path.as_bytes()) {
            Ok(Some(_)) => return None,
            Ok(None) => {
                let what = format!("{path}, which the store has for its {kind}, is no directory");
                FormatError::Unsupported { code: Code::RuntimeStateUnreadable, what }
            }
            Err(error) => error,
        };
        Some(Gap::from_error(&error, Scope::Runtime, &place.path, effect).at(path))
    };
    LISTS.into_iter().filter_map(of).collect()
}

/// Whether a place has a list of a driver.
fn has_records(place: &Place, driver: Driver) -> Result<bool, FormatError> {
    let lists = [
        "images/images.json",
        "layers/layers.json",
        "layers/volatile-layers.json",
        "containers/containers.json",
        "containers/volatile-containers.json",
    ];
    for list in lists {
        let path = format!("{}-{list}", driver.name());
        if place.root.find_no_follow(path.as_bytes())?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Store for ContainersStorage {
    /// `cri-o` if a container is CRI-O's or CRI-O ran on the node, also where Podman is used beside it; else `podman` if
    /// its database is there or a container is its; else `buildah` if a container is; `containers-storage` if nothing
    /// tells who pulled the images.
    fn runtime(&self) -> &'static str {
        self.engine
    }

    fn contents(&self) -> Contents {
        self.contents.clone()
    }

    /// There are no blobs: pulled layers are unpacked at once.
    fn layer(&self, layer: &LayerRef) -> LayerSources {
        let mut sources = LayerSources::default();
        let mut failure = None;
        for part in &self.parts {
            match part.of_chain(&layer.chain_id) {
                Ok(Some(unpacked)) => {
                    sources.snapshot = Some(unpacked);
                    return sources;
                }
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let effect = "files and packages of this layer are missing";
        let subject = layer.diff_id.to_string();
        sources.gaps.extend(failure.map(|error| Gap::from_error(&error, Scope::Layer, subject, effect)));
        sources
    }

    fn tar_split(&self, layer: &LayerRef) -> Result<Option<TarSplit>, FormatError> {
        let mut failure = None;
        for part in &self.parts {
            match part.tar_split(&layer.chain_id) {
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
                found => return found,
            }
        }
        failure.map_or(Ok(None), Err)
    }

    fn writable_layers(&self, container: &Container) -> Result<Vec<Unpacked>, FormatError> {
        let Some((driver, id)) = &container.snapshot else { return Ok(Vec::new()) };
        let Some(part) = self.parts.iter().find(|part| part.driver.name() == driver) else {
            return Ok(Vec::new());
        };
        part.unpacked(id, self.mapped.get(&container.id)).map(|layer| vec![layer])
    }

    fn document(&self, digest: &Digest) -> Result<Option<Vec<u8>>, FormatError> {
        let Some(Document { place, path }) = self.documents.get(digest) else { return Ok(None) };
        let source = big_data::open(&place.root, path)?;
        source.map(|source| oci::checked(&source, digest, "image document")).transpose()
    }
}
