//! Semantic Versioning 2.0.0 (semver.org, §9–§11). Build metadata does not count.

use super::digits::Number;

/// Three numbers, then the identifiers of a pre-release.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version<'a> {
    core: [u64; 3],
    phase: Phase<'a>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase<'a> {
    PreRelease(Vec<Identifier<'a>>),
    Release,
}

/// Numbers before words (§11.4.3).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Number(Number<'a>),
    Word(&'a str),
}

impl<'a> Version<'a> {
    /// All three numbers, with or without a leading `v`.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        Self::parse_parts(text, 3)
    }

    /// One to three numbers; those left out are 0.
    pub(super) fn parse_partial(text: &'a str) -> Option<Self> {
        Self::parse_parts(text, 1)
    }

    fn parse_parts(text: &'a str, at_least: usize) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('=').unwrap_or(text).trim_start();
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = split(text, '+');
        let (numbers, pre) = split(text, '-');
        if !build.is_none_or(|build| build.split('.').all(is_identifier)) {
            return None;
        }
        let mut core = [0; 3];
        let mut count = 0_usize;
        let mut slots = core.iter_mut();
        for part in numbers.split('.') {
            *slots.next()? = number(part)?.parse().ok()?;
            count = count.saturating_add(1);
        }
        let phase = match pre {
            Some(pre) => Phase::PreRelease(pre.split('.').map(identifier).collect::<Option<_>>()?),
            None => Phase::Release,
        };
        (count >= at_least).then_some(Self { core, phase })
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(front, back)| (front, Some(back)))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A number without leading zeros (§2, §9).
fn number(text: &str) -> Option<&str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (text == "0" || !text.starts_with('0'))).then_some(text)
}

fn identifier(text: &str) -> Option<Identifier<'_>> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => number(text).map(|text| Identifier::Number(Number(text))),
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
    }
}
