//! Records of a JSON document, read one by one: a list, or an object, of a hostile file is longer than memory.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{Extraction, Package};
use crate::error::FormatError;

/// Hands the records at the end of a `path` of members to `each`, until that has enough (false): with `record N`, or the
/// name of the member that a record is, and nothing if it is not of this type. An error is what stands behind the last one.
pub(super) fn read<T: DeserializeOwned>(
    bytes: &[u8],
    path: &[&str],
    each: &mut dyn FnMut(&str, Option<T>) -> bool,
) -> Result<(), String> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = Records { path, each, of: PhantomData }.deserialize(&mut json).and_then(|()| json.end());
    read.map_err(|error| error.to_string())
}

/// The packages of the records at the end of a `path`, as [`read`]. A record that is no package is lost alone, and told to have
/// what it `lacks` (`no name or no version`).
pub(super) fn packages<T: DeserializeOwned>(
    structure: &'static str,
    bytes: &[u8],
    path: &[&str],
    lacks: &str,
    package: fn(T) -> Option<Package>,
) -> Result<Extraction, FormatError> {
    let mut found = Extraction::default();
    let read = read(bytes, path, &mut |which, record: Option<T>| match record.and_then(package) {
        Some(package) => found.add(package),
        None => {
            found.lose(FormatError::malformed(structure, format!("{which} has {lacks}")));
            true
        }
    });
    if let Err(problem) = read {
        found.lose(FormatError::malformed(structure, problem));
    }
    found.finish()
}

struct Records<'a, T> {
    path: &'a [&'a str],
    each: &'a mut dyn FnMut(&str, Option<T>) -> bool,
    of: PhantomData<T>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Record<T> {
    Known(T),
    Other(IgnoredAny),
}

impl<T> Record<T> {
    fn known(self) -> Option<T> {
        match self {
            Self::Known(record) => Some(record),
            Self::Other(_) => None,
        }
    }
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Records<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Records<'_, T> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.first() {
            Some(member) => write!(text, "an object with the member {member}"),
            None => text.write_str("records"),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if let Some(member) = self.path.first() {
            return Err(A::Error::custom(format!("a list that has no member {member}")));
        }
        let mut number = 0_usize;
        while let Some(record) = list.next_element::<Record<T>>()? {
            number = number.saturating_add(1);
            if !(self.each)(&format!("record {number}"), record.known()) {
                break;
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((member, path)) = self.path.split_first() else {
            while let Some(name) = map.next_key::<String>()? {
                if !(self.each)(&name, map.next_value::<Record<T>>()?.known()) {
                    break;
                }
            }
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let mut any = false;
        while let Some(name) = map.next_key::<String>()? {
            if name == *member {
                map.next_value_seed(Records { path, each: &mut *self.each, of: PhantomData })?;
                any = true;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        any.then_some(()).ok_or_else(|| A::Error::custom(format!("no member {member}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, path: &[&str]) -> (Vec<(String, Option<u32>)>, Option<String>) {
        let mut seen = Vec::new();
        let end = read(text.as_bytes(), path, &mut |name, record| {
            seen.push((name.to_owned(), record));
            seen.len() < 3
        });
        (seen, end.err())
    }

    #[test]
    fn lists_and_objects() {
        let some = |name: &str, record| (name.to_owned(), record);
        let list = vec![some("record 1", Some(1)), some("record 2", None)];
        assert_eq!(all(r#"[1,{"x":[]}]"#, &[]), (list.clone(), None));
        assert_eq!(all(r#"{"b":[7],"a":{"x":2,"l":[1,"2"]}}"#, &["a", "l"]), (list, None));
        assert_eq!(all(r#"{"a":1,"b":null}"#, &[]), (vec![some("a", Some(1)), some("b", None)], None));
        assert_eq!(all("[1,2,3,4,5]", &[]).0.len(), 3);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = |text, path: &[&str]| all(text, path).1.unwrap_or_default();
        assert_eq!(error("{}", &["a"]), "no member a at line 1 column 2");
        assert!(error("[]", &["a"]).starts_with("a list that has no member a"));
        assert!(
            error("7", &["a"]).starts_with("invalid type: integer `7`, expected an object with the member a")
        );
        assert!(!error("[1", &[]).is_empty() && !error("[1] x", &[]).is_empty());
        assert_eq!(all("[1", &[]).0.len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"a\")*") {
            let _ = all(&text, &["a"]);
        }
    }
}
