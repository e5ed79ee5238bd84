//! How a runtime's storage driver keeps a layer that it has unpacked.

use crate::fs::{Handle, Owners};

/// A layer as a storage driver keeps it.
#[derive(Clone)]
pub struct Unpacked {
    /// Its directory.
    pub dir: Handle,
    /// What lies in that directory.
    pub form: Form,
    /// Whose the files are in the container, if the disk says otherwise.
    pub owners: Owners,
}

/// What lies in a layer's directory.
#[derive(Clone)]
pub enum Form {
    /// The upper directory of an overlay mount: what the layer changed, with `trusted.overlay.*` attributes.
    Overlay,
    /// The same of a mount with `userxattr`, as unprivileged users have it: `user.overlay.*` attributes.
    UserOverlay,
    /// The upper directory of fuse-overlayfs: `user.fuseoverlayfs.*` attributes or `.wh.` files, and owners and
    /// modes in `user.containers.override_stat`.
    FuseOverlay,
    /// Everything that shows, of this layer and of all below it (vfs, native, btrfs), whose own tree is given; `None`
    /// at the base.
    Whole(Option<Handle>),
}

impl Unpacked {
    /// An upper directory of an overlay mount by root, owners as in the container.
    pub fn overlay(dir: Handle) -> Self {
        Self { dir, form: Form::Overlay, owners: Owners::default() }
    }

    /// A directory with everything that shows, over the one of the layer below.
    pub fn whole(dir: Handle, below: Option<Handle>) -> Self {
        Self { dir, form: Form::Whole(below), owners: Owners::default() }
    }
}
