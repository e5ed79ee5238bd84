//! Requirements of packages (packaging.python.org, "Dependency specifiers"): the name, and whether the requirement holds in
//! the environment that it was installed into. Of that it is known that it is Linux, and mostly which Python it is.

use crate::{fs::GuestPath, limits};

/// A Python by its major and minor version, as directories name it.
pub(super) type Version = (u32, u32);

/// The Python of whose environment a file is part: `lib/python3.11/site-packages/…`.
pub(super) fn python_of(path: &GuestPath) -> Option<Version> {
    path.components().rev().find_map(|dir| version(std::str::from_utf8(dir.strip_prefix(b"python")?).ok()?))
}

/// The first two numbers of a version.
fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split('.');
    let minor = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse();
    Some((numbers.next()?.parse().ok()?, minor(numbers.next()?).ok()?))
}

/// The name in a requirement, unless it certainly does not hold: it is of an extra, of another system or another Python.
pub(super) fn required(text: &str, python: Option<Version>) -> Option<&str> {
    let text = text.trim();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    // After a URL, only a semicolon with a blank before it is none of its own.
    let separator = if rest.trim_start().starts_with('@') { " ;" } else { ";" };
    let marker = rest.split_once(separator).map(|(_, marker)| marker);
    let holds = marker.is_none_or(|marker| holds(marker, python) != Some(false));
    (!name.is_empty() && holds).then_some(name)
}

/// Whether a marker holds; `None` if that is not known, or it is none.
fn holds(marker: &str, python: Option<Version>) -> Option<bool> {
    let tokens: Vec<Token<'_>> = Tokens(marker).take(limits::MARKER_TOKENS).collect();
    let mut reader = Reader { tokens: &tokens, python };
    let holds = reader.any(0)?;
    if reader.tokens.is_empty() { holds } else { None }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Text(&'a str),
    /// A variable, an operator or a parenthesis.
    Word(&'a str),
}

struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let text = self.0.trim_start();
        let first = text.chars().next()?;
        if let Some(inside) = text.strip_prefix(['"', '\'']) {
            let (inside, rest) = inside.split_once(first).unwrap_or((inside, ""));
            self.0 = rest;
            return Some(Token::Text(inside));
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let is_sign = |c: char| matches!(c, '<' | '>' | '=' | '!' | '~');
        let end = match first {
            c if is_word(c) => text.find(|c| !is_word(c)),
            c if is_sign(c) => text.find(|c| !is_sign(c)),
            c => Some(c.len_utf8()),
        };
        let (word, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
        self.0 = rest;
        Some(Token::Word(word))
    }
}

/// Reads tokens from front to back. Outer `None`: this is no marker.
struct Reader<'a> {
    tokens: &'a [Token<'a>],
    python: Option<Version>,
}

impl<'a> Reader<'a> {
    /// `A or B or …`
    fn any(&mut self, depth: usize) -> Option<Option<bool>> {
        let mut holds = self.all(depth)?;
        while self.take_word("or") {
            holds = either(holds, self.all(depth)?, true);
        }
        Some(holds)
    }

    /// `A and B and …`
    fn all(&mut self, depth: usize) -> Option<Option<bool>> {
        let mut holds = self.one(depth)?;
        while self.take_word("and") {
            holds = either(holds, self.one(depth)?, false);
        }
        Some(holds)
    }

    /// A comparison, or an expression in parentheses.
    fn one(&mut self, depth: usize) -> Option<Option<bool>> {
        if self.take_word("(") {
            let depth = depth.checked_add(1).filter(|depth| *depth <= limits::MARKER_DEPTH)?;
            let holds = self.any(depth)?;
            return self.take_word(")").then_some(holds);
        }
        let (left, operator, right) = (self.next()?, self.next()?, self.next()?);
        let (operator, right) = match (operator, right) {
            (Token::Word("not"), Token::Word("in")) => ("not in", self.next()?),
            (Token::Word(operator), right) => (operator, right),
            (Token::Text(_), _) => return None,
        };
        Some(match (left, right) {
            (Token::Word(variable), Token::Text(value)) => self.compare(variable, operator, value),
            (Token::Text(value), Token::Word(variable)) => self.compare(variable, turned(operator), value),
            _ => return None,
        })
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(*first)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_next = self.tokens.first() == Some(&Token::Word(word));
        if is_next {
            self.next();
        }
        is_next
    }

    fn compare(&self, variable: &str, operator: &str, value: &str) -> Option<bool> {
        let known = match variable {
            "os_name" => "posix",
            "sys_platform" => "linux",
            "platform_system" => "Linux",
            // Another one has directories with a name of its own.
            "implementation_name" if self.python.is_some() => "cpython",
            "platform_python_implementation" if self.python.is_some() => "CPython",
            // Nobody asked for one.
            "extra" => "",
            "python_version" => return compare_versions(self.python?, operator, value, true),
            "python_full_version" => return compare_versions(self.python?, operator, value, false),
            _ => return None,
        };
        match operator {
            "==" => Some(known == value),
            "!=" => Some(known != value),
            "in" => Some(value.contains(known)),
            "not in" => Some(!value.contains(known)),
            _ => None,
        }
    }
}

/// What `or` (of which one is enough if it is true) or `and` (if it is false) makes of two.
fn either(left: Option<bool>, right: Option<bool>, enough: bool) -> Option<bool> {
    match (left, right) {
        (Some(one), _) | (_, Some(one)) if one == enough => Some(enough),
        (Some(_), Some(_)) => Some(!enough),
        _ => None,
    }
}

/// An operator as it is if the two sides change places.
fn turned(operator: &str) -> &str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        // A text is in a variable, or not: of none is that known.
        "in" | "not in" | "~=" => "",
        other => other,
    }
}

/// Compares a Python with a version. Of its third number nothing is known, unless the first two `are_all`.
fn compare_versions(python: Version, operator: &str, value: &str, are_all: bool) -> Option<bool> {
    let value = value.trim();
    if let Some(major) = value.strip_suffix(".*").and_then(|value| value.parse::<u32>().ok()) {
        return match operator {
            "==" => Some(python.0 == major),
            "!=" => Some(python.0 != major),
            _ => None,
        };
    }
    // "3" is 3.0.
    let other = version(value).or_else(|| Some((value.parse().ok()?, 0)))?;
    let is_longer = value.bytes().filter(|byte| *byte == b'.').count() > 1;
    if python == other && (is_longer || !are_all) {
        return match operator {
            "<" if !is_longer => Some(false),
            ">=" | "~=" if !is_longer => Some(true),
            _ => None,
        };
    }
    match operator {
        "<" => Some(python < other),
        "<=" => Some(python <= other),
        ">" => Some(python > other),
        ">=" => Some(python >= other),
        "==" | "===" => Some(python == other),
        "!=" => Some(python != other),
        "~=" => Some(python >= other && python.0 == other.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_requirements_that_hold() {
        for (text, expected) in [
            ("six", Some("six")),
            ("Foo.Bar[a,b] (>=1.0,<2)", Some("Foo.Bar")),
            ("a@ https://x/y;z", Some("a")),
            ("a @ https://x/y ; extra == 'b'", None),
            ("a>=1;python_version<'3.8'", None),
            ("a>=1; python_version < \"3.12\"", Some("a")),
            ("a; 'linux' not in sys_platform", Some("a")),
            ("a; sys_platform == 'win32' or extra == 'test'", None),
            ("a; sys_platform == 'win32' and (", Some("a")),
            ("", None),
            (">=1", None),
        ] {
            assert_eq!(required(text, Some((3, 11))), expected, "{text}");
        }
    }

    #[test]
    fn markers() {
        for (marker, expected) in [
            ("os_name=='posix' and platform_system != \"Windows\"", Some(true)),
            ("sys_platform in 'linux linux2'", Some(true)),
            ("platform_machine == 'x86_64'", None),
            ("platform_machine == 'x86_64' and extra == 'x'", Some(false)),
            ("platform_machine == 'x86_64' or os_name == 'posix'", Some(true)),
            ("python_version >= '3.11' and python_version < '4'", Some(true)),
            ("python_version in '2.7 3.11'", None),
            ("'3.11' > python_version", Some(false)),
            ("python_version == '3.*'", Some(true)),
            ("python_version ~= '3.8'", Some(true)),
            ("python_full_version < '3.11.4'", None),
            ("python_full_version < '3.10.4'", Some(false)),
            ("python_full_version < '3.11'", Some(false)),
            ("python_full_version <= '3.11'", None),
            ("implementation_name == 'pypy'", Some(false)),
            ("(extra == 'a')", Some(false)),
            ("((os_name == 'posix')", None),
            ("os_name == 'posix' x", None),
            ("", None),
        ] {
            assert_eq!(holds(marker, Some((3, 11))), expected, "{marker}");
        }
        assert_eq!(holds("python_version < '3.8'", None), None);
    }

    #[test]
    fn the_python_of_a_path() {
        for (path, expected) in [
            ("usr/lib/python3.11/site-packages/a.dist-info/METADATA", Some((3, 11))),
            ("usr/lib/python3/dist-packages/a.egg-info/PKG-INFO", None),
            ("opt/python3.13t/lib/x", Some((3, 13))),
            ("opt/python2.7-tools/lib/python3.11/site-packages/a.dist-info/METADATA", Some((3, 11))),
        ] {
            assert_eq!(python_of(&GuestPath::new(path)), expected, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(a|;|@| |'|\\(|\\)|and|or|extra|==|python_version|3\\.1)*") {
            let _ = required(&text, Some((3, 1)));
        }
    }
}
