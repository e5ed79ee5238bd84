//! Which of the manifests that a reference leads to are the node's images.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{Candidate, Resolved};
use crate::{
    Digest, Gap,
    error::FormatError,
    gap::{Code, Scope},
    store::Image,
};

/// The architecture of most images that the node unpacked.
pub(super) fn host_architecture<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for resolved in candidates.filter_map(|candidate| candidate.resolved.as_ref().ok()) {
        if resolved.unpacked {
            let count = counts.entry(&resolved.config.platform.architecture).or_default();
            *count = count.saturating_add(1);
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(architecture, _)| architecture.to_owned())
}

/// The images among a reference's manifests: all that were unpacked; else the one for the host's
/// architecture; else any that can be read. If there is none, what is missing is the image's gap.
pub(super) fn choose(
    candidates: Vec<Candidate>,
    target: &Digest,
    media_type: &str,
    host: Option<&str>,
) -> Vec<Image> {
    let all: BTreeSet<Digest> =
        candidates.iter().flat_map(|candidate| candidate.via.iter().cloned()).collect();
    let mut unpacked = Vec::new();
    let mut native = None;
    let mut readable = None;
    let mut failure: Option<(bool, FormatError)> = None;
    let mut wrong = None;
    let mut cut = None;
    for candidate in candidates {
        let Candidate { platform, via, resolved } = candidate;
        match resolved {
            Ok(resolved) => {
                let is_native = host.is_none_or(|host| host == resolved.config.platform.architecture);
                let is_unpacked = resolved.unpacked;
                let image = image(&resolved, via);
                if is_unpacked {
                    unpacked.push(image);
                } else if is_native {
                    native.get_or_insert(image);
                } else {
                    readable.get_or_insert(image);
                }
            }
            Err(error) if error.code() == Code::LimitReached => cut = Some(error),
            Err(error) => {
                // Indexes name manifests of platforms that the node never pulled: the one for its own counts.
                let own = platform.is_none_or(|p| host.is_some_and(|host| host == p.architecture));
                // One that is there and cannot be believed is told whatever else there is.
                if own && matches!(error.code(), Code::BlobDigestMismatch | Code::CorruptStructure) {
                    wrong = Some(error);
                    continue;
                }
                if failure.as_ref().is_none_or(|(known_own, _)| own && !known_own) {
                    failure = Some((own, error));
                }
            }
        }
    }
    let lost = |error: &FormatError, image: &mut Image| {
        let effect = "another image of the same name may be the one that the node ran";
        image.gaps.push(Gap::from_error(error, Scope::Image, image.id.to_string(), effect));
    };
    // Of another platform than the node's: it stands in for one that was lost.
    let stands_in = unpacked.is_empty() && native.is_none();
    let mut images = unpacked;
    if images.is_empty() {
        images.extend(native.or(readable));
    }
    if let Some(first) = images.first_mut() {
        for error in cut.iter().chain(&wrong) {
            lost(error, first);
        }
        if let Some((true, error)) = failure.as_ref().filter(|_| stands_in) {
            lost(error, first);
        }
        return images;
    }
    let error = cut.or(wrong).or(failure.map(|(_, error)| error));
    let error = error.unwrap_or_else(|| FormatError::malformed("image index", "no manifest of an image"));
    let mut gap =
        Gap::from_error(&error, Scope::Image, target.to_string(), "the image's packages are not reported");
    if media_type.contains("schema1") || media_type.contains("manifest.v1") && media_type.contains("docker") {
        gap = Gap { code: Code::UnsupportedMediaType, ..gap };
    }
    vec![Image { manifests: all, gaps: vec![gap], ..Image::unknown(target.clone()) }]
}

fn image(resolved: &Resolved, manifests: BTreeSet<Digest>) -> Image {
    let Resolved { id, config, layers, .. } = resolved;
    Image { manifests, ..Image::new(id.clone(), config, layers.clone()) }
}
