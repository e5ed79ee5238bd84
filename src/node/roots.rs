//! Which tree of files is an operating system's root.

use std::sync::Arc;

use super::{
    devices::{Names, has_number, is_on},
    fstab::{self, Line},
    machine::NodeVolume,
};
use crate::{
    error::FormatError,
    fs::{Branch, FileSystem, GuestPath, Root, Subvolume},
    inventory::{EXTRACTORS, Os},
    limits,
};

/// A file system with some tree of it as its root.
type Tree = Arc<dyn FileSystem>;

/// What distributions call the subvolume of the root.
const USUAL: [&[u8]; 4] = [b"@", b"@rootfs", b"root", b"@root"];

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

/// The tree of a volume that is an operating system's root: the one that is mounted by default, or else the subvolume that
/// its own fstab calls the root, or else the first of those at the top. What is not certain, or could not be read, is told.
pub(super) fn root_of(fs: &Tree, tell: &mut impl FnMut(&FormatError)) -> Result<Option<Tree>, FormatError> {
    if holds_os(&Root::new(Arc::clone(fs)))? {
        return Ok(Some(Arc::clone(fs)));
    }
    let mut failure = None;
    // Images, too, may be unpacked to subvolumes; none of them is at the top, and none says that it is this root.
    let (mut branches, deeper): (Vec<Branch>, Vec<Branch>) =
        fs.subvolumes().into_iter().partition(|branch| branch.top_name.is_some());
    branches.sort_by_key(|branch| !branch.top_name.as_deref().is_some_and(|name| USUAL.contains(&name)));
    branches.extend(deeper);
    if branches.len() > limits::ROOT_SUBVOLUMES {
        failure = Some(FormatError::limit(format!("more than {} subvolumes", limits::ROOT_SUBVOLUMES)));
    }
    let mut found = Vec::new();
    for branch in branches.into_iter().take(limits::ROOT_SUBVOLUMES) {
        match root_at(fs, &branch) {
            Ok(Some((tree, true))) => return Ok(Some(tree)),
            Ok(Some((tree, false))) => found.push((branch.top_name.unwrap_or_default(), tree)),
            Ok(None) => {}
            // Another one may be the root.
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    if found.len() > 1 {
        let names: Vec<String> = found.iter().map(|(name, _)| name.escape_ascii().to_string()).collect();
        let problem =
            format!("each of the subvolumes {} may be the root; the first is taken", names.join(", "));
        tell(&FormatError::malformed("fstab", problem));
    }
    match (found.into_iter().next(), failure) {
        (None, Some(error)) => Err(error),
        (found, failure) => {
            failure.iter().for_each(tell);
            Ok(found.map(|(_, tree)| tree))
        }
    }
}

/// A subvolume that holds an operating system, and whether its own fstab calls it the root: one that is not at the top
/// counts only then.
fn root_at(fs: &Tree, branch: &Branch) -> Result<Option<(Tree, bool)>, FormatError> {
    let Some(tree) = fs.subvolume(Subvolume::Id(branch.id))? else { return Ok(None) };
    let root = Root::new(Arc::clone(&tree));
    let is_it = |which: Subvolume<'_>| match which {
        Subvolume::Id(id) => id == branch.id,
        path => fs.subvolume(path).ok().flatten().is_some_and(|named| named.root() == branch.root),
    };
    let is_named = root_lines(&root).iter().filter_map(Line::subvolume).any(is_it);
    let counts = (is_named || branch.top_name.is_some()) && holds_os(&root)?;
    Ok(counts.then_some((tree, is_named)))
}

/// What the fstab of a tree says of the root.
fn root_lines(root: &Root) -> Vec<Line> {
    let text = root.read(b"etc/fstab", "fstab").ok().flatten().unwrap_or_default();
    let lines = fstab::parse(&String::from_utf8_lossy(&text));
    lines.into_iter().filter(|line| line.at == GuestPath::ROOT).collect()
}

/// Whether the fstab on a volume calls that volume the root.
pub(super) fn is_its_root(volume: &NodeVolume, root: &Root) -> bool {
    // As the kernel counts disks, the disk of the root is whichever the root calls so.
    root_lines(root).iter().any(|line| has_number(volume, line) || is_on(volume, line, &Names::none()))
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
