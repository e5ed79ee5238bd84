//! How a qcow2 image is divided: clusters, subclusters, tables.

/// The sizes that follow from an image's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Clusters have 2 to this power bytes: 9 to 21.
    pub(super) cluster_bits: u32,
    /// L2 entries are extended: clusters have 32 subclusters.
    pub(super) extended: bool,
    /// L2 entries may say that a cluster is zeros: version 3.
    pub(super) zero_flag: bool,
    /// Guest clusters lie in an external data file.
    pub(super) data_file: bool,
}

impl Geometry {
    /// Bytes of a cluster.
    pub(super) fn cluster(self) -> u64 {
        1u64.unbounded_shl(self.cluster_bits)
    }

    /// The offset within its cluster.
    pub(super) fn within(self, offset: u64) -> u64 {
        offset & self.cluster().wrapping_sub(1)
    }

    /// Bytes of what is allocated at once: a subcluster, or a cluster.
    pub(super) fn unit(self) -> u64 {
        if self.extended { self.cluster().unbounded_shr(5) } else { self.cluster() }
    }

    /// Bytes of an L2 entry.
    pub(super) fn entry(self) -> u64 {
        if self.extended { 16 } else { 8 }
    }

    /// The number of the L1 entry for a guest offset.
    pub(super) fn l1_index(self, guest: u64) -> u64 {
        let entry_bits = self.entry().trailing_zeros();
        guest.unbounded_shr(self.cluster_bits.saturating_mul(2).saturating_sub(entry_bits))
    }

    /// Where in its L2 table the entry for a guest offset is, in bytes.
    pub(super) fn l2_position(self, guest: u64) -> u64 {
        self.within(guest.unbounded_shr(self.cluster_bits).saturating_mul(self.entry()))
    }

    /// How many L1 entries a disk of this many bytes needs.
    pub(super) fn l1_entries(self, size: u64) -> u64 {
        size.checked_sub(1).map_or(0, |last| self.l1_index(last).saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specifications_sizes() {
        let plain = Geometry { cluster_bits: 16, extended: false, zero_flag: true, data_file: false };
        let extended = Geometry { extended: true, ..plain };
        // One table of 64 KiB clusters maps 512 MiB, or 256 MiB when entries are extended.
        let rows = [(plain, 65_536, 512u64 << 20), (extended, 2048, 256 << 20)];
        for (geometry, unit, covered) in rows {
            assert_eq!((geometry.cluster(), geometry.unit()), (65_536, unit));
            assert_eq!((geometry.l1_index(covered - 1), geometry.l1_index(covered)), (0, 1));
            assert_eq!(
                (geometry.l2_position(covered - 1), geometry.l2_position(covered)),
                (65_536 - geometry.entry(), 0)
            );
            assert_eq!([0, 1, covered, covered + 1].map(|size| geometry.l1_entries(size)), [0, 1, 1, 2]);
        }
    }
}
