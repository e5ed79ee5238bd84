//! CRC-32C of a structure in which the checksum itself counts as zeros ([MS-VHDX] 2.1).

use super::format::CHECKSUM;

/// The checksum of `bytes`, which begin with a signature and their own checksum; what goes on elsewhere is appended with
/// [`crc32c::crc32c_append`].
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let (before, after) = bytes.split_at_checked(CHECKSUM).unwrap_or((bytes, &[]));
    let after = after.get(4..).unwrap_or_default();
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(before), &[0; 4]), after)
}
