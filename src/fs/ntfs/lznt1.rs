//! LZNT1 ([MS-XCA] 2.5): chunks of up to 4096 bytes, each a header and, if it is compressed, groups of eight literals or
//! references back, whose bits for distance and length depend on how much of the chunk is there.

use crate::bytes::{le16, part};

/// Bytes that a chunk unpacks to.
const CHUNK: usize = 4096;

/// Unpacks chunks until `length` bytes are there or the chunks end; the rest are zeros.
pub(super) fn unpack(packed: &[u8], length: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(length);
    let mut at: usize = 0;
    while out.len() < length {
        let header = le16(packed, at).unwrap_or(0);
        if header == 0 {
            break;
        }
        if header >> 12 & 7 != 3 {
            return Err(format!("header {header:#06x} of a chunk at {at:#x}"));
        }
        let start = at.saturating_add(2);
        let size = usize::from(header & 0xfff).saturating_add(1);
        let chunk = part(packed, start, size).ok_or_else(|| format!("a chunk at {at:#x} is cut"))?;
        let begin = out.len();
        match header & 0x8000 {
            0 => out.extend_from_slice(chunk),
            _ => expand(chunk, &mut out).ok_or_else(|| format!("a chunk at {at:#x} contradicts itself"))?,
        }
        // A chunk that is shorter is followed by zeros.
        out.resize(begin.saturating_add(CHUNK), 0);
        at = start.saturating_add(size);
    }
    out.resize(length, 0);
    Ok(out)
}

/// Appends a compressed chunk's bytes.
fn expand(chunk: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let begin = out.len();
    let end = begin.checked_add(CHUNK)?;
    let mut rest = chunk;
    while let Some((flags, after)) = rest.split_first() {
        rest = after;
        for bit in 0..8 {
            if rest.is_empty() {
                return Some(());
            }
            if flags >> bit & 1 == 0 {
                let (literal, after) = rest.split_first()?;
                rest = after;
                if out.len() >= end {
                    return None;
                }
                out.push(*literal);
                continue;
            }
            let token = le16(rest, 0)?;
            rest = rest.get(2..)?;
            let there = out.len().checked_sub(begin)?.checked_sub(1)?;
            // As many bits for the distance as the last byte's position needs, at least four.
            let bits = usize::BITS.checked_sub(there.leading_zeros())?.max(4);
            let length_bits = 16u32.checked_sub(bits)?;
            let distance = usize::from(token.checked_shr(length_bits)?).checked_add(1)?;
            let mask = 1u16.checked_shl(length_bits)?.checked_sub(1)?;
            let length = usize::from(token & mask).checked_add(3)?;
            if distance > there.checked_add(1)? || out.len().checked_add(length)? > end {
                return None;
            }
            let from = out.len().checked_sub(distance)?;
            for at in from..from.checked_add(length)? {
                out.push(*out.get(at)?);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        // [MS-XCA] 3.3: "F# F# G A A G F# E D E F# …".
        let packed = [
            0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00, 0x10, 0xa2, 0x47, 0x01,
            0xa0, 0x45, 0x20, 0x44, 0x00, 0x08, 0x45, 0x01, 0x50, 0x79, 0x00, 0xc0, 0x45, 0x20, 0x05, 0x24,
            0x13, 0x88, 0x05, 0xb4, 0x02, 0x4a, 0x44, 0xef, 0x03, 0x58, 0x02, 0x8c, 0x09, 0x16, 0x01, 0x48,
            0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00, 0x04, 0x01, 0x18, 0x90, 0x00,
        ];
        let plain = "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E F# \
                     G F# E D E A F# F# G A A G F# E D D E F# E D D";
        let unpacked = unpack(&packed, 200).unwrap();
        assert_eq!(&unpacked[..plain.len()], plain.as_bytes());
        assert!(unpacked[plain.len() + 1..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn damaged_chunks() {
        for packed in [
            &[0x38, 0xb0][..],
            &[0x38, 0x80, 0],
            &[0x02, 0xb0, 1, 0, 0],
            &[0x04, 0xb0, 2, b'a', 0xff, 0x1f, 0],
            &[0x03, 0xb0, 2, b'a', 0, 0x10],
        ] {
            assert!(unpack(packed, 4096).is_err(), "{packed:02x?}");
        }
    }
}
