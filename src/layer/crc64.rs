//! CRC-64 of ISO 3309 (HDLC), as Go's `hash/crc64` computes it with its table `ISO`: reflected, all ones before and after.

/// The polynomial, its lowest term first.
const POLYNOMIAL: u64 = 0xd800_0000_0000_0000;
const TABLE: [u64; 256] = table();

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "computed while it is compiled")]
const fn table() -> [u64; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    let mut first = 0u64;
    while byte < 256 {
        let mut crc = first;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
        first += 1;
    }
    table
}

/// The sum of the bytes so far.
pub(super) struct Crc64(u64);

impl Crc64 {
    pub(super) fn new() -> Self {
        Self(u64::MAX)
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let [lowest, ..] = self.0.to_le_bytes();
            let row = TABLE.get(usize::from(lowest ^ byte)).copied().unwrap_or_default();
            self.0 = row ^ self.0 >> 8;
        }
    }

    pub(super) fn sum(&self) -> u64 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_catalogue_and_of_docker() {
        let sum = |bytes: &[u8]| {
            let mut crc = Crc64::new();
            crc.update(bytes);
            crc.sum()
        };
        assert_eq!(sum(b""), 0);
        // "CRC-64/GO-ISO" of the catalogue of parametrised CRC algorithms.
        assert_eq!(sum(b"123456789"), 0xb909_56c7_75a4_1001);
    }
}
