//! Fast commits (journal.rst, "Fast commits"): found, not replayed.

use super::{checksum, journal::Journal};

const PAD: u16 = 7;
const TAIL: u16 = 8;
const HEAD: u16 = 9;

/// Whether the journal holds a complete fast commit on top of transaction `expected`.
pub(super) fn present(journal: &Journal<'_>, expected: u32) -> bool {
    let mut sum = 0;
    for number in journal.end.saturating_add(1)..journal.length {
        let Ok((block, _)) = journal.block(number) else { return false };
        let mut rest = &block[..];
        while let Some((record, after)) = split(rest) {
            let Record { tag, value, bytes } = record;
            let word = |at: usize| {
                value.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
            };
            match tag {
                // The head's features come before its transaction.
                HEAD if word(4) != expected => return false,
                TAIL => {
                    let covered = bytes.get(..8).unwrap_or_default();
                    return word(0) == expected && word(4) == checksum::crc32c(sum, covered);
                }
                1..=PAD | HEAD => sum = checksum::crc32c(sum, bytes),
                _ => return false,
            }
            rest = after;
        }
    }
    false
}

struct Record<'a> {
    tag: u16,
    value: &'a [u8],
    /// The tag, its length and the value.
    bytes: &'a [u8],
}

/// The first record and what follows it.
fn split(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (header, _) = bytes.split_first_chunk::<4>()?;
    let [tag_low, tag_high, length_low, length_high] = *header;
    let length = usize::from(u16::from_le_bytes([length_low, length_high])).saturating_add(4);
    let (bytes, after) = bytes.split_at_checked(length)?;
    let tag = u16::from_le_bytes([tag_low, tag_high]);
    Some((Record { tag, value: bytes.get(4..)?, bytes }, after))
}
