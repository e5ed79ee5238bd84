//! The four kinds of checksums ("Checksumming"): of metadata, and of each sector of data.

use blake2::{Blake2b, digest::consts::U32};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh64::xxh64;

use crate::bytes::is_sound;

/// Which checksum a file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Crc32c,
    Xxhash64,
    Sha256,
    Blake2b,
}

/// A checksum, of which the first [`Kind::length`] bytes count and the rest are 0.
pub(super) type Sum = [u8; 32];

impl Kind {
    /// The kind by its number in the superblock.
    pub(super) fn of(csum_type: u16) -> Option<Self> {
        Some(match csum_type {
            0 => Self::Crc32c,
            1 => Self::Xxhash64,
            2 => Self::Sha256,
            3 => Self::Blake2b,
            _ => return None,
        })
    }

    /// Bytes of a checksum.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Crc32c => 4,
            Self::Xxhash64 => 8,
            Self::Sha256 | Self::Blake2b => 32,
        }
    }

    /// The checksum of `bytes`, as it is stored.
    pub(super) fn sum(self, bytes: &[u8]) -> Sum {
        match self {
            Self::Crc32c => padded(&crc32c::crc32c(bytes).to_le_bytes()),
            Self::Xxhash64 => padded(&xxh64(bytes, 0).to_le_bytes()),
            Self::Sha256 => Sha256::digest(bytes).into(),
            Self::Blake2b => Blake2b::<U32>::digest(bytes).into(),
        }
    }

    /// Whether `stored`, which may be longer, is the checksum of `bytes`.
    pub(super) fn is_of(self, stored: &[u8], bytes: &[u8]) -> bool {
        let sum = self.sum(bytes);
        is_sound(stored.get(..self.length()) == sum.get(..self.length()))
    }
}

fn padded(bytes: &[u8]) -> Sum {
    let mut sum = [0; 32];
    sum.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    sum
}

/// The hash by which directory items are found: crc32c that begins at `!1` and is not inverted.
pub(super) fn name_hash(name: &[u8]) -> u64 {
    u64::from(!crc32c::crc32c_append(1, name))
}

/// The hash by which an extended reference of an inode is found: crc32c that begins with the directory.
pub(super) fn extref_hash(parent: u64, name: &[u8]) -> u64 {
    let [a, b, c, d, ..] = parent.to_le_bytes();
    u64::from(!crc32c::crc32c_append(!u32::from_le_bytes([a, b, c, d]), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(kind: Kind, bytes: &[u8]) -> String {
        kind.sum(bytes).iter().take(kind.length()).map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn check_values() {
        // The check values of the algorithms' own specifications; numbers are stored little-endian.
        assert_eq!(hex(Kind::Crc32c, b"123456789"), "839206e3");
        assert_eq!(hex(Kind::Xxhash64, b""), "99e9d85137db46ef");
        assert!(hex(Kind::Sha256, b"abc").starts_with("ba7816bf8f01cfea"));
        assert!(hex(Kind::Blake2b, b"abc").starts_with("bddd813c634239723171ef3fee98579b"));
        assert_eq!(name_hash(b"default"), 2_378_154_706, "as every root tree has it");
    }
}
