//! Bitnami's order: Semantic Versioning of numbers that may have leading zeros, without the revision of the image
//! (`-r3`). What begins with a word (a nightly build) comes before everything.

use super::{
    digits::Number,
    semver::{Phase, phase, split},
};

/// A build without a number, or numbers without zeros at their end and a phase.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version<'a> {
    Build(&'a str),
    Numbered(Vec<Number<'a>>, Phase<'a>),
}

impl<'a> Version<'a> {
    /// The parts, or `None` for what is neither.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Some(Self::Build(text));
        }
        let revision = text.rsplit_once("-r").filter(|(_, revision)| Number(revision).checked().is_some());
        let (text, _) = split(revision.map_or(text, |(text, _)| text), '+');
        let (numbers, pre) = split(text, '-');
        let numbers = numbers.split('.').map(|part| Number(part).checked());
        let mut numbers: Vec<_> = numbers.collect::<Option<_>>()?;
        while numbers.last() == Some(&Number("0")) {
            numbers.pop();
        }
        Some(Self::Numbered(numbers, phase(pre)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_zeros_and_builds() {
        let texts =
            ["nightly.2026-03-10.0", "1.2.3-1", "1.2.3-rc1", "1.2.3", "1.2.3.1", "2020.04.23", "2020.4.24"];
        let versions: Vec<_> = texts.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(Version::parse("1.2.3-r10"), Version::parse("1.2.3"));
        assert_eq!(Version::parse("1.2.0"), Version::parse("1.2"));
        assert_eq!((Version::parse(""), Version::parse("1..2")), (None, None));
    }
}
