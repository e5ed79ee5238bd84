//! One layer: a directory or a tar in, its facts out. A layer is analyzed once, however many images and
//! nodes share it; an image is a fold over its layers' facts.

mod analyze;
mod blob;
mod cache;
mod facts;
mod paths;
mod shadow;
mod stream;
mod tar;
mod zero;

pub use analyze::{Walk, analyze, extract_one, wants};
pub use blob::{BlobTree, open_blob};
pub use cache::Cache;
pub use facts::{FileFacts, LayerFacts, OsFile};
pub use paths::Paths;
pub use shadow::Shadow;
pub use stream::Compression;
pub use zero::{Emptiness, emptiness};

/// The attributes by which overlayfs marks a directory that hides what lies below it: as root, and for
/// unprivileged mounts (kernel `Documentation/filesystems/overlayfs.rst`).
pub const OPAQUE: [&[u8]; 2] = [b"trusted.overlay.opaque", b"user.overlay.opaque"];

/// Attributes that make an overlay file something else than its inode says. They are not followed.
pub const INDIRECT: [&[u8]; 4] = [
    b"trusted.overlay.redirect",
    b"user.overlay.redirect",
    b"trusted.overlay.metacopy",
    b"user.overlay.metacopy",
];
