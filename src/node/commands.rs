//! Command lines of units (systemd.service(5), Command lines; systemd.syntax(7), Quoting): words, and what the variables in
//! them stand for.

use super::{environment::Environment, specifiers};
use crate::error::FormatError;

/// A word of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// As it is written.
    pub(super) raw: String,
    /// What it stands for; `None` if the disks do not tell.
    pub(super) value: Option<String>,
}

/// Splits text at white space; what is in quotes is not split, and escapes stand for their bytes. Quotes that have no end
/// end with the text.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut is_there, mut quote) = (Vec::new(), false, None);
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (*byte, quote) {
            (b'\\', _) => {
                is_there = true;
                rest = escaped(rest, &mut word);
            }
            (end, Some(begun)) if end == begun => quote = None,
            (inside, Some(_)) => word.push(inside),
            (begin @ (b'"' | b'\''), None) => (is_there, quote) = (true, Some(begin)),
            (blank, None) if blank.is_ascii_whitespace() => {
                let word = std::mem::take(&mut word);
                words.extend(
                    std::mem::take(&mut is_there).then(|| String::from_utf8_lossy(&word).into_owned()),
                );
            }
            (other, None) => {
                is_there = true;
                word.push(other);
            }
        }
    }
    words.extend(is_there.then(|| String::from_utf8_lossy(&word).into_owned()));
    words
}

/// Adds what is behind a backslash to a word, and gives what follows.
fn escaped<'a>(rest: &'a [u8], word: &mut Vec<u8>) -> &'a [u8] {
    let number = |from: usize, length: usize, radix| {
        let digits = rest.get(from..from.saturating_add(length))?;
        let digits =
            std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        u8::from_str_radix(digits?, radix).ok()
    };
    let (byte, length) = match rest.first() {
        Some(b'x') => (number(1, 2, 16), 3),
        Some(b'0'..=b'7') => (number(0, 3, 8), 3),
        Some(b'n') => (Some(b'\n'), 1),
        Some(b't') => (Some(b'\t'), 1),
        Some(b'r') => (Some(b'\r'), 1),
        Some(b's') => (Some(b' '), 1),
        Some(quoted @ (b'"' | b'\'' | b'\\')) => (Some(*quoted), 1),
        _ => (None, 0),
    };
    match byte {
        Some(byte) => {
            word.push(byte);
            rest.get(length..).unwrap_or_default()
        }
        None => {
            word.push(b'\\');
            rest
        }
    }
}

/// The words of a command of a unit, with what they stand for, in `left` bytes. Words in words follow them, as a shell that
/// is given them would see them.
pub(super) fn words(
    command: &str,
    unit: &str,
    variables: &Environment,
    left: &mut usize,
) -> Result<Vec<Word>, FormatError> {
    let raw = split(command);
    // A `:` before the program keeps `$` as it is.
    let program = raw.first().map(String::as_str).unwrap_or_default();
    let path = program.trim_start_matches(['@', '-', ':', '+', '!', '|']);
    let is_plain = program.strip_suffix(path).is_some_and(|prefix| prefix.contains(':'));
    let mut expand = |raw: String| {
        let values = match is_plain {
            true => vec![Some(raw.clone())],
            false => variables.expand(&raw, left)?,
        };
        let words = values.into_iter().map(|value| Word { raw: raw.clone(), value });
        Ok::<Vec<Word>, FormatError>(words.collect())
    };
    let mut words = Vec::new();
    for raw in raw {
        let Some(value) = specifiers::expand(&raw, unit) else {
            words.push(Word { raw, value: None });
            continue;
        };
        for word in expand(value)? {
            let is_text =
                |value: &&str| !value.starts_with('-') && value.contains(|c: char| c.is_ascii_whitespace());
            let inner = word.value.as_deref().filter(is_text);
            let inner = inner.map(split).unwrap_or_default();
            words.push(word);
            for raw in inner {
                words.extend(expand(raw)?);
            }
        }
    }
    Ok(words)
}
