//! Layers that no image and no container has: of images that were removed, of a build, or of a container whose record is gone.

use std::collections::BTreeSet;

use super::{graph::Graph, layerdb};
use crate::{Digest, error::FormatError, fs::FileKind, store::LooseLayer};

/// Those of one driver. `used` are the chains of images and of what containers lie on; `containers` are sorted ids.
pub(super) fn of(
    graph: &Graph,
    used: &BTreeSet<&Digest>,
    containers: &[String],
) -> Result<Vec<LooseLayer>, FormatError> {
    let Some(files) = graph.layers() else { return Ok(Vec::new()) };
    let (names, _) = files.directories("sha256", |_| false)?;
    let chains: Vec<Digest> = names.iter().filter_map(|name| format!("sha256:{name}").parse().ok()).collect();
    let mut loose = Vec::new();
    for chain in chains.iter().filter(|chain| !used.contains(chain)) {
        // What cannot be read of it is no loss.
        let size = layerdb::size(files, chain).ok().flatten();
        loose.push(LooseLayer { id: chain.to_string(), size });
    }
    let mounts = graph.mounts()?;
    let is_lost = |id: &&String| containers.binary_search(id).is_err();
    loose.extend(
        mounts.iter().filter(is_lost).map(|id| LooseLayer { id: format!("mounts/{id}"), size: None }),
    );
    loose.extend(unrecorded(graph, &chains, &mounts)?);
    Ok(loose)
}

/// Directories of the driver of which there is no record: BuildKit keeps records of its own.
fn unrecorded(graph: &Graph, chains: &[Digest], mounts: &[String]) -> Result<Vec<LooseLayer>, FormatError> {
    let Some((place, entries)) = graph.directories()? else { return Ok(Vec::new()) };
    let directories = entries.iter().filter(|entry| entry.kind == FileKind::Directory && entry.name != b"l");
    let names: BTreeSet<String> =
        directories.map(|entry| String::from_utf8_lossy(&entry.name).into_owned()).collect();
    // As many as there are records: of each layer one, of each container two. Then none of these needs to be read.
    if names.len() == chains.len().saturating_add(mounts.len().saturating_mul(2)) {
        return Ok(Vec::new());
    }
    let mut recorded = BTreeSet::new();
    let files = graph.layers().into_iter();
    let layers = files.flat_map(|files| chains.iter().map(move |chain| layerdb::layer(files, chain)));
    recorded.extend(layers.filter_map(|layer| Some(layer.ok()??.cache_id)));
    for mount in mounts.iter().filter_map(|id| graph.mount(id).ok()?) {
        recorded.insert(mount.id);
        recorded.extend(mount.init);
    }
    let rest = names.into_iter().filter(|name| !recorded.contains(name));
    Ok(rest.map(|name| LooseLayer { id: format!("{place}/{name}"), size: None }).collect())
}
