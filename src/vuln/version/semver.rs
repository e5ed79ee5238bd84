//! Semantic Versioning 2.0.0 (semver.org, §9–§11), and the schemes that differ from it in little: npm, Go, Hex and
//! Pub. Build metadata does not count, but for Pub.

use std::ops::RangeInclusive;

use super::digits::{self, Number};

/// Three numbers (more are only Pub's), then the identifiers of a pre-release.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version<'a> {
    core: Vec<Number<'a>>,
    phase: Phase<'a>,
    /// Empty in schemes for which it does not count.
    build: Vec<Identifier<'a>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase<'a> {
    PreRelease(Vec<Identifier<'a>>),
    Release,
}

/// Numbers before words (§11.4.3).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identifier<'a> {
    Number(Number<'a>),
    Word(&'a str),
}

impl<'a> Version<'a> {
    /// All three numbers, with or without a leading `v`.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        Self::parts(prefixed(text), 3..=3).filter(Self::is_in_range)
    }

    /// npm: one to three numbers; those left out are 0.
    pub(super) fn parse_partial(text: &'a str) -> Option<Self> {
        Self::parts(prefixed(text), 1..=3).filter(Self::is_in_range)
    }

    /// Hex: all three numbers and nothing before them.
    pub(super) fn parse_strict(text: &'a str) -> Option<Self> {
        Self::parts(text, 3..=3)
    }

    /// Pub: build metadata comes after the release that it is of, in order. Any number of numbers is taken.
    pub(super) fn parse_with_build(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let build = text.split_once('+').map_or("", |(_, build)| build);
        let identifier = |text: &'a str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => Identifier::Number(Number(text)),
            false => Identifier::Word(text),
        };
        let build = build.split('.').filter(|_| !build.is_empty()).map(identifier).collect();
        Some(Self { build, ..Self::parts(text, 1..=usize::MAX)? })
    }

    /// Go modules (golang.org/x/mod/semver): `v` may be missing; the short forms `v1` and `v1.2` are releases.
    /// Releases of Go itself are `go1.21rc2`.
    pub(super) fn parse_go(text: &'a str) -> Option<Self> {
        if let Some(release) = text.strip_prefix("go") {
            let end = release.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(release.len());
            let (numbers, pre) = release.split_at_checked(end)?;
            let plain = Self::parts(numbers, 1..=3).filter(|plain| plain.phase == Phase::Release)?;
            if pre.is_empty() {
                return Some(plain);
            }
            let (word, number) = digits::take_while(pre, |byte| byte.is_ascii_alphabetic());
            let pre = vec![Identifier::Word(word), Identifier::Number(Number(number).checked()?)];
            return Some(Self { phase: Phase::PreRelease(pre), ..plain });
        }
        let text = text.strip_prefix('v').unwrap_or(text);
        let short = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        Self::parts(text, if short { 1..=3 } else { 3..=3 })
    }

    /// So many numbers; those that are left out are 0.
    fn parts(text: &'a str, counts: RangeInclusive<usize>) -> Option<Self> {
        let (text, build) = split(text, '+');
        let (numbers, pre) = split(text, '-');
        if !build.is_none_or(|build| build.split('.').all(is_identifier)) {
            return None;
        }
        let mut core: Vec<_> = numbers.split('.').map(number).collect::<Option<_>>()?;
        let phase = phase(pre).filter(|_| counts.contains(&core.len()))?;
        while core.len() < 3 {
            core.push(Number("0"));
        }
        Some(Self { core, phase, build: Vec::new() })
    }

    /// npm and Cargo hold the numbers in 64 bits.
    fn is_in_range(&self) -> bool {
        self.core.iter().all(|number| number.0.parse::<u64>().is_ok())
    }
}

/// What follows the signs that people put before versions.
fn prefixed(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix('=').unwrap_or(text).trim_start();
    text.strip_prefix('v').unwrap_or(text)
}

/// What is before and behind the first sign of a kind.
pub(super) fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(front, back)| (front, Some(back)))
}

/// Whether a text can be one part of a pre-release (§9).
pub(super) fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A number without leading zeros (§2, §9).
fn number(text: &str) -> Option<Number<'_>> {
    Number(text).checked().filter(|_| text == "0" || !text.starts_with('0'))
}

/// The identifiers of a pre-release, or the release.
pub(super) fn phase(pre: Option<&str>) -> Option<Phase<'_>> {
    Some(match pre {
        Some(pre) => Phase::PreRelease(pre.split('.').map(identifier).collect::<Option<_>>()?),
        None => Phase::Release,
    })
}

fn identifier(text: &str) -> Option<Identifier<'_>> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => number(text).map(Identifier::Number),
        false => is_identifier(text).then_some(Identifier::Word(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specifications_own_order() {
        let texts = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
        ];
        let versions: Vec<_> = texts.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(Version::parse("v1.0.0+build"), Version::parse("1.0.0"));
    }

    #[test]
    fn what_is_no_version() {
        for text in ["", "1", "1.2", "1.2.3.4", "1.2.03", "1.2.3-01", "1.2.3-", "1.2.3+", "a.b.c", "1.2.3-é"]
        {
            assert_eq!(Version::parse(text), None, "{text:?}");
        }
        assert_eq!(Version::parse_partial("1.2"), Version::parse("1.2.0"));
        assert_eq!(Version::parse_strict("v1.2.3"), None);
    }

    #[test]
    fn the_schemes_that_differ_in_little() {
        let go = |text| Version::parse_go(text).unwrap();
        assert!(
            go("go1.21rc2") < go("go1.21") && go("go1.21") == go("v1.21.0") && go("go1.21.3") > go("go1.21")
        );
        assert_eq!(Version::parse_go("v1.2-pre"), None);
        assert_eq!(Version::parse_go("go1.2rc"), None);
        let with_build = |text| Version::parse_with_build(text).unwrap();
        assert!(with_build("1.0.0") < with_build("1.0.0+1") && with_build("1.0.0-a+b") < with_build("1.0.0"));
    }
}
