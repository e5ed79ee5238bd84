//! What kind an entry is: directories say it beside each name, so that a walk need not read every inode, but the
//! kernel goes by the inode. A name whose kind lies would be passed over here and be there in the guest.

use super::{DirEntry, FileKind, FileSystem, Listing};

/// Gives the entries of a listing that may lie the kinds that their inodes have.
///
/// Looked at are devices, FIFOs and sockets (layers have few), the entries that `doubt` names, and where the
/// directory's link count tells of other directories than it lists, all of them. What is left is a directory that
/// poses as a file where nobody doubts it and no link count tells.
pub fn settle(fs: &dyn FileSystem, listing: &mut Listing, doubt: &dyn Fn(&DirEntry) -> bool) {
    let Listing { entries, damage, directories } = listing;
    let is_directory = |entry: &&DirEntry| entry.kind == FileKind::Directory;
    // A damaged directory lists too few of everything.
    let all = damage.is_empty()
        && directories
            .is_some_and(|told| told != crate::num::to_u64(entries.iter().filter(is_directory).count()));
    for entry in entries {
        let is_odd = !matches!(entry.kind, FileKind::Regular | FileKind::Directory | FileKind::Symlink);
        if !(all || is_odd || doubt(entry)) {
            continue;
        }
        match fs.stat(entry.ino) {
            Ok(stat) => entry.kind = stat.kind,
            Err(error) => crate::error::note(damage, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fs::{Root, liar::Liar, memory::Tree};

    /// The kinds of a tree that lists every entry as something else than it is, and counts directories or not.
    fn kinds(lie: FileKind, directories: Option<u64>) -> Vec<FileKind> {
        let mut tree = Tree::default();
        tree.file("a/b", "");
        tree.file("f", "");
        let liar = Liar::new(tree.build(), move |_, listing| {
            listing.entries.iter_mut().for_each(|entry| entry.kind = lie);
            listing.directories = directories;
        });
        let root = Root::new(Arc::new(liar));
        root.top().read_dir().unwrap().entries.into_iter().map(|entry| entry.kind).collect()
    }

    #[test]
    fn an_entry_is_what_its_inode_is() {
        let truth = [FileKind::Directory, FileKind::Regular];
        assert_eq!(kinds(FileKind::Fifo, None), truth);
        assert_eq!(kinds(FileKind::Regular, Some(1)), truth);
        assert_eq!(kinds(FileKind::Symlink, Some(1)), truth);
        // Nobody doubts it: this costs no read of an inode.
        assert_eq!(kinds(FileKind::Regular, Some(0)), [FileKind::Regular; 2]);
    }
}
