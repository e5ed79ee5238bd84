//! Integers and UTF-16 at offsets of bytes, `None` past the end.

/// Two bytes at `at`, least significant first.
pub(crate) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|raw| u16::from_le_bytes(*raw))
}

/// Four bytes at `at`, least significant first.
pub(crate) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|raw| u32::from_le_bytes(*raw))
}

/// Eight bytes at `at`, least significant first.
pub(crate) fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|raw| u64::from_le_bytes(*raw))
}

/// Two bytes at `at`, most significant first.
pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|raw| u16::from_be_bytes(*raw))
}

/// Four bytes at `at`, most significant first.
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|raw| u32::from_be_bytes(*raw))
}

/// Eight bytes at `at`, most significant first.
pub(crate) fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|raw| u64::from_be_bytes(*raw))
}

/// `length` bytes at `at`.
pub(crate) fn part(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

/// The UTF-16 units of some bytes, least significant first; an odd byte at the end is left out.
pub(crate) fn units(bytes: &[u8]) -> Vec<u16> {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect()
}

/// The same of bytes most significant first.
pub(crate) fn be_units(bytes: &[u8]) -> Vec<u16> {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
}

/// Text in UTF-16 up to its first zero; what is not Unicode is replaced. Names of files, of which no two may become one, are
/// read by `fs::utf16`.
pub(crate) fn text(units: &[u16]) -> String {
    String::from_utf16_lossy(units.split(|unit| *unit == 0).next().unwrap_or_default())
}

/// Whether a checksum is taken for the right one: if it `fits`, and in the fuzz targets always, where what was changed must get
/// past it to be read at all.
pub(crate) const fn is_sound(fits: bool) -> bool {
    fits || cfg!(fuzzing)
}

/// A text in which `mark` and two hexadecimal digits stand for a byte (`%20`, `\x20`); what is no such escape stands for
/// itself.
pub(crate) fn unescaped(text: &str, mark: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let escape = rest.strip_prefix(mark.as_bytes()).and_then(|rest| rest.split_at_checked(2));
        let value = escape.and_then(|(digits, behind)| {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            Some((u8::from_str_radix(digits, 16).ok()?, behind))
        });
        let (byte, behind) = value.unwrap_or((*first, behind));
        bytes.push(byte);
        rest = behind;
    }
    bytes
}

/// Whether a name is an id as container runtimes give them: 64 hexadecimal digits.
pub(crate) fn is_hex_id(name: &[u8]) -> bool {
    name.len() == 64 && name.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_past_the_end() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!((le16(&bytes, 7), le16(&bytes, 8)), (Some(0x0908), None));
        assert_eq!((be32(&bytes, 5), be32(&bytes, 6)), (Some(0x0607_0809), None));
        assert_eq!((le64(&bytes, 1), be64(&bytes, 2)), (Some(0x0908_0706_0504_0302), None));
        assert_eq!((le32(&bytes, usize::MAX), be16(&bytes, 10)), (None, None));
        assert_eq!(
            (part(&bytes, 8, 1), part(&bytes, 8, 2), part(&bytes, 1, usize::MAX)),
            (Some(&[9][..]), None, None)
        );
    }

    #[test]
    fn text_ends_at_its_zero() {
        assert_eq!(text(&units(b"\xe4\0b\0\0\0c\0")), "äb");
        assert_eq!(text(&be_units(b"\xd8\x3d\xde\0\xd8\0x")), "😀\u{fffd}");
        assert_eq!(text(&[]), "");
    }
}
