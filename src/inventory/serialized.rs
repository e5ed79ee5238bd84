//! PHP's serialized values (php.net, "serialize"): the strings in arrays, by the keys that lead there. Objects are not read.

use crate::{error::FormatError, limits, num};

/// Takes a string, and the keys of the arrays around it.
type Each<'a, 'b> = &'b mut dyn FnMut(&[&'a [u8]], &'a [u8]);

/// Hands each string to `each` with the keys of the arrays around it, outermost first; a number that is a key is its digits.
/// Errors call the value a `structure`.
pub(super) fn strings<'a>(
    structure: &'static str,
    bytes: &'a [u8],
    each: Each<'a, '_>,
) -> Result<(), FormatError> {
    let mut rest = Rest(bytes);
    rest.strings(each).map_err(|problem| {
        let offset = num::to_u64(bytes.len().saturating_sub(rest.0.len()));
        FormatError::corrupt(structure, offset, problem)
    })
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

/// A value, or the beginning of one.
enum Value<'a> {
    Text(&'a [u8]),
    Number(&'a [u8]),
    Array,
    Other,
}

impl<'a> Rest<'a> {
    fn strings(&mut self, each: Each<'a, '_>) -> Result<(), String> {
        let mut keys: Vec<&[u8]> = Vec::new();
        loop {
            match self.value()? {
                Value::Text(text) => each(&keys, text),
                Value::Array if keys.len() >= limits::SERIALIZED_DEPTH => {
                    return Err(format!("more than {} arrays in each other", limits::SERIALIZED_DEPTH));
                }
                Value::Array => keys.push(b""),
                Value::Number(_) | Value::Other => {}
            }
            while let ([b'}', rest @ ..], false) = (self.0, keys.is_empty()) {
                self.0 = rest;
                keys.pop();
            }
            let Some(last) = keys.last_mut() else { return Ok(()) };
            *last = match self.value()? {
                Value::Text(key) | Value::Number(key) => key,
                Value::Array | Value::Other => return Err("a key that is no string and no number".to_owned()),
            };
        }
    }

    fn value(&mut self) -> Result<Value<'a>, String> {
        let (kind, rest) = self.0.split_first().ok_or("the value ends within an array")?;
        self.0 = rest;
        match kind {
            b'N' => self.until(b';').map(|_| Value::Other),
            b'i' => self.number(b';').map(Value::Number),
            b'b' | b'd' => self.number(b';').map(|_| Value::Other),
            b'a' => {
                self.number(b':')?;
                self.one(b'{').map(|()| Value::Array)
            }
            b's' => {
                let length = self.number(b':')?;
                let length = std::str::from_utf8(length).ok().and_then(|digits| digits.parse().ok());
                self.one(b'"')?;
                let text = length.and_then(|length| self.0.split_at_checked(length));
                let (text, rest) = text.ok_or("a string that passes the end")?;
                self.0 = rest;
                self.one(b'"')?;
                self.one(b';').map(|()| Value::Text(text))
            }
            other => Err(format!("a value of type {:?}", char::from(*other))),
        }
    }

    /// What stands behind a colon, up to an end.
    fn number(&mut self, end: u8) -> Result<&'a [u8], String> {
        self.one(b':')?;
        self.until(end)
    }

    fn until(&mut self, end: u8) -> Result<&'a [u8], String> {
        let at = self.0.iter().position(|byte| *byte == end);
        let missing = || format!("no {:?}", char::from(end));
        let (before, rest) = at.and_then(|at| self.0.split_at_checked(at)).ok_or_else(missing)?;
        self.0 = rest.get(1..).unwrap_or_default();
        Ok(before)
    }

    fn one(&mut self, byte: u8) -> Result<(), String> {
        self.0 = self.0.strip_prefix(&[byte]).ok_or_else(|| format!("no {:?}", char::from(byte)))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> (Vec<String>, Option<String>) {
        let mut seen = Vec::new();
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let read = strings("value", text.as_bytes(), &mut |keys, text| {
            let keys: Vec<_> = keys.iter().map(|key| text_of(key)).collect();
            seen.push(format!("{}={}", keys.join("."), text_of(text)));
        });
        (seen, read.err().map(|error| error.detail()))
    }

    #[test]
    fn strings_by_their_keys() {
        let text =
            r#"a:5:{s:1:"a";s:4:"x";}";i:0;a:2:{i:7;s:0:"";i:8;a:0:{}}s:1:"n";N;s:1:"d";d:1.5;s:1:"b";b:1;}"#;
        assert_eq!(all(text), (vec!["a=x\";}".to_owned(), "0.7=".to_owned()], None).to_owned());
        assert_eq!(all(r#"s:2:"ab";"#), (vec!["=ab".to_owned()], None));
        assert_eq!(all("N;"), (vec![], None));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let deep = "a:1:{i:0;".repeat(limits::SERIALIZED_DEPTH + 1);
        for (text, problem) in [
            ("", "0x0: the value ends within an array"),
            (r#"a:1:{i:0;s:9:"a";}"#, "0xe: a string that passes the end"),
            (r#"a:1:{i:0;s:-1:"a";}"#, "0xf: a string that passes the end"),
            (r#"a:1:{i:0;O:1:"A":0:{}}"#, "0xa: a value of type 'O'"),
            ("a:1:{a:0:{}i:0;}", "0xa: a key that is no string and no number"),
            ("a:1:{i:0", "0x7: no ';'"),
            ("a:1;", "0x2: no ':'"),
            (&deep, "0x245: more than 64 arrays in each other"),
        ] {
            let (_, error) = all(text);
            assert_eq!(error, Some(format!("value at offset {problem}")), "{text:.30}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}:;0-9é]|a:1:\\{|s:1:\"a\";|i:0;|N;)*") {
            all(&text);
        }
    }
}
