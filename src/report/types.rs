//! The report's nouns. Lists are sorted by stable keys; only `run` differs between two runs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Branch, Container, Kernel, Pod};
use crate::{
    Gap,
    gap::Reason,
    inventory::{Os, PackageKind, SourcePackage},
    vuln::{Finding, database::FeedSource, matching::NearMiss},
};

/// What a scan found, and what it could not examine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// `icecore.report/1`.
    pub schema: String,
    /// This run: left out of reproducible reports.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<Run>,
    /// How complete the rest is.
    pub verdict: Verdict,
    /// The machine.
    pub node: Node,
    /// Its images, by id.
    pub images: Vec<Image>,
    /// Its containers, by id.
    pub containers: Vec<Container>,
    /// The sandboxes of its pods, which runtimes make for themselves, by id.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sandboxes: Vec<Container>,
    /// Its pods, by namespace and name.
    pub pods: Vec<Pod>,
    /// Records about packages that are no finding, if they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub near_misses: Vec<Near>,
    /// What could not be examined.
    pub gaps: Vec<Gap>,
    /// Figures of the scan.
    pub stats: Stats,
}

/// A record about a package of the node, an image, or a container that is no finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Near {
    /// The image, by id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image: Option<String>,
    /// The container, by id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub container: Option<String>,
    /// The record, and why it is no finding.
    pub near_miss: NearMiss,
}

/// One run of icecore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// icecore's version.
    pub version: String,
    /// When it began (RFC 3339, UTC).
    pub started: String,
    /// When it ended.
    pub finished: String,
    /// The command line.
    pub command: Vec<String>,
    /// Which advisories it used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub database: Option<RunDatabase>,
}

/// The database of advisories that a run used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunDatabase {
    /// Where it lay.
    pub path: String,
    /// The feeds that it was made of, with the dates of their newest records.
    pub sources: Vec<FeedSource>,
}

/// How complete a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything was examined.
    Complete,
    /// Gaps tell what was not.
    Partial,
    /// The node is of a kind that is not analyzed.
    Skipped,
    /// Nothing could be examined.
    Failed,
}

impl Status {
    /// The word for it, as reports spell it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// How complete the report is.
    pub status: Status,
    /// Why it is not complete.
    pub reasons: Vec<Reason>,
    /// Which kinds of packages were looked for: those of another kind are not in the report, however complete it is. None
    /// for an inspection.
    #[serde(default)]
    pub looked_for: Vec<PackageKind>,
}

/// The machine that the disks belong to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// The disks, in the order in which they were given.
    pub disks: Vec<Disk>,
    /// Their volumes.
    pub volumes: Vec<Volume>,
    /// What is mounted where.
    pub mounts: Vec<Mount>,
    /// The same as a tree from each disk to what is mounted, which `inspect` gives.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tree: Vec<Branch>,
    /// Its operating system.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub os: Option<Os>,
    /// Its host name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hostname: Option<String>,
    /// Its kernels, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub kernels: Vec<Kernel>,
    /// The container runtimes' state directories.
    pub runtimes: Vec<Runtime>,
    /// Archives of images that its distribution of Kubernetes loads when it starts (air-gapped k3s, RKE2, k0s): named, not
    /// read, as what of them was loaded is in the runtime.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub image_archives: Vec<ImageArchive>,
    /// What its files tell it to run, whether that is on the disks or not: quadlets, services that start containers, static pods.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub declared: Vec<Declared>,
    /// Its own packages; `None` if they were not looked for.
    pub packages: Option<Vec<Package>>,
    /// Packages that its lock files and manifests name and that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub packages_declared: Vec<Package>,
    /// Findings of its own packages; `None` if they were not matched.
    pub findings: Option<Vec<Finding>>,
}

/// A container or pod that a file of the node tells it to run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Declared {
    /// `quadlet`, `unit` (a service that starts a container) or `static-pod`.
    pub kind: String,
    /// The file.
    pub path: String,
    /// The systemd unit that it is or makes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<String>,
    /// The name of the container or pod, empty if it is not told.
    pub name: String,
    /// A pod's namespace.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub namespace: String,
    /// The images, as they are spelled there.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub images: Vec<String>,
    /// Ids of the containers on the disks that it made; none if it is not there.
    pub containers: Vec<String>,
}

/// An archive of images on a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ImageArchive {
    /// Where it lies.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disk {
    /// `disk0` for the first on the command line, `disk1` for the next, …
    pub id: String,
    /// The file's name without its directory.
    pub name: String,
    /// `raw`, `qcow2`, …, `directory`.
    pub format: String,
    /// The virtual disk's size in bytes.
    pub size: u64,
    /// `gpt`, `mbr`, `none`.
    pub partition_table: String,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Volume {
    /// Its name here, in gaps and for `--volume`: `disk0p1` is partition 1 (by the partition table's own numbers) of
    /// the first disk on the command line, `disk0` that disk itself if it has no partition table; `vg/root` is LVM2's
    /// logical volume `root` of the volume group `vg`; `md/data` is MD's array `data`, `md/datap1` a partition of it.
    pub id: String,
    /// Where it begins, in bytes: a disk's partition on the virtual disk, an array's partition on the array. 0 for all
    /// else: a whole disk, an array, a logical volume.
    pub offset: u64,
    /// Its size in bytes.
    pub size: u64,
    /// What it holds: a file system's name (whether or not it could be opened: gaps tell), another format's, or
    /// `unknown`.
    pub content: String,
    /// The file system's UUID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uuid: Option<String>,
    /// The file system's label.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
    /// The partition's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub partition_name: Option<String>,
    /// The partition's UUID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub partition_uuid: Option<String>,
    /// The ids of the volumes that it is made of, for a logical volume or an array.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub parts: Vec<String>,
    /// The id of the volume under which its file system is read and mounts are listed, for a further device of a file
    /// system that spans several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub part_of: Option<String>,
}

/// A volume's place in the machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Mount {
    /// Where: a path of the machine.
    pub path: String,
    /// Which volume, by its id.
    pub volume: String,
    /// By which line of fstab, by what takes its place, or `root`.
    pub spec: String,
}

/// A container runtime's state directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Runtime {
    /// `containerd`, `docker`, `containers-storage`.
    pub name: String,
    /// The id of the volume, if it is not mounted in the machine's tree.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub volume: Option<String>,
    /// Where: a path of the machine, or of that volume.
    pub path: String,
    /// Whether its images are in this report.
    pub status: Status,
    /// Layers in it that belong to no image and no container of it, as of a builder's cache: named, not examined.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub loose_layers: Option<LooseLayers>,
}

/// Layers that nothing refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LooseLayers {
    /// How many.
    pub count: u64,
    /// Bytes of the files of those of which the runtime recorded it.
    pub size: u64,
    /// What the runtime calls them (the digests of their chains, or their directories), as many as a report lists.
    pub ids: Vec<String>,
}

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A container runs it, or did.
    Workload,
    /// The sandbox of pods (`pause`).
    Sandbox,
    /// Runs only in the cluster's own namespaces, or is kept by the runtime whatever runs.
    Addon,
    /// No container on the disk is of it.
    Unused,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// The digest of its configuration.
    pub id: String,
    /// Digests of its manifest and of the indexes that lead to it.
    pub manifests: Vec<String>,
    /// Its names.
    pub references: Vec<String>,
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// When it was built.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created: Option<String>,
    /// The configuration's labels.
    pub labels: BTreeMap<String, String>,
    /// The build steps.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub history: Vec<History>,
    /// Its layers, base first.
    pub layers: Vec<Layer>,
    /// What it is for.
    pub role: Role,
    /// Ids of the containers that run it.
    pub used_by: Vec<String>,
    /// Whether everything of it was examined; `None` of an inspection, which examines no image, unless something of it is
    /// known to be missing.
    pub status: Option<Status>,
    /// Its distribution.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub os: Option<Os>,
    /// Its packages; `None` if they were not looked for.
    pub packages: Option<Vec<Package>>,
    /// Packages that its lock files and manifests name and that are not among its packages: a build may have used them, or
    /// something may install them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub packages_declared: Vec<Package>,
    /// Packages that its layers have and that later layers hide, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub packages_hidden: Option<Vec<Package>>,
    /// Their findings; `None` if they were not matched.
    pub findings: Option<Vec<Finding>>,
}

/// A build step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// When.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created: Option<String>,
    /// The command.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created_by: Option<String>,
    /// Whether it made no layer.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub empty_layer: bool,
}

/// Where a layer was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LayerSource {
    /// The unpacked directory.
    Snapshot,
    /// The pulled blob.
    Blob,
    /// Neither was there.
    Missing,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// The digest of its uncompressed tar; of the chain that it ends, where an image is lost and a container lies on its layers.
    pub diff_id: String,
    /// The digest of the blob that was pulled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<String>,
    /// Where it was read from; of an inspection, where it would be.
    pub source: LayerSource,
    /// The blob's size in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<u64>,
    /// Whether everything of it was examined; `None` of an inspection, unless it is missing.
    pub status: Option<Status>,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Package {
    /// The purl type.
    #[serde(rename = "type")]
    pub kind: PackageKind,
    /// Its name.
    pub name: String,
    /// Its version, as the guest's own tool prints it.
    pub version: String,
    /// Its architecture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arch: Option<String>,
    /// Its package URL.
    pub purl: String,
    /// The source package.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<SourcePackage>,
    /// Its licence, as declared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub license: Option<String>,
    /// The SPDX expression of that, if it is declared in other words whose meaning is certain.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub license_expression: Option<String>,
    /// Who built it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub vendor: Option<String>,
    /// The rpm module.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub module: Option<String>,
    /// Where it came from, if not from the package manager's default.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub origin: Option<String>,
    /// Its homepage, or else its repository.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// `algorithm:hex` of the archive that it was installed from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<String>,
    /// The package that it came with (purl): one of the distribution that installed it, which is then what there is to fix, one of
    /// Python or conda whose record lists its file, or one of Node.js in whose directory it lies.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owned_by: Option<String>,
    /// Whether it is a copy inside another package.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub vendored: bool,
    /// Whether none of its first modules is there: they were removed by hand, and what tells of the package was left.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub files_gone: bool,
    /// What it needs to run and is there (purls of other packages of the same list), as far as its package manager's records tell.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub depends_on: Vec<String>,
    /// Where it shows.
    pub locations: Vec<Location>,
}

/// Where a package shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    /// The file.
    pub path: String,
    /// The member of it that shows the package, if the file is an archive; `!/` stands before what lies in a member that
    /// is an archive itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub inside: Option<String>,
    /// The DiffID of the layer that has the file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layer: Option<String>,
}

/// Figures of a scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Bytes read from the disks; left out of reproducible reports, as threads may read a block twice.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes_read: Option<u64>,
    /// Reads made; left out of reproducible reports.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reads: Option<u64>,
    /// Requests made to servers; left out of reproducible reports, and of those without disks behind URLs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub requests: Option<u64>,
    /// Bytes that these servers sent; left out as the requests are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes_received: Option<u64>,
    /// Names seen in directories.
    pub files_seen: u64,
    /// Files opened.
    pub files_opened: u64,
    /// Layers, each counted once.
    pub layers: u64,
    /// Of these, the ones whose facts came from the cache; left out of reproducible reports.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layers_cached: Option<u64>,
    /// Images.
    pub images: u64,
    /// Packages of all images, containers and the node; `None` if they were not looked for.
    pub packages: Option<u64>,
    /// Findings of all images, containers and the node; `None` if they were not matched.
    pub findings: Option<u64>,
}
