//! How a runtime's storage driver keeps a layer that it has unpacked.

use crate::fs::Handle;

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

/// Owners in the container of owners on the disk, for users and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// Of users; none if they are the same.
    pub users: Vec<IdRange>,
    /// Of groups.
    pub groups: Vec<IdRange>,
}

/// A line of `/proc/PID/uid_map`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdRange {
    /// The first id in the container.
    pub inside: u32,
    /// The first id on the disk.
    pub outside: u32,
    /// How many.
    pub count: u32,
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

impl Owners {
    /// Whether every owner on the disk is the owner in the container.
    pub fn is_same(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    /// The user in the container; what no range has is the kernel's overflow id.
    pub fn user(&self, on_disk: u32) -> u32 {
        inside(&self.users, on_disk)
    }

    /// The same of a group.
    pub fn group(&self, on_disk: u32) -> u32 {
        inside(&self.groups, on_disk)
    }
}

/// `/proc/sys/kernel/overflowuid`: an id that has no name in a user namespace.
const OVERFLOW: u32 = 65534;

fn inside(ranges: &[IdRange], on_disk: u32) -> u32 {
    if ranges.is_empty() {
        return on_disk;
    }
    let of = |range: &IdRange| {
        let within = on_disk.checked_sub(range.outside).filter(|within| *within < range.count)?;
        range.inside.checked_add(within)
    };
    ranges.iter().find_map(of).unwrap_or(OVERFLOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_those_of_the_user_namespace() {
        let ranges = vec![
            IdRange { inside: 0, outside: 1000, count: 1 },
            IdRange { inside: 1, outside: 100_000, count: 65536 },
        ];
        let owners = Owners { users: ranges, groups: Vec::new() };
        assert_eq!(
            [1000, 100_000, 165_535, 0, 165_536].map(|id| owners.user(id)),
            [0, 1, 65536, 65534, 65534]
        );
        assert_eq!(owners.group(1000), 1000);
    }
}
