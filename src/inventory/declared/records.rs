//! Records of a document that has lists of them (JSON, YAML, TOML), one at a time: a list of a hostile file is longer than
//! memory.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// One entry of a list or an object.
pub(super) struct Record<'a> {
    path: &'a [String],
    /// What it is.
    pub(super) value: Value,
}

impl<'a> Record<'a> {
    /// What is at the end of a path.
    pub(super) fn new(path: &'a [String], value: Value) -> Self {
        Self { path, value }
    }

    /// Its key, of an entry of a list its number.
    pub(super) fn key(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// The outermost key on the way to it.
    pub(super) fn root(&self) -> &str {
        self.path.first().map_or("", String::as_str)
    }

    /// The text that it has under a key.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        text(&self.value, key)
    }

    /// Where it is in the document, for messages.
    pub(super) fn place(&self) -> String {
        self.path.join(" ").chars().take(120).collect()
    }
}

/// The text that an object has under a key; `None` if it is empty.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// Hands over the records of the lists that are asked for, each by the keys on the way to it; `*` is any key.
pub(super) struct Records<'a> {
    lists: &'a [&'a [&'a str]],
    path: &'a mut Vec<String>,
    each: &'a mut dyn FnMut(Record<'_>),
}

impl<'a> Records<'a> {
    /// Looks for `lists` below `path`.
    pub(super) fn new(
        lists: &'a [&'a [&'a str]],
        path: &'a mut Vec<String>,
        each: &'a mut dyn FnMut(Record<'_>),
    ) -> Self {
        Self { lists, path, each }
    }

    fn is_list(&self) -> bool {
        self.lists.iter().any(|list| list.len() == self.path.len() && self.leads_to(list))
    }

    fn leads_to(&self, list: &[&str]) -> bool {
        list.len() >= self.path.len()
            && self.path.iter().zip(list).all(|(key, asked)| *asked == "*" || key == asked)
    }

    fn inner(&mut self) -> Records<'_> {
        Records { lists: self.lists, path: self.path, each: self.each }
    }

    fn hand_over(&mut self, value: Value) {
        (self.each)(Record { path: self.path, value });
    }
}

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, document: D) -> Result<(), D::Error> {
        document.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "a list at `{:.80}`", self.path.join(" "))
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let is_list = self.is_list();
        while let Some(key) = map.next_key::<String>()? {
            self.path.push(key);
            if is_list {
                let value = map.next_value()?;
                self.hand_over(value);
            } else if self.lists.iter().any(|list| self.leads_to(list)) {
                map.next_value_seed(self.inner())?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            self.path.pop();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let is_list = self.is_list();
        let mut number = 0_usize;
        loop {
            number = number.saturating_add(1);
            self.path.push(number.to_string());
            let more = if is_list {
                let value = list.next_element()?;
                value.map(|value| self.hand_over(value)).is_some()
            } else if self.lists.iter().any(|list| self.leads_to(list)) {
                list.next_element_seed(self.inner())?.is_some()
            } else {
                list.next_element::<IgnoredAny>()?.is_some()
            };
            self.path.pop();
            if !more {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::document::Document, *};

    fn read(notation: &str, lists: &[&[&str]], text: &str) -> (Vec<String>, bool) {
        let mut seen = Vec::new();
        let document = Document::new("document", text.as_bytes());
        let each = |record: Record<'_>| seen.push(format!("{} = {}", record.place(), record.value));
        let read = match notation {
            "json" => document.json(lists, each),
            "yaml" => document.yaml(lists, each),
            _ => document.toml(lists, each),
        };
        (seen, read.is_ok())
    }

    #[test]
    fn the_same_records_of_each_notation() {
        let lists: &[&[&str]] = &[&["a"], &["b", "*"]];
        let expected = ["a 1 = 1", "a 2 = {\"x\":\"y\"}", "b c d = \"e\""];
        for (notation, text) in [
            ("json", r#"{"a": [1, {"x": "y"}], "b": {"c": {"d": "e"}}, "z": [[{}]]}"#),
            ("yaml", "a: [1, {x: y}]\nb:\n  c:\n    d: e\nz: [[{}]]\n"),
            ("toml", "a = [1, {x = \"y\"}]\nz = [[{}]]\n[b.c]\nd = \"e\"\n"),
        ] {
            assert_eq!(
                read(notation, lists, text),
                (expected.map(str::to_owned).to_vec(), true),
                "{notation}"
            );
        }
    }

    #[test]
    fn what_was_read_before_an_error_stays() {
        assert_eq!(read("json", &[&["a"]], r#"{"a": ["x", "y"#), (vec!["a 1 = \"x\"".to_owned()], false));
        assert_eq!(read("json", &[&["a"]], r#"{"a": null}"#), (vec![], true));
        assert_eq!(read("json", &[&["a"]], r#"{"a": 1}"#), (vec![], false));
        assert_eq!(read("json", &[&["*"]], "[[1]]"), (vec!["1 1 = 1".to_owned()], true));
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "[".repeat(100_000);
        for notation in ["json", "yaml", "toml"] {
            assert!(!read(notation, &[&["a"]], &deep).1);
            assert!(!read(notation, &[&["*"]], &deep).1);
        }
        assert!(!read("toml", &[&["a"]], &format!("a = {deep}")).1);
        assert!(!read("yaml", &[&["a"]], &"- ".repeat(100_000)).1);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0=&*\n -]|\"a\"|a: |b)*") {
            for notation in ["json", "yaml", "toml"] {
                let _ = read(notation, &[&["a"], &["*", "b"]], &text);
            }
        }
    }
}
