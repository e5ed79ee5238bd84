//! `google.protobuf.Any` (protobuf encoding: field 1 type URL, field 2 value) around JSON documents.

use serde::de::DeserializeOwned;

use super::uvarint;
use crate::{error::FormatError, num};

/// The JSON document inside an `Any`.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8], structure: &'static str) -> Result<T, FormatError> {
    let value = value(bytes).ok_or_else(|| {
        FormatError::malformed(structure, format!("{} bytes are no protobuf Any", bytes.len()))
    })?;
    serde_json::from_slice(value).map_err(|error| FormatError::malformed(structure, error.to_string()))
}

/// Field 2, length-delimited.
fn value(mut bytes: &[u8]) -> Option<&[u8]> {
    let mut found = None;
    while !bytes.is_empty() {
        let tag = take(&mut bytes)?;
        match tag & 7 {
            0 => {
                take(&mut bytes)?;
            }
            2 => {
                let length = num::to_usize(take(&mut bytes)?);
                let (data, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                if tag >> 3 == 2 {
                    found = Some(data);
                }
            }
            _ => return None,
        }
    }
    found
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0)?.checked_add(1)?;
    let (number, rest) = bytes.split_at_checked(end)?;
    *bytes = rest;
    uvarint(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_found_behind_the_type() {
        let bytes = [b"\x0a\x03url\x12\x02".as_slice(), b"[]"].concat();
        assert_eq!(value(&bytes), Some(&b"[]"[..]));
        assert_eq!(value(b"\x12\xff\xff\x7f"), None);
        assert_eq!(value(b"\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), None);
        assert_eq!(value(b""), None);
        assert!(json::<Vec<u8>>(&bytes, "x").unwrap().is_empty());
    }
}
