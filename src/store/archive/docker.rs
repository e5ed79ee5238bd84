//! What `docker save` writes (Docker image specification 1.2): `manifest.json` with the configuration, names and layers of
//! each image. Docker 25 and later write an OCI layout with it.

use serde::Deserialize;

use super::members::Files;
use crate::{
    Digest, Gap,
    block::{self, Source, Stream},
    error::FormatError,
    gap::{Code, Scope},
    limits,
    store::{
        Image, LayerRef,
        oci::{Config, Descriptor},
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    config: String,
    #[serde(default)]
    pub(super) repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Vec<String>,
}

/// The images, and where the blobs of their layers and their configurations lie.
pub(super) struct Listed {
    pub(super) images: Vec<Image>,
    pub(super) paths: Vec<(Digest, String)>,
    pub(super) gaps: Vec<Gap>,
}

/// The entries of `manifest.json`, `None` if there is none.
pub(super) fn entries(files: &Files) -> Result<Option<Vec<Entry>>, FormatError> {
    files.json("manifest.json", "docker archive manifest")
}

/// The images of these entries.
pub(super) fn images(files: &Files, entries: &[Entry]) -> Listed {
    let mut listed = Listed { images: Vec::new(), paths: Vec::new(), gaps: Vec::new() };
    for entry in entries {
        match image(files, entry, &mut listed.paths) {
            Ok(image) => listed.images.push(image),
            Err(error) => {
                let subject = entry.repo_tags.iter().flatten().next().unwrap_or(&entry.config);
                listed.gaps.push(Gap::from_error(&error, Scope::Image, subject, "the image is not reported"));
            }
        }
    }
    listed
}

/// The digest of the configuration that an entry names.
pub(super) fn config(files: &Files, entry: &Entry) -> Result<(Digest, Vec<u8>), FormatError> {
    let missing = || FormatError::Unsupported {
        code: Code::BlobMissing,
        what: format!("image configuration {} is not in the archive", entry.config),
    };
    let source = files.open(&entry.config)?.ok_or_else(missing)?;
    let bytes = block::read_all(&source, "image configuration", limits::TEXT_FILE_BYTES)?;
    Ok((Digest::of(&bytes), bytes))
}

fn image(files: &Files, entry: &Entry, paths: &mut Vec<(Digest, String)>) -> Result<Image, FormatError> {
    let (id, bytes) = config(files, entry)?;
    let config: Config = serde_json::from_slice(&bytes)
        .map_err(|error| FormatError::malformed("image configuration", format!("{id}: {error}")))?;
    paths.push((id.clone(), entry.config.clone()));
    let count = config.rootfs.diff_ids.len();
    if entry.layers.len() != count {
        let problem = format!("{id}: {} layers of {count} that the configuration names", entry.layers.len());
        return Err(FormatError::malformed("docker archive manifest", problem));
    }
    let mut blobs = Vec::new();
    for (path, diff_id) in entry.layers.iter().zip(&config.rootfs.diff_ids) {
        blobs.push(blob(files, path, diff_id)?);
    }
    for (blob, path) in blobs.iter().zip(&entry.layers) {
        paths.extend(blob.iter().map(|blob| (blob.digest.clone(), path.clone())));
    }
    let layers = LayerRef::all(&id, &config, |number, _| blobs.get(number).cloned().flatten())?;
    let mut image = Image::new(id, &config, layers);
    image.references.extend(entry.repo_tags.iter().flatten().cloned());
    Ok(image)
}

/// The layer in a file. It is a plain tar as a rule and so has the layer's own digest; one that is compressed has one that
/// nothing tells.
fn blob(files: &Files, path: &str, diff_id: &Digest) -> Result<Option<Descriptor>, FormatError> {
    const COMPRESSED: [&[u8]; 2] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd"];
    let Some(source) = files.open(path)? else { return Ok(None) };
    let size = source.size();
    let length = crate::num::to_usize(size.min(4));
    let head = block::read_vec(&source, "layer", 0, length)?;
    let is_compressed = COMPRESSED.iter().any(|magic| head.starts_with(magic));
    let digest = if is_compressed { digest(source)? } else { diff_id.clone() };
    let media_type = "application/vnd.docker.image.rootfs.diff.tar".to_owned();
    Ok(Some(Descriptor { digest, media_type, size, platform: None, annotations: Default::default() }))
}

fn digest(source: Source) -> Result<Digest, FormatError> {
    use sha2::Digest as _;
    let mut sum = sha2::Sha256::new();
    std::io::copy(&mut Stream::new(source), &mut sum).map_err(FormatError::reading("layer", 0))?;
    Ok(Digest::from_bytes(sum.finalize().into()))
}
