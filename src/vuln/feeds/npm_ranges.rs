//! npm's ranges of versions as text (node-semver, "Ranges": comparators, `-`, `.x`, `~`, `^`, `||`), as ranges
//! that the database keeps. Pre-releases are versions like any other here (node-semver's `includePrerelease`), as
//! the OSV schema has it: `1.x` holds those of 1.0.0, and not those of 2.0.0.

use std::cmp::Ordering;

use crate::{
    limits,
    vuln::{
        matching::range::{EventKind, Range},
        osv,
        version::{Scheme, VersionError},
    },
};

const SCHEME: Scheme = Scheme::Npm;

/// Versions side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Interval {
    /// The first; `None` if it begins before every version.
    from: Option<String>,
    end: Option<End>,
}

/// Where an interval ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    /// Whether the version is the last that is in ([`EventKind::LastAffected`]), is the first that has a fix, or
    /// is the first that is not spoken of.
    kind: EventKind,
    version: String,
}

/// The versions that `vulnerable` holds and `patched` does not. The error names what is no range, or no version.
pub(super) fn affected(vulnerable: &str, patched: Option<&str>) -> Result<Vec<Range>, String> {
    let mut left = intervals(vulnerable)?;
    for gone in patched.map(intervals).transpose()?.unwrap_or_default() {
        left = left.into_iter().flat_map(|interval| interval.without(&gone)).collect();
    }
    let ranges = left.iter().map(|interval| interval.range().map_err(|error| error.to_string()));
    let mut ranges = ranges.collect::<Result<Vec<_>, _>>()?;
    ranges.sort();
    ranges.dedup();
    Ok(ranges)
}

/// The versions from one below another, if that is told.
pub(super) fn between(from: Option<&str>, below: Option<&str>) -> Result<Range, String> {
    let end = below.map(|version| End { kind: EventKind::Fixed, version: version.to_owned() });
    let interval = Interval { from: from.filter(|from| *from != "0").map(str::to_owned), end };
    interval.range().map_err(|error| error.to_string())
}

/// The intervals of a text, those without a version left out.
fn intervals(text: &str) -> Result<Vec<Interval>, String> {
    if text.matches("||").count() >= limits::NPM_ALTERNATIVES {
        return Err(format!("range of more than {} alternatives", limits::NPM_ALTERNATIVES));
    }
    let parts = text.split("||").map(|part| conjunction(part).ok_or_else(|| format!("range `{part:.80}`")));
    let all = parts.collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(|interval| !interval.is_empty()).collect())
}

/// Comparators all of which must hold.
fn conjunction(text: &str) -> Option<Interval> {
    let mut interval = Interval { from: None, end: None };
    // A sign and its version may stand apart.
    let spaced = text.replace(',', " ");
    let mut words: Vec<String> = Vec::new();
    for word in spaced.split_whitespace() {
        match words.last_mut() {
            Some(last) if last.chars().all(|c| "<>=~^".contains(c)) => last.push_str(word),
            _ => words.push(word.to_owned()),
        }
    }
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let next = if words.peek() == Some(&"-") {
            words.next();
            let (first, last) = (Partial::parse(word)?, Partial::parse(words.next()?)?);
            Interval { from: first.first(), end: last.inclusive_end() }
        } else {
            comparator(word)?
        };
        interval = interval.and(next);
    }
    Some(interval)
}

fn comparator(word: &str) -> Option<Interval> {
    let at = word.find(|c: char| !"<>=~^".contains(c)).unwrap_or(word.len());
    let (sign, version) = word.split_at_checked(at)?;
    let partial = Partial::parse(version)?;
    let (from, end) = match sign {
        // Whatever stands between them, both are spelled in the wild.
        "" | "=" | "==" => (partial.earliest(), partial.inclusive_end()),
        "~" | "~>" => (partial.first(), partial.end_after(1)),
        "^" => (partial.earliest(), partial.caret_end()),
        ">=" | "=>" => (partial.earliest(), None),
        ">" => (partial.after(), None),
        "<" => (None, Some(End { kind: EventKind::Fixed, version: partial.first().unwrap_or_else(zero) })),
        "<=" | "=<" => (None, partial.inclusive_end()),
        _ => return None,
    };
    // `>*` holds nothing.
    if sign == ">" && from.is_none() {
        return Some(Interval { from: None, end: Some(End { kind: EventKind::Fixed, version: zero() }) });
    }
    Some(Interval { from, end })
}

/// Before it there is no version that counts: `<0.0.0` is how sources write "none".
fn zero() -> String {
    "0.0.0".to_owned()
}

/// A version of which the last numbers may be missing.
struct Partial<'a> {
    /// As many as are told, at most three.
    numbers: Vec<u64>,
    pre: Option<&'a str>,
}

impl<'a> Partial<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_start_matches(['v', '=']);
        let text = text.split('+').next().unwrap_or(text);
        let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
        if core.is_empty() && pre.is_some() {
            return None;
        }
        let mut numbers = Vec::new();
        let mut open = core.is_empty();
        for part in core.split('.').filter(|_| !core.is_empty()) {
            let wild = matches!(part, "x" | "X" | "*");
            open |= wild;
            let number = if wild { 0 } else { part.parse().ok()? };
            if !open {
                numbers.push(number);
            }
        }
        let whole = numbers.len() == 3;
        (numbers.len() <= 3 && !(open && whole)).then_some(Self { numbers, pre: pre.filter(|_| whole) })
    }

    fn number(&self, at: usize) -> u64 {
        self.numbers.get(at).copied().unwrap_or(0)
    }

    /// The first version that it holds; `None` if it holds all.
    fn first(&self) -> Option<String> {
        let [major, minor, patch] = [0, 1, 2].map(|at| self.number(at));
        let pre = self.pre.map(|pre| format!("-{pre}")).unwrap_or_default();
        (!self.numbers.is_empty()).then(|| format!("{major}.{minor}.{patch}{pre}"))
    }

    /// The same with the pre-releases of that version, if not all numbers are told.
    fn earliest(&self) -> Option<String> {
        let first = self.first()?;
        Some(if self.numbers.len() < 3 { format!("{first}-0") } else { first })
    }

    /// The end of what it holds: itself, or all that begin like it.
    fn inclusive_end(&self) -> Option<End> {
        match self.numbers.len() {
            3 => Some(End { kind: EventKind::LastAffected, version: self.first()? }),
            0 => None,
            told => self.end_after(told.saturating_sub(1)),
        }
    }

    /// The first version after those that are like it in its numbers up to the one at `place`, pre-releases of
    /// it included.
    fn end_after(&self, place: usize) -> Option<End> {
        let place = place.min(self.numbers.len().checked_sub(1)?);
        let [major, minor, patch] = [0, 1, 2].map(|at| match at.cmp(&place) {
            Ordering::Less => self.number(at),
            Ordering::Equal => self.number(at).saturating_add(1),
            Ordering::Greater => 0,
        });
        Some(End { kind: EventKind::Limit, version: format!("{major}.{minor}.{patch}-0") })
    }

    /// Up to the first number that is not zero, or the last that is told.
    fn caret_end(&self) -> Option<End> {
        let told = self.numbers.iter().position(|number| *number != 0);
        self.end_after(told.unwrap_or(usize::MAX))
    }

    /// The first version that is greater than all that it holds.
    fn after(&self) -> Option<String> {
        match self.numbers.len() {
            3 => next(&self.first()?),
            _ => self.inclusive_end().map(|end| end.version),
        }
    }
}

/// The first version above one (Semantic Versioning, §11): more identifiers are higher, and `0` is the lowest.
fn next(version: &str) -> Option<String> {
    if version.contains('-') {
        return Some(format!("{version}.0"));
    }
    let partial = Partial::parse(version)?;
    let [major, minor, patch] = [0, 1, 2].map(|at| partial.number(at));
    Some(format!("{major}.{minor}.{}-0", patch.checked_add(1)?))
}

fn order(a: &str, b: &str) -> Ordering {
    SCHEME.compare(a, b).unwrap_or(Ordering::Equal)
}

impl End {
    /// The first version that is beyond it.
    fn beyond(&self) -> String {
        match self.kind {
            EventKind::LastAffected => next(&self.version).unwrap_or_else(|| self.version.clone()),
            _ => self.version.clone(),
        }
    }
}

impl Interval {
    fn is_empty(&self) -> bool {
        let Some(end) = &self.end else { return false };
        let from = self.from.clone().unwrap_or_else(zero);
        order(&from, &end.beyond()).is_ge()
    }

    /// What both hold.
    fn and(self, other: Self) -> Self {
        let from = match (self.from, other.from) {
            (Some(a), Some(b)) => Some(if order(&a, &b).is_ge() { a } else { b }),
            (a, b) => a.or(b),
        };
        let end = match (self.end, other.end) {
            (Some(a), Some(b)) => Some(if order(&a.beyond(), &b.beyond()).is_le() { a } else { b }),
            (a, b) => a.or(b),
        };
        Self { from, end }
    }

    /// What it holds and another does not. The other has the fix.
    fn without(self, gone: &Self) -> Vec<Self> {
        let both = self.clone().and(gone.clone());
        if both.is_empty() {
            return vec![self];
        }
        let below = gone.from.as_ref().map(|from| Self {
            from: self.from.clone(),
            end: Some(End { kind: EventKind::Fixed, version: from.clone() }),
        });
        let above = gone.end.as_ref().map(|end| Self { from: Some(end.beyond()), end: self.end.clone() });
        let below = below.map(|below| below.and(Self { from: None, end: self.end.clone() }));
        let above = above.map(|above| above.and(Self { from: self.from.clone(), end: None }));
        [below, above].into_iter().flatten().filter(|interval| !interval.is_empty()).collect()
    }

    fn range(&self) -> Result<Range, VersionError> {
        let mut events = vec![osv::Event {
            introduced: Some(self.from.clone().unwrap_or_else(|| "0".to_owned())),
            ..osv::Event::default()
        }];
        if let Some(End { kind, version }) = &self.end {
            let version = Some(version.clone());
            events.push(match kind {
                EventKind::LastAffected => osv::Event { last_affected: version, ..osv::Event::default() },
                EventKind::Limit => osv::Event { limit: version, ..osv::Event::default() },
                _ => osv::Event { fixed: version, ..osv::Event::default() },
            });
        }
        Range::new(SCHEME, &osv::Range { kind: "SEMVER".to_owned(), events })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranges as they are shown, and which of some versions they hold.
    fn shown(vulnerable: &str, patched: Option<&str>) -> String {
        let ranges = affected(vulnerable, patched).unwrap();
        ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
    }

    fn holds(text: &str, version: &str) -> bool {
        let ranges = affected(text, None).unwrap();
        ranges.iter().any(|range| range.stretch(SCHEME, version).unwrap().is_some())
    }

    #[test]
    fn what_each_sign_means() {
        for (text, expected) in [
            ("*", "all versions"),
            ("", "all versions"),
            ("1.2.3", ">= 1.2.3, <= 1.2.3"),
            ("=1.2.3", ">= 1.2.3, <= 1.2.3"),
            ("1.2", ">= 1.2.0-0, < 1.3.0-0"),
            ("v1.x", ">= 1.0.0-0, < 2.0.0-0"),
            ("<=1.0", "< 1.1.0-0"),
            ("<=1.0.0", "<= 1.0.0"),
            ("<  2.0.5", "< 2.0.5"),
            (">1.2", ">= 1.3.0-0"),
            (">1.2.3", ">= 1.2.4-0"),
            (">=1.2", ">= 1.2.0-0"),
            ("^1.2", ">= 1.2.0-0, < 2.0.0-0"),
            ("^0.2.3", ">= 0.2.3, < 0.3.0-0"),
            ("^0.0.3", ">= 0.0.3, < 0.0.4-0"),
            ("^0.0", ">= 0.0.0-0, < 0.1.0-0"),
            ("^0.x", ">= 0.0.0-0, < 1.0.0-0"),
            ("~1.2.3", ">= 1.2.3, < 1.3.0-0"),
            ("~1", ">= 1.0.0, < 2.0.0-0"),
            ("~> 1.2.3-beta.2", ">= 1.2.3-beta.2, < 1.3.0-0"),
            ("1.2.3 - 2.3", ">= 1.2.3, < 2.4.0-0"),
            (">=1.0.0 <2.0.0 || 3.0.0", ">= 1.0.0, < 2.0.0 or >= 3.0.0, <= 3.0.0"),
            ("^1.2 || >=2 <3", ">= 1.2.0-0, < 2.0.0-0 or >= 2.0.0-0, < 3.0.0"),
            ("<0.0.0", ""),
            (">*", ""),
            ("<1.0.0 >=2.0.0", ""),
        ] {
            assert_eq!(shown(text, None), expected, "{text}");
        }
        for text in ["x.y", ">>1", "1.2.3.4", "a", "1 -", "<-1"] {
            assert!(affected(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn versions_in_and_out() {
        for (text, version, expected) in [
            ("^1.2.3", "1.9.9", true),
            ("^1.2.3", "2.0.0-rc.1", false),
            ("<=1.2.3", "1.2.4-0", false),
            (">1.2.3", "1.2.3", false),
            (">1.2.3", "1.2.4-alpha", true),
            (">1.2.3-a", "1.2.3-a.0", true),
            ("2.1.0-M1 || 2.1.0-M2", "2.1.0-M2", true),
            ("2.1.0-M1 || 2.1.0-M2", "2.1.0", false),
        ] {
            assert_eq!(holds(text, version), expected, "{text} {version}");
        }
    }

    #[test]
    fn the_patched_are_taken_out() {
        let core = shown("8.x || 7.x", Some("^8.1.4 || ^7.10.1"));
        assert_eq!(core, ">= 7.0.0-0, < 7.10.1 or >= 8.0.0-0, < 8.1.4");
        assert_eq!(shown("<2.0.0", Some(">=1.5.0 <1.6.0")), "< 1.5.0 or >= 1.6.0, < 2.0.0");
        assert_eq!(shown("<=1.0.0", Some("<0.0.0")), "<= 1.0.0");
        assert_eq!(shown(">=1.0.0", Some("*")), "");
        assert_eq!(shown("<1.0.0", Some(">=1.0.0")), "< 1.0.0");
        assert!(affected(&"1||".repeat(limits::NPM_ALTERNATIVES), None).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_range_or_is_refused(text in "[0-9xv.^~<>=|* -]{0,40}", other in "\\PC{0,40}") {
            for (one, two) in [(&text, &other), (&other, &text), (&text, &text)] {
                if let Ok(ranges) = affected(one, Some(two)) {
                    for range in ranges {
                        range.stretch(SCHEME, "1.2.3").unwrap();
                    }
                }
            }
        }
    }
}
