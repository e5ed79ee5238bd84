//! JSON that a terminal may show: guests choose names, and what steers a terminal or ends a line for some readers is
//! escaped. To a parser it is the same text.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::{Image, Report};

/// The depth of an image in a report: an element of a list of the document.
const IMAGE_DEPTH: usize = 2;

/// Writes a value on one line, without the end of it.
pub(super) fn compact(value: &impl Serialize, to: &mut dyn Write) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(to, Shown(CompactFormatter)))?)
}

/// Writes a value over many lines, without the end of the last.
pub fn json(value: &impl Serialize, to: &mut dyn Write) -> io::Result<()> {
    at_depth(value, 0, to)
}

/// An image's text.
pub type Rendered = io::Result<Vec<u8>>;

/// Writes a report as [`json`] does. Images are most of it: `render` gives all of them, each as [`image`] does, on as
/// many threads as it likes.
pub fn document(
    report: &Report,
    render: &dyn Fn(&[Image]) -> Vec<Rendered>,
    to: &mut dyn Write,
) -> io::Result<()> {
    let Report { schema, run, verdict, node, images, containers, sandboxes, pods, near_misses, gaps, stats } =
        report;
    to.write_all(b"{")?;
    field("schema", schema, to)?;
    if let Some(run) = run {
        to.write_all(b",")?;
        field("run", run, to)?;
    }
    to.write_all(b",")?;
    field("verdict", verdict, to)?;
    to.write_all(b",")?;
    field("node", node, to)?;
    to.write_all(b",\n  \"images\": [")?;
    for (number, image) in render(images).into_iter().enumerate() {
        to.write_all(if number == 0 { b"\n    " } else { b",\n    " })?;
        to.write_all(&image?)?;
    }
    to.write_all(if images.is_empty() { b"]," } else { b"\n  ]," })?;
    field("containers", containers, to)?;
    if !sandboxes.is_empty() {
        to.write_all(b",")?;
        field("sandboxes", sandboxes, to)?;
    }
    to.write_all(b",")?;
    field("pods", pods, to)?;
    if !near_misses.is_empty() {
        to.write_all(b",")?;
        field("near_misses", near_misses, to)?;
    }
    to.write_all(b",")?;
    field("gaps", gaps, to)?;
    to.write_all(b",")?;
    field("stats", stats, to)?;
    to.write_all(b"\n}")
}

/// An image as it stands in a report.
pub fn image(image: &Image) -> Rendered {
    let mut text = Vec::new();
    at_depth(image, IMAGE_DEPTH, &mut text)?;
    Ok(text)
}

/// A field of a document.
fn field(name: &str, value: &impl Serialize, to: &mut dyn Write) -> io::Result<()> {
    write!(to, "\n  \"{name}\": ")?;
    at_depth(value, 1, to)
}

fn at_depth(value: &impl Serialize, depth: usize, to: &mut dyn Write) -> io::Result<()> {
    let indented = Shown(Indented { depth, has_value: false });
    Ok(value.serialize(&mut Serializer::with_formatter(to, indented))?)
}

/// Each value on a line of its own, two blanks deeper than what it is in; begins at a depth of the whole.
struct Indented {
    depth: usize,
    /// Whether the innermost list or object has something in it.
    has_value: bool,
}

impl Indented {
    fn begin<W: Write + ?Sized>(&mut self, to: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth = self.depth.saturating_add(1);
        self.has_value = false;
        to.write_all(bracket)
    }

    fn end<W: Write + ?Sized>(&mut self, to: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        if self.has_value {
            self.line(to)?;
        }
        self.has_value = true;
        to.write_all(bracket)
    }

    fn line<W: Write + ?Sized>(&self, to: &mut W) -> io::Result<()> {
        const BLANKS: &[u8] = &[b' '; 64];
        to.write_all(b"\n")?;
        let mut left = self.depth.saturating_mul(2);
        while left > 0 {
            let some = BLANKS.get(..left).unwrap_or(BLANKS);
            to.write_all(some)?;
            left = left.saturating_sub(some.len());
        }
        Ok(())
    }

    fn next<W: Write + ?Sized>(&self, to: &mut W, first: bool) -> io::Result<()> {
        if !first {
            to.write_all(b",")?;
        }
        self.line(to)
    }
}

impl Formatter for Indented {
    fn begin_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.begin(to, b"[")
    }
    fn end_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.end(to, b"]")
    }
    fn begin_array_value<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.next(to, first)
    }
    fn end_array_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
    fn begin_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.begin(to, b"{")
    }
    fn end_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.end(to, b"}")
    }
    fn begin_object_key<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.next(to, first)
    }
    fn begin_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }
    fn end_object_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
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
        let value = serde_json::json!({"a": [1, "b", {}, [], {"c": [[2]]}], "d": {}});
        json(&value, &mut pretty).unwrap();
        assert_eq!(String::from_utf8(pretty).unwrap(), serde_json::to_string_pretty(&value).unwrap());
    }
}
