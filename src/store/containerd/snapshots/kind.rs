//! The snapshotters: how each keeps what it unpacked.

use super::record::{Kind, Record};
use crate::{
    error::FormatError,
    fs::{self, Handle, Root},
    gap::Code,
    store::{Form, Unpacked},
};

/// How a snapshotter keeps its snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// `snapshots/<id>/fs`, an overlay upper directory.
    Overlay,
    /// The same by fuse-overlayfs.
    FuseOverlay,
    /// `snapshots/<id>`, everything that shows.
    Native,
    /// `snapshots/<id>`, `active/<id>` and `view/<id>`, subvolumes with everything that shows.
    Btrfs,
    /// `snapshots/<id>/layer.erofs`, an EROFS image of an upper directory; `snapshots/<id>/fs` where it is written.
    Erofs,
    /// `snapshots/<id>`, an image of a file system with everything that shows.
    Blockfile,
    /// As overlayfs, but for layers whose files are fetched when they are first read.
    Lazy,
    /// Not read.
    Other,
}

/// The snapshotters by name, with the directories of the node in which those keep their state that are programs of
/// their own.
const SNAPSHOTTERS: &[(&str, Layout, &[&str])] = &[
    ("overlayfs", Layout::Overlay, &[]),
    ("fuse-overlayfs", Layout::FuseOverlay, &["var/lib/containerd-fuse-overlayfs-grpc"]),
    ("native", Layout::Native, &[]),
    ("btrfs", Layout::Btrfs, &[]),
    ("erofs", Layout::Erofs, &[]),
    ("blockfile", Layout::Blockfile, &[]),
    ("stargz", Layout::Lazy, &["var/lib/containerd-stargz-grpc/snapshotter"]),
    ("soci", Layout::Lazy, &["var/lib/soci-snapshotter-grpc/snapshotter"]),
    (
        "nydus",
        Layout::Lazy,
        &["var/lib/containerd-nydus", "var/lib/containerd/io.containerd.snapshotter.v1.nydus"],
    ),
    (
        "overlaybd",
        Layout::Lazy,
        &["var/lib/overlaybd", "var/lib/containerd/io.containerd.snapshotter.v1.overlaybd"],
    ),
    ("gcfs", Layout::Lazy, &["var/lib/containerd/io.containerd.snapshotter.v1.gcfs/snapshotter"]),
    ("devmapper", Layout::Other, &[]),
];

/// A snapshotter by its name.
pub(super) fn layout(name: &str) -> Layout {
    SNAPSHOTTERS.iter().find(|(known, ..)| *known == name).map_or(Layout::Other, |(_, layout, _)| *layout)
}

/// The directory with a snapshotter's `metadata.db`: in containerd's root directory, or elsewhere on the node.
pub(super) fn base(root: &Root, node: Option<&Root>, name: &str) -> Result<Option<Root>, FormatError> {
    let own = [
        format!("io.containerd.snapshotter.v1.{name}"),
        format!("io.containerd.snapshotter.v1.{name}/snapshotter"),
    ];
    let places =
        SNAPSHOTTERS.iter().find(|(known, ..)| *known == name).map_or(&[][..], |(.., places)| *places);
    let own = own.iter().map(|place| (Some(root), place.as_str()));
    for (root, place) in own.chain(places.iter().map(|place| (node, *place))) {
        let Some(root) = root else { continue };
        if root.find(format!("{place}/metadata.db").as_bytes())?.is_some()
            && let Some(dir) = root.find(place.as_bytes())?
        {
            return Ok(Some(root.within(&dir)));
        }
    }
    Ok(None)
}

impl Layout {
    /// Which of several copies of a layer is looked at first.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Overlay | Self::FuseOverlay | Self::Erofs => 0,
            Self::Native | Self::Btrfs | Self::Blockfile => 1,
            Self::Lazy => 2,
            Self::Other => 3,
        }
    }

    /// Whether a snapshot has everything that shows.
    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::Native | Self::Btrfs | Self::Blockfile)
    }

    /// The gap that a layer or container is of which only this snapshotter has the files.
    pub(super) fn refused(self, name: &str, why: &str) -> FormatError {
        let code = if self == Self::Lazy { Code::LazySnapshotter } else { Code::UnsupportedSnapshotter };
        FormatError::Unsupported { code, what: format!("{why} the snapshotter {name:?}") }
    }

    /// A snapshot; `below` is the one under it.
    pub(super) fn unpacked(
        self,
        name: &str,
        base: &Root,
        record: &Record,
        below: Option<&Record>,
    ) -> Result<Unpacked, FormatError> {
        let owners = record.owners.clone();
        let upper = |form: Form| {
            let dir = directory(base, &format!("snapshots/{}/fs", record.id))?;
            Ok(Unpacked { dir, form, owners: owners.clone() })
        };
        match self {
            Self::Overlay => upper(Form::Overlay),
            Self::FuseOverlay => upper(Form::FuseOverlay),
            Self::Lazy => {
                let unpacked = upper(Form::Overlay)?;
                let is_remote = record.remote || record.kind == Kind::Committed && is_empty(&unpacked.dir)?;
                if is_remote {
                    return Err(self.refused(name, "the files of the layer are fetched on demand by"));
                }
                Ok(unpacked)
            }
            Self::Erofs => {
                let Some(image) =
                    base.find_no_follow(format!("snapshots/{}/layer.erofs", record.id).as_bytes())?
                else {
                    return upper(Form::Overlay);
                };
                Ok(Unpacked { dir: image_root(&image)?, form: Form::Overlay, owners })
            }
            Self::Native | Self::Btrfs | Self::Blockfile => {
                let tree = |record: &Record| self.tree(base, record);
                let below = below.map(tree).transpose()?;
                Ok(Unpacked { dir: tree(record)?, form: Form::Whole(below), owners })
            }
            Self::Other => Err(self.refused(name, "the files are kept by")),
        }
    }

    fn tree(self, base: &Root, record: &Record) -> Result<Handle, FormatError> {
        let id = record.id;
        match (self, record.kind) {
            (Self::Btrfs, Kind::Active) => directory(base, &format!("active/{id}")),
            (Self::Btrfs, Kind::View) => directory(base, &format!("view/{id}")),
            (Self::Blockfile, _) => {
                let path = format!("snapshots/{id}");
                let image = base.find_no_follow(path.as_bytes())?;
                image_root(&image.ok_or_else(|| missing(format!("{path} is not there")))?)
            }
            _ => directory(base, &format!("snapshots/{id}")),
        }
    }
}

fn is_empty(dir: &Handle) -> Result<bool, FormatError> {
    let listing = dir.read_dir()?;
    Ok(listing.entries.is_empty() && listing.damage.is_empty())
}

fn directory(base: &Root, path: &str) -> Result<Handle, FormatError> {
    match base.find_no_follow(path.as_bytes())? {
        Some(found) if found.is_dir()? => Ok(found),
        _ => Err(missing(format!("{path} is not there"))),
    }
}

/// The root of the file system that a file holds.
fn image_root(image: &Handle) -> Result<Handle, FormatError> {
    let not_one = || FormatError::malformed("snapshot", format!("{} holds no file system", image.path));
    let opened = fs::open(&image.open()?).ok_or_else(not_one)??;
    match opened.notes.into_iter().next() {
        Some(note) => Err(note),
        None => Ok(Root::new(opened.fs).top()),
    }
}

pub(super) fn missing(what: String) -> FormatError {
    FormatError::Unsupported { code: Code::SnapshotMissing, what }
}
