//! RubyGems' order (`Gem::Version`): segments of digits or letters; letters make a pre-release.

use std::cmp::Ordering;

use super::digits::{self, Number};

/// The segments without zeros at the end of the numbers and at the end of the whole.
#[derive(Debug)]
pub(super) struct Version<'a> {
    release: Vec<Segment<'a>>,
    pre: Vec<Segment<'a>>,
}

/// Words before numbers.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Word(&'a str),
    Number(Number<'a>),
}

const ZERO: Segment<'static> = Segment::Number(Number("0"));

impl<'a> Version<'a> {
    /// The segments, or `None` for what RubyGems refuses. Nothing at all is 0.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (numbers, hyphened) = text.split_once('-').map_or((text, None), |(a, b)| (a, Some(b)));
        let part = |part: &str, more: &[u8]| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
        };
        let first = numbers.split('.').next().unwrap_or_default();
        let valid = numbers.split('.').all(|one| part(one, b""))
            && first.bytes().all(|byte| byte.is_ascii_digit())
            && hyphened.is_none_or(|rest| rest.split('.').all(|one| part(one, b"-")));
        if !valid && !text.is_empty() {
            return None;
        }
        let mut segments = Vec::new();
        scan(numbers, &mut segments);
        for rest in hyphened.into_iter().flat_map(|rest| rest.split('-')) {
            segments.push(Segment::Word("pre"));
            scan(rest, &mut segments);
        }
        let words = segments.iter().position(|segment| matches!(segment, Segment::Word(_)));
        let pre = segments.split_off(words.unwrap_or(segments.len()));
        Some(Self { release: trimmed(segments), pre: trimmed(pre) })
    }

    fn segments(&self) -> impl Iterator<Item = &Segment<'a>> {
        self.release.iter().chain(&self.pre)
    }
}

fn scan<'a>(text: &'a str, segments: &mut Vec<Segment<'a>>) {
    for part in text.split('.') {
        let mut rest = part;
        while !rest.is_empty() {
            let (number, tail) = digits::take(rest);
            let (word, tail) = digits::take_while(tail, |byte| !byte.is_ascii_digit());
            segments.extend((!number.is_empty()).then_some(Segment::Number(Number(number))));
            segments.extend((!word.is_empty()).then_some(Segment::Word(word)));
            rest = tail;
        }
    }
}

fn trimmed(mut segments: Vec<Segment<'_>>) -> Vec<Segment<'_>> {
    while segments.last() == Some(&ZERO) {
        segments.pop();
    }
    segments
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.segments(), other.segments());
        loop {
            let order = match (a.next(), b.next()) {
                (None, None) => return Ordering::Equal,
                (a, b) => a.unwrap_or(&ZERO).cmp(b.unwrap_or(&ZERO)),
            };
            if order.is_ne() {
                return order;
            }
        }
    }
}

by_order!(Version<'_>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_zeros_and_hyphens() {
        let texts = ["1.0.a.2", "1.0.b1", "1.0.rc1", "1", "1.0.1", "1.2", "1.10"];
        let versions: Vec<_> = texts.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(Version::parse("1.0-1"), Version::parse("1.0.pre.1"));
        assert_eq!(Version::parse("1.0.0.beta.0"), Version::parse("1.beta"));
        assert_eq!(Version::parse(""), Version::parse("0"));
        for text in ["1..2", "1beta", "a.1", "1.-", "1_2"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
