//! Every bit of every word of features and flags, flipped: each is refused by its name, told, or changes nothing.
//!
//! What a bit does is a letter: `R` it is refused by name, `T` it is told and everything is as before, `S` everything is as before
//! and nothing is told, `J` the journal is not replayed, and that is told by the feature's name, `K` it is a known feature, whose
//! absence or presence makes another disk of it (what is then shown is not compared), `L` it is an error. A row of bits is letters with their
//! counts from bit 0 on: `S2 R30`.

mod disks;
mod file_systems;
mod volumes;

use std::{io, sync::Arc};

use icecore::{
    FormatError,
    block::{ReadAt, Source},
    gap::Code,
};

/// A disk with some bytes changed.
struct Patched {
    below: Source,
    patches: Vec<(u64, Vec<u8>)>,
}

impl ReadAt for Patched {
    fn size(&self) -> u64 {
        self.below.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.below.read_at(buf, offset)?;
        for (at, bytes) in &self.patches {
            for (byte, at) in bytes.iter().zip(*at..) {
                if let Some(to) =
                    at.checked_sub(offset).and_then(|at| buf.get_mut(usize::try_from(at).unwrap()))
                {
                    *to = *byte;
                }
            }
        }
        Ok(())
    }
}

/// A word of features.
#[derive(Clone, Copy)]
struct Word {
    name: &'static str,
    /// Where it is in its structure.
    at: usize,
    /// Bits of it.
    bits: usize,
    big_endian: bool,
    /// What its bits do.
    row: &'static str,
}

const fn le(name: &'static str, at: usize, bits: usize, row: &'static str) -> Word {
    Word { name, at, bits, big_endian: false, row }
}

const fn be(name: &'static str, at: usize, bits: usize, row: &'static str) -> Word {
    Word { name, at, bits, big_endian: true, row }
}

impl Word {
    fn flip(&self, structure: &mut [u8], bit: usize) {
        let byte = if self.big_endian { self.bits / 8 - 1 - bit / 8 } else { bit / 8 };
        structure[self.at + byte] ^= 1 << (bit % 8);
    }
}

/// What is seen of a changed disk, with what is told.
#[derive(Debug)]
#[expect(dead_code, reason = "what is told is shown by a test that fails")]
enum Seen {
    Refused(String),
    NotReplayed(String),
    Told(String),
    Same,
    /// It is not as before, but for what is told.
    Lost(String),
    Wrong(String),
}

impl Seen {
    /// Of a disk that cannot be opened.
    fn error(error: &FormatError) -> Self {
        match error.code() {
            Code::UnsupportedFeature | Code::UnsupportedDiskFormat | Code::EncryptedVolume => {
                Self::Refused(error.detail())
            }
            _ => Self::Lost(error.detail()),
        }
    }

    fn letter(&self) -> char {
        match self {
            Self::Refused(_) => 'R',
            Self::NotReplayed(_) => 'J',
            Self::Told(_) => 'T',
            Self::Same => 'S',
            Self::Lost(_) => 'L',
            Self::Wrong(_) => 'W',
        }
    }
}

/// The letters of a row.
fn letters(row: &str) -> String {
    row.split(' ').filter(|part| !part.is_empty()).fold(String::new(), |mut all, part| {
        let (letter, count) = part.split_at(1);
        let count = if count.is_empty() { 1 } else { count.parse().unwrap() };
        all.extend(std::iter::repeat_n(letter, count));
        all
    })
}

/// A row of letters.
fn row(letters: &[char]) -> String {
    let runs = letters.chunk_by(|a, b| a == b).map(|run| match run.len() {
        1 => run[0].to_string(),
        count => format!("{}{count}", run[0]),
    });
    runs.collect::<Vec<_>>().join(" ")
}

/// Flips every bit of the words of a structure, and has what is then `seen` of it judged by their rows; of what is refused or
/// not replayed the message must begin with `by`.
fn check(what: &str, structure: &[u8], words: &[Word], by: &str, seen: impl Fn(Vec<u8>) -> Seen) {
    let mut wrong = Vec::new();
    for word in words {
        let expected = letters(word.row);
        let found: Vec<(char, Seen)> = (0..word.bits)
            .map(|bit| {
                let mut bytes = structure.to_vec();
                word.flip(&mut bytes, bit);
                let seen = seen(bytes);
                let known = expected.chars().nth(bit) == Some('K');
                if let Seen::Refused(message) | Seen::NotReplayed(message) = &seen
                    && !known
                {
                    assert!(message.contains(by), "{what} {} bit {bit}: {message}", word.name);
                }
                (if known { 'K' } else { seen.letter() }, seen)
            })
            .collect();
        let letters: Vec<char> = found.iter().map(|(letter, _)| *letter).collect();
        if row(&letters) != word.row {
            let bits = found
                .iter()
                .enumerate()
                .filter(|(bit, (letter, _))| Some(*letter) != expected.chars().nth(*bit));
            let bits: Vec<String> =
                bits.map(|(bit, (_, seen))| format!("  {bit}: {:.200}", format!("{seen:?}"))).collect();
            wrong.push(format!(
                "{what} {}: {}, not {}\n{}",
                word.name,
                row(&letters),
                word.row,
                bits.join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A source with one structure changed.
fn patched(below: &Source, at: usize, bytes: Vec<u8>) -> Source {
    Arc::new(Patched { below: Arc::clone(below), patches: vec![(at as u64, bytes)] })
}
