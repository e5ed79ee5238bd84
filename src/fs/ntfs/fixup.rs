//! Fixups ("Fixup"): the last two bytes of each 512 bytes of a record are a number that is the same in all of them, what
//! belongs there is in the record's header. A record that was half written shows by it.

use crate::bytes::{le16, part};

/// What is protected by one number of the array.
const STRIDE: usize = 512;

/// Puts the bytes back that the numbers took the place of.
pub(super) fn apply(record: &mut [u8]) -> Result<(), String> {
    let header = |at| le16(record, at).map(usize::from).unwrap_or(0);
    let (at, count) = (header(4), header(6));
    let strides = record.len().checked_div(STRIDE).unwrap_or(0);
    if count != strides.saturating_add(1) {
        return Err(format!("{count} fixups of {strides} parts"));
    }
    let array = part(record, at, count.saturating_mul(2)).map(<[u8]>::to_vec);
    // The array ends before the first number.
    let fits = at >= 8 && at.saturating_add(count.saturating_mul(2)) <= STRIDE.saturating_sub(2);
    let Some(array) = array.filter(|_| fits) else {
        return Err(format!("{count} fixups at {at:#x}"));
    };
    let (number, kept) = array.split_at_checked(2).unwrap_or_default();
    for (stride, kept) in record.chunks_exact_mut(STRIDE).zip(kept.chunks_exact(2)) {
        let end = stride.get_mut(STRIDE.saturating_sub(2)..).unwrap_or_default();
        if end != number {
            return Err(format!("it was half written: {end:02x?} in place of {number:02x?}"));
        }
        end.copy_from_slice(kept);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Vec<u8> {
        let mut record = vec![0; 1024];
        record[4..8].copy_from_slice(&[48, 0, 3, 0]);
        record[48..54].copy_from_slice(&[7, 1, b'a', b'b', b'c', b'd']);
        record[510..512].copy_from_slice(&[7, 1]);
        record[1022..1024].copy_from_slice(&[7, 1]);
        record
    }

    #[test]
    fn bytes_are_put_back() {
        let mut record = record();
        apply(&mut record).unwrap();
        assert_eq!((&record[510..512], &record[1022..]), (&b"ab"[..], &b"cd"[..]));
    }

    #[test]
    fn what_was_half_written_or_makes_no_sense_is_refused() {
        for (at, value) in [(1022, 8), (510, 8), (6, 2), (6, 4), (4, 0), (5, 2), (5, 255)] {
            let mut record = record();
            record[at] = value;
            assert!(apply(&mut record).is_err(), "{at}");
        }
    }
}
