//! A JSON document that is one long list, an item at a time: the largest have some hundred MiB, and as a tree
//! several times that.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// What a document is, beside its items.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// Whether it has the list.
    pub(super) found: bool,
    /// The text of the member that tells its date, if it has one.
    pub(super) date: Option<String>,
}

/// Hands on the items of a list, which the document is, or which it has as the member `list`. The error is one
/// of syntax, and what was handed on before it counts.
pub(super) fn items(
    bytes: &[u8],
    list: &'static str,
    date: &'static str,
    mut take: impl FnMut(usize, Value),
) -> Result<Around, serde_json::Error> {
    let mut around = Around::default();
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    parser.deserialize_any(Document { list, date, around: &mut around, take: &mut take })?;
    parser.end()?;
    Ok(around)
}

struct Document<'a, F> {
    list: &'static str,
    date: &'static str,
    around: &'a mut Around,
    take: &'a mut F,
}

impl<'de, F: FnMut(usize, Value)> Visitor<'de> for Document<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list, or an object with the list `{}`", self.list)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        self.around.found = true;
        Items(self.take).visit_seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == self.list {
                self.around.found = true;
                map.next_value_seed(Items(&mut *self.take))?;
            } else if key == self.date {
                self.around.date = map.next_value::<Value>()?.as_str().map(str::to_owned);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Items<'a, F>(&'a mut F);

impl<'de, F: FnMut(usize, Value)> DeserializeSeed<'de> for Items<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(usize, Value)> Visitor<'de> for Items<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut number = 0_usize;
        while let Some(item) = seq.next_element::<Value>()? {
            (self.0)(number, item);
            number = number.saturating_add(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_wherever_it_is() {
        let read = |text: &str| {
            let mut seen = Vec::new();
            let around = items(text.as_bytes(), "list", "at", |number, item| seen.push((number, item)));
            (around.map_err(|error| error.to_string()), seen)
        };
        let both = vec![(0, Value::from(1)), (1, Value::from("a"))];
        let around = |found, date: Option<&str>| Ok(Around { found, date: date.map(str::to_owned) });
        assert_eq!(read(r#"[1, "a"]"#), (around(true, None), both.clone()));
        assert_eq!(
            read(r#"{"x": {"list": [2]}, "list": [1, "a"], "at": "day"}"#),
            (around(true, Some("day")), both)
        );
        assert_eq!(read(r#"{"x": 1}"#), (around(false, None), Vec::new()));
        let (cut, before) = read(r#"{"list": [1, "#);
        assert_eq!((cut.is_err(), before.len()), (true, 1));
        assert!(read(r#"{"list": 1}"#).0.is_err());
        assert!(read("[1] x").0.is_err());
    }
}
