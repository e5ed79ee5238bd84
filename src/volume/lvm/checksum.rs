//! LVM2's checksum: the usual CRC-32 from a beginning of its own, without inversions (`lib/misc/crc.c`).

const INITIAL: u32 = 0xf597_a6cf;

/// The checksum of `parts`, one after the other.
pub(super) fn crc(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(!INITIAL);
    parts.iter().for_each(|part| hasher.update(part));
    !hasher.finalize()
}
