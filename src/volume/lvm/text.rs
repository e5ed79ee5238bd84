//! LVM2's text format (`lvm.conf(5)`, "file format"): `name = value` and `name { … }`, values are numbers, strings
//! and lists of these.

use std::collections::BTreeMap;

use crate::limits;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(i64),
    Text(String),
    List(Vec<Value>),
}

/// What stands between `{` and `}`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Section {
    values: BTreeMap<String, Value>,
    pub(super) sections: BTreeMap<String, Section>,
}

impl Section {
    /// A number that is not negative.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match self.values.get(name)? {
            Value::Number(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A list; one value alone is a list of it.
    pub(super) fn list(&self, name: &str) -> &[Value] {
        match self.values.get(name) {
            Some(Value::List(list)) => list,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        }
    }
}

/// Reads a text up to its end or its first zero byte. The error is the byte's position and what was wrong there.
pub(super) fn parse(text: &[u8]) -> Result<Section, (usize, &'static str)> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut parser = Parser { text, at: 0, values: 0 };
    let section = parser.section(0)?;
    match parser.peek() {
        None => Ok(section),
        Some(_) => Err((parser.at, "a } without its {")),
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    values: usize,
}

type Parsed<T> = Result<T, (usize, &'static str)>;

impl Parser<'_> {
    /// The next byte that is no blank and in no comment.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            match rest.first()? {
                b'#' => {
                    let line = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                    self.at = self.at.saturating_add(line);
                }
                byte if byte.is_ascii_whitespace() => self.at = self.at.saturating_add(1),
                byte => return Some(*byte),
            }
        }
    }

    /// Takes the next byte if it is this one.
    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at = self.at.saturating_add(usize::from(found));
        found
    }

    /// Bytes while they are of a kind.
    fn run(&mut self, of: fn(&u8) -> bool) -> &[u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !of(byte)).unwrap_or(rest.len());
        self.at = self.at.saturating_add(length);
        rest.get(..length).unwrap_or_default()
    }

    fn section(&mut self, depth: usize) -> Parsed<Section> {
        let mut section = Section::default();
        while let Some(byte) = self.peek().filter(|byte| *byte != b'}') {
            self.values = self.values.saturating_add(1);
            if depth > limits::LVM_TEXT_DEPTH || self.values > limits::LVM_TEXT_VALUES {
                return Err((self.at, "more sections or values than any volume group has"));
            }
            let name = match byte {
                b'"' => self.string()?,
                _ => {
                    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+./@".contains(byte);
                    String::from_utf8_lossy(self.run(is_name)).into_owned()
                }
            };
            if name.is_empty() {
                return Err((self.at, "no name"));
            }
            // LVM2 never writes these, and takes them otherwise from one version to the next.
            if name.contains('/')
                || section.values.contains_key(&name)
                || section.sections.contains_key(&name)
            {
                return Err((self.at, "a name with a /, or a second time"));
            }
            if self.take(b'=') {
                let value = self.value(0)?;
                section.values.insert(name, value);
            } else if self.take(b'{') {
                let nested = self.section(depth.saturating_add(1))?;
                section.sections.insert(name, nested);
                if !self.take(b'}') {
                    return Err((self.at, "a { without its }"));
                }
            } else {
                return Err((self.at, "neither = nor { after a name"));
            }
        }
        Ok(section)
    }

    fn value(&mut self, depth: usize) -> Parsed<Value> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'[') if depth < limits::LVM_TEXT_DEPTH => {
                self.take(b'[');
                let mut list = Vec::new();
                while !self.take(b']') {
                    self.values = self.values.saturating_add(1);
                    if self.values > limits::LVM_TEXT_VALUES {
                        return Err((self.at, "more values than any volume group has"));
                    }
                    list.push(self.value(depth.saturating_add(1))?);
                    if !self.take(b',') && self.peek() != Some(b']') {
                        return Err((self.at, "neither , nor ] in a list"));
                    }
                }
                Ok(Value::List(list))
            }
            _ => {
                let at = self.at;
                let digits = self.run(|byte| byte.is_ascii_digit() || b"-+.".contains(byte));
                let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                number.map(Value::Number).ok_or((at, "no value"))
            }
        }
    }

    fn string(&mut self) -> Parsed<String> {
        let start = self.at;
        self.take(b'"');
        let mut text = Vec::new();
        loop {
            let plain = self.run(|byte| !b"\"\\".contains(byte));
            text.extend_from_slice(plain);
            let next = self.text.get(self.at).copied();
            self.at = self.at.saturating_add(1);
            match next {
                Some(b'\\') => {
                    text.extend(self.text.get(self.at));
                    self.at = self.at.saturating_add(1);
                }
                Some(_) => return Ok(String::from_utf8_lossy(&text).into_owned()),
                None => return Err((start, "a string without its end")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_or_leads_into_another_section_is_refused() {
        for text in ["a = 1\na = 2\n", "a { }\na { }\n", "a = 1\na { }\n", "a/b { }\n"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn sections_values_and_comments() {
        let text = b"# made\nvg {\nid = \"a-b\" # quoted\nextent_size = 8192\nlv {\nstripes = [\n\"pv0\", 0,\n\"pv1\", -1\n]\n}\n}\n\0rest";
        let root = parse(text).unwrap();
        let vg = &root.sections["vg"];
        assert_eq!((vg.text("id"), vg.number("extent_size")), (Some("a-b"), Some(8192)));
        let stripes = vg.sections["lv"].list("stripes");
        assert_eq!(stripes.len(), 4);
        assert_eq!(stripes[3], Value::Number(-1));
        assert_eq!(vg.list("id"), [Value::Text("a-b".to_owned())]);
    }

    #[test]
    fn what_is_wrong_is_said_and_where() {
        for (text, at, what) in [
            ("a {", 3, "a { without its }"),
            ("a = \"x", 4, "a string without its end"),
            ("a = [1 2]", 7, "neither , nor ] in a list"),
            ("a b", 2, "neither = nor { after a name"),
            ("}", 0, "a } without its {"),
            ("a = x", 4, "no value"),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), (at, what), "{text}");
        }
        assert!(parse("a{".repeat(100_000).as_bytes()).is_err());
        assert!(parse(["a = ".to_owned(), "[".repeat(100_000)].concat().as_bytes()).is_err());
    }
}
