//! CRC-32C of metadata of version 5 (XFS Algorithms & Data Structures, "Self-Describing Metadata"): over a whole
//! structure with the checksum's own four bytes as zeros, stored little-endian.

use crate::bytes::{is_sound, le32};

/// Checks the checksum that `bytes` have at `at`.
pub(super) fn check(bytes: &[u8], at: usize) -> Result<(), String> {
    let Some((seen, sum)) = le32(bytes, at).zip(of(bytes, at)) else {
        return Err(format!("no room for its checksum in {} bytes", bytes.len()));
    };
    match is_sound(seen == sum) {
        true => Ok(()),
        false => Err(format!("checksum {seen:#010x} instead of {sum:#010x}")),
    }
}

/// Puts the right checksum at `at`.
pub(super) fn set(bytes: &mut [u8], at: usize) {
    if let Some(sum) = of(bytes, at)
        && let Some(place) = bytes.get_mut(at..at.saturating_add(4))
    {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}

/// The checksum that `bytes` should have at `at`.
pub(super) fn of(bytes: &[u8], at: usize) -> Option<u32> {
    let (before, rest) = bytes.split_at_checked(at)?;
    let (_, after) = rest.split_at_checked(4)?;
    let sum = crc32c::crc32c_append(crc32c::crc32c(before), &[0; 4]);
    Some(crc32c::crc32c_append(sum, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_that_was_set_is_right_until_a_bit_flips() {
        let mut bytes = *b"metadata....of a block";
        set(&mut bytes, 8);
        assert_eq!(check(&bytes, 8), Ok(()));
        bytes[0] ^= 1;
        assert!(check(&bytes, 8).is_err());
        assert!(check(&bytes, 20).is_err());
        assert_eq!(of(b"1234....56789", 4), Some(crc32c::crc32c(b"1234\0\0\0\x0056789")));
    }
}
