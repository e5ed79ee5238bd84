//! Conan's order (`conans.model.version`): `version[-pre][+build]`, each a list of numbers and words. A word and
//! a number are compared as words, so that the order of lists that mix them is not transitive.

use std::cmp::Ordering;

use super::digits::{self, Number};

/// The items of each part, without zeros at the end.
#[derive(Debug)]
pub(super) struct Version<'a> {
    main: Vec<Item<'a>>,
    pre: Option<Vec<Item<'a>>>,
    build: Option<Vec<Item<'a>>>,
}

#[derive(Debug)]
struct Item<'a>(&'a str);

impl<'a> Version<'a> {
    /// The parts; only an empty string has none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let split = |text: &'a str, at| text.split_once(at).map_or((text, None), |(a, b)| (a, Some(b)));
        let (text, build) = split(text.trim(), '+');
        let (main, pre) = split(text, '-');
        (!text.is_empty()).then(|| Self { main: items(main), pre: pre.map(items), build: build.map(items) })
    }
}

fn items(text: &str) -> Vec<Item<'_>> {
    let mut items: Vec<_> = text.split('.').map(Item).collect();
    while items.last().is_some_and(|item| item.0 == "0") {
        items.pop();
    }
    items
}

impl Ord for Item<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (Number(self.0).checked(), Number(other.0).checked()) {
            (Some(_), Some(_)) => digits::compare(self.0, other.0),
            _ => self.0.cmp(other.0),
        }
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let pre = match (&self.pre, &other.pre) {
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (a, b) => a.cmp(b),
        };
        self.main.cmp(&other.main).then(pre).then_with(|| self.build.cmp(&other.build))
    }
}

by_order!(Version<'_>, Item<'_>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_and_builds() {
        let texts = ["1.1-alpha.3", "1.1-alpha.22", "1.1", "1.1+b.3", "1.1+b.22", "1.1.a", "1.2.2", "1.3.*"];
        let versions: Vec<_> = texts.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(Version::parse("1-pre1.0"), Version::parse("1.0.0-pre1"));
        assert_eq!(Version::parse(""), None);
    }
}
