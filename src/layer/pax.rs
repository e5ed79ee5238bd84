//! Records of a pax header (POSIX.1-2017, pax, "pax Header Block"): `LENGTH KEY=VALUE\n`, the length being that of the whole
//! record. A value may hold anything, line breaks too: names and extended attributes do.

use crate::error::FormatError;

/// A key and its value.
type Record<'a> = (&'a [u8], &'a [u8]);

/// The records of a header that lies at `at`.
pub(super) fn records(mut bytes: &[u8], at: u64) -> Result<Vec<Record<'_>>, FormatError> {
    let mut records = Vec::new();
    // Some writers fill the block.
    while bytes.first().is_some_and(|byte| *byte != 0) {
        let Some((found, rest)) = record(bytes) else {
            let shown = String::from_utf8_lossy(bytes.get(..40).unwrap_or(bytes)).into_owned();
            return Err(FormatError::corrupt("pax header", at, format!("no record at {shown:?}")));
        };
        records.push(found);
        bytes = rest;
    }
    Ok(records)
}

/// The first record, and what follows it.
fn record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let digits = bytes.iter().position(|byte| *byte == b' ')?;
    let length: usize = str::from_utf8(bytes.get(..digits)?).ok()?.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let text = record.get(digits.checked_add(1)?..)?.strip_suffix(b"\n")?;
    let equals = text.iter().position(|byte| *byte == b'=')?;
    Some(((text.get(..equals)?, text.get(equals.checked_add(1)?..)?), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_line_breaks_and_equals_signs() {
        let bytes = b"16 path=a\nb=c\n\0\n26 SCHILY.xattr.user.x=\n\xff\n";
        let expected: Vec<Record<'_>> = vec![(b"path", b"a\nb=c\n\0"), (b"SCHILY.xattr.user.x", b"\n\xff")];
        assert_eq!(records(bytes, 0).unwrap(), expected);
        assert!(records(b"6 a=b\n\0\0\0", 0).unwrap().len() == 1);
        for bad in [
            &b"5 a=b\n"[..],
            b"99 a=b\n",
            b"x a=b\n",
            b"7 a=b\n",
            b"0 a=b\n",
            b"6 a b\n",
            b"18446744073709551616 a=b\n",
        ] {
            assert!(records(bad, 0).is_err(), "{bad:?}");
        }
    }
}
