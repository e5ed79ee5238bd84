//! LZO1X, unpacked (kernel documentation, "LZO stream format as understood by Linux' LZO decompressor").

/// Where literals end and matches begin: how many literals the last instruction left behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// None: what begins with four zero bits is a run of literals.
    None,
    /// One to three.
    Few,
    /// A run of its own.
    Run,
}

/// Unpacks `packed` behind what `out` holds, by at most `limit` bytes; `None` if the stream is damaged.
pub(super) fn unpack(packed: &[u8], out: &mut Vec<u8>, limit: usize) -> Option<()> {
    let mut unpacker = Unpacker { rest: packed, end: out.len().checked_add(limit)?, start: out.len(), out };
    let first = *packed.first()?;
    let mut state = State::None;
    // A first byte above 17 is a run of literals without the usual header.
    if let Some(count @ 1..) = first.checked_sub(17) {
        unpacker.byte()?;
        unpacker.literals(usize::from(count))?;
        state = if count < 4 { State::Few } else { State::Run };
    }
    // Each instruction takes at least a byte.
    loop {
        state = match unpacker.instruction(state)? {
            Some(state) => state,
            None => return unpacker.rest.is_empty().then_some(()),
        };
    }
}

struct Unpacker<'a> {
    rest: &'a [u8],
    out: &'a mut Vec<u8>,
    /// Where this stream's output begins, …
    start: usize,
    /// … and where it must have ended.
    end: usize,
}

impl Unpacker<'_> {
    /// Follows one instruction; the inner `None` is the end of the stream.
    fn instruction(&mut self, state: State) -> Option<Option<State>> {
        let byte = self.byte()?;
        let value = usize::from(byte);
        let (length, distance, trailing) = match byte {
            0..=15 if state == State::None => {
                let length = self.length(value, 15)?.checked_add(3)?;
                self.literals(length)?;
                return Some(Some(State::Run));
            }
            0..=15 => {
                let distance = usize::from(self.byte()?) << 2 | value >> 2;
                match state {
                    State::Run => (3, distance.checked_add(2049)?, value),
                    _ => (2, distance.checked_add(1)?, value),
                }
            }
            16..=31 => {
                let length = self.length(value & 7, 7)?.checked_add(2)?;
                let word = self.word()?;
                let distance = ((value & 8) << 11).checked_add(word >> 2)?;
                if distance == 0 {
                    return Some(None);
                }
                (length, distance.checked_add(16_384)?, word)
            }
            32..=63 => {
                let length = self.length(value & 31, 31)?.checked_add(2)?;
                let word = self.word()?;
                (length, (word >> 2).checked_add(1)?, word)
            }
            64..=255 => {
                let (bits, least) = if byte < 128 { (value >> 5 & 1, 3) } else { (value >> 5 & 3, 5) };
                let length = bits.checked_add(least)?;
                let distance = usize::from(self.byte()?) << 3 | value >> 2 & 7;
                (length, distance.checked_add(1)?, value)
            }
        };
        self.copy(length, distance)?;
        let trailing = trailing & 3;
        self.literals(trailing)?;
        Some(Some(if trailing == 0 { State::None } else { State::Few }))
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn word(&mut self) -> Option<usize> {
        let (word, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(usize::from(u16::from_le_bytes(*word)))
    }

    /// A length that fits in the instruction, or follows it if those bits are 0: a zero byte is 255 more.
    fn length(&mut self, bits: usize, most: usize) -> Option<usize> {
        if bits != 0 {
            return Some(bits);
        }
        let mut length = most;
        loop {
            match self.byte()? {
                0 => length = length.checked_add(255)?,
                last => return length.checked_add(usize::from(last)),
            }
        }
    }

    fn literals(&mut self, count: usize) -> Option<()> {
        let (literals, rest) = self.rest.split_at_checked(count)?;
        if self.out.len().checked_add(count)? > self.end {
            return None;
        }
        self.out.extend_from_slice(literals);
        self.rest = rest;
        Some(())
    }

    /// Repeats what was put out `distance` bytes ago; it may overlap what is put out.
    fn copy(&mut self, length: usize, distance: usize) -> Option<()> {
        let mut from = self.out.len().checked_sub(distance).filter(|from| *from >= self.start)?;
        if self.out.len().checked_add(length)? > self.end {
            return None;
        }
        let mut left = length;
        while left > 0 {
            let some = left.min(distance);
            self.out.extend_from_within(from..from.checked_add(some)?);
            from = from.checked_add(some)?;
            left = left.checked_sub(some)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        unpack(packed, &mut out, 64)?;
        Some(out.split_off(6))
    }

    #[test]
    fn each_kind_of_instruction() {
        const END: [u8; 3] = [0x11, 0, 0];
        let with = |parts: &[&[u8]]| unpacked(&[&parts.concat()[..], &END].concat());
        assert_eq!(with(&[&[17 + 5], b"abcde"]).unwrap(), b"abcde");
        assert_eq!(with(&[&[1], b"abcd"]).unwrap(), b"abcd", "a run of 1 + 3");
        assert_eq!(with(&[&[17 + 4], b"abcd", &[0x40, 0]]).unwrap(), b"abcdddd", "3 bytes, distance 1");
        assert_eq!(
            with(&[&[17 + 4], b"abcd", &[0b0110_1101, 0], b"x"]).unwrap(),
            b"abcdabcdx",
            "4 bytes, distance 4"
        );
        assert_eq!(
            with(&[&[17 + 4], b"abcd", &[0b1110_0100, 0]]).unwrap(),
            b"abcdcdcdcdcd",
            "8 bytes, distance 2"
        );
        assert_eq!(with(&[&[17 + 4], b"abcd", &[32, 1, 0, 0]]).unwrap().len(), 4 + 31 + 1 + 2);
        assert_eq!(
            with(&[&[17 + 2], b"ab", &[0b0000_0101, 0], b"z"]).unwrap(),
            b"ababz",
            "2 bytes after few literals"
        );
        assert_eq!(with(&[&[17 + 4], b"abcd", &[0x40, 1]]), None, "a distance before the beginning");
        assert_eq!(with(&[&[17 + 65], &[b'x'; 65]]), None, "more than the limit");
        assert_eq!(unpacked(&[17 + 4, b'a']), None, "cut off");
        assert_eq!(unpacked(&[0, 0, 0, 0]), None, "a length without end");
    }
}
