//! The node's own packages: those of its root and of what is mounted in it, without what belongs to containers.

use std::sync::Arc;

use crate::{
    Gap,
    fs::{GuestPath, Handle},
    gap::{Code, Scope},
    image::{self, Located},
    layer::{self, Walk},
    node::{Machine, Runtime, Site},
};

/// Directories of a node that hold no packages of its own: the kernel's, and the volumes of pods.
const NOT_ITS_OWN: &[&str] = &["proc", "sys", "dev", "run", "var/lib/kubelet/pods", "var/run"];

/// What a node has of its own.
#[derive(Default)]
pub(super) struct Own {
    pub(super) packages: Vec<Located>,
    /// Names seen in directories.
    pub(super) seen: u64,
    pub(super) gaps: Vec<Gap>,
}

impl Own {
    pub(super) fn examine(machine: &Machine) -> Self {
        let Some(root) = &machine.root else { return Self::default() };
        let mut skip: Vec<GuestPath> = NOT_ITS_OWN.iter().map(GuestPath::new).collect();
        for site in machine.sites.iter().filter(|site| site.volume.is_none()) {
            skip.extend(state_of(site));
        }
        // A directory that is bound to a second place was walked in its first.
        let mounts = root.mounts().iter().filter(|mount| mount.ino == mount.fs.root());
        let is_state = |at: &GuestPath| {
            machine.sites.iter().any(|site| site.volume.is_none() && at.starts_with(&site.path))
        };
        skip.extend(root.mounts().iter().map(|mount| mount.at.clone()));
        let mut tops = vec![(GuestPath::ROOT, root.top())];
        tops.extend(mounts.filter(|mount| !is_state(&mount.at)).map(|mount| {
            let handle = Handle { fs: Arc::clone(&mount.fs), ino: mount.ino, path: GuestPath::ROOT };
            (mount.at.clone(), handle)
        }));
        let walk = |(at, top): &(GuestPath, Handle)| {
            let walk = Walk { subject: "node", scope: Scope::Volume, at, skip: &skip };
            Arc::new(layer::analyze(top, walk))
        };
        let facts: Vec<_> = tops.iter().map(walk).collect();
        let mut gaps: Vec<Gap> = facts.iter().flat_map(|facts| facts.gaps.iter().cloned()).collect();
        let empty: u64 = facts.iter().map(|facts| facts.empty).sum();
        if empty > 0 {
            let detail = format!("{empty} of the node's own package databases or os-release files are empty");
            let effect = "the node's own packages may be missing";
            gaps.push(Gap::new(Code::ZeroLengthFiles, Scope::Volume, "node", detail, effect));
        }
        // Mounts do not overlap: what lies below a mount point was not walked.
        let inventory = image::fold(&facts, "node", &|| Ok(vec![root.top()]));
        gaps.extend(inventory.gaps.into_iter().map(|gap| Gap { scope: Scope::Volume, ..gap }));
        let seen = facts.iter().map(|facts| facts.entries).sum();
        Self { packages: inventory.packages, seen, gaps }
    }
}

/// The directories of a runtime's state. Only what is the runtime's own is left out of the node: a configuration
/// may name any directory.
fn state_of(site: &Site) -> Vec<GuestPath> {
    let is_own = |name: &[u8]| match site.runtime {
        Runtime::Containerd => name.starts_with(b"io.containerd."),
        Runtime::Docker => {
            [b"overlay2".as_slice(), b"image", b"volumes", b"vfs", b"btrfs", b"containers"].contains(&name)
        }
        Runtime::ContainersStorage => [b"overlay".as_slice(), b"vfs", b"btrfs", b"volumes"].contains(&name),
    };
    // Damage is told by the store.
    let names = site.dir.read_dir().map(|listing| listing.entries).unwrap_or_default();
    names.into_iter().filter(|entry| is_own(&entry.name)).map(|entry| site.path.join(&entry.name)).collect()
}
