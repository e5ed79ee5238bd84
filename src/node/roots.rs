//! Which tree of files is an operating system's root.

use std::sync::Arc;

use super::{
    devices::is_on,
    fstab::{self, Line},
    machine::NodeVolume,
};
use crate::{
    error::FormatError,
    fs::{FileSystem, GuestPath, Listing, Root, Subvolume},
    inventory::{EXTRACTORS, Os},
    limits,
};

/// The number of the subvolume that all others are below.
const TOP_SUBVOLUME: u64 = 5;

/// Whether a tree is an operating system's root: it says which, or holds what one has: an fstab, or the database of a
/// package manager. What was found holds, whatever else cannot be read.
pub(super) fn holds_os(root: &Root) -> Result<bool, FormatError> {
    let mut failure = None;
    let mut has = |path: &str| match root.find(path.as_bytes()) {
        Ok(found) => found.is_some(),
        Err(error) => {
            failure.get_or_insert(error);
            false
        }
    };
    let databases = || EXTRACTORS.iter().flat_map(|extractor| extractor.places());
    let found = Os::FILES.iter().any(|file| has(file))
        || has("etc/fstab") && has("usr")
        || databases().any(|place| has(place));
    failure.filter(|_| !found).map_or(Ok(found), Err)
}

/// The tree of a volume that is an operating system's root: the one that is mounted by default, or else one of the
/// subvolumes at its top. Of several, that one which its own fstab calls the root. What of the others could not be read is
/// told.
pub(super) fn root_of(
    fs: &Arc<dyn FileSystem>,
    tell: &mut impl FnMut(&FormatError),
) -> Result<Option<Arc<dyn FileSystem>>, FormatError> {
    if holds_os(&Root::new(Arc::clone(fs)))? {
        return Ok(Some(Arc::clone(fs)));
    }
    let Some(top) = fs.subvolume(Subvolume::Id(TOP_SUBVOLUME))? else { return Ok(None) };
    let (mut found, mut failure) = (None, None);
    let Listing { entries, damage, .. } = top.read_dir(top.root())?;
    damage.iter().for_each(&mut *tell);
    if entries.len() > limits::ROOT_SUBVOLUMES {
        let what = format!("more than {} names at the top of a file system", limits::ROOT_SUBVOLUMES);
        failure = Some(FormatError::limit(what));
    }
    for entry in entries.into_iter().take(limits::ROOT_SUBVOLUMES) {
        let tree = fs.subvolume(Subvolume::Path(&entry.name)).and_then(|tree| match tree {
            Some(tree) => Ok(holds_os(&Root::new(Arc::clone(&tree)))?.then_some(tree)),
            None => Ok(None),
        });
        let tree = match tree {
            Ok(Some(tree)) => tree,
            Ok(None) => continue,
            // Another one may be the root.
            Err(error) => {
                failure.get_or_insert(error);
                continue;
            }
        };
        let text =
            Root::new(Arc::clone(&tree)).read(b"etc/fstab", "fstab").ok().flatten().unwrap_or_default();
        let lines = fstab::parse(&String::from_utf8_lossy(&text));
        let own = |line: &Line| match line.subvolume() {
            Some(Subvolume::Path(path)) => path.strip_prefix(b"/").unwrap_or(path) == entry.name,
            _ => false,
        };
        if lines.iter().any(|line| line.at == GuestPath::ROOT && own(line)) {
            return Ok(Some(tree));
        }
        found.get_or_insert(tree);
    }
    match (found, failure) {
        (None, Some(error)) => Err(error),
        (found, failure) => {
            failure.iter().for_each(tell);
            Ok(found)
        }
    }
}

/// Whether the fstab on a volume calls that volume the root.
pub(super) fn is_its_root(volume: &NodeVolume, root: &Root) -> bool {
    let text = root.read(b"etc/fstab", "fstab").ok().flatten().unwrap_or_default();
    let lines = fstab::parse(&String::from_utf8_lossy(&text));
    lines.iter().any(|line| line.at == GuestPath::ROOT && is_on(volume, line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::memory::Tree;

    #[test]
    fn a_root_need_not_say_which_system_it_is() {
        let holds = |paths: &[&str]| {
            let mut tree = Tree::default();
            paths.iter().for_each(|path| tree.file(path, ""));
            holds_os(&Root::new(tree.build())).unwrap()
        };
        assert!(holds(&["etc/os-release"]) && holds(&["usr/lib/os-release"]));
        assert!(holds(&["etc/fstab", "usr/bin/env"]) && !holds(&["etc/fstab"]));
        // What a package manager has installed is examined, though the file with the system's name was lost.
        assert!(holds(&["var/lib/dpkg/status"]) && holds(&["lib/apk/db/installed"]));
        assert!(holds(&["usr/lib/sysimage/rpm/rpmdb.sqlite"]));
        assert!(!holds(&["lib/dpkg/status", "lib/containerd/x"]), "a separate /var");
    }
}
