//! `layerdb`: which directory of the driver holds a layer (`sha256/CHAIN/{diff,parent,cache-id,size}`), and which those that
//! a container writes (`mounts/CONTAINER/{mount-id,init-id,parent}`).

use super::files::Files;
use crate::{Digest, error::FormatError, gap::Code, limits};

const LAYER: &str = "layer record";
const MOUNT: &str = "record of a container's layer";

/// A layer as it is recorded.
pub(super) struct Layer {
    pub(super) diff_id: Digest,
    /// The name of its directory.
    pub(super) cache_id: String,
    /// The chain id of what lies below.
    pub(super) parent: Option<Digest>,
}

/// A container's layers.
pub(super) struct Mount {
    /// The name of the directory that the container writes.
    pub(super) id: String,
    /// The name of the one below, which is Docker's own; none for Windows.
    pub(super) init: Option<String>,
    /// The chain id of the image's layers below; none for an image without any.
    pub(super) parent: Option<Digest>,
}

/// The record of a chain, `None` if there is none. What it says of the layer and of what lies below must make the chain:
/// so no record leads back to itself, and none to a layer of another image.
pub(super) fn layer(files: &Files, chain: &Digest) -> Result<Option<Layer>, FormatError> {
    let at = |name: &str| format!("sha256/{}/{name}", chain.hex());
    let Some(diff) = digest(files, &at("diff"), LAYER)? else {
        return match files.below(&at(""))? {
            Some(_) => Err(files.corrupt(LAYER, &at("diff"), "is not there")),
            None => Ok(None),
        };
    };
    let parent = digest(files, &at("parent"), LAYER)?;
    let actual = diff.chain(parent.as_ref());
    if actual != *chain {
        return Err(files.corrupt(LAYER, &at("diff"), &format!("the layer and its parent make {actual}")));
    }
    let cache_id = id(files, &at("cache-id"), LAYER)?;
    let cache_id = cache_id.ok_or_else(|| files.corrupt(LAYER, &at("cache-id"), "is not there"))?;
    Ok(Some(Layer { diff_id: diff, cache_id, parent }))
}

/// The bytes of a layer's files, if they are recorded.
pub(super) fn size(files: &Files, chain: &Digest) -> Result<Option<u64>, FormatError> {
    let path = format!("sha256/{}/size", chain.hex());
    let Some(size) = files.word(&path, LAYER)? else { return Ok(None) };
    size.parse().map(Some).map_err(|_| files.corrupt(LAYER, &path, &format!("{size:?}")))
}

/// The name of a layer's directory, if its record tells one; `chain` is in hexadecimal.
pub(super) fn directory(files: &Files, chain: &str) -> Option<String> {
    id(files, &format!("sha256/{chain}/cache-id"), LAYER).ok().flatten()
}

/// Why a layer is not to be had from a disk: Windows' base layers are not to be passed on, and stay where they were.
pub(super) fn is_foreign(files: &Files, chain: &Digest) -> bool {
    #[derive(serde::Deserialize, Default)]
    #[serde(default)]
    struct Descriptor {
        urls: Vec<String>,
    }
    let path = format!("sha256/{}/descriptor.json", chain.hex());
    let found = files.json::<Descriptor>(&path, LAYER, limits::DOCKER_RECORD_BYTES);
    found.ok().flatten().is_some_and(|descriptor| !descriptor.urls.is_empty())
}

/// The record of a container's layers, `None` if there is none.
pub(super) fn mount(files: &Files, container: &str) -> Result<Option<Mount>, FormatError> {
    let at = |name: &str| format!("mounts/{container}/{name}");
    let Some(mount) = id(files, &at("mount-id"), MOUNT)? else { return Ok(None) };
    let init = id(files, &at("init-id"), MOUNT)?;
    Ok(Some(Mount { id: mount, init, parent: digest(files, &at("parent"), MOUNT)? }))
}

fn digest(files: &Files, path: &str, structure: &'static str) -> Result<Option<Digest>, FormatError> {
    let word = files.word(path, structure)?;
    word.map(|word| word.parse().map_err(|error| files.corrupt(structure, path, &format!("{error}"))))
        .transpose()
}

/// A name of a driver's directory: one component of letters, digits and dashes, which leads nowhere else.
fn id(files: &Files, path: &str, structure: &'static str) -> Result<Option<String>, FormatError> {
    let Some(word) = files.word(path, structure)? else { return Ok(None) };
    let is_name = word.len() <= 255 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_name {
        return Ok(Some(word));
    }
    let shown: String = word.chars().take(100).collect();
    Err(FormatError::Unsupported {
        code: Code::CorruptStructure,
        what: format!("{structure} {}/{path}: {shown:?} is no name of a layer's directory", files.place()),
    })
}
