//! A node's kernels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kernel of the machine: its images and its modules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Kernel {
    /// What `uname -r` prints when it runs; `None` if nothing tells.
    pub release: Option<String>,
    /// What tells that: `image`, the image's `path`, or the directory of its `modules`.
    pub told_by: String,
    /// Its images; none if only its modules are there.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub images: Vec<KernelImage>,
    /// The directory of its modules, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub modules: Option<String>,
    /// The package of the distribution that installed it (purl); without one it is a package of its own, if packages were
    /// looked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owned_by: Option<String>,
    /// Whether it boots next if nobody chooses, by what the boot loader's files say; `None` if that is not certain.
    pub default: Option<bool>,
    /// Whether the last boot of which the logs tell was of it; `None` if they tell of none. The journal is not read.
    pub booted: Option<bool>,
}

/// An image of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct KernelImage {
    /// The id of the volume, if it is not mounted in the machine's tree.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub volume: Option<String>,
    /// Where: a path of the machine, or of that volume.
    pub path: String,
}
