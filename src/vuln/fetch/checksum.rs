//! SHA-256 sums as publishers tell them.

use std::io;

/// The sum in a text: `sha256sum`'s output, or a line `sha256:…` as NVD has it, in hexadecimal digits.
pub(super) fn parse(text: &str) -> io::Result<[u8; 32]> {
    let words = text.split_whitespace().map(|word| word.strip_prefix("sha256:").unwrap_or(word));
    let mut sums = words.filter_map(sum);
    sums.next().ok_or_else(|| io::Error::other("the document about its checksum has none"))
}

fn sum(word: &str) -> Option<[u8; 32]> {
    if word.len() != 64 || !word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0_u8; 32];
    for (at, slot) in bytes.iter_mut().enumerate() {
        let from = at.checked_mul(2)?;
        *slot = u8::from_str_radix(word.get(from..from.checked_add(2)?)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let hex = "00ff".repeat(16);
        let mut expected = [0_u8; 32];
        expected.iter_mut().skip(1).step_by(2).for_each(|byte| *byte = 255);
        assert_eq!(parse(&format!("{hex}  csaf_vex_2024-11-01.tar.zst\n")).unwrap(), expected);
        let meta = format!(
            "lastModifiedDate:2024-11-01T03:00:00-04:00\r\nsize:1\r\ngzSize:2\r\nsha256:{}\r\n",
            hex.to_uppercase()
        );
        assert_eq!(parse(&meta).unwrap(), expected);
        assert!(parse("no sum").is_err());
    }
}
