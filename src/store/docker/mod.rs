//! Docker 17.05 to 29: images and layers in the form of a storage driver (`image/DRIVER` and the driver's own directory),
//! containers in `containers/ID`. Since Docker 23 the images and layers may be a containerd's instead; then only the
//! containers are here. The layout is that of moby's packages `image`, `layer`, `distribution` and `container`, and of disks
//! written by it. A root may hold the state of several drivers, which all are read: which one is in use does not matter.

mod config;
mod containers;
mod driver;
mod files;
mod graph;
mod images;
mod known;
mod layerdb;
mod loose;
mod pods;

use std::{collections::BTreeSet, sync::Arc};

use self::{files::Files, graph::Graph};
use super::{
    Container, Contents, Form, Image, LayerRef, LayerSources, LooseLayer, Owners, Store, TarSplit, Unpacked,
    containerd::Containerd,
};
use crate::{
    Digest, FormatError, Gap,
    fs::Root,
    gap::{Code, Scope},
};

/// A Docker data root, opened and read.
pub struct Docker {
    graphs: Vec<Graph>,
    /// The containerds to which it may have left images and snapshots.
    lent: Vec<Arc<Containerd>>,
    contents: Contents,
}

/// How the files of a data root are to be seen.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Whose the files are in containers.
    pub owners: Owners,
    /// Whether the daemon is one of a user without privileges, which marks files in another way.
    pub rootless: bool,
}

/// A containerd of the same node, with its images.
pub struct Beside<'a> {
    /// It.
    pub store: Arc<Containerd>,
    /// Its images, sorted by id.
    pub images: &'a [Image],
}

/// Opens a data root (`/var/lib/docker`), where the tree that is given begins. What of it cannot be read is in its contents' gaps.
pub fn open(root: &Root, access: &Access, beside: &[Beside<'_>]) -> Docker {
    let files = Files::new(root);
    let mut contents = Contents::default();
    let graphs = graph::all(&files, access, &mut contents.gaps);
    graphs.iter().for_each(|graph| graph.tell_unread(files.place(), &mut contents.gaps));
    graph::tell_lost(&files, &graphs, &mut contents.gaps);
    contents.images = images::read(&graphs, &mut contents.gaps);
    containers::read(&files, &graphs, beside, &mut contents);
    contents.loose = loose(&graphs, &contents);
    Docker { graphs, lent: beside.iter().map(|beside| Arc::clone(&beside.store)).collect(), contents }
}

/// Layers of all drivers that nothing refers to.
fn loose(graphs: &[Graph], contents: &Contents) -> Vec<LooseLayer> {
    let layers = contents.images.iter().flat_map(|image| &image.layers);
    let used: BTreeSet<&Digest> = layers.map(|layer| &layer.chain_id).collect();
    let mut containers: Vec<String> =
        contents.all_containers().map(|container| container.id.clone()).collect();
    containers.sort();
    // What of them cannot be read is told where it is needed.
    let all = graphs.iter().filter_map(|graph| loose::of(graph, &used, &containers).ok());
    let mut loose: Vec<LooseLayer> = all.flatten().collect();
    loose.sort();
    loose
}

impl Store for Docker {
    fn runtime(&self) -> &'static str {
        "docker"
    }

    fn contents(&self) -> Contents {
        self.contents.clone()
    }

    fn layer(&self, layer: &LayerRef) -> LayerSources {
        let mut sources = LayerSources::default();
        for graph in &self.graphs {
            match graph.layer(layer) {
                Ok(Some((unpacked, size))) => {
                    let mut found = LayerSources { snapshot: Some(unpacked), ..LayerSources::default() };
                    let mut gap = |error: &FormatError, effect| {
                        let subject = layer.diff_id.to_string();
                        found.gaps.push(Gap::from_error(error, Scope::Layer, subject, effect));
                    };
                    if let Some(doubt) = graph.doubt(layer) {
                        gap(&doubt, "the files and packages of this layer may be those of another");
                    }
                    match size {
                        Ok(size) => found.snapshot_size = size,
                        Err(error) => {
                            gap(&error, "files of this layer may be empty that are not so in the image");
                        }
                    }
                    return found;
                }
                Ok(None) => {}
                Err(error) => {
                    let effect = "files and packages of this layer are missing unless it is elsewhere, too";
                    let subject = layer.diff_id.to_string();
                    sources.gaps.push(Gap::from_error(&error, Scope::Layer, subject, effect));
                }
            }
        }
        // Of an image that its containerd has lost.
        let lent = self.lent.iter().map(|lent| lent.layer(layer));
        let is_there = |sources: &LayerSources| sources.snapshot.is_some() || sources.blob.is_some();
        lent.into_iter().find(is_there).unwrap_or(sources)
    }

    fn between(&self, layer: &LayerRef) -> Result<Vec<Unpacked>, FormatError> {
        let all = self.lent.iter().map(|lent| lent.between(layer));
        all.into_iter()
            .find(|found| !matches!(found, Ok(found) if found.is_empty()))
            .unwrap_or(Ok(Vec::new()))
    }

    fn tar_split(&self, layer: &LayerRef) -> Result<Option<TarSplit>, FormatError> {
        let mut failure = None;
        for graph in &self.graphs {
            match graph.tar_split(layer) {
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
                found => return found,
            }
        }
        failure.map_or(Ok(None), Err)
    }

    fn is_bound(&self, layer: &LayerRef) -> bool {
        let is_whole = |unpacked: Unpacked| matches!(unpacked.form, Form::Whole(Some(_)));
        self.graphs.iter().any(Graph::is_whole) && self.layer(layer).snapshot.is_some_and(is_whole)
            || self.lent.iter().any(|lent| lent.is_bound(layer))
    }

    fn writable_layers(&self, container: &Container) -> Result<Vec<Unpacked>, FormatError> {
        let Some((driver, key)) = &container.snapshot else { return Ok(Vec::new()) };
        if !container.namespace.is_empty() {
            let holds = |lent: &&Arc<Containerd>| lent.has_snapshot(&container.namespace, driver, key);
            let lent = self.lent.iter().find(holds);
            let lent = lent.ok_or_else(|| missing(format!("no containerd has the snapshot {key:?}")))?;
            return lent.own_layers(&container.namespace, driver, key);
        }
        match self.graphs.iter().find(|graph| graph.name == *driver) {
            Some(graph) => graph.writable(&container.id),
            None if driver::NOT_READ.contains(&driver.as_str()) => Err(driver::not_read(driver)),
            None => {
                Err(missing(format!("neither Docker nor a containerd has the layer of {driver:?} for it")))
            }
        }
    }

    fn document(&self, digest: &Digest) -> Result<Option<Vec<u8>>, FormatError> {
        let mut failure = None;
        for graph in &self.graphs {
            match graph.config(digest) {
                Ok(None) => {}
                Err(error) => failure = Some(error),
                found => return found,
            }
        }
        failure.map_or(Ok(None), Err)
    }
}

fn missing(what: String) -> FormatError {
    FormatError::Unsupported { code: Code::SnapshotMissing, what }
}

#[cfg(test)]
mod tests;
