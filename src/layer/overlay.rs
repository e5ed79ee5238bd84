//! What overlayfs writes into an upper directory (kernel `Documentation/filesystems/overlayfs.rst`): a device 0:0
//! for a name that is removed, an attribute on a directory that hides what lies below it, and attributes that make
//! a file something else than its inode says.

use crate::{
    error::FormatError,
    fs::{Device, FileKind, Ino, Stat, Xattr, memory::Entry},
};

/// The prefix of its attributes.
const OWN: &[u8] = b"trusted.overlay.";
/// The prefix for mounts of unprivileged users. Other mounts show these like any attribute.
const USERS: &[u8] = b"user.overlay.";
/// Behind the prefix: an attribute of an overlay within the overlay.
const NESTED: &[u8] = b"overlay.";

/// The inode number of whiteouts that no inode stands for; no file system has so many inodes.
pub const WHITEOUT: Ino = Ino(u64::MAX);

/// Gives an attribute of an unprivileged mount the name that it has in one by root.
pub fn as_by_root(xattr: &mut Xattr) {
    if let Some(rest) = xattr.name.strip_prefix(USERS) {
        xattr.name = [OWN, rest].concat();
    }
}

/// Whether an inode says that its name is removed.
pub fn is_whiteout(stat: &Stat) -> bool {
    stat.kind == FileKind::CharDevice && stat.rdev == Device::default()
}

/// The attributes of [`WHITEOUT`].
pub fn whiteout() -> Stat {
    Stat { ino: WHITEOUT, mode: 0, ..Entry::new(FileKind::CharDevice).stat }
}

/// Whether a directory with these attributes hides what lies below it.
pub fn is_opaque(xattrs: &[Xattr]) -> bool {
    xattrs.iter().any(|xattr| xattr.name.strip_prefix(OWN) == Some(b"opaque") && xattr.value == b"y")
}

/// The attribute of an opaque directory.
pub fn opaque() -> Xattr {
    Xattr { name: b"trusted.overlay.opaque".to_vec(), value: b"y".to_vec() }
}

/// Whether a file with these attributes has its data in a layer below.
pub fn is_metacopy(xattrs: &[Xattr]) -> bool {
    xattrs.iter().any(|xattr| xattr.name.strip_prefix(OWN) == Some(b"metacopy"))
}

/// Where what lies below a directory, or the data of a file, is to be looked for: a path from the root of the layers, or
/// a name in the same directory.
pub fn redirect(xattrs: &[Xattr]) -> Option<&[u8]> {
    let of = |xattr: &&Xattr| xattr.name.strip_prefix(OWN) == Some(b"redirect");
    xattrs.iter().find(of).map(|xattr| xattr.value.as_slice())
}

/// Whether a file or directory with these attributes is made of something elsewhere in the layers below.
pub fn is_indirect(xattrs: &[Xattr]) -> bool {
    is_metacopy(xattrs) || redirect(xattrs).is_some()
}

/// Why what a directory with these attributes shows is not known: its whiteouts may be attributes of files (`opaque`
/// with the value `x`).
pub fn indirection(xattrs: &[Xattr]) -> Option<FormatError> {
    let is_one = |xattr: &&Xattr| xattr.name.strip_prefix(OWN) == Some(b"opaque") && xattr.value == b"x";
    let found = xattrs.iter().find(is_one)?;
    let what = format!("overlay attribute {} with the value \"x\"", String::from_utf8_lossy(&found.name));
    Some(FormatError::unsupported(what))
}

/// The attributes as a merged view shows them: without the bookkeeping, and those of an overlay within it by the
/// names that they have there.
pub fn shown(xattrs: Vec<Xattr>) -> Vec<Xattr> {
    let shown = xattrs.into_iter().filter_map(|xattr| match xattr.name.strip_prefix(OWN) {
        None => Some(xattr),
        Some(rest) => {
            let nested = rest.strip_prefix(NESTED)?;
            Some(Xattr { name: [OWN, nested].concat(), value: xattr.value })
        }
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xattr(name: &str) -> Vec<Xattr> {
        vec![Xattr { name: name.as_bytes().to_vec(), value: b"y".to_vec() }]
    }

    #[test]
    fn what_an_image_may_bring_along_hides_nothing() {
        assert!(is_opaque(&xattr("trusted.overlay.opaque")) && !is_opaque(&xattr("user.overlay.opaque")));
        for name in ["trusted.overlay.metacopy", "trusted.overlay.redirect"] {
            assert!(is_indirect(&xattr(name)), "{name}");
        }
        for name in ["trusted.overlay.opaque", "trusted.overlay.origin", "user.overlay.metacopy"] {
            assert!(!is_indirect(&xattr(name)) && indirection(&xattr(name)).is_none(), "{name}");
        }
    }

    #[test]
    fn an_overlay_within_shows_its_attributes() {
        let all = ["trusted.overlay.origin", "trusted.overlay.overlay.opaque", "user.overlay.opaque"];
        let shown = shown(all.iter().flat_map(|name| xattr(name)).collect());
        let names: Vec<_> = shown.iter().map(|xattr| String::from_utf8_lossy(&xattr.name)).collect();
        assert_eq!(names, ["trusted.overlay.opaque", "user.overlay.opaque"]);
    }
}
