//! LZ4 blocks, unpacked (lz4 project, "LZ4 Block Format Description").
//!
//! Own code, because EROFS asks what the crates do not give: the beginning of a block's data, from packed bytes whose end
//! is not known.

/// Bytes that are copied at once where there is room for them; what is copied too much is written over later.
const WIDE: usize = 16;

/// Unpacks `packed` into `out` until either ends; the number of bytes that it gave, `None` if it is damaged. Bytes of `out`
/// behind them have any value.
pub(in crate::fs) fn unpack(packed: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut rest = packed;
    let mut at: usize = 0;
    loop {
        let token = usize::from(byte(&mut rest)?);
        let count = length(&mut rest, token >> 4)?;
        at = literals(&mut rest, out, at, count)?;
        if at == out.len() || rest.is_empty() {
            return Some(at);
        }
        let (distance, after) = rest.split_first_chunk()?;
        rest = after;
        let distance = usize::from(u16::from_le_bytes(*distance));
        let count = length(&mut rest, token & 15)?.checked_add(4)?;
        at = repeat(out, at, distance, count)?;
        if at == out.len() {
            return Some(at);
        }
    }
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (byte, after) = rest.split_first()?;
    *rest = after;
    Some(*byte)
}

/// A length that fits in its half of the token, or is followed by more of it: a byte of 255 has another behind it.
fn length(rest: &mut &[u8], bits: usize) -> Option<usize> {
    let mut length = bits;
    if bits == 15 {
        loop {
            let more = byte(rest)?;
            length = length.checked_add(usize::from(more))?;
            if more != 255 {
                break;
            }
        }
    }
    Some(length)
}

/// Copies `count` packed bytes, or as many as there is room for; gives where the output ends then.
fn literals(rest: &mut &[u8], out: &mut [u8], at: usize, count: usize) -> Option<usize> {
    let room = out.get_mut(at..)?;
    if count <= WIDE
        && let (Some(from), Some(to)) = (rest.first_chunk::<WIDE>(), room.first_chunk_mut::<WIDE>())
    {
        *to = *from;
        *rest = rest.get(count..)?;
        return at.checked_add(count);
    }
    let count = count.min(room.len());
    let (from, after) = rest.split_at_checked(count)?;
    room.get_mut(..count)?.copy_from_slice(from);
    *rest = after;
    at.checked_add(count)
}

/// Repeats what was put out `distance` bytes ago; it may overlap what is put out.
fn repeat(out: &mut [u8], at: usize, distance: usize, count: usize) -> Option<usize> {
    let from = at.checked_sub(distance).filter(|_| distance > 0)?;
    let (before, room) = out.split_at_mut_checked(at)?;
    if distance >= WIDE
        && count <= WIDE
        && let (Some(from), Some(to)) =
            (before.get(from..)?.first_chunk::<WIDE>(), room.first_chunk_mut::<WIDE>())
    {
        *to = *from;
        return at.checked_add(count);
    }
    let count = count.min(room.len());
    let end = at.checked_add(count)?;
    if distance == 1 {
        let value = *before.last()?;
        room.get_mut(..count)?.fill(value);
        return Some(end);
    }
    // What lies between the two doubles with each copy.
    let mut done: usize = 0;
    while done < count {
        let some = distance.checked_add(done)?.min(count.checked_sub(done)?);
        out.copy_within(from..from.checked_add(some)?, at.checked_add(done)?);
        done = done.checked_add(some)?;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8], room: usize) -> Option<Vec<u8>> {
        let mut out = vec![0xee; room];
        let length = unpack(packed, &mut out)?;
        out.truncate(length);
        Some(out)
    }

    #[test]
    fn literals_and_matches_of_every_length() {
        assert_eq!(unpacked(&[0x30, b'a', b'b', b'c'], 64).unwrap(), b"abc");
        assert_eq!(unpacked(&[0x30, b'a', b'b', b'c'], 2).unwrap(), b"ab", "only the beginning");
        let period =
            |distance: u8, length: u8| [&[0x3f][..], b"abc", &[distance, 0, length, 0x10, b'z']].concat();
        for distance in 1..=3usize {
            for length in [0u8, 1, 50, 200] {
                let packed = period(u8::try_from(distance).unwrap(), length);
                let mut truth = b"abc".to_vec();
                for _ in 0..usize::from(length) + 19 {
                    truth.push(truth[truth.len() - distance]);
                }
                truth.push(b'z');
                assert_eq!(unpacked(&packed, 1000).unwrap(), truth, "{distance} {length}");
                for room in [0, 5, 21, truth.len()] {
                    let length = room.min(truth.len());
                    assert_eq!(unpacked(&packed, room).unwrap(), truth[..length], "{distance} {room}");
                }
            }
        }
        let long = [&[0xf0, 255, 5][..], &[b'l'; 275]].concat();
        assert_eq!(unpacked(&long, 1000).unwrap(), [b'l'; 275]);
        // Far matches are copied wide.
        let text: Vec<u8> = (0..40).collect();
        let far = [&[0xf2, 25][..], &text, &[32, 0, 0x10, 7]].concat();
        assert_eq!(unpacked(&far, 1000).unwrap(), [&text[..], &text[8..14], &[7]].concat());
    }

    #[test]
    fn damage_is_noticed() {
        assert_eq!(unpacked(&[], 10), None);
        assert_eq!(unpacked(&[0x30, b'a'], 10), None, "literals are cut off");
        assert_eq!(unpacked(&[0x10, b'a', 2, 0], 10), None, "a distance before the beginning");
        assert_eq!(unpacked(&[0x10, b'a', 0, 0], 10), None, "no distance");
        assert_eq!(unpacked(&[0x10, b'a', 1], 10), None, "a distance is cut off");
        assert_eq!(unpacked(&[0xf0, 255, 255], 10), None, "a length without end");
    }
}
