//! What else a node may hold that runs, or is to run: it is named, not read.

use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath, Root},
    limits,
};

/// Containers that no container runtime of Kubernetes or Docker keeps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Other {
    /// Whose: `lxc`, `lxd`, `incus`, `systemd-nspawn`.
    pub kind: &'static str,
    /// Where it lies.
    pub path: GuestPath,
}

/// An archive of images that a distribution of Kubernetes loads when it starts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageArchive {
    /// Where it lies.
    pub path: GuestPath,
    /// Its size in bytes.
    pub size: u64,
}

/// Whose directories hold one entry for each container, and what such an entry has in it; nothing if any entry is one.
const PLACES: [(&str, &str, Option<&str>); 5] = [
    ("lxc", "var/lib/lxc", Some("config")),
    ("lxd", "var/lib/lxd/containers", None),
    ("lxd", "var/snap/lxd/common/lxd/containers", None),
    ("incus", "var/lib/incus/containers", None),
    ("systemd-nspawn", "var/lib/machines", None),
];

/// Where k3s, RKE2 and k0s look for archives of images (their documentation on air-gapped installation).
const ARCHIVES: [&str; 3] =
    ["var/lib/rancher/k3s/agent/images", "var/lib/rancher/rke2/agent/images", "var/lib/k0s/images"];
const ARCHIVE_ENDS: [&str; 7] = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.bz2", ".tar.lz4"];

/// Containers of other kinds, and what of their directories could not be read.
pub fn others(root: &Root) -> (Vec<Other>, Vec<FormatError>) {
    let (mut found, mut damage) = (Vec::new(), Vec::new());
    for (kind, place, mark) in PLACES {
        let listed = entries(root, place, &mut |path, _| {
            let is_one = mark
                .is_none_or(|mark| matches!(root.find(path.join(mark.as_bytes()).as_bytes()), Ok(Some(_))));
            if is_one && !path.name().starts_with(b".") {
                found.push(Other { kind, path: path.clone() });
            }
        });
        damage.extend(listed.err());
    }
    found.sort();
    (found, damage)
}

/// The archives of images, and what of their directories could not be read.
pub fn image_archives(root: &Root) -> (Vec<ImageArchive>, Vec<FormatError>) {
    let (mut found, mut damage) = (Vec::new(), Vec::new());
    for place in ARCHIVES {
        let listed = entries(root, place, &mut |path, kind| {
            let is_archive = ARCHIVE_ENDS.iter().any(|end| path.name().ends_with(end.as_bytes()));
            if kind == FileKind::Regular && is_archive {
                let size =
                    root.find_no_follow(path.as_bytes()).ok().flatten().and_then(|file| file.stat().ok());
                found.push(ImageArchive { path: path.clone(), size: size.map_or(0, |stat| stat.size) });
            }
        });
        damage.extend(listed.err());
    }
    found.sort();
    (found, damage)
}

fn entries(root: &Root, place: &str, visit: &mut dyn FnMut(&GuestPath, FileKind)) -> Result<(), FormatError> {
    let Some((dir, listing)) = root.list(place.as_bytes())? else { return Ok(()) };
    for entry in listing.entries.iter().take(limits::OTHER_CONTAINERS) {
        visit(&dir.path.join(&entry.name), entry.kind);
    }
    match listing.damage.into_iter().next() {
        Some(error) => Err(error),
        None if listing.entries.len() > limits::OTHER_CONTAINERS => {
            Err(FormatError::limit(format!("more than {} entries in {place}", limits::OTHER_CONTAINERS)))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::memory::Tree;

    #[test]
    fn other_containers_and_archives_of_images_are_named() {
        let mut tree = Tree::default();
        tree.file("var/lib/lxc/web/config", "");
        tree.file("var/lib/lxc/lxc-monitord.log", "");
        tree.file("var/lib/machines/debian/etc/os-release", "");
        tree.file("var/lib/machines/.#debian.lck", "");
        tree.file("var/lib/rancher/k3s/agent/images/k3s-airgap-images-amd64.tar.zst", "12345");
        tree.file("var/lib/rancher/k3s/agent/images/.cache.json", "");
        let root = Root::new(tree.build());
        let (found, damage) = others(&root);
        let found: Vec<_> = found.iter().map(|other| (other.kind, other.path.to_string())).collect();
        let expected = [("lxc", "/var/lib/lxc/web"), ("systemd-nspawn", "/var/lib/machines/debian")];
        assert_eq!(found, expected.map(|(kind, path)| (kind, path.to_owned())));
        assert!(damage.is_empty());
        let (archives, _) = image_archives(&root);
        assert_eq!(archives.iter().map(|archive| archive.size).collect::<Vec<_>>(), [5]);
    }
}
