//! What overlayfs writes into an upper directory (kernel `Documentation/filesystems/overlayfs.rst`): a device 0:0
//! for a name that is removed, an attribute on a directory that hides what lies below it, and attributes that make
//! a file something else than its inode says.

use crate::{
    error::FormatError,
    fs::{Device, FileKind, Stat, Xattr},
};

/// The prefix of its attributes.
const OWN: &[u8] = b"trusted.overlay.";
/// The prefix for mounts of unprivileged users. Other mounts ignore these, and an image may bring them along.
const USERS: &[u8] = b"user.overlay.";

/// Whether an attribute is overlayfs's own bookkeeping, which a merged view does not show.
pub fn is_bookkeeping(xattr: &Xattr) -> bool {
    xattr.name.starts_with(OWN) || xattr.name.starts_with(USERS)
}

/// Whether an inode says that its name is removed.
pub fn is_whiteout(stat: &Stat) -> bool {
    stat.kind == FileKind::CharDevice && stat.rdev == Device::default()
}

/// Whether a directory with these attributes hides what lies below it.
pub fn is_opaque(xattrs: &[Xattr]) -> bool {
    xattrs.iter().any(|xattr| xattr.name.strip_prefix(OWN) == Some(b"opaque") && xattr.value == b"y")
}

/// The attribute of an opaque directory.
pub fn opaque() -> Xattr {
    Xattr { name: b"trusted.overlay.opaque".to_vec(), value: b"y".to_vec() }
}

/// Why a file or directory with these attributes may not be what its inode says: what they redirect to is not
/// followed, and whether a mount heeds those of unprivileged users is not known.
pub fn indirection(xattrs: &[Xattr]) -> Option<FormatError> {
    let is_one = |xattr: &&Xattr| match (xattr.name.strip_prefix(OWN), xattr.name.strip_prefix(USERS)) {
        (Some(rest), _) => matches!(rest, b"redirect" | b"metacopy"),
        (_, Some(rest)) => matches!(rest, b"opaque" | b"redirect" | b"metacopy"),
        _ => false,
    };
    let found = xattrs.iter().find(is_one)?;
    let what = format!("overlay attribute {}", String::from_utf8_lossy(&found.name));
    Some(FormatError::unsupported(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xattr(name: &str) -> Vec<Xattr> {
        vec![Xattr { name: name.as_bytes().to_vec(), value: b"y".to_vec() }]
    }

    #[test]
    fn what_an_image_may_bring_along_hides_nothing_and_is_told() {
        assert!(is_opaque(&xattr("trusted.overlay.opaque")) && !is_opaque(&xattr("user.overlay.opaque")));
        for name in ["user.overlay.opaque", "user.overlay.metacopy", "trusted.overlay.redirect"] {
            assert!(indirection(&xattr(name)).is_some(), "{name}");
        }
        for name in ["trusted.overlay.opaque", "trusted.overlay.origin", "user.other"] {
            assert!(indirection(&xattr(name)).is_none(), "{name}");
        }
    }
}
