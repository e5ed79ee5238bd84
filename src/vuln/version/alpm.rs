//! Arch Linux's order (vercmp(8)): `[epoch:]version[-release]`. A release that one of two lacks does not count,
//! so that equality is not transitive.

use std::cmp::Ordering;

use super::digits;

/// The three parts.
#[derive(Debug)]
pub(super) struct Version<'a> {
    epoch: &'a str,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> Version<'a> {
    /// The parts; only an empty string has none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (epoch, rest) = match digits::take(text) {
            (epoch, rest) if rest.starts_with(':') => (epoch, rest.strip_prefix(':')?),
            _ => ("", text),
        };
        let (version, release) = rest.rsplit_once('-').map_or((rest, None), |(a, b)| (a, Some(b)));
        (!text.is_empty()).then_some(Self { epoch, version, release })
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let releases = self.release.zip(other.release);
        digits::compare(self.epoch, other.epoch)
            .then_with(|| compare(self.version, other.version))
            .then_with(|| releases.map_or(Ordering::Equal, |(a, b)| compare(a, b)))
    }
}

/// Runs of digits or letters; more separators are later, numbers later than letters, letters at the end earlier
/// than the end.
fn compare(mut a: &str, mut b: &str) -> Ordering {
    let is_separator = |c: char| !c.is_ascii_alphanumeric();
    loop {
        let (next_a, next_b) = (a.trim_start_matches(is_separator), b.trim_start_matches(is_separator));
        if next_a.is_empty() || next_b.is_empty() {
            return end(a, b);
        }
        let separators = a.len().saturating_sub(next_a.len()).cmp(&b.len().saturating_sub(next_b.len()));
        if separators.is_ne() {
            return separators;
        }
        let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let (run_a, run_b);
        let order = match (digit(next_a), digit(next_b)) {
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (digits, _) => {
                (run_a, a) = run(next_a, digits);
                (run_b, b) = run(next_b, digits);
                if digits { digits::compare(run_a, run_b) } else { run_a.cmp(run_b) }
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The leading digits, or letters, of a text, and what follows them.
fn run(text: &str, digits: bool) -> (&str, &str) {
    digits::take_while(text, |byte| match digits {
        true => byte.is_ascii_digit(),
        false => byte.is_ascii_alphabetic(),
    })
}

/// One of the two has nothing but separators left.
fn end(a: &str, b: &str) -> Ordering {
    let letter = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) if letter(b) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, true) if letter(a) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.len().cmp(&b.len()),
    }
}

by_order!(Version<'_>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vercmps_own_examples() {
        let texts =
            ["1.0a", "1.0alpha", "1.0b", "1.0beta", "1.0p", "1.0pre", "1.0rc", "1.0", "1.0.a", "1.0.1"];
        let versions: Vec<_> = texts.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(Version::parse("1.5-1"), Version::parse("1.5"));
        assert!(Version::parse("1:1.0") > Version::parse("9.9"));
        assert_eq!(Version::parse(""), None);
    }
}
