//! The upper case of names: a table of the upper case of each UTF-16 unit, in which a mark and a number stand for units that
//! are their own upper case.

use crate::bytes::units;

const UNITS: usize = 1 << 16;
/// What stands before the number of units that are left out.
const SKIP: u16 = 0xffff;

/// A volume's table.
pub(super) struct Upcase(Vec<u16>);

impl Upcase {
    /// The table of these bytes; `None` if they are of more units than there are.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut table: Vec<u16> = Vec::with_capacity(UNITS);
        let raw = units(bytes);
        let whole = raw.len() == UNITS;
        let mut rest = raw.into_iter();
        while let Some(unit) = rest.next() {
            // The last unit is its own upper case, and no mark.
            let count = if unit == SKIP && !whole { rest.next() } else { None };
            let Some(count) = count else {
                table.push(unit);
                continue;
            };
            let (from, count) = (table.len(), usize::from(count));
            table.extend((from..from.checked_add(count)?).map(|unit| u16::try_from(unit).unwrap_or(SKIP)));
        }
        (table.len() <= UNITS).then_some(Self(table))
    }

    /// A name in upper case.
    pub(super) fn fold(&self, name: &[u16]) -> Vec<u16> {
        name.iter().map(|unit| self.0.get(usize::from(*unit)).copied().unwrap_or(*unit)).collect()
    }
}

/// The sum of a table's bytes.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0u32, |sum, byte| sum.rotate_right(1).wrapping_add(u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_are_left_out_are_their_own() {
        let bytes: Vec<u8> =
            [0xffffu16, 0x61, 0x41, 0x42, 0xffff, 2, 7].into_iter().flat_map(u16::to_le_bytes).collect();
        let table = Upcase::parse(&bytes).unwrap();
        assert_eq!(
            table.fold(&[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66]),
            [0x60, 0x41, 0x42, 0x63, 0x64, 7, 0x66]
        );
        assert!(Upcase::parse(&[0xff; 8]).is_none());
        assert_eq!(Upcase::parse(&[0xff, 0xff]).unwrap().fold(&[0]), [0xffff]);
    }
}
