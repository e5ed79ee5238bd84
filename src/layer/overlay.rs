//! What overlayfs writes into an upper directory (kernel `Documentation/filesystems/overlayfs.rst`): a device 0:0
//! for a name that is removed, an attribute on a directory that hides what lies below it, and attributes that make
//! a file something else than its inode says.

use crate::{
    error::FormatError,
    fs::{Device, FileKind, Stat, Xattr},
};

/// The prefixes of its attributes: as root, and for unprivileged mounts.
const PREFIXES: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// Whether an attribute is overlayfs's own bookkeeping, which a merged view does not show.
pub fn is_bookkeeping(xattr: &Xattr) -> bool {
    rest(xattr).is_some()
}

/// Whether an inode says that its name is removed.
pub fn is_whiteout(stat: &Stat) -> bool {
    stat.kind == FileKind::CharDevice && stat.rdev == Device::default()
}

/// Whether a directory with these attributes hides what lies below it.
pub fn is_opaque(xattrs: &[Xattr]) -> bool {
    xattrs.iter().any(|xattr| rest(xattr) == Some(b"opaque") && xattr.value == b"y")
}

/// The attribute of an opaque directory.
pub fn opaque() -> Xattr {
    Xattr { name: b"trusted.overlay.opaque".to_vec(), value: b"y".to_vec() }
}

/// Why a file or directory with these attributes is not what its inode says, if it is not: what they redirect to
/// is not followed.
pub fn indirection(xattrs: &[Xattr]) -> Option<FormatError> {
    let found = xattrs.iter().find(|xattr| matches!(rest(xattr), Some(b"redirect" | b"metacopy")))?;
    let what = format!("overlay attribute {}", String::from_utf8_lossy(&found.name));
    Some(FormatError::unsupported(what))
}

fn rest(xattr: &Xattr) -> Option<&[u8]> {
    PREFIXES.iter().find_map(|prefix| xattr.name.strip_prefix(*prefix))
}
