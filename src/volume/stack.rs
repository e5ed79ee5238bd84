//! What lies on what: how deep the volumes lie that others make, and how many reads one read of them may become.

use std::collections::BTreeMap;

/// What lies below a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Below {
    /// Arrays and groups on one another.
    pub(super) depth: usize,
    /// Reads that one read may become: the product of the parts of all that lies below.
    pub(super) reads: u64,
}

impl Below {
    /// What lies below a disk.
    pub(super) const NOTHING: Self = Self { depth: 0, reads: 1 };
}

/// Volumes that others make, by their ids.
#[derive(Default)]
pub(super) struct Stack(BTreeMap<String, Below>);

impl Stack {
    /// What lies below a volume; of several of one id, whichever is more.
    pub(super) fn below(&self, id: &str) -> Below {
        self.0.get(id).copied().unwrap_or(Below::NOTHING)
    }

    pub(super) fn add(&mut self, id: &str, below: Below) {
        let known = self.0.entry(id.to_owned()).or_insert(below);
        *known = Below { depth: known.depth.max(below.depth), reads: known.reads.max(below.reads) };
    }
}
