//! JSON that a terminal may show: guests choose names, and what steers a terminal or ends a line for some readers is
//! escaped. To a parser it is the same text.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// Writes a value on one line, without the end of it.
pub(super) fn compact(value: &impl Serialize, to: &mut dyn Write) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(to, Shown(CompactFormatter)))?)
}

/// Writes a value over many lines, without the end of the last.
pub fn json(value: &impl Serialize, to: &mut dyn Write) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(to, Shown(PrettyFormatter::new())))?)
}

/// Whether a character does more on a terminal than show: C0 and C1 controls, other ends of lines, and those that turn
/// the direction of the text.
pub(super) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A formatter whose strings show what they hold.
struct Shown<F>(F);

impl<F: Formatter> Formatter for Shown<F> {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        // Nearly all of a report is plain; what is below a blank never comes here.
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return self.0.write_string_fragment(to, fragment);
        }
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| steers(*c)) {
            let (plain, found) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.0.write_string_fragment(to, plain)?;
            write!(to, "\\u{:04x}", u32::from(c))?;
            rest = found.get(c.len_utf8()..).unwrap_or_default();
        }
        self.0.write_string_fragment(to, rest)
    }

    fn begin_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.begin_array(to)
    }
    fn end_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_array(to)
    }
    fn begin_array_value<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(to, first)
    }
    fn end_array_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_array_value(to)
    }
    fn begin_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.begin_object(to)
    }
    fn end_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_object(to)
    }
    fn begin_object_key<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(to, first)
    }
    fn begin_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.begin_object_value(to)
    }
    fn end_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_object_value(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped_and_reads_the_same() {
        let text = "a\u{9b}31m\u{2028}b\u{202e}ü\"\n\u{7f}";
        for write in [|t: &str, to: &mut Vec<u8>| compact(&t, to), |t: &str, to: &mut Vec<u8>| json(&t, to)] {
            let mut out = Vec::new();
            write(text, &mut out).unwrap();
            assert_eq!(std::str::from_utf8(&out).unwrap(), "\"a\\u009b31m\\u2028b\\u202eü\\\"\\n\\u007f\"");
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
        let mut pretty = Vec::new();
        json(&serde_json::json!({"a": [1, "b"]}), &mut pretty).unwrap();
        assert_eq!(String::from_utf8(pretty).unwrap(), "{\n  \"a\": [\n    1,\n    \"b\"\n  ]\n}");
    }
}
