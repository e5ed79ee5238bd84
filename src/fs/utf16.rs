//! Names in UTF-16, as Microsoft's formats store them, and in bytes, as this crate has them: UTF-8, in which a surrogate
//! without its other half is three bytes of its own (WTF-8), so that no two names become one.

/// The bytes of a name.
pub(in crate::fs) fn to_bytes(units: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(units.len());
    for unit in char::decode_utf16(units.iter().copied()) {
        match unit {
            Ok(char) => bytes.extend(char.encode_utf8(&mut [0; 4]).bytes()),
            Err(lone) => {
                let [high, low] = lone.unpaired_surrogate().to_be_bytes();
                // 1110xxxx 10xxxxxx 10xxxxxx
                let (a, b, c) = (high >> 4, (high & 0xf) << 2 | low >> 6, low & 0x3f);
                bytes.extend([0xe0 | a, 0x80 | b, 0x80 | c]);
            }
        }
    }
    bytes
}

/// The units of a name; `None` if no name has these bytes.
pub(in crate::fs) fn from_bytes(bytes: &[u8]) -> Option<Vec<u16>> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(rest.get(..error.valid_up_to())?).ok()?,
        };
        units.extend(valid.encode_utf16());
        rest = rest.get(valid.len()..)?;
        rest = match rest {
            [0xed, b @ 0xa0..=0xbf, c @ 0x80..=0xbf, after @ ..] => {
                units.push(0xd000 | u16::from(b & 0x3f) << 6 | u16::from(c & 0x3f));
                after
            }
            [] => rest,
            _ => return None,
        };
    }
    Some(units)
}

/// Why units are no name of a file, if they are none.
pub(in crate::fs) fn refused(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        b"" => Some("is empty"),
        b"." | b".." => Some("is one of the two names of directories"),
        _ if bytes.contains(&0) => Some("has a NUL"),
        _ if bytes.contains(&b'/') => Some("has a slash"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        let names: [&[u16]; 5] =
            [&[0x61, 0xe4, 0x20ac], &[0xd83d, 0xde00], &[0xd83d, 0x61], &[0xde00, 0xd83d], &[0xdfff]];
        for units in names {
            assert_eq!(from_bytes(&to_bytes(units)).as_deref(), Some(units));
        }
        assert_eq!(to_bytes(&[0xd83d, 0xde00]), "😀".as_bytes());
        assert_eq!(to_bytes(&[0xd83d]), [0xed, 0xa0, 0xbd]);
        for bytes in [&b"\xff"[..], b"a\xed\xa0", b"\xc0\x80"] {
            assert_eq!(from_bytes(bytes), None);
        }
    }
}
