//! Docker's storage drivers (moby's package `daemon/graphdriver`): where each keeps a layer, and in which form.

use crate::{error::FormatError, gap::Code};

/// Those of all times that are not read.
pub(super) const NOT_READ: [&str; 6] = ["zfs", "aufs", "devicemapper", "overlay", "windowsfilter", "lcow"];

/// Whether it is a driver's name.
pub(super) fn is_one(name: &[u8]) -> bool {
    str::from_utf8(name).is_ok_and(|name| NOT_READ.contains(&name) || Driver::named(name).is_ok())
}

/// That a driver is not read.
pub(super) fn not_read(name: &str) -> FormatError {
    FormatError::Unsupported {
        code: Code::UnsupportedSnapshotter,
        what: format!("the storage driver {name:?} of Docker"),
    }
}

/// A storage driver whose layers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    /// The kernel's overlay file system.
    Overlay2,
    /// Its replacement in user space.
    FuseOverlay,
    /// Whole copies.
    Vfs,
    /// Whole trees, of which btrfs shares the blocks.
    Btrfs,
}

impl Driver {
    /// The driver of this name.
    pub(super) fn named(name: &str) -> Result<Self, FormatError> {
        match name {
            "overlay2" => Ok(Self::Overlay2),
            "fuse-overlayfs" => Ok(Self::FuseOverlay),
            "vfs" => Ok(Self::Vfs),
            "btrfs" => Ok(Self::Btrfs),
            _ => Err(not_read(name)),
        }
    }

    /// The directory of all layers.
    pub(super) const fn layers(self) -> &'static str {
        match self {
            Self::Overlay2 => "overlay2",
            Self::FuseOverlay => "fuse-overlayfs",
            Self::Vfs => "vfs/dir",
            Self::Btrfs => "btrfs/subvolumes",
        }
    }

    /// Where the files of a layer are in the data root.
    pub(super) fn place(self, id: &str) -> String {
        match self {
            Self::Overlay2 | Self::FuseOverlay => format!("{}/{id}/diff", self.layers()),
            Self::Vfs | Self::Btrfs => format!("{}/{id}", self.layers()),
        }
    }

    /// Whether a layer's directory holds everything that shows, and not only what the layer changed.
    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::Vfs | Self::Btrfs)
    }
}
