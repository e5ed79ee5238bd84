//! Names: eight and three letters in the code page of DOS, or up to 255 units of UTF-16 in entries before those.

use crate::bytes::units;
use crate::fs::utf16;

/// The upper half of code page 437.
const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// Bits that say that a part of a short name was given in small letters.
const SMALL_BASE: u8 = 0x08;
const SMALL_EXTENSION: u8 = 0x10;

/// The bytes of text in the code page.
pub(super) fn decode(text: &[u8]) -> String {
    let upper = |byte: u8| UPPER.chars().nth(usize::from(byte & 0x7f)).unwrap_or('\u{fffd}');
    text.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { upper(*byte) }).collect()
}

/// A short name as it is shown.
pub(super) fn short(raw: [u8; 11], flags: u8) -> String {
    let mut raw = raw;
    // The first byte of a name that is free is 0xe5; one that has that letter has another.
    if let [first @ 0x05, ..] = &mut raw {
        *first = 0xe5;
    }
    let (base, extension) = raw.split_at_checked(8).unwrap_or_default();
    let part = |part: &[u8], small: bool| {
        let text = decode(part);
        let text = text.trim_end_matches(' ');
        if small { text.to_lowercase() } else { text.to_owned() }
    };
    let (base, extension) =
        (part(base, flags & SMALL_BASE != 0), part(extension, flags & SMALL_EXTENSION != 0));
    if extension.is_empty() { base } else { format!("{base}.{extension}") }
}

/// The sum of a short name by which its long name's entries know it.
pub(super) fn checksum(raw: [u8; 11]) -> u8 {
    raw.iter().fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// A long name whose entries are being read: the last part comes first.
#[derive(Default)]
pub(super) struct Long {
    /// Parts in the order of the disk.
    parts: Vec<[u8; 26]>,
    /// The number of the part that comes next, 0 when all are there.
    next: u8,
    sum: u8,
    /// Something was there that is no part of one.
    broken: bool,
}

impl Long {
    /// Takes an entry of a long name.
    pub(super) fn take(&mut self, entry: &[u8; 32]) {
        let (order, sum) = (entry[0], entry[13]);
        if order & 0x40 != 0 {
            *self = Self { next: order & 0x3f, sum, ..Self::default() };
            self.broken = !(1..=20).contains(&self.next);
        } else if self.parts.is_empty() || order != self.next || sum != self.sum {
            self.broken = true;
        }
        if self.broken {
            return;
        }
        let mut part = [0; 26];
        let raw = entry[1..11].iter().chain(&entry[14..26]).chain(&entry[28..32]);
        part.iter_mut().zip(raw).for_each(|(to, from)| *to = *from);
        self.parts.push(part);
        self.next = self.next.saturating_sub(1);
    }

    /// The name for a short one, if there is one; an error if it does not fit.
    pub(super) fn finish(self, raw: [u8; 11]) -> Result<Option<Vec<u8>>, &'static str> {
        if self.parts.is_empty() && !self.broken {
            return Ok(None);
        }
        if self.broken || self.next != 0 {
            return Err("its long name is not whole");
        }
        if self.sum != checksum(raw) {
            return Err("its long name is of another");
        }
        let raw: Vec<u8> = self.parts.into_iter().rev().flatten().collect();
        let mut name = units(&raw);
        // A NUL ends it where there is room for one.
        let end = name.iter().position(|unit| *unit == 0).unwrap_or(name.len());
        name.truncate(end);
        match name.len() {
            1..=255 => Ok(Some(utf16::to_bytes(&name))),
            _ => Err("its long name is empty or too long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names() {
        assert_eq!(short(*b"FILE    TXT", 0), "FILE.TXT");
        assert_eq!(short(*b"FILE    TXT", 0x18), "file.txt");
        assert_eq!(short(*b"FILE    TXT", 0x10), "FILE.txt");
        assert_eq!(short(*b"\x05BC        ", 0), "σBC");
        assert_eq!(UPPER.chars().count(), 128);
        assert_eq!(checksum(*b"FILENAMEEXT"), {
            let mut sum = 0u8;
            for byte in b"FILENAMEEXT" {
                sum = ((sum & 1) << 7).wrapping_add(sum >> 1).wrapping_add(*byte);
            }
            sum
        });
    }
}
