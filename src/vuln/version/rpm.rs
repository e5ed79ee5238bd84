//! rpm's order of `[epoch:]version[-release]` (rpm manual, "rpm-version"): segments of digits or letters,
//! whatever separates them; `~` before the end, `^` after it.

use std::cmp::Ordering;

use super::digits::{self, Number};

/// An epoch, a version and a release; a missing epoch is 0, a missing release sorts first.
#[derive(Debug)]
pub(super) struct Version<'a> {
    epoch: &'a str,
    version: &'a str,
    release: &'a str,
}

impl<'a> Version<'a> {
    /// The parts; only an empty string has none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (epoch, rest) = match digits::take(text) {
            (epoch, rest) if rest.starts_with(':') => (epoch, rest.strip_prefix(':')?),
            _ => ("", text),
        };
        let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
        (!text.is_empty()).then_some(Self { epoch, version, release })
    }
}

impl<'a> Version<'a> {
    /// The same as if it had no epoch.
    pub(super) fn parse_without_epoch(text: &'a str) -> Option<Self> {
        Self::parse(text).map(|version| Self { epoch: "", ..version })
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        digits::compare(self.epoch, other.epoch)
            .then_with(|| segments(self.version).cmp(segments(other.version)))
            .then_with(|| segments(self.release).cmp(segments(other.release)))
    }
}

/// One piece of a version, in the order in which pieces of different kinds stand.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Tilde,
    End,
    Caret,
    Letters(&'a str),
    Digits(Number<'a>),
}

/// The pieces from front to back, the end included: it is what makes `~` lower and `^` higher.
fn segments(text: &str) -> impl Iterator<Item = Segment<'_>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?.trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^');
        let Some(first) = text.bytes().next() else {
            rest = None;
            return Some(Segment::End);
        };
        let (segment, tail) = match first {
            b'~' => (Segment::Tilde, text.get(1..)),
            b'^' => (Segment::Caret, text.get(1..)),
            b'0'..=b'9' => {
                let (number, tail) = digits::take(text);
                (Segment::Digits(Number(number)), Some(tail))
            }
            _ => {
                let (letters, tail) = digits::take_while(text, |byte| byte.is_ascii_alphabetic());
                (Segment::Letters(letters), Some(tail))
            }
        };
        rest = tail;
        Some(segment)
    })
}

by_order!(Version<'_>);

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use super::*;

    #[test]
    fn separators_tildes_carets_and_epochs() {
        for (a, order, b) in [
            ("1.100.z", Equal, "1_100z"),
            ("1.0~rc1", Less, "1.0"),
            ("1.0", Less, "1.0^git1"),
            ("1.0^git1", Less, "1.0.1"),
            ("1.0.a", Less, "1.0.1"),
            ("0:1.0-1", Equal, "1.0-1"),
            ("5.26.3-419.el8", Less, "4:5.26.3-419.el8"),
            ("5.14.0-70.17.1.el9_0", Greater, "5.14.0-70.5.1.el9_0"),
            ("1.1.α", Equal, "1.1.β"),
        ] {
            assert_eq!(Version::parse(a).unwrap().cmp(&Version::parse(b).unwrap()), order, "{a} {b}");
        }
        assert_eq!(Version::parse(""), None);
    }
}
