//! L2 entries: where the bytes of a guest cluster are (specification: Cluster mapping, Extended L2 Entries).

use super::{
    format::{COMPRESSED, COPIED, OFFSET_MASK, ZERO},
    geometry::Geometry,
};

/// Where the bytes at one guest offset are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: they read as zeros.
    Zero,
    /// In the backing file, or zeros without one.
    Hole,
    /// In the file (or external data file) at this offset.
    Data(u64),
    /// In a compressed cluster.
    Compressed(Compressed),
}

/// Compressed data of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compressed {
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// At most so many bytes; other data may follow in the last sector.
    pub(super) length: u64,
    /// The descriptor, as identity.
    pub(super) descriptor: u64,
}

/// An L2 entry: the descriptor, and the bitmap of subclusters of extended entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) descriptor: u64,
    pub(super) bitmap: u64,
}

impl Entry {
    /// Where the byte at `guest` is, or what is wrong with the entry.
    pub(super) fn place(self, geometry: Geometry, guest: u64) -> Result<Place, String> {
        if self.descriptor & COMPRESSED != 0 {
            return self.compressed(geometry).map(Place::Compressed);
        }
        let cluster = self.descriptor & OFFSET_MASK;
        if geometry.within(cluster) != 0 {
            return Err(format!("cluster offset {cluster:#x} is not aligned"));
        }
        // Offset 0 is the header, unless clusters lie in another file.
        let allocated = cluster != 0 || (geometry.data_file && self.descriptor & COPIED != 0);
        let data = || {
            let host = cluster.saturating_add(geometry.within(guest));
            if geometry.data_file && host != guest {
                return Err(format!(
                    "cluster at {cluster:#x} of the external data file is not where the guest's is"
                ));
            }
            Ok(Place::Data(host))
        };
        if geometry.extended {
            return match self.subcluster(geometry, guest) {
                (true, true) => Err(format!("subcluster bitmap {:#x} says both data and zeros", self.bitmap)),
                (_, true) => Ok(Place::Zero),
                (true, _) if allocated => data(),
                (true, _) => Err("subclusters are allocated without a cluster".to_owned()),
                _ => Ok(Place::Hole),
            };
        }
        match (self.descriptor & ZERO != 0, allocated) {
            (true, _) if !geometry.zero_flag => Err("zero flag in an image of version 2".to_owned()),
            (true, _) => Ok(Place::Zero),
            (_, true) => data(),
            _ => Ok(Place::Hole),
        }
    }

    /// Whether the subcluster at `guest` is allocated, and whether it reads as zeros.
    fn subcluster(self, geometry: Geometry, guest: u64) -> (bool, bool) {
        let number = geometry.within(guest).unbounded_shr(geometry.unit().trailing_zeros());
        let bit = |at: u64| {
            let shift = u32::try_from(at).unwrap_or(u32::MAX);
            self.bitmap.unbounded_shr(shift) & 1 != 0
        };
        (bit(number), bit(number.saturating_add(32)))
    }

    fn compressed(self, geometry: Geometry) -> Result<Compressed, String> {
        if geometry.data_file {
            return Err("a compressed cluster in an image with an external data file".to_owned());
        }
        let descriptor = self.descriptor & !(COPIED | COMPRESSED);
        // x of the specification: 62 - (cluster_bits - 8).
        let bits = 70u32.saturating_sub(geometry.cluster_bits);
        let offset = descriptor & 1u64.unbounded_shl(bits).wrapping_sub(1);
        if offset.unbounded_shr(56) != 0 {
            return Err(format!("compressed cluster at {offset:#x}, past 56 bits"));
        }
        let sectors = descriptor.unbounded_shr(bits).saturating_add(1);
        let length = sectors.saturating_mul(512).saturating_sub(offset & 511);
        Ok(Compressed { offset, length, descriptor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Geometry = Geometry { cluster_bits: 16, extended: false, zero_flag: true, data_file: false };
    const V2: Geometry = Geometry { zero_flag: false, ..PLAIN };
    const EXTENDED: Geometry = Geometry { extended: true, ..PLAIN };
    const EXTERNAL: Geometry = Geometry { data_file: true, ..PLAIN };

    fn place(geometry: Geometry, descriptor: u64, bitmap: u64, guest: u64) -> Option<Place> {
        Entry { descriptor, bitmap }.place(geometry, guest).ok()
    }

    #[test]
    fn standard_clusters() {
        let rows = [
            (PLAIN, 0, Some(Place::Hole)),
            (PLAIN, 0x5_0000, Some(Place::Data(0x5_0007))),
            (PLAIN, COPIED | 0x5_0000, Some(Place::Data(0x5_0007))),
            (PLAIN, 0x5_0001, Some(Place::Zero)),
            (PLAIN, 1, Some(Place::Zero)),
            (PLAIN, 0x5_0200, None),
            (PLAIN, COPIED, Some(Place::Hole)),
            (V2, 0x5_0000, Some(Place::Data(0x5_0007))),
            (V2, 0x5_0001, None),
            (EXTERNAL, COPIED | 0x3_0000, Some(Place::Data(0x3_0007))),
            (EXTERNAL, COPIED | 0x5_0000, None),
            (EXTERNAL, COMPRESSED | 0x3_0000, None),
        ];
        for (geometry, descriptor, expected) in rows {
            assert_eq!(place(geometry, descriptor, 0, 0x3_0007), expected, "{descriptor:#x}");
        }
        assert_eq!(place(EXTERNAL, COPIED, 0, 9), Some(Place::Data(9)));
        assert_eq!(place(EXTERNAL, 0, 0, 9), Some(Place::Hole));
    }

    #[test]
    fn subclusters_are_data_zeros_or_holes() {
        // Subcluster 1 is data, 2 is zeros; guest offsets are within subclusters of 2 KiB.
        let bitmap = 0b10 | 0b100 << 32;
        let at = |guest| place(EXTENDED, 0x5_0000, bitmap, guest);
        assert_eq!(at(2047), Some(Place::Hole));
        assert_eq!(at(2048), Some(Place::Data(0x5_0800)));
        assert_eq!(at(4096), Some(Place::Zero));
        assert_eq!(place(EXTENDED, 0x5_0000, 1 | 1 << 32, 0), None);
        assert_eq!(place(EXTENDED, 0, 1, 0), None);
        assert_eq!(place(EXTENDED, 0, 1 << 63, 65_535), Some(Place::Zero));
        // Bit 0 of the descriptor means nothing here.
        assert_eq!(place(EXTENDED, 0x5_0001, 0, 0), Some(Place::Hole));
    }

    #[test]
    fn a_compressed_descriptor_splits_where_the_cluster_size_says() {
        let found = |bits, descriptor: u64| {
            let geometry = Geometry { cluster_bits: bits, ..PLAIN };
            match place(geometry, COMPRESSED | descriptor, 0, 0) {
                Some(Place::Compressed(c)) => Some((c.offset, c.length)),
                _ => None,
            }
        };
        assert_eq!(found(16, 3 << 54 | 0x5_0210), Some((0x5_0210, 4 * 512 - 0x10)));
        assert_eq!(found(9, 1 << 61 | 0x400), Some((0x400, 1024)));
        assert_eq!(found(21, 8191 << 49), Some((0, 4 << 20)));
        assert_eq!(found(9, 1 << 57), None);
    }
}
