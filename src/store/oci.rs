//! Manifests, indexes and configurations (OCI image-spec 1.1; Docker image manifest version 2, schema 2).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    Digest,
    block::{self, Source},
    error::FormatError,
    gap::Code,
    limits,
};

/// What points to a blob.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The blob's digest.
    pub digest: Digest,
    /// The blob's media type.
    #[serde(default, deserialize_with = "nullable")]
    pub media_type: String,
    /// The blob's size in bytes.
    #[serde(default)]
    pub size: u64,
    /// The platform of the image that it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Annotations.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What an image runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`, `windows`.
    #[serde(default, deserialize_with = "nullable")]
    pub os: String,
    /// `amd64`, `arm64`.
    #[serde(default, deserialize_with = "nullable")]
    pub architecture: String,
    /// `v7`, `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// An index or a manifest: one has `manifests`, the other `config` and `layers`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The media type, where the document tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact it is, if not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// An index's manifests.
    #[serde(default, deserialize_with = "nullable")]
    pub manifests: Vec<Descriptor>,
    /// A manifest's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Descriptor>,
    /// A manifest's layers, base first.
    #[serde(default, deserialize_with = "nullable")]
    pub layers: Vec<Descriptor>,
}

/// An image configuration, as far as it is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// What it runs on.
    #[serde(flatten)]
    pub platform: Platform,
    /// When it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// How it runs.
    #[serde(default, deserialize_with = "nullable")]
    pub config: Execution,
    /// Its layers.
    #[serde(default, deserialize_with = "nullable")]
    pub rootfs: RootFs,
    /// Its build steps.
    #[serde(default, deserialize_with = "nullable")]
    pub history: Vec<History>,
}

/// The execution parameters, as far as they are used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Labels.
    #[serde(rename = "Labels", default, deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
}

/// The layers' digests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Digests of the uncompressed tars, base first.
    #[serde(default, deserialize_with = "nullable")]
    pub diff_ids: Vec<Digest>,
}

/// One build step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Whether it made no layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

impl Descriptor {
    /// One of which nothing but the digest is known.
    pub(super) fn of(digest: Digest) -> Self {
        let (media_type, annotations) = (String::new(), BTreeMap::new());
        Self { digest, media_type, size: 0, platform: None, annotations }
    }

    /// Whether it leads to a build attestation rather than to an image (BuildKit's convention).
    pub fn is_attestation(&self) -> bool {
        self.annotations.contains_key("vnd.docker.reference.type")
            || self.platform.as_ref().is_some_and(|p| p.os == "unknown" && p.architecture == "unknown")
    }
}

impl Platform {
    /// `os/architecture[/variant]`.
    pub fn text(&self) -> String {
        let variant = self.variant.as_ref().filter(|variant| !variant.is_empty());
        let variant = variant.map(|variant| format!("/{variant}")).unwrap_or_default();
        format!("{}/{}{variant}", self.os, self.architecture)
    }
}

/// The bytes of a manifest, index or configuration, which must have its digest.
pub fn checked(source: &Source, digest: &Digest, structure: &'static str) -> Result<Vec<u8>, FormatError> {
    let bytes = block::read_all(source, structure, limits::TEXT_FILE_BYTES)?;
    let actual = Digest::of(&bytes);
    // While fuzzing, changed documents are to be understood.
    if actual == *digest || cfg!(fuzzing) {
        return Ok(bytes);
    }
    let what = format!("{structure} {digest} of {} bytes has digest {actual}", bytes.len());
    Err(FormatError::Unsupported { code: Code::BlobDigestMismatch, what })
}

/// Go writes an empty list or map as `null`.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
