//! What one storage driver has: `image/DRIVER` and the driver's own directory.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Access,
    driver::{self, Driver},
    files::Files,
    layerdb::{self, Layer, Mount},
    missing,
};
use crate::{
    Digest, Gap,
    block::{Memory, Source},
    bytes,
    error::FormatError,
    fs::{DirEntry, Handle},
    gap::{Code, Scope},
    limits,
    store::{Form, LayerRef, TarSplit, Unpacked, oci},
};

/// The bytes of a layer's files, if they are recorded.
type Size = Result<Option<u64>, FormatError>;

pub(super) struct Graph {
    /// The driver's name.
    pub(super) name: String,
    /// `image/DRIVER`.
    pub(super) metadata: Files,
    layers: Option<Files>,
    root: Files,
    access: Access,
    /// Directories that are recorded for several layers or containers: each is one's at most.
    shared: BTreeSet<String>,
}

/// Tells of layers of which no metadata is there: `image/DRIVER`, or its `imagedb`, which Docker makes with a driver's own
/// directory.
pub(super) fn tell_lost(root: &Files, graphs: &[Graph], gaps: &mut Vec<Gap>) {
    const LAYERS: [(&str, &str); 4] = [
        ("overlay2", "overlay2"),
        ("fuse-overlayfs", "fuse-overlayfs"),
        ("vfs", "vfs/dir"),
        ("btrfs", "btrfs/subvolumes"),
    ];
    for (driver, path) in LAYERS {
        let listing = root.list(path).unwrap_or_default();
        let count = listing.entries.iter().filter(|entry| bytes::is_hex_id(&entry.name)).count();
        let graph = graphs.iter().find(|graph| graph.name == driver);
        let has_images = |graph: &Graph| {
            graph.metadata.below("imagedb/content/sha256").is_ok_and(|directory| directory.is_some())
        };
        if count > 0 && !graph.is_some_and(has_images) {
            let detail = format!(
                "{count} layers are in {path}, and image/{driver}/imagedb/content/sha256 is not there"
            );
            let effect = "images that have these layers are not reported";
            gaps.push(Gap::new(Code::RuntimeStateUnreadable, Scope::Runtime, root.place(), detail, effect));
        }
    }
}

/// The drivers that have state in a data root, sorted by name.
pub(super) fn all(root: &Files, access: &Access, gaps: &mut Vec<Gap>) -> Vec<Graph> {
    let mut lost = |error: &FormatError| {
        let effect = "images and layers of a storage driver are not reported";
        gaps.push(Gap::from_error(error, Scope::Runtime, root.place(), effect).at("image"));
    };
    let (mut names, damage) = root.directories("image", driver::is_one).unwrap_or_else(|error| {
        lost(&error);
        Default::default()
    });
    damage.iter().for_each(&mut lost);
    names.sort_unstable();
    if names.len() > limits::DOCKER_DRIVERS {
        let (count, bound) = (names.len(), limits::DOCKER_DRIVERS);
        lost(&FormatError::limit(format!("{count} storage drivers of one Docker, more than {bound}")));
        names.truncate(bound);
    }
    let open = |name: &str| {
        let Some(metadata) = root.below(&format!("image/{name}"))? else { return Ok(None) };
        let layers = metadata.below("layerdb")?;
        let (name, root, access) = (name.to_owned(), root.clone(), access.clone());
        let mut graph = Graph { name, metadata, layers, root, access, shared: BTreeSet::new() };
        graph.shared = graph.shared();
        Ok(Some(graph))
    };
    let mut graphs = Vec::new();
    for name in names {
        match open(&name) {
            Ok(graph) => graphs.extend(graph),
            Err(error) => lost(&error),
        }
    }
    graphs
}

impl Graph {
    /// Tells that the layers of the driver are not read, if that is so and it has any: its images are known all the same.
    pub(super) fn tell_unread(&self, place: &str, gaps: &mut Vec<Gap>) {
        let Err(error) = self.driver() else { return };
        let count = self.layers.as_ref().and_then(|layers| layers.list("sha256").ok());
        let count = count.map_or(0, |listing| listing.entries.len());
        if count > 0 {
            let detail = format!("{count} layers of {}", error.detail());
            let effect = "the files and packages of its images and containers are not reported";
            gaps.push(Gap::new(error.code(), Scope::Runtime, place, detail, effect));
        }
    }

    /// Whether the driver keeps whole trees.
    pub(super) fn is_whole(&self) -> bool {
        self.driver().is_ok_and(Driver::is_whole)
    }

    /// The bytes of an image's configuration, which must have its digest.
    pub(super) fn config(&self, id: &Digest) -> Result<Option<Vec<u8>>, FormatError> {
        const NAME: &str = "image configuration";
        let path = format!("imagedb/content/sha256/{}", id.hex());
        let Some(bytes) = self.metadata.bytes(&path, NAME, limits::TEXT_FILE_BYTES)? else { return Ok(None) };
        let source: Source = Arc::new(Memory::new(bytes));
        oci::checked(&source, id, NAME).map(Some)
    }

    /// A layer and the bytes of its files, as far as they are known; `None` if this driver does not have it.
    pub(super) fn layer(&self, layer: &LayerRef) -> Result<Option<(Unpacked, Size)>, FormatError> {
        let Some((files, record)) = self.record(layer)? else { return Ok(None) };
        let dir = self.tree(&record.cache_id).map_err(|error| {
            if !layerdb::is_foreign(files, &layer.chain_id) {
                return error;
            }
            FormatError::Unsupported {
                code: error.code(),
                what: format!(
                    "{}; it is a foreign layer, which other places are to be asked for",
                    error.detail()
                ),
            }
        })?;
        let size = layerdb::size(files, &layer.chain_id);
        Ok(Some((self.unpacked(dir, record.parent.as_ref())?, size)))
    }

    /// What a layer's tar is put together again of, `None` if this driver does not have the layer or nothing of its tar.
    pub(super) fn tar_split(&self, layer: &LayerRef) -> Result<Option<TarSplit>, FormatError> {
        let Some((files, record)) = self.record(layer)? else { return Ok(None) };
        let list = format!("sha256/{}/tar-split.json.gz", layer.chain_id.hex());
        let list = files.open(&list, "tar-split list")?;
        list.map(|list| Ok(TarSplit { list, dir: self.tree(&record.cache_id)? })).transpose()
    }

    /// The record of a layer, and the records that it is among.
    fn record(&self, layer: &LayerRef) -> Result<Option<(&Files, Layer)>, FormatError> {
        let Some(files) = &self.layers else { return Ok(None) };
        let Some(record) = layerdb::layer(files, &layer.chain_id)? else { return Ok(None) };
        if layer.diff_id.chain(record.parent.as_ref()) != layer.chain_id {
            let what = format!("layer record {} is of another layer than {}", layer.chain_id, layer.diff_id);
            return Err(FormatError::malformed("layer record", what));
        }
        Ok(Some((files, record)))
    }

    /// What the container has over its image, base first.
    pub(super) fn writable(&self, container: &str) -> Result<Vec<Unpacked>, FormatError> {
        let mount = self.mount(container)?;
        let Mount { id, init, parent } =
            mount.ok_or_else(|| missing(format!("no record of the layer of container {container}")))?;
        self.check(&id)?;
        let upper = self.tree(&id)?;
        let Some(init) = init else { return Ok(vec![self.unpacked(upper, parent.as_ref())?]) };
        let init = self.tree(&init)?;
        let upper = self.seen(upper, || Ok(Some(init.clone())))?;
        Ok(vec![self.unpacked(init, parent.as_ref())?, upper])
    }

    /// The directories that several records name.
    fn shared(&self) -> BTreeSet<String> {
        // What of the records cannot be read is told where they are needed.
        let Some(files) = &self.layers else { return BTreeSet::new() };
        let (chains, _) = files.directories("sha256", |_| false).unwrap_or_default();
        let layers = chains.iter().filter_map(|chain| layerdb::directory(files, chain));
        let mounts = self.mounts().unwrap_or_default();
        let mounts = mounts.iter().filter_map(|id| layerdb::mount(files, id).ok()?);
        let (mut seen, mut shared) = (BTreeSet::new(), BTreeSet::new());
        for id in layers.chain(mounts.flat_map(|mount| [Some(mount.id), mount.init].into_iter().flatten())) {
            if !seen.insert(id.clone()) {
                shared.insert(id);
            }
        }
        shared
    }

    /// That a directory is recorded for others, too.
    fn check(&self, id: &str) -> Result<(), FormatError> {
        if !self.shared.contains(id) {
            return Ok(());
        }
        let problem = format!("the directory {id} is recorded for several layers or containers");
        Err(FormatError::corrupt("layer record", 0, problem))
    }

    /// That the directory of a layer is recorded for others, too: its files may be those of another one.
    pub(super) fn doubt(&self, layer: &LayerRef) -> Option<FormatError> {
        let files = self.layers.as_ref().filter(|_| !self.shared.is_empty())?;
        self.check(&layerdb::directory(files, &layer.chain_id.hex())?).err()
    }

    /// The records of its layers and of those of containers, if there are any.
    pub(super) fn layers(&self) -> Option<&Files> {
        self.layers.as_ref()
    }

    /// The directory of all layers, and what is in it; nothing of a driver that is not read.
    pub(super) fn directories(&self) -> Result<Option<(&'static str, Vec<DirEntry>)>, FormatError> {
        let Ok(driver) = self.driver() else { return Ok(None) };
        let listing = self.root.list(driver.layers())?;
        Ok(Some((driver.layers(), listing.entries)))
    }

    /// The layers of a chain, base first.
    pub(super) fn below(&self, top: &Digest) -> Result<Vec<LayerRef>, FormatError> {
        let mut layers = Vec::new();
        let mut next = Some(top.clone());
        while let Some(chain_id) = next {
            if layers.len() >= limits::IMAGE_LAYERS {
                return Err(FormatError::limit(format!(
                    "more than {} layers below {top}",
                    limits::IMAGE_LAYERS
                )));
            }
            let found =
                self.layers.as_ref().map(|files| layerdb::layer(files, &chain_id)).transpose()?.flatten();
            let record = found.ok_or_else(|| missing(format!("no record of layers {chain_id}")))?;
            layers.push(LayerRef { diff_id: record.diff_id, chain_id, blob: None });
            next = record.parent;
        }
        layers.reverse();
        Ok(layers)
    }

    /// The containers of whose layers there are records.
    pub(super) fn mounts(&self) -> Result<Vec<String>, FormatError> {
        let files = self.layers.as_ref();
        let found =
            files.map_or_else(|| Ok(Default::default()), |files| files.directories("mounts", |_| false));
        let (mut ids, damage) = found?;
        ids.retain(|id| bytes::is_hex_id(id.as_bytes()));
        damage.into_iter().next().map_or(Ok(ids), Err)
    }

    /// The record of a container's layers.
    pub(super) fn mount(&self, container: &str) -> Result<Option<Mount>, FormatError> {
        self.layers.as_ref().map_or(Ok(None), |files| layerdb::mount(files, container))
    }

    /// A directory over that of a chain.
    fn unpacked(&self, dir: Handle, parent: Option<&Digest>) -> Result<Unpacked, FormatError> {
        self.seen(dir, || parent.map(|parent| self.chain(parent)).transpose())
    }

    /// A directory in the form of the driver, over another one.
    fn seen(
        &self,
        dir: Handle,
        below: impl FnOnce() -> Result<Option<Handle>, FormatError>,
    ) -> Result<Unpacked, FormatError> {
        let form = match self.driver()? {
            driver if driver.is_whole() => Form::Whole(below()?),
            Driver::FuseOverlay => Form::FuseOverlay,
            _ if self.access.rootless => Form::UserOverlay,
            _ => Form::Overlay,
        };
        Ok(Unpacked { dir, form, owners: self.access.owners.clone() })
    }

    /// The directory of a chain.
    fn chain(&self, chain: &Digest) -> Result<Handle, FormatError> {
        let found = self.layers.as_ref().map(|files| layerdb::layer(files, chain)).transpose()?.flatten();
        let Layer { cache_id, .. } = found.ok_or_else(|| missing(format!("no record of layers {chain}")))?;
        self.tree(&cache_id)
    }

    /// The files of a layer or of what a container writes.
    fn tree(&self, id: &str) -> Result<Handle, FormatError> {
        let path = self.driver()?.place(id);
        self.root.tree(&path)?.ok_or_else(|| missing(format!("{}/{path} is not there", self.root.place())))
    }

    fn driver(&self) -> Result<Driver, FormatError> {
        Driver::named(&self.name)
    }
}
