//! The node's own packages: those of its root and of what is mounted in it, without what belongs to containers.

use std::sync::Arc;

use super::kernels;
use crate::{
    Gap, bytes,
    fs::{DirEntry, FileKind, GuestPath, Handle},
    gap::{Code, Scope},
    image::{self, Located},
    inventory::Package,
    layer::{self, Walk},
    limits,
    node::{Kernel, Machine, Runtime, Site},
};

/// Directories of a node that hold no packages of its own: the kernel's, and the volumes of pods.
const NOT_ITS_OWN: &[&str] = &["proc", "sys", "dev", "run", "var/lib/kubelet/pods", "var/run"];

/// Directories of Docker's.
const DOCKERS: [&[u8]; 12] = [
    b"overlay2",
    b"fuse-overlayfs",
    b"vfs",
    b"btrfs",
    b"aufs",
    b"zfs",
    b"image",
    b"volumes",
    b"containers",
    b"containerd",
    b"rootfs",
    b"plugins",
];

/// What a node has of its own.
#[derive(Default)]
pub(super) struct Own {
    pub(super) packages: Vec<Located>,
    /// What its lock files and manifests name, and it has not.
    pub(super) declared: Vec<Located>,
    /// The packages that installed its kernels, in their order.
    pub(super) kernel_owners: Vec<Option<Arc<Package>>>,
    /// Names seen in directories.
    pub(super) seen: u64,
    pub(super) gaps: Vec<Gap>,
}

impl Own {
    pub(super) fn examine(machine: &Machine, kernels: &[Kernel]) -> Self {
        let Some(root) = &machine.root else { return Self::default() };
        let mut skip: Vec<GuestPath> = NOT_ITS_OWN.iter().map(GuestPath::new).collect();
        for site in machine.sites.iter().filter(|site| site.volume.is_none()) {
            skip.extend(state_of(site));
        }
        skip = skip.into_iter().flat_map(|path| aliases(path, machine)).collect();
        // A directory that is shown at a second place is walked in its first.
        let is_first =
            |at: &GuestPath| machine.mounts.iter().any(|mount| mount.path == *at && mount.shows.is_none());
        let mounts = root.mounts().iter().filter(|mount| is_first(&mount.at));
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
        let mut packages = inventory.packages;
        let kernel_owners = kernels::owners(kernels, &packages, &facts);
        packages.extend(kernels::unowned(kernels, &kernel_owners));
        packages.sort();
        Self { packages, declared: inventory.declared, kernel_owners, seen, gaps }
    }
}

/// A path, and the paths under which the same is seen where it was before it was shown at a second place.
fn aliases(path: GuestPath, machine: &Machine) -> Vec<GuestPath> {
    let mut all = vec![path];
    let mut next = 0;
    while let Some(path) = all.get(next).cloned() {
        next = next.saturating_add(1);
        for mount in &machine.mounts {
            let below = mount.shows.as_ref().zip(path.strip(&mount.path));
            if let Some(alias) = below.map(|(first, below)| first.concat(&below))
                && !all.contains(&alias)
                && all.len() < limits::MOUNTS
            {
                all.push(alias);
            }
        }
    }
    all
}

/// The directories of a runtime's state. Only what is the runtime's own is left out of the node: a configuration
/// may name any directory.
fn state_of(site: &Site) -> Vec<GuestPath> {
    let is_own = |name: &[u8]| match site.runtime {
        Runtime::Containerd => name.starts_with(b"io.containerd."),
        Runtime::Docker => DOCKERS.contains(&name),
        Runtime::ContainersStorage => [b"overlay".as_slice(), b"vfs", b"btrfs", b"volumes"].contains(&name),
    };
    let mut own = Vec::new();
    for root in [&site.root].into_iter().chain(&site.storage.image_stores) {
        let dir = root.top();
        for entry in names(&dir).into_iter().filter(|entry| is_own(&entry.name)) {
            if entry.kind == FileKind::Symlink {
                own.extend(root.find(&entry.name).ok().flatten().into_iter().flat_map(|dir| layers_in(&dir)));
            }
            own.push(dir.path.join(&entry.name));
        }
    }
    own
}

/// What a directory holds; damage is told by the store.
fn names(dir: &Handle) -> Vec<DirEntry> {
    dir.read_dir().map(|listing| listing.entries).unwrap_or_default()
}

/// The directories of layers in one that a link of a runtime's leads to, which may be any directory of the node.
fn layers_in(dir: &Handle) -> Vec<GuestPath> {
    const OF_DRIVERS: [&[u8]; 5] = [b"snapshots", b"active", b"view", b"subvolumes", b"dir"];
    let is_id = |name: &[u8]| name.get(..64).is_some_and(bytes::is_hex_id);
    let is_layers = |entry: &DirEntry| OF_DRIVERS.contains(&entry.name.as_slice()) || is_id(&entry.name);
    names(dir).iter().filter(|entry| is_layers(entry)).map(|entry| dir.path.join(&entry.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block,
        fs::{Opened, memory::Tree},
        node::{NodeVolume, assemble},
        volume::Volume,
    };

    fn volume(id: &str, disk: usize, uuid: &str, tree: Tree) -> NodeVolume {
        let source: block::Source = Arc::new(block::Memory::default());
        let (names, parts) = (Vec::new(), Vec::new());
        let volume = Volume { id: id.to_owned(), disk, start: 0, source, partition: None, names, parts };
        let (uuid, label, notes) = (Some(uuid.to_owned()), None, Vec::new());
        NodeVolume { volume, opened: Opened { fs: tree.build(), kind: "memory", uuid, label, notes } }
    }

    #[test]
    fn what_images_have_is_not_the_nodes_wherever_their_stores_are() {
        let mut tree = Tree::default();
        tree.file("etc/os-release", "ID=debian\n");
        tree.file("etc/passwd", "u:x:1000:1000::/home/u:/bin/sh\n");
        tree.file(
            "etc/containers/storage.conf",
            "[storage]\n[storage.options]\nadditionalimagestores = [\"/srv/images\"]\n",
        );
        let package = "{\"name\": \"b\", \"version\": \"1.0.0\"}";
        for store in ["var/lib/containers/storage", "srv/images", "home/u/.local/share/containers/storage"] {
            tree.file(&format!("{store}/overlay-images/images.json"), "[]");
            tree.file(&format!("{store}/overlay/x/diff/srv/node_modules/b/package.json"), package);
        }
        tree.file("srv/node_modules/b/package.json", package);
        let machine = assemble(&[volume("root", 0, "r", tree)], &[]);
        let sites: Vec<(String, bool)> =
            machine.sites.iter().map(|site| (site.path.to_string(), site.rootless)).collect();
        let home = "/home/u/.local/share/containers/storage".to_owned();
        assert_eq!(sites, [("/var/lib/containers/storage".to_owned(), false), (home, true)]);
        assert_eq!(Own::examine(&machine, &[]).packages.len(), 1);
    }

    #[test]
    fn what_containers_have_is_not_the_nodes_wherever_their_state_is_mounted() {
        let package = "{\"name\": \"a\", \"version\": \"1.0.0\"}";
        let state = |tree: &mut Tree, at: &str| {
            tree.file(&format!("{at}io.containerd.metadata.v1.bolt/meta.db"), "x");
            let layer =
                "io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/srv/node_modules/a/package.json";
            tree.file(&format!("{at}{layer}"), package);
        };
        let (mut root, mut data) = (Tree::default(), Tree::default());
        root.file("etc/os-release", "ID=debian\n");
        root.file("etc/fstab", "UUID=bbbb /var/lib/containerd ext4 defaults 0 2\n");
        root.file("var/lib/containerd/mounted-over", "");
        root.file("srv/node_modules/own/package.json", "{\"name\": \"own\", \"version\": \"1.0.0\"}");
        state(&mut data, "");
        let machine = assemble(&[volume("disk0", 0, "aaaa", root), volume("disk1", 1, "bbbb", data)], &[]);
        let own = Own::examine(&machine, &[]);
        let names: Vec<&str> = own.packages.iter().map(|located| located.package.name.as_str()).collect();
        assert_eq!(names, ["own"]);
        // A runtime whose directory is said to be another's leaves that one to the node.
        let mut root = Tree::default();
        root.file("etc/os-release", "ID=debian\n");
        root.file("etc/containerd/config.toml", "root = \"/srv\"\n");
        root.file("srv/node_modules/own/package.json", "{\"name\": \"own\", \"version\": \"1.0.0\"}");
        state(&mut root, "srv/");
        let own = Own::examine(&assemble(&[volume("disk0", 0, "aaaa", root)], &[]), &[]);
        assert_eq!(own.packages.len(), 1);
    }

    #[test]
    fn what_images_have_is_not_the_nodes_where_a_link_leads_to_it() {
        let package = "{\"name\": \"a\", \"version\": \"1.0.0\"}";
        let mut tree = Tree::default();
        tree.file("etc/os-release", "ID=debian\n");
        tree.file("var/lib/docker/image/overlay2/repositories.json", "{}");
        tree.link("var/lib/docker/overlay2", "../../../srv");
        tree.file(&format!("srv/{}/diff/srv/node_modules/a/package.json", "a".repeat(64)), package);
        tree.file("srv/node_modules/own/package.json", "{\"name\": \"own\", \"version\": \"1.0.0\"}");
        let own = Own::examine(&assemble(&[volume("disk0", 0, "aaaa", tree)], &[]), &[]);
        let names: Vec<&str> = own.packages.iter().map(|located| located.package.name.as_str()).collect();
        assert_eq!(names, ["own"]);
    }
}
