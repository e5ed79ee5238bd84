//! Maven's order (`ComparableVersion` of Maven 3.9): items between dots, lists behind hyphens and behind
//! changes from digits to letters; qualifiers in an order of their own.

use std::cmp::Ordering;

use super::digits;

/// A version as a tree: an outer list and those that hyphens open in it.
#[derive(Debug)]
pub(super) struct Version(Vec<Item>);

#[derive(Debug)]
enum Item {
    Number(String),
    Word(Qualifier),
    List(Vec<Item>),
}

/// A word; that of a release is empty.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Qualifier {
    rank: usize,
    /// Words that Maven does not know are in alphabetical order.
    other: String,
}

/// Words before and at a release, in order; others come after `sp`.
const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const RELEASE: usize = 5;
/// Lists that hyphens open in each other.
const DEPTH: usize = 256;

impl Qualifier {
    fn new(word: &str, before_digit: bool) -> Self {
        let word = match (word, before_digit) {
            ("a", true) => "alpha",
            ("b", true) => "beta",
            ("m", true) => "milestone",
            ("cr", _) => "rc",
            ("ga" | "final" | "release", _) => "",
            (word, _) => word,
        };
        match QUALIFIERS.iter().position(|known| *known == word) {
            Some(rank) => Self { rank, other: String::new() },
            None => Self { rank: QUALIFIERS.len(), other: word.to_owned() },
        }
    }

    /// Against nothing, which is a release.
    fn against_nothing(&self) -> Ordering {
        self.rank.cmp(&RELEASE)
    }
}

impl Version {
    /// The tree; every string is a version but the empty one and those that nest too deeply.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { text: text.to_ascii_lowercase(), ..Parser::default() };
        parser.run()?;
        let mut inner: Option<Vec<Item>> = None;
        for mut list in parser.open.into_iter().rev() {
            list.extend(inner.take().map(Item::List));
            normalize(&mut list);
            inner = Some(list);
        }
        (!text.is_empty()).then_some(Self(inner.unwrap_or_default()))
    }
}

/// Reads a version from front to back. Every list is the last item of the one that it is in.
#[derive(Default)]
struct Parser {
    text: String,
    open: Vec<Vec<Item>>,
    start: usize,
    digits: bool,
}

impl Parser {
    fn run(&mut self) -> Option<()> {
        self.open.push(Vec::new());
        let bytes = self.text.clone().into_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let inside = at > self.start;
            match byte {
                b'.' | b'-' => {
                    self.add(at, false);
                    self.start = at.saturating_add(1);
                    if *byte == b'-' {
                        self.nest()?;
                    }
                }
                b'0'..=b'9' => {
                    if !self.digits && inside {
                        self.nest_word()?;
                        self.add(at, true);
                        self.start = at;
                        self.nest()?;
                    }
                    self.digits = true;
                }
                _ => {
                    if self.digits && inside {
                        self.add(at, false);
                        self.start = at;
                        self.nest()?;
                    }
                    self.digits = false;
                }
            }
        }
        if self.start < bytes.len() {
            if !self.digits {
                self.nest_word()?;
            }
            self.add(bytes.len(), false);
        }
        Some(())
    }

    /// Opens a list.
    fn nest(&mut self) -> Option<()> {
        self.open.push(Vec::new());
        (self.open.len() <= DEPTH).then_some(())
    }

    /// Opens a list for a word, which has one of its own behind a dot as it has behind a hyphen.
    fn nest_word(&mut self) -> Option<()> {
        if self.open.last().is_some_and(Vec::is_empty) { Some(()) } else { self.nest() }
    }

    /// Adds what is between the start and a place; nothing there is a zero.
    fn add(&mut self, end: usize, before_digit: bool) {
        let text = self.text.get(self.start..end).unwrap_or_default();
        let item = match text.is_empty() || self.digits {
            true => Item::Number(text.to_owned()),
            false => Item::Word(Qualifier::new(text, before_digit)),
        };
        if let Some(list) = self.open.last_mut() {
            list.push(item);
        }
    }
}

impl Item {
    fn is_null(&self) -> bool {
        match self {
            Self::Number(digits) => is_zero(digits),
            Self::Word(word) => word.rank == RELEASE,
            Self::List(items) => items.is_empty(),
        }
    }

    /// Against nothing at its place.
    fn against_nothing(&self) -> Ordering {
        match self {
            Self::Number(digits) if is_zero(digits) => Ordering::Equal,
            Self::Number(_) => Ordering::Greater,
            Self::Word(word) => word.against_nothing(),
            Self::List(items) => {
                let orders = items.iter().map(Self::against_nothing);
                orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            }
        }
    }

    /// Which of two items of different kinds is later: words before lists before numbers.
    fn kind(&self) -> u8 {
        match self {
            Self::Word(_) => 0,
            Self::List(_) => 1,
            Self::Number(_) => 2,
        }
    }
}

fn is_zero(digits: &str) -> bool {
    digits.bytes().all(|digit| digit == b'0')
}

/// Takes away zeros and words of releases at the end of a list, lists behind them or not.
fn normalize(list: &mut Vec<Item>) {
    for at in (0..list.len()).rev() {
        match list.get(at) {
            Some(item) if item.is_null() => drop(list.remove(at)),
            Some(Item::List(_)) => {}
            _ => break,
        }
    }
}

fn compare(a: &[Item], b: &[Item]) -> Ordering {
    let longest = a.len().max(b.len());
    let orders = (0..longest).map(|at| match (a.get(at), b.get(at)) {
        (Some(a), Some(b)) => compare_items(a, b),
        (Some(a), None) => a.against_nothing(),
        (None, Some(b)) => b.against_nothing().reverse(),
        (None, None) => Ordering::Equal,
    });
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn compare_items(a: &Item, b: &Item) -> Ordering {
    match (a, b) {
        (Item::Number(a), Item::Number(b)) => digits::compare(a, b),
        (Item::Word(a), Item::Word(b)) => a.cmp(b),
        (Item::List(a), Item::List(b)) => compare(a, b),
        (a, b) => a.kind().cmp(&b.kind()),
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

by_order!(Version);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualifiers_numbers_and_lists() {
        let texts = [
            "1-alpha2",
            "1-beta",
            "1-m1",
            "1-rc",
            "1-rc2",
            "1-SNAPSHOT",
            "1",
            "1-sp",
            "1-abc",
            "1-1",
            "1.0.1",
            "1.1",
        ];
        let versions: Vec<_> = texts.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:#?}");
        for (a, b) in
            [("1", "1.0.0"), ("1-ga", "1"), ("1.0.Final", "1"), ("1-cr1", "1-rc-1"), ("1a1", "1-alpha1")]
        {
            assert_eq!(Version::parse(a), Version::parse(b), "{a} {b}");
        }
        assert_eq!(Version::parse(""), None);
        assert_eq!(Version::parse(&"1-1-".repeat(1000)), None);
    }
}
