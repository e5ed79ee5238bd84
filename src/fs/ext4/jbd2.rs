//! Structures of the journal (journal.rst). All are big-endian.

use crate::bytes::{be16, be32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned, big_endian as be};

pub(super) const MAGIC: u32 = 0xc03b_3998;

pub(super) const DESCRIPTOR: u32 = 1;
pub(super) const COMMIT: u32 = 2;
pub(super) const SUPERBLOCK_V1: u32 = 3;
pub(super) const SUPERBLOCK_V2: u32 = 4;
pub(super) const REVOKE: u32 = 5;

/// Compatible feature: commit blocks hold a checksum of their transaction.
pub(super) const COMPAT_CHECKSUM: u32 = 0x1;
pub(super) const SIXTY_FOUR_BIT: u32 = 0x2;
pub(super) const CSUM_V2: u32 = 0x8;
pub(super) const CSUM_V3: u32 = 0x10;
pub(super) const FAST_COMMIT: u32 = 0x20;
/// Revoke records and asynchronous commits beside those above.
pub(super) const KNOWN: u32 = 0x3f;

/// The data begins with [`MAGIC`], which was replaced by zeros.
pub(super) const FLAG_ESCAPE: u32 = 1;
/// The tag is not followed by a UUID.
pub(super) const FLAG_SAME_UUID: u32 = 2;
pub(super) const FLAG_LAST: u32 = 8;

/// `struct journal_header_s`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawHeader {
    pub(super) h_magic: be::U32,
    pub(super) h_blocktype: be::U32,
    pub(super) h_sequence: be::U32,
}

/// `struct journal_superblock_s`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawJournalSuperblock {
    pub(super) header: RawHeader,
    pub(super) s_blocksize: be::U32,
    pub(super) s_maxlen: be::U32,
    pub(super) s_first: be::U32,
    pub(super) s_sequence: be::U32,
    pub(super) s_start: be::U32,
    _s_errno: be::U32,
    pub(super) s_feature_compat: be::U32,
    pub(super) s_feature_incompat: be::U32,
    pub(super) s_feature_ro_compat: be::U32,
    pub(super) s_uuid: [u8; 16],
    _users: [u8; 16],
    pub(super) s_checksum_type: u8,
    _padding: [u8; 3],
    pub(super) s_num_fc_blks: be::U32,
    _head: [u8; 164],
    pub(super) s_checksum: be::U32,
    _s_users: [u8; 768],
}

/// `struct commit_header`, with the padding at its end.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawCommit {
    _header: RawHeader,
    pub(super) h_chksum_type: u8,
    pub(super) h_chksum_size: u8,
    _h_padding: [u8; 2],
    pub(super) h_chksum: be::U32,
    _h_chksum_rest: [u8; 28],
    pub(super) h_commit_sec: be::U64,
    _h_commit_nsec: [u8; 8],
}

/// A tag of a descriptor block: where the block that follows in the log belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) block: u64,
    pub(super) flags: u32,
    pub(super) checksum: u32,
}

/// What the journal's features say about its tags and blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) incompat: u32,
}

impl Layout {
    pub(super) fn has(self, feature: u32) -> bool {
        self.incompat & feature != 0
    }

    /// Whether blocks have checksums of the second or third kind.
    pub(super) fn checksummed(self) -> bool {
        self.has(CSUM_V2 | CSUM_V3)
    }

    /// Bytes of a block before its tail.
    pub(super) fn without_tail(self, block: &[u8]) -> &[u8] {
        let tail = if self.checksummed() { 4 } else { 0 };
        block.get(..block.len().saturating_sub(tail)).unwrap_or_default()
    }

    fn tag_bytes(self) -> usize {
        if self.has(CSUM_V3) {
            return 16;
        }
        let checksum: usize = if self.has(CSUM_V2) { 2 } else { 0 };
        let high = if self.has(SIXTY_FOUR_BIT) { 4 } else { 0 };
        checksum.saturating_add(high).saturating_add(8)
    }

    /// The tags of a descriptor block, in order.
    pub(super) fn tags(self, block: &[u8]) -> Vec<Tag> {
        let mut tags = Vec::new();
        let mut rest = self.without_tail(block).get(size_of::<RawHeader>()..).unwrap_or_default();
        while let Some((bytes, after)) = rest.split_at_checked(self.tag_bytes()) {
            let tag = self.tag(bytes);
            tags.push(tag);
            let uuid = if tag.flags & FLAG_SAME_UUID == 0 { 16 } else { 0 };
            match after.get(uuid..) {
                Some(after) if tag.flags & FLAG_LAST == 0 => rest = after,
                _ => break,
            }
        }
        tags
    }

    fn tag(self, bytes: &[u8]) -> Tag {
        let word = |at: usize| be32(bytes, at).unwrap_or(0);
        let half = |at: usize| be16(bytes, at).unwrap_or(0);
        let high = if self.has(SIXTY_FOUR_BIT) { word(8) } else { 0 };
        let block = (u64::from(high) << 32) | u64::from(word(0));
        match self.has(CSUM_V3) {
            true => Tag { block, flags: word(4), checksum: word(12) },
            false => Tag { block, flags: u32::from(half(6)), checksum: u32::from(half(4)) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_in_each_layout() {
        let block = |tags: &[u8]| [&[0; 12], tags, &[0; 64]].concat();
        let tag = |block, flags, checksum| Tag { block, flags, checksum };
        let v1 = [&[0, 0, 0, 5, 0, 0, 0, 0][..], &[9; 16], &[0, 0, 0, 6, 0, 0, 0, 10]].concat();
        assert_eq!(Layout { incompat: 0 }.tags(&block(&v1)), [tag(5, 0, 0), tag(6, 10, 0)]);
        let wide = [0, 0, 0, 5, 0xab, 0xcd, 0, 11, 0, 0, 0, 1];
        let layout = Layout { incompat: SIXTY_FOUR_BIT | CSUM_V2 };
        assert_eq!(layout.tags(&block(&wide)), [tag(0x1_0000_0005, 11, 0xabcd)]);
        let v3 = [0, 0, 0, 7, 0, 0, 0, 10, 0, 0, 0, 0, 1, 2, 3, 4];
        assert_eq!(Layout { incompat: CSUM_V3 }.tags(&block(&v3)), [tag(7, 10, 0x0102_0304)]);
    }
}
