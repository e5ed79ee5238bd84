//! Gentoo's order (Package Manager Specification 8, "Version comparison"): numbers, a letter, suffixes, a
//! revision.

use std::cmp::Ordering;

use super::digits::{self, Number};

/// The parts in the order in which they count.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version<'a> {
    first: Number<'a>,
    numbers: Vec<Component<'a>>,
    letter: &'a str,
    suffixes: Suffixes<'a>,
    revision: Number<'a>,
}

/// A number behind a dot: with a leading zero it is a fraction.
#[derive(Debug)]
struct Component<'a>(&'a str);

#[derive(Debug)]
struct Suffixes<'a>(Vec<(usize, Number<'a>)>);

/// The suffixes before a release, then the release, then the one after it.
const SUFFIXES: [&str; 6] = ["alpha", "beta", "pre", "rc", "", "p"];
const RELEASE: (usize, Number<'static>) = (4, Number(""));

impl<'a> Version<'a> {
    /// The parts, or `None` for what the specification does not allow.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (text, revision) = match text.rsplit_once("-r") {
            Some((text, revision)) => (text, Number(revision).checked()?),
            None => (text, Number("0")),
        };
        let mut parts = text.split('_');
        let numbers = parts.next()?;
        let end = numbers.find(|c: char| c.is_ascii_lowercase()).unwrap_or(numbers.len());
        let (numbers, letter) = numbers.split_at_checked(end).filter(|(_, letter)| letter.len() <= 1)?;
        let mut numbers = numbers.split('.');
        let first = Number(numbers.next()?).checked()?;
        let numbers = numbers.map(|part| Number(part).checked().map(|number| Component(number.0)));
        let suffix = |part: &'a str| {
            let (word, number) = digits::take_while(part, |byte| byte.is_ascii_lowercase());
            let rank = SUFFIXES.iter().position(|known| !known.is_empty() && *known == word)?;
            let number = if number.is_empty() { Number("0") } else { Number(number).checked()? };
            Some((rank, number))
        };
        Some(Self {
            first,
            numbers: numbers.collect::<Option<_>>()?,
            letter,
            suffixes: Suffixes(parts.map(suffix).collect::<Option<_>>()?),
            revision,
        })
    }
}

impl Ord for Component<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.0.starts_with('0') || other.0.starts_with('0') {
            true => self.0.trim_end_matches('0').cmp(other.0.trim_end_matches('0')),
            false => digits::compare(self.0, other.0),
        }
    }
}

impl Ord for Suffixes<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.0.iter(), other.0.iter());
        loop {
            let order = match (a.next(), b.next()) {
                (None, None) => return Ordering::Equal,
                (a, b) => a.unwrap_or(&RELEASE).cmp(b.unwrap_or(&RELEASE)),
            };
            if order.is_ne() {
                return order;
            }
        }
    }
}

by_order!(Component<'_>, Suffixes<'_>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_letters_suffixes_and_revisions() {
        let texts =
            ["1.0_alpha", "1.0_alpha2", "1.0_rc3", "1.0", "1.0-r1", "1.0_p2", "1.0b", "1.0.0", "1.01", "1.1"];
        let versions: Vec<_> = texts.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(Version::parse("1.0-r0"), Version::parse("1.0"));
        for text in ["", "1.", "a", "1.0bc", "1_foo", "1-rx"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
