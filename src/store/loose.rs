//! Layers that a store holds and nothing refers to: what is left of images that were removed, or the cache of a builder.

/// A layer that belongs to no image and no container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LooseLayer {
    /// What the store calls it: the digest of its chain of layers, or the name of its directory.
    pub id: String,
    /// Bytes of its files, as far as the store recorded them.
    pub size: Option<u64>,
}
