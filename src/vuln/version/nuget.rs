//! NuGet's order (`NuGetVersion`): up to four numbers, then Semantic Versioning's pre-release in any case.
//! Build metadata does not count.

use std::cmp::Ordering;

use super::{
    digits::Number,
    semver::{is_identifier, split},
};

/// Four numbers, the missing ones 0, and the identifiers of a pre-release.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version<'a> {
    core: [Number<'a>; 4],
    phase: Phase<'a>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase<'a> {
    PreRelease(Vec<Identifier<'a>>),
    Release,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Number(Number<'a>),
    Word(AnyCase<'a>),
}

/// A word whose case does not count.
#[derive(Debug)]
struct AnyCase<'a>(&'a str);

impl<'a> Version<'a> {
    /// The parts, or `None` for what NuGet refuses.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (text, _) = split(text.trim(), '+');
        let (numbers, pre) = split(text, '-');
        let mut core = [const { Number("0") }; 4];
        let mut slots = core.iter_mut();
        for part in numbers.split('.') {
            *slots.next()? = Number(part).checked()?;
        }
        let phase = match pre {
            Some(pre) => Phase::PreRelease(pre.split('.').map(identifier).collect::<Option<_>>()?),
            None => Phase::Release,
        };
        Some(Self { core, phase })
    }
}

fn identifier(text: &str) -> Option<Identifier<'_>> {
    let number = Number(text).checked().map(Identifier::Number);
    number.or_else(|| is_identifier(text).then_some(Identifier::Word(AnyCase(text))))
}

impl Ord for AnyCase<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let lower = |text: &'_ str| text.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>();
        lower(self.0).cmp(&lower(other.0))
    }
}

by_order!(AnyCase<'_>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_numbers_and_any_case() {
        let texts = ["1.0.0-alpha", "1.0.0-beta.2", "1.0.0-BETA.11", "1.0.0-rc", "1", "1.0.0.1"];
        let versions: Vec<_> = texts.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(Version::parse("1.0-RC+a"), Version::parse("1.0.0.0-rc"));
        for text in ["", "1.2.3.4.5", "1..2", "a", "1-"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
