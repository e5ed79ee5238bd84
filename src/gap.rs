//! What could not be examined. A caught error becomes a [`Gap`]; nothing is silently clean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::FormatError;

macro_rules! codes {
    ($($variant:ident $text:literal $meaning:literal)*) => {
        /// Why something was skipped or left out: the stable, machine-readable part of a gap or a verdict.
        /// A code is never reused for another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code {
            $(
                #[doc = $meaning]
                #[serde(rename = $text)]
                $variant,
            )*
        }

        impl Code {
            /// Every code with its text and meaning, as `icecore schema codes` prints them.
            pub const TABLE: &[(Self, &'static str, &'static str)] =
                &[$((Self::$variant, $text, $meaning),)*];

            /// The code as reports spell it.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

codes! {
    EphemeralOsDisk "ephemeral-os-disk" "The node keeps its OS or its runtime's state on a disk that no snapshot holds."
    WindowsNode "windows-node" "The node runs Windows; its containers are not analyzed."
    UnsupportedNode "unsupported-node" "The caller's facts say that the node is of a kind that is not analyzed."
    TooManyDisks "too-many-disks" "The node has more disks than the caller allows."
    DiskTooLarge "disk-too-large" "A disk of the node is larger than the caller allows."
    NoContainerRuntime "no-container-runtime" "No container runtime's state was found."
    EncryptedVolume "encrypted-volume" "A volume is encrypted and no key was given."
    UnsupportedDiskFormat "unsupported-disk-format" "The disk image is of a format that is not read."
    UnsupportedVolume "unsupported-volume" "A volume manager or RAID format that is not read."
    UnsupportedFileSystem "unsupported-file-system" "A file system that is not read."
    UnsupportedFeature "unsupported-feature" "A feature of a known format that is not read."
    UnsupportedRuntime "unsupported-runtime" "A container runtime's store that is not read."
    UnsupportedSnapshotter "unsupported-snapshotter" "A containerd snapshotter that is not read."
    UnsupportedMediaType "unsupported-media-type" "An image or layer of a media type that is not read."
    MissingDisk "missing-disk" "The node refers to a disk or volume that was not given."
    BackingFileNotGiven "backing-file-not-given" "A disk image refers to another file that was not named."
    DiskSnapshotMissing "disk-snapshot-missing" "A disk has no internal snapshot of the name that the caller gave; it was read as it is."
    SnapshotMissing "snapshot-missing" "An unpacked layer that the runtime's metadata names is not there."
    LayerMissing "layer-missing" "Neither snapshot nor blob of a layer is there."
    BlobMissing "blob-missing" "A manifest, configuration or other blob that an image needs is not there."
    BlobDigestMismatch "blob-digest-mismatch" "A blob's bytes do not have its digest."
    ZeroLengthFiles "zero-length-files" "Files of an unpacked layer are empty: the snapshot was taken before their data reached the disk."
    LazySnapshotter "lazy-snapshotter" "A lazily pulled image whose content is not on the disk."
    CorruptStructure "corrupt-structure" "A structure contradicts its format."
    ReadError "read-error" "The host could not read bytes; another try may succeed."
    Truncated "truncated" "The disk, volume or file ends before the structure does."
    LimitReached "limit-reached" "A documented bound on hostile input was reached."
    UnreadableDatabase "unreadable-database" "A package database could not be read."
    UnknownDistribution "unknown-distribution" "An image's distribution could not be identified."
    EndOfLifeDistribution "end-of-life-distribution" "A distribution no longer gets advisories."
    NoAdvisoriesFor "no-advisories-for" "The database has no advisories for this distribution or ecosystem."
    UnparseableVersion "unparseable-version" "A version does not follow its scheme; it was matched exactly only."
    RuntimeStateUnreadable "runtime-state-unreadable" "A container runtime's metadata could not be read."
    JournalNotReplayed "journal-not-replayed" "The file system's journal could not be replayed; recent changes may be missing."
    DirtyImage "dirty-image" "The disk image was not closed cleanly; it was read as it is."
    NoSuchImage "no-such-image" "A pattern by which the caller chose images fits none."
    AnalyzerFailed "analyzer-failed" "A defect of icecore: an analyzer failed."
}

/// What a gap is a hole in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// A disk image or device.
    Disk,
    /// A partition, logical volume or file system.
    Volume,
    /// A container runtime's state.
    Runtime,
    /// An image.
    Image,
    /// A layer.
    Layer,
    /// A container.
    Container,
    /// One file or directory.
    File,
    /// The vulnerability database.
    Database,
}

impl Scope {
    /// The word for it, as reports spell it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Volume => "volume",
            Self::Runtime => "runtime",
            Self::Image => "image",
            Self::Layer => "layer",
            Self::Container => "container",
            Self::File => "file",
            Self::Database => "database",
        }
    }
}

/// Something that was not examined, and what that means for the report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The machine-readable reason.
    pub code: Code,
    /// What it is a hole in.
    pub scope: Scope,
    /// Which disk, volume, image, … it is: the id under which the report lists it.
    pub subject: String,
    /// The guest's path, if it is about one file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    /// The offset in bytes within the subject, if it is about one place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offset: Option<u64>,
    /// What was seen.
    pub detail: String,
    /// What is missing from the report because of it.
    pub effect: String,
}

impl Gap {
    /// A gap of `subject`; `effect` says what the report lacks because of it.
    pub fn new(
        code: Code,
        scope: Scope,
        subject: impl Into<String>,
        detail: impl Into<String>,
        effect: impl Into<String>,
    ) -> Self {
        Self {
            code,
            scope,
            subject: subject.into(),
            path: None,
            offset: None,
            detail: detail.into(),
            effect: effect.into(),
        }
    }

    /// The gap that a caught error leaves.
    pub fn from_error(
        error: &FormatError,
        scope: Scope,
        subject: impl Into<String>,
        effect: impl Into<String>,
    ) -> Self {
        Self { offset: error.offset(), ..Self::new(error.code(), scope, subject, error.detail(), effect) }
    }

    /// The same gap, about one path of the guest.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }
}

/// Why a node is skipped or a report is not complete, with what shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// The machine-readable reason.
    pub code: Code,
    /// In words.
    pub detail: String,
    /// What was seen, and where.
    pub evidence: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_kebab_words_and_spelled_the_same_in_json() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, text, _) in Code::TABLE {
            assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{text}");
            assert!(seen.insert(text), "{text} twice");
            assert_eq!(serde_json::to_value(code).unwrap(), *text);
        }
    }
}
