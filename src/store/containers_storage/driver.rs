//! Where storage drivers keep a layer, and in what form (containers/storage, `drivers/`).

use crate::{
    error::FormatError,
    fs::{Handle, Root},
    gap::Code,
};

/// A storage driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    /// `overlay/ID/diff`, also by fuse-overlayfs.
    Overlay,
    /// `vfs/dir/ID`: whole trees.
    Vfs,
    /// `btrfs/subvolumes/ID`: whole trees.
    Btrfs,
    /// One whose layers are not read.
    Other(&'static str),
}

impl Driver {
    /// All drivers that containers/storage has had; Docker's `overlay2` is its `overlay`.
    pub(super) const ALL: [Self; 6] = [
        Self::Overlay,
        Self::Vfs,
        Self::Btrfs,
        Self::Other("zfs"),
        Self::Other("aufs"),
        Self::Other("devicemapper"),
    ];

    /// Its name, with which the names of its files begin.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Overlay => "overlay",
            Self::Vfs => "vfs",
            Self::Btrfs => "btrfs",
            Self::Other(name) => name,
        }
    }

    /// Whether its layers are whole trees.
    pub(super) const fn is_whole(self) -> bool {
        matches!(self, Self::Vfs | Self::Btrfs)
    }

    /// The directory of all layers, of a driver that is read.
    pub(super) const fn layers(self) -> Option<&'static str> {
        match self {
            Self::Overlay => Some("overlay"),
            Self::Vfs => Some("vfs/dir"),
            Self::Btrfs => Some("btrfs/subvolumes"),
            Self::Other(_) => None,
        }
    }

    /// The directory of a layer; `id` is a plain name.
    pub(super) fn directory(self, root: &Root, id: &str) -> Result<Handle, FormatError> {
        let path = match self {
            Self::Overlay => format!("overlay/{id}"),
            Self::Vfs => format!("vfs/dir/{id}"),
            Self::Btrfs => format!("btrfs/subvolumes/{id}"),
            Self::Other(name) => {
                let what = format!("the layer is kept by the storage driver {name:?}");
                return Err(FormatError::Unsupported { code: Code::UnsupportedSnapshotter, what });
            }
        };
        let missing = |path: &str| FormatError::Unsupported {
            code: Code::SnapshotMissing,
            what: format!("{path} is not there"),
        };
        let dir = root.find_no_follow(path.as_bytes())?.filter(|dir| matches!(dir.is_dir(), Ok(true)));
        let dir = dir.ok_or_else(|| missing(&path))?;
        if self != Self::Overlay {
            return Ok(dir);
        }
        let below = Root::below(&dir);
        refuse(&below, &path)?;
        // A link would lead to another layer's files, or to those of a program that has to run.
        match below.find_no_follow(b"diff")? {
            Some(diff) if diff.is_dir()? => Ok(diff),
            _ => Err(missing(&format!("{path}/diff"))),
        }
    }
}

/// Refuses what is not a plain tree below `diff`: files of composefs, named by their digests, and layers that a program
/// gives when they are looked at.
fn refuse(layer: &Root, path: &str) -> Result<(), FormatError> {
    if layer.find_no_follow(b"composefs-data")?.is_some() {
        let what =
            format!("{path} is a layer of composefs (\"use_composefs\"), whose files are named by digests");
        return Err(FormatError::unsupported(what));
    }
    if layer.find_no_follow(b"additionallayer")?.is_some() {
        let what = format!("{path} is a layer of an additional layer store, whose files are not on the disk");
        return Err(FormatError::Unsupported { code: Code::LazySnapshotter, what });
    }
    Ok(())
}

/// Whether a mount program (fuse-overlayfs) was used for the overlays of a store: then whiteouts are `.wh.` files. The
/// driver leaves a note for itself; `None` without one.
pub(super) fn has_mount_program(root: &Root) -> Result<Option<bool>, FormatError> {
    let note = root.read_within(b"overlay/.has-mount-program", "storage driver's note", 64)?;
    Ok(note.map(|note| note.trim_ascii() == b"true"))
}
