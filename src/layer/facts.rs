//! What is known of a layer once it was read: enough to fold an image without reading it again.

use serde::{Deserialize, Serialize};

use super::{Owned, Paths, Shadow};
use crate::{
    Gap,
    fs::GuestPath,
    inventory::{Os, Shown},
};

/// A layer's facts. Paths are relative to the layer's root, lists sorted by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFacts {
    /// Files that an extractor wanted, but for those that show nothing and depend on no neighbour.
    pub files: Vec<FileFacts>,
    /// The os-release files.
    pub os: Vec<OsFile>,
    /// Paths that are removed from the layers below.
    pub whiteouts: Vec<Paths>,
    /// Directories of which the layers below show nothing.
    pub opaque: Vec<Paths>,
    /// Symbolic links on the way to a database at a fixed place, and those places themselves.
    #[serde(default)]
    pub links: Vec<Paths>,
    /// Every path that the layer has.
    pub shadow: Shadow,
    /// The files that packages installed, by the databases and records that the layer has.
    #[serde(default)]
    pub owned: Owned,
    /// Directories, and files that an extractor wanted, that are made of something elsewhere in the layers below: what
    /// they show is known of the merged tree only.
    #[serde(default)]
    pub indirect: Vec<Paths>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// Entries seen.
    pub entries: u64,
    /// Files opened.
    pub opened: u64,
    /// Of these, the empty ones: no package database is, unless its data never reached the disk.
    pub empty: u64,
    /// Of the empty ones, a distribution's databases and os-release files.
    #[serde(default)]
    pub empty_databases: u64,
    /// Whether the facts come from a blob rather than from a directory.
    pub from_blob: bool,
}

/// One file that an extractor wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Where it is.
    pub path: Paths,
    /// The extractor's name.
    pub extractor: String,
    /// Names of neighbours that the extractor read or missed: the answer holds only while these come from
    /// the same layer.
    pub companions: Vec<String>,
    /// Files that came with its packages, as [`Extraction::witnesses`](crate::inventory::Extraction::witnesses).
    #[serde(default)]
    pub witnesses: Vec<Paths>,
    /// Its packages, which every image with this layer shares.
    pub packages: Vec<Shown>,
}

/// An os-release file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OsFile {
    /// A regular file with what it says.
    File(Paths, Os),
    /// A symbolic link and its target from the root.
    Link(Paths, Paths),
}

impl OsFile {
    /// Where it is.
    pub fn path(&self) -> &GuestPath {
        match self {
            Self::File(path, _) | Self::Link(path, _) => &path.0,
        }
    }
}

impl LayerFacts {
    /// How many packages its files show.
    pub fn packages(&self) -> usize {
        self.files.iter().map(|file| file.packages.len()).sum()
    }

    /// Whether this layer has something at `path` itself or removes what is there; `hash` is [`Shadow::hash`] of it.
    pub fn hides_at(&self, path: &GuestPath, hash: u128) -> bool {
        self.shadow.has_hash(hash) || self.removes(path)
    }

    /// Whether this layer hides all that layers below have in the directory `dir`: it replaces or removes the
    /// directory, or makes it opaque.
    pub fn hides_below(&self, dir: &GuestPath, hash: u128) -> bool {
        self.shadow.has_hash_of_other_than_directory(hash)
            || self.removes(dir)
            || self.opaque.binary_search_by(|opaque| opaque.0.cmp(dir)).is_ok()
    }

    fn removes(&self, path: &GuestPath) -> bool {
        self.whiteouts.binary_search_by(|whiteout| whiteout.0.cmp(path)).is_ok()
    }
}
