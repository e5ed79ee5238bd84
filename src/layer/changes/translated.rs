//! An upper directory of another form than that of an overlay mount by root.

use std::collections::HashSet;

use crate::{
    block::Source,
    error::FormatError,
    fs::{DirEntry, FileKind, FileSystem, Handle, Ino, Listing, Stat, Xattr},
    layer::overlay,
    store::{Form, Owners},
};

/// What fuse-overlayfs puts before the name of what is removed, where it may not make devices.
const REMOVED: &[u8] = b".wh.";
/// The file with which it marks an opaque directory, the same as in a layer's tar.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Its attributes for the same.
const OPAQUE_ATTRIBUTES: [&[u8]; 2] = [b"user.fuseoverlayfs.opaque", b"user.overlay.opaque"];
/// Its other attributes, and those of containers/storage's `force_mask`.
const BOOKKEEPING: [&[u8]; 2] = [b"user.fuseoverlayfs.", b"user.overlay."];
/// `uid:gid:octal mode[:kind[-device]]` of a file whose inode could not be given them.
const OVERRIDE: [&[u8]; 2] = [b"user.containers.override_stat", b"user.fuseoverlayfs.override_stat"];

pub(super) struct Translated {
    top: Handle,
    form: Form,
    owners: Owners,
}

impl Translated {
    pub(super) fn new(top: &Handle, form: Form, owners: Owners) -> Self {
        Self { top: top.clone(), form, owners }
    }

    fn is_fuse(&self) -> bool {
        matches!(self.form, Form::FuseOverlay)
    }

    /// What the names of a directory stand for: those that tell of removed ones become whiteouts.
    fn entries(&self, all: Vec<DirEntry>) -> Vec<DirEntry> {
        let removed: HashSet<Vec<u8>> =
            all.iter().filter_map(|entry| entry.name.strip_prefix(REMOVED).map(<[u8]>::to_vec)).collect();
        let renamed = all.into_iter().filter_map(|entry| match entry.name.strip_prefix(REMOVED) {
            _ if entry.name == OPAQUE => None,
            Some(name) => {
                let (name, kind) = (name.to_vec(), FileKind::CharDevice);
                Some(DirEntry { name, ino: overlay::WHITEOUT, kind })
            }
            // Beside such a mark it does not show.
            None => (!removed.contains(&entry.name)).then_some(entry),
        });
        renamed.collect()
    }

    /// Capabilities that a user namespace's root gave a file name that root (capabilities(7), version 3): inside, they are
    /// of version 2.
    fn capability(&self, xattr: &mut Xattr) {
        const VERSION_3: u8 = 3;
        if xattr.name != b"security.capability"
            || xattr.value.len() != 24
            || xattr.value.get(3) != Some(&VERSION_3)
        {
            return;
        }
        let root = xattr.value.last_chunk().map(|root| u32::from_le_bytes(*root));
        if root.is_some_and(|root| self.owners.user(root) == 0) {
            xattr.value.truncate(20);
            if let Some(version) = xattr.value.get_mut(3) {
                *version = 2;
            }
        }
    }

    fn overridden(&self, ino: Ino) -> Result<Option<Override>, FormatError> {
        for name in OVERRIDE {
            if let Some(value) = self.top.fs.xattr(ino, name)? {
                return Override::parse(&value).map(Some).ok_or_else(|| {
                    let value = String::from_utf8_lossy(&value).into_owned();
                    let problem = format!("{}: {value:?}", String::from_utf8_lossy(name));
                    FormatError::corrupt("extended attribute", ino.0, problem)
                });
            }
        }
        Ok(None)
    }
}

impl FileSystem for Translated {
    fn root(&self) -> Ino {
        self.top.ino
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        if ino == overlay::WHITEOUT {
            return Ok(overlay::whiteout());
        }
        let stat = self.top.fs.stat(ino)?;
        if self.is_fuse()
            && let Some(told) = self.overridden(ino)?
        {
            let Override { uid, gid, mode, kind } = told;
            return Ok(Stat { uid, gid, mode, kind: kind.unwrap_or(stat.kind), ..stat });
        }
        // A whiteout that an unprivileged mount made belongs to that user; it is one all the same.
        Ok(Stat { uid: self.owners.user(stat.uid), gid: self.owners.group(stat.gid), ..stat })
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        if !self.is_fuse() {
            return self.top.fs.lookup(dir, name);
        }
        if self.top.fs.lookup(dir, &[REMOVED, name].concat())?.is_some() {
            return Ok(Some(overlay::WHITEOUT));
        }
        if name.starts_with(REMOVED) { Ok(None) } else { self.top.fs.lookup(dir, name) }
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        let mut listing = self.top.fs.read_dir(dir)?;
        if self.is_fuse() {
            listing.entries = self.entries(listing.entries);
        }
        Ok(listing)
    }

    fn read_dirs(&self, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
        let mut listings = self.top.fs.read_dirs(dirs);
        if self.is_fuse() {
            for listing in listings.iter_mut().flatten() {
                listing.entries = self.entries(std::mem::take(&mut listing.entries));
            }
        }
        listings
    }

    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        self.top.fs.read_link(ino)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        if ino == overlay::WHITEOUT {
            return Ok(Vec::new());
        }
        let mut xattrs = self.top.fs.xattrs(ino)?;
        match self.form {
            Form::UserOverlay => xattrs.iter_mut().for_each(overlay::as_by_root),
            Form::FuseOverlay => {
                let is_opaque = |xattr: &Xattr| OPAQUE_ATTRIBUTES.contains(&xattr.name.as_slice());
                let mut opaque = xattrs.iter().any(|xattr| is_opaque(xattr) && xattr.value == b"y");
                if !opaque && self.top.fs.stat(ino)?.kind == FileKind::Directory {
                    opaque = self.top.fs.lookup(ino, OPAQUE)?.is_some();
                }
                xattrs.retain(|xattr| {
                    let own = BOOKKEEPING.iter().any(|prefix| xattr.name.starts_with(prefix));
                    !own && !OVERRIDE.contains(&xattr.name.as_slice())
                });
                if opaque && !overlay::is_opaque(&xattrs) {
                    xattrs.push(overlay::opaque());
                }
            }
            Form::Overlay | Form::Whole(_) => {}
        }
        if !self.owners.is_same() {
            xattrs.iter_mut().for_each(|xattr| self.capability(xattr));
        }
        Ok(xattrs)
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        self.top.fs.open(ino)
    }
}

struct Override {
    uid: u32,
    gid: u32,
    mode: u32,
    kind: Option<FileKind>,
}

impl Override {
    fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?.trim_end_matches('\0');
        let mut fields = text.split(':');
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let mode = u32::from_str_radix(fields.next()?, 8).ok()?;
        let named = match fields.next().map(|kind| kind.split_once('-').map_or(kind, |(kind, _)| kind)) {
            None | Some("") => None,
            Some("file") => Some(FileKind::Regular),
            Some("dir") => Some(FileKind::Directory),
            Some("symlink") => Some(FileKind::Symlink),
            Some("pipe") => Some(FileKind::Fifo),
            Some("socket") => Some(FileKind::Socket),
            Some("block") => Some(FileKind::BlockDevice),
            Some("char") => Some(FileKind::CharDevice),
            Some(_) => return None,
        };
        Some(Self { uid, gid, mode: mode & 0o7777, kind: named.or_else(|| FileKind::from_mode(mode)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fs::{GuestPath, Root, memory::Tree},
        layer::{Sameness, changes},
        store::{IdRange, Unpacked},
    };

    fn xattr(name: &str, value: &str) -> Xattr {
        Xattr { name: name.into(), value: value.into() }
    }

    #[test]
    fn the_marks_of_fuse_overlayfs_are_those_of_overlayfs() {
        let mut tree = Tree::default();
        tree.file("d/.wh.gone", "");
        tree.file("d/gone", "hidden by the mark");
        tree.file("d/there", "x");
        tree.file("o/.wh..wh..opq", "");
        tree.mark(&GuestPath::new("p"), xattr("user.fuseoverlayfs.opaque", "y"));
        tree.mark(&GuestPath::new("q"), xattr("user.containers.override_stat", "5:6:40711"));
        let dir = Root::new(tree.build()).top();
        let form = Form::FuseOverlay;
        let seen = Root::below(
            &changes(&Unpacked { dir, form, owners: Owners::default() }, Sameness::Attributes).unwrap(),
        );
        let of = |path: &str| seen.find(path.as_bytes()).unwrap().unwrap();
        let names: Vec<_> = of("d").read_dir().unwrap().entries.into_iter().map(|e| e.name).collect();
        assert_eq!(names, [b"gone".to_vec(), b"there".to_vec()]);
        assert!(overlay::is_whiteout(&of("d/gone").stat().unwrap()));
        for (path, expected) in [("o", true), ("p", true), ("d", false)] {
            let xattrs = of(path).fs.xattrs(of(path).ino).unwrap();
            assert_eq!(overlay::is_opaque(&xattrs), expected, "{path}");
            assert_eq!(xattrs.len(), usize::from(expected), "{path}");
        }
        let stat = of("q").stat().unwrap();
        assert_eq!((stat.uid, stat.gid, stat.mode, stat.kind), (5, 6, 0o711, FileKind::Directory));
        assert!(of("o").read_dir().unwrap().entries.is_empty());
    }

    #[test]
    fn capabilities_that_a_namespaces_root_gave_are_plain_ones_inside() {
        let mut value = vec![1, 0, 0, 3];
        value.extend([0x20, 0, 0, 0].iter().chain(&[0; 12]));
        value.extend(1000u32.to_le_bytes());
        let of = |root: u32| {
            let owners =
                Owners { users: vec![IdRange { inside: 0, outside: root, count: 1 }], groups: Vec::new() };
            Translated::new(&Root::new(Tree::default().build()).top(), Form::UserOverlay, owners)
        };
        let mut given = Xattr { name: b"security.capability".to_vec(), value };
        of(7).capability(&mut given);
        assert_eq!(given.value.len(), 24, "another's root");
        of(1000).capability(&mut given);
        assert_eq!((given.value.len(), given.value[3], given.value[4]), (20, 2, 0x20));
    }

    #[test]
    fn the_attributes_and_owners_of_a_user_namespace_are_those_of_its_root() {
        let mut tree = Tree::default();
        tree.mark(&GuestPath::new("d"), xattr("user.overlay.opaque", "y"));
        let dir = Root::new(tree.build()).top();
        let range = IdRange { inside: 7, outside: 0, count: 1 };
        let owners = Owners { users: vec![range], groups: Vec::new() };
        let seen = Root::below(
            &changes(&Unpacked { dir, form: Form::UserOverlay, owners }, Sameness::Attributes).unwrap(),
        );
        let d = seen.find(b"d").unwrap().unwrap();
        assert!(overlay::is_opaque(&d.fs.xattrs(d.ino).unwrap()));
        assert_eq!(d.stat().unwrap().uid, 7);
    }
}
