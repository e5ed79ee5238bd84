//! What is different on some disks, and why: one table, so that nothing else in the suite knows a disk by its name.

/// A way in which a disk or an archive is not like the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// fuse-overlayfs does not count links.
    LinksNotCounted,
    /// A layer that BuildKit made lies twice on the disk, once with whole seconds.
    WholeSeconds,
    /// An archive has not what Docker mounts of its own between the layers of images that it built ([`super::trees::INIT`]).
    InitNotSaved,
    /// Older runtimes lose extended attributes without a value when they unpack a layer, and the same layer is there as a blob,
    /// or unpacked by another that keeps them.
    EmptyAttributes,
    /// No layer names `/`: Podman and containerd's erofs make it with a mode of their own, which no archive has and no other copy.
    ModeOfRoot,
    /// Directories that no tar names have a time of their own in each copy of a layer, and there are several copies, or the kernel
    /// shows it in whole seconds, as if a tar had it; or the driver copies trees without the times of directories.
    TimesOfDirectories,
    /// The same image is root's and a user's, which has no devices and other capabilities: root's is shown.
    OtherCopyOfRootless,
    /// Layers are refused by name.
    Refused,
    /// An index of several platforms, of which the truth tells of one.
    OtherPlatforms,
}

use Case::{
    EmptyAttributes, InitNotSaved, LinksNotCounted, ModeOfRoot, OtherCopyOfRootless, OtherPlatforms, Refused,
    TimesOfDirectories, WholeSeconds,
};

/// Beginnings of names of disks, parts of their names, and what is different there.
const TABLE: &[(&str, &str, Case)] = &[
    ("docker", "fuse", LinksNotCounted),
    ("podman", "fuse", LinksNotCounted),
    ("docker26", "overlay2", WholeSeconds),
    ("docker28", "overlay2", WholeSeconds),
    ("docker28-containerd", ".tar", InitNotSaved),
    ("all-ext4", "", EmptyAttributes),
    ("all-ext4", "", OtherCopyOfRootless),
    ("all-ext4", "", ModeOfRoot),
    ("all-ext4", "", TimesOfDirectories),
    ("docker-upgraded", "", EmptyAttributes),
    ("docker-upgraded", "", TimesOfDirectories),
    ("containerd21-erofs", "", TimesOfDirectories),
    ("containerd21-erofs", "", ModeOfRoot),
    ("containerd", "native", TimesOfDirectories),
    ("docker-overlay2-ext4-", ".tar", EmptyAttributes),
    ("podman-overlay-ext4-", ".docker", EmptyAttributes),
    ("podman-overlay-ext4-", ".oci", EmptyAttributes),
    ("podman-overlay-ext4-", ".dir", EmptyAttributes),
    ("podman", ".docker", ModeOfRoot),
    ("podman", ".oci", ModeOfRoot),
    ("podman", ".dir", ModeOfRoot),
    ("podman58-composefs", "", Refused),
    ("podman", "-index.oci", OtherPlatforms),
];

/// Whether a disk is such a case.
pub(super) fn is(disk: &str, case: Case) -> bool {
    TABLE.iter().any(|(start, part, of)| *of == case && disk.starts_with(start) && disk.contains(part))
}
