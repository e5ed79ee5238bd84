//! Composer's order (`VersionParser::normalize`, then PHP's `version_compare`): up to four numbers or a date,
//! a stability with numbers, `-dev`.

use std::cmp::Ordering;

use super::digits::{self, Number};

/// A branch, which is before every release, or the parts of a normalized release.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version<'a> {
    Branch(&'a str),
    Release(Release<'a>),
}

#[derive(Debug)]
pub(super) struct Release<'a>(Vec<Part<'a>>);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Number(Number<'a>),
    Stability(Stability),
}

/// In order; a number in a stability's place is a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stability {
    Dev,
    Alpha,
    Beta,
    Candidate,
    Release,
    Patch,
}

/// The words for stabilities, longer ones before those that they begin with.
const WORDS: [(&str, Option<Stability>); 9] = [
    ("stable", None),
    ("beta", Some(Stability::Beta)),
    ("b", Some(Stability::Beta)),
    ("rc", Some(Stability::Candidate)),
    ("alpha", Some(Stability::Alpha)),
    ("a", Some(Stability::Alpha)),
    ("patch", Some(Stability::Patch)),
    ("pl", Some(Stability::Patch)),
    ("p", Some(Stability::Patch)),
];

impl<'a> Version<'a> {
    /// The parts, or `None` for what Composer refuses.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        if let Some(branch) = text.strip_prefix("dev-") {
            return Some(Self::Branch(branch));
        }
        let text = match text.split_once('+') {
            Some((front, build)) if !build.is_empty() && !build.contains(char::is_whitespace) => front,
            _ => text,
        };
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        classical(text).or_else(|| dated(text)).map(Release).map(Self::Release)
    }
}

/// `1.2.3.4`, the missing numbers 0.
fn classical(text: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let (mut number, mut rest) = digits::take(text);
    if number.is_empty() || number.len() > 5 {
        return None;
    }
    loop {
        parts.push(Part::Number(Number(number)));
        let next = rest.strip_prefix('.').map(digits::take).filter(|(next, _)| !next.is_empty());
        match next {
            Some(next) if parts.len() < 4 => (number, rest) = next,
            _ => break,
        }
    }
    while parts.len() < 4 {
        parts.push(Part::Number(Number("0")));
    }
    modifier(rest, parts)
}

/// `2010-01-02` and the like: a year, pairs of digits, at most two further numbers.
fn dated(text: &str) -> Option<Vec<Part<'_>>> {
    let (year, mut rest) = text.split_at_checked(4).filter(|(year, _)| all_digits(year))?;
    let mut parts = vec![Part::Number(Number(year))];
    let separated = |rest: &'_ str| rest.strip_prefix(['.', ':', '-']).map_or(0, |_| 1_usize);
    let pairs_from = parts.len();
    while parts.len().saturating_sub(pairs_from) < 6 {
        let after = rest.get(separated(rest)..).unwrap_or_default();
        let Some((pair, tail)) = after.split_at_checked(2).filter(|(pair, _)| all_digits(pair)) else {
            break;
        };
        parts.push(Part::Number(Number(pair)));
        rest = tail;
    }
    if parts.len() == pairs_from {
        return None;
    }
    let more_from = parts.len();
    while parts.len().saturating_sub(more_from) < 2 {
        let after = rest.get(separated(rest)..).unwrap_or_default();
        let (number, tail) = digits::take(after);
        if number.is_empty() || number.len() > 3 {
            break;
        }
        parts.push(Part::Number(Number(number)));
        rest = tail;
    }
    modifier(rest, parts)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `-beta2.1-dev`: what may stand behind the numbers, and nothing else.
fn modifier<'a>(text: &'a str, mut parts: Vec<Part<'a>>) -> Option<Vec<Part<'a>>> {
    let rest = text.strip_prefix(['.', '_', '-']).unwrap_or(text);
    let word = WORDS.iter().find_map(|(word, stability)| {
        let tail = rest.get(word.len()..)?;
        let head = rest.get(..word.len())?;
        // `beta` is not the word `b` with a tail.
        let whole = !tail.starts_with(|c: char| c.is_ascii_alphabetic()) || is_dev(tail);
        (head.eq_ignore_ascii_case(word) && whole).then_some((*stability, tail))
    });
    let mut rest = match word {
        Some((stability, tail)) => {
            parts.extend(stability.map(Part::Stability));
            let stable = stability.is_none();
            let mut tail = tail;
            loop {
                let after = tail.strip_prefix(['.', '-']).unwrap_or(tail);
                let (number, next) = digits::take(after);
                if number.is_empty() {
                    break tail;
                }
                parts.extend((!stable).then_some(Part::Number(Number(number))));
                tail = next;
            }
        }
        None => rest,
    };
    // The separator may have been the one before `dev`, or a lone one at the end.
    if is_dev(rest) {
        parts.push(Part::Stability(Stability::Dev));
        rest = "";
    }
    (rest.is_empty()).then_some(parts)
}

fn is_dev(text: &str) -> bool {
    text.strip_prefix(['.', '-']).unwrap_or(text).eq_ignore_ascii_case("dev")
}

impl Part<'_> {
    /// A number where the other has a stability is a release.
    fn stability(&self) -> Stability {
        match self {
            Self::Number(_) => Stability::Release,
            Self::Stability(stability) => *stability,
        }
    }

    /// Against nothing at its place: more numbers are later.
    fn against_nothing(&self) -> Ordering {
        match self {
            Self::Number(_) => Ordering::Greater,
            Self::Stability(stability) => stability.cmp(&Stability::Release),
        }
    }
}

impl Ord for Release<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.0.iter(), other.0.iter());
        loop {
            let order = match (a.next(), b.next()) {
                (None, None) => return Ordering::Equal,
                (Some(Part::Number(a)), Some(Part::Number(b))) => a.cmp(b),
                (Some(a), Some(b)) => a.stability().cmp(&b.stability()),
                (Some(a), None) => a.against_nothing(),
                (None, Some(b)) => b.against_nothing().reverse(),
            };
            if order.is_ne() {
                return order;
            }
        }
    }
}

by_order!(Release<'_>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stabilities_dates_and_what_is_refused() {
        let texts = [
            "dev-main",
            "1.0-dev",
            "1.0-alpha1",
            "1.0.0-b2",
            "1.0RC1",
            "v1",
            "1.0-pl1",
            "1.0.0.1",
            "2010-01-02",
        ];
        let versions: Vec<_> = texts.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(Version::parse("1.0.0-stable"), Version::parse("1"));
        assert_eq!(Version::parse("1.0+build"), Version::parse("1.0"));
        for text in ["", "1.x-dev", "4.3-2RC1", "1.2.3.#", "1.2.3.4.5", "1.0-foo"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
