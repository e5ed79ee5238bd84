//! Rows and their values: the record format, section 2.1 of the file format.

use super::header::Encoding;
use crate::{
    bytes::part,
    bytes::{be_units, units},
    error::FormatError,
    num,
};

/// A row of a table.
pub struct Row {
    /// Its key; also the value of an `INTEGER PRIMARY KEY` column, whose own place in the row is null.
    pub id: i64,
    pub(super) payload: Vec<u8>,
    pub(super) encoding: Encoding,
    pub(super) offset: u64,
}

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Null, also for a column that was added after the row was written.
    Null,
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text in the database's encoding; see [`Row::text`].
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

impl Row {
    /// The value of the column with this number, from 0.
    pub fn value(&self, column: usize) -> Result<Value<'_>, FormatError> {
        self.find(column).ok_or_else(|| self.corrupt(format!("column {column} passes the end of the record")))
    }

    /// A column's text, `None` if it holds something else. What is not Unicode is replaced.
    pub fn text(&self, column: usize) -> Result<Option<String>, FormatError> {
        let Value::Text(bytes) = self.value(column)? else { return Ok(None) };
        Ok(Some(match self.encoding {
            Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Encoding::Utf16Le => String::from_utf16_lossy(&units(bytes)),
            Encoding::Utf16Be => String::from_utf16_lossy(&be_units(bytes)),
        }))
    }

    /// Where its cell lies in the database file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The error for a row whose content makes no sense.
    pub fn corrupt(&self, problem: impl Into<String>) -> FormatError {
        FormatError::corrupt("sqlite record", self.offset, problem)
    }

    fn find(&self, column: usize) -> Option<Value<'_>> {
        let (length, mut at) = varint(&self.payload)?;
        let header = self.payload.get(..num::to_usize(length))?;
        let mut body = header.len();
        for _ in 0..column {
            if at >= header.len() {
                return Some(Value::Null);
            }
            let (serial, width) = varint(header.get(at..)?)?;
            at = at.checked_add(width)?;
            body = body.checked_add(size(serial)?)?;
        }
        if at >= header.len() {
            return Some(Value::Null);
        }
        let (serial, _) = varint(header.get(at..)?)?;
        decode(serial, part(&self.payload, body, size(serial)?)?)
    }
}

/// Bytes of a value with this serial type; 10 and 11 are reserved.
fn size(serial: u64) -> Option<usize> {
    Some(match serial {
        0 | 8 | 9 => 0,
        1..=4 => num::to_usize(serial),
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        longer => num::to_usize(longer.checked_sub(12)? >> 1),
    })
}

fn decode(serial: u64, bytes: &[u8]) -> Option<Value<'_>> {
    Some(match serial {
        0 => Value::Null,
        8 => Value::Integer(0),
        9 => Value::Integer(1),
        7 => Value::Real(f64::from_be_bytes(*bytes.first_chunk()?)),
        1..=6 => Value::Integer(integer(bytes)),
        even if even & 1 == 0 => Value::Blob(bytes),
        _ => Value::Text(bytes),
    })
}

/// A big-endian two's complement integer of one to eight bytes.
fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let start = if negative { -1 } else { 0 };
    bytes.iter().fold(start, |value: i64, byte| (value << 8) | i64::from(*byte))
}

/// A variable-length integer (section 1.6) and how many bytes it takes: seven bits in each of the first
/// eight bytes, all eight of the ninth.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value: u64 = 0;
    for (n, byte) in (1..).zip(bytes.iter().take(9)) {
        if n == 9 {
            return Some(((value << 8) | u64::from(*byte), 9));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, n));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints() {
        assert_eq!(varint(&[0x7f, 9]), Some((0x7f, 1)));
        assert_eq!(varint(&[0x81, 0]), Some((0x80, 2)));
        assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0x80; 8]), None);
        assert_eq!(varint(&[]), None);
    }

    #[test]
    fn values_of_every_type() {
        let mut payload = vec![8, 0, 1, 9, 7, 15, 14, 5];
        payload.extend([0xfe]);
        payload.extend(1.5f64.to_be_bytes());
        payload.extend(b"ab");
        payload[5] = 17;
        payload.extend([7]);
        payload.extend([0xff, 0xff, 0xff, 0xff, 0, 0]);
        let row = Row { id: 1, payload, encoding: Encoding::Utf8, offset: 0 };
        let values: Vec<_> = (0..9).map(|column| row.value(column).unwrap()).collect();
        assert_eq!(
            values,
            [
                Value::Null,
                Value::Integer(-2),
                Value::Integer(1),
                Value::Real(1.5),
                Value::Text(b"ab"),
                Value::Blob(&[7]),
                Value::Integer(-65_536),
                Value::Null,
                Value::Null,
            ]
        );
        assert_eq!(row.text(4).unwrap().as_deref(), Some("ab"));
        assert_eq!(row.text(5).unwrap(), None);
    }

    #[test]
    fn records_that_pass_their_end() {
        for payload in [vec![], vec![9], vec![2, 10], vec![2, 1], vec![2, 0x80], vec![3, 0xff, 0xff]] {
            let row = Row { id: 1, payload: payload.clone(), encoding: Encoding::Utf8, offset: 0 };
            assert!(row.value(0).is_err(), "{payload:?}");
        }
    }

    #[test]
    fn wide_text() {
        let row = |encoding, bytes: &[u8]| {
            let payload = [&[2, 17], bytes].concat();
            Row { id: 1, payload, encoding, offset: 0 }.text(0).unwrap().unwrap()
        };
        assert_eq!(row(Encoding::Utf16Le, b"\xe9\x00"), "é");
        assert_eq!(row(Encoding::Utf16Be, b"\x00\xe9"), "é");
        assert_eq!(row(Encoding::Utf16Be, b"\xd8\x00"), "\u{fffd}");
    }
}
