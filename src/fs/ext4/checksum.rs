//! Checksums of metadata (checksums.rst): crc32c without the final inversion, chained from a seed, and the
//! crc16 of group descriptors that `uninit_bg` has.

/// Where a chain of crc32c begins.
pub(super) const START: u32 = !0;

/// Continues a chain of crc32c over `bytes`.
pub(super) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

/// Continues a chain over all of `parts`, in order.
pub(super) fn crc32c_parts(seed: u32, parts: &[&[u8]]) -> u32 {
    parts.iter().fold(seed, |sum, part| crc32c(sum, part))
}

/// crc16 as the kernel's `lib/crc16.c` computes it (polynomial x^16 + x^15 + x^2 + 1, reflected).
pub(super) fn crc16(seed: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(seed, |sum, byte| {
        (0..8)
            .fold(sum ^ u16::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xa001 } else { sum >> 1 })
    })
}

/// Big-endian crc32 without inversion (polynomial 0x04c11db7), of the first generation of journal checksums.
pub(super) fn crc32_be(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |sum, byte| {
        let [top, ..] = sum.to_be_bytes();
        let entry = CRC32_BE.get(usize::from(top ^ byte)).copied().unwrap_or(0);
        (sum << 8) ^ entry
    })
}

static CRC32_BE: std::sync::LazyLock<Vec<u32>> = std::sync::LazyLock::new(|| {
    let step = |sum: u32| if sum >> 31 == 1 { (sum << 1) ^ 0x04c1_1db7 } else { sum << 1 };
    (0..256u32).map(|byte| (0..8).fold(byte << 24, |sum, _| step(sum))).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values() {
        // The catalogue's check values are of "123456789"; crc32c's has its final inversion undone.
        assert_eq!(crc32c(START, b"123456789"), !0xe306_9283);
        assert_eq!(crc32c_parts(START, &[b"1234", b"", b"56789"]), !0xe306_9283);
        assert_eq!(crc16(0, b"123456789"), 0xbb3d);
        assert_eq!(crc32_be(!0, b"123456789"), 0x0376_e6e7);
    }
}
