//! The variables that a service is given (systemd.exec(5), Environment): by its unit, by files that it names, or by what is
//! not on the disks.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    commands, specifiers,
    unitfiles::{Assignment, Unit},
};
use crate::{error::FormatError, fs::GuestPath, limits};

/// Places whose files are in memory.
const IN_MEMORY: &[&str] = &["run", "var/run", "proc", "sys", "dev"];

/// The variables of a service.
#[derive(Debug, Default)]
pub(super) struct Environment {
    known: BTreeMap<String, String>,
    /// Variables that the service manager passes on.
    passed: BTreeSet<String>,
    /// Others may be set by a file that is not on the disks.
    has_more: bool,
    bytes: usize,
}

/// Reads a file of variables, or all that a pattern names, as long as bytes are left; `None` for one that cannot be read.
pub(super) type Read<'a> = &'a mut dyn FnMut(&str, &mut usize) -> Vec<Option<String>>;

impl Environment {
    /// The variables that a unit says; what is not understood is in `damage`.
    pub(super) fn of(
        unit: &Unit,
        name: &str,
        read: Read<'_>,
        damage: &mut Vec<(GuestPath, FormatError)>,
    ) -> Self {
        let mut own = Self::default();
        let (mut files, mut unset): (Vec<(GuestPath, String)>, Vec<String>) = Default::default();
        for Assignment { file, key, value } in unit.section("Service") {
            let Some(told) = specifiers::expand(&value, name) else {
                if matches!(key.as_str(), "Environment" | "EnvironmentFile") {
                    own.has_more = true;
                    damage
                        .push((file, FormatError::unsupported(format!("{key}={value}: what it stands for"))));
                }
                continue;
            };
            let words = || commands::split(&told);
            match key.as_str() {
                "Environment" if told.is_empty() => own.known.clear(),
                "Environment" => words().iter().for_each(|word| own.set(word.split_once('='))),
                "EnvironmentFile" if told.is_empty() => files.clear(),
                "EnvironmentFile" => files.push((file, told)),
                "PassEnvironment" if told.is_empty() => own.passed.clear(),
                "PassEnvironment" => own.passed.extend(words()),
                "UnsetEnvironment" if told.is_empty() => unset.clear(),
                "UnsetEnvironment" => unset.extend(words()),
                _ => {}
            }
        }
        // What files say goes before what the unit says.
        let mut left = limits::SERVICE_BYTES;
        for (_, path) in &files {
            if own.bytes <= limits::SERVICE_BYTES {
                own.file(path, read, &mut left);
            }
        }
        let file =
            files.pop().map(|(file, _)| file).or_else(|| unit.files.first().map(|file| file.path.clone()));
        if let Some(file) = file.filter(|_| own.bytes > limits::SERVICE_BYTES) {
            let what = format!("variables of more than {} bytes", limits::SERVICE_BYTES);
            damage.push((file, FormatError::limit(what)));
            own.has_more = true;
        }
        for word in unset {
            let (name, value) =
                word.split_once('=').map_or((&*word, None), |(name, value)| (name, Some(value)));
            if value.is_none() || own.known.get(name).map(String::as_str) == value {
                own.known.remove(name);
            }
        }
        own
    }

    fn set(&mut self, assignment: Option<(&str, &str)>) {
        let Some((name, value)) = assignment.filter(|(name, _)| is_name(name)) else { return };
        self.bytes = self.bytes.saturating_add(name.len()).saturating_add(value.len());
        if self.bytes <= limits::SERVICE_BYTES {
            self.known.insert(name.to_owned(), value.to_owned());
        }
    }

    fn file(&mut self, path: &str, read: Read<'_>, left: &mut usize) {
        let optional = path.strip_prefix('-');
        let path = optional.unwrap_or(path);
        // Of patterns, those with sets of letters are not followed.
        let is_set = path.contains('[');
        if is_set || IN_MEMORY.iter().any(|place| GuestPath::new(path).starts_with(&GuestPath::new(place))) {
            self.has_more = true;
            return;
        }
        let texts = read(path, left);
        // A service does not start without a file that is not optional: it must be elsewhere.
        self.has_more |= texts.is_empty() && optional.is_none() || texts.iter().any(Option::is_none);
        for text in texts.into_iter().flatten() {
            for line in logical(&text) {
                let Some((name, value)) = line.split_once('=') else { continue };
                self.set(Some((name.trim(), &unquoted(value.trim()))));
            }
        }
    }

    /// The value of a variable, if it is known.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.known.get(name).map(String::as_str)
    }

    /// Whether the disks do not tell what a variable is that they do not set.
    pub(super) fn may_have(&self, name: &str) -> bool {
        self.has_more || self.passed.contains(name)
    }

    /// What a word stands for, which `$NAME` may make none or several, and `${NAME}` a part of one. `None` for a word of
    /// which that is not known. Takes its bytes from those that are `left` for a service.
    pub(super) fn expand(&self, word: &str, left: &mut usize) -> Result<Vec<Option<String>>, FormatError> {
        let lone = word.strip_prefix('$').filter(|name| !name.starts_with(['{', '$']));
        let Some(name) = lone.filter(|name| !name.is_empty()) else {
            return Ok(vec![self.replaced(word, left)?]);
        };
        match self.value(name) {
            Some(value) => {
                take(left, value.len())?;
                Ok(commands::split(value).into_iter().map(Some).collect())
            }
            None if self.may_have(name) || !is_name(name) => Ok(vec![None]),
            // Nothing, which is no directory.
            None => Ok(vec![Some(String::new())]),
        }
    }

    fn replaced(&self, word: &str, left: &mut usize) -> Result<Option<String>, FormatError> {
        let mut found = String::new();
        let mut rest = word;
        take(left, word.len())?;
        while let Some((before, after)) = rest.split_once('$') {
            found.push_str(before);
            rest = after;
            if let Some(after) = after.strip_prefix('$') {
                found.push('$');
                rest = after;
            } else if let Some((name, after)) = after.strip_prefix('{').and_then(|name| name.split_once('}'))
            {
                let Some(value) = self.value(name) else { return Ok(None) };
                take(left, value.len())?;
                found.push_str(value);
                rest = after;
            } else {
                found.push('$');
            }
        }
        found.push_str(rest);
        Ok(Some(found))
    }
}

/// Takes bytes from those that are left for a service.
fn take(left: &mut usize, bytes: usize) -> Result<(), FormatError> {
    let rest = left.checked_sub(bytes).ok_or_else(|| {
        FormatError::limit(format!("command lines of more than {} bytes", limits::SERVICE_BYTES))
    });
    *left = rest.as_ref().copied().unwrap_or(0);
    rest.map(drop)
}

fn is_name(name: &str) -> bool {
    let is_start = |first: u8| first == b'_' || first.is_ascii_alphabetic();
    name.bytes().next().is_some_and(is_start) && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

/// The lines of a file of variables: a backslash before the end of one, or quotes that are open there, join the next.
fn logical(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut line = String::new();
    let (mut quote, mut is_escaped): (Option<char>, bool) = (None, false);
    let mut is_comment = false;
    for one in text.chars() {
        let begins = line.trim().is_empty();
        match one {
            '\n' if is_escaped && !is_comment => {
                line.pop();
                is_escaped = false;
                continue;
            }
            '\n' if quote.is_none() || is_comment => {
                if !std::mem::take(&mut is_comment) {
                    found.push(std::mem::take(&mut line));
                }
                line.clear();
                is_escaped = false;
                continue;
            }
            '#' | ';' if begins => is_comment = true,
            _ if is_comment => {}
            '"' | '\'' if is_escaped => {}
            // Quotes count where a value begins.
            '"' | '\'' if quote.is_none() && line.trim_end().ends_with('=') => quote = Some(one),
            _ if quote == Some(one) => quote = None,
            _ => {}
        }
        is_escaped = one == '\\' && !is_escaped && quote != Some('\'');
        if !is_comment {
            line.push(one);
        }
    }
    found.push(line);
    found
}

/// A value without its quotes and escapes.
fn unquoted(value: &str) -> String {
    let within = |quote| value.strip_prefix(quote).map(|rest: &str| rest.strip_suffix(quote).unwrap_or(rest));
    if let Some(plain) = within('\'') {
        return plain.to_owned();
    }
    let quoted = within('"');
    let mut found = String::new();
    let mut rest = quoted.unwrap_or(value).chars();
    while let Some(one) = rest.next() {
        match (one, quoted) {
            ('\\', None) => found.extend(rest.next()),
            ('\\', Some(_)) => match rest.next() {
                Some(special @ ('"' | '\\' | '`' | '$')) => found.push(special),
                other => {
                    found.push('\\');
                    found.extend(other);
                }
            },
            (other, _) => found.push(other),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::unitfiles::File;

    fn environment(text: &str, mut file: impl FnMut(&str) -> Vec<Option<String>>) -> Environment {
        let (path, text) = (GuestPath::new("/u"), format!("[Service]\n{text}"));
        let unit = Unit { files: vec![File { path, text }], ..Unit::default() };
        let mut damage = Vec::new();
        let own = Environment::of(&unit, "a.service", &mut |path, _| file(path), &mut damage);
        assert!(damage.is_empty(), "{damage:?}");
        own
    }

    #[test]
    fn variables_of_units_and_files() {
        let files = |path: &str| {
            match path {
            "/etc/default/a" => vec![Some(
                "# A=no\nA=from file\nB = \"a \\\"b\\\" \\$c\"\nC='a\\b'\nD=a\\\nb\nE=\"two\nlines\"\n;F=no\nG=x\\ y".to_owned(),
            )],
            _ => Vec::new(),
        }
        };
        let own = environment(
            "Environment=\"A=unit\" 'H=1 2' X=%%h\nEnvironmentFile=-/etc/default/%N\nEnvironmentFile=-/no\nUnsetEnvironment=G X=1\n",
            files,
        );
        for (name, value) in [
            ("A", Some("from file")),
            ("B", Some("a \"b\" $c")),
            ("C", Some("a\\b")),
            ("D", Some("ab")),
            ("E", Some("two\nlines")),
            ("F", None),
            ("G", None),
            ("H", Some("1 2")),
            ("X", Some("%h")),
        ] {
            assert_eq!(own.value(name), value, "{name}");
        }
        assert!(!own.may_have("F"));
        let expand = |word: &str| own.expand(word, &mut 1000).unwrap();
        assert_eq!(expand("$H"), [Some("1".to_owned()), Some("2".to_owned())]);
        assert_eq!(expand("-${H}-$$A"), [Some("-1 2-$A".to_owned())]);
        assert_eq!(expand("--root=$A"), [Some("--root=$A".to_owned())]);
        assert_eq!((expand("$F"), expand("${F}")), (vec![Some(String::new())], vec![None]));
        assert!(own.expand("${A}${A}", &mut 20).is_err());
    }

    #[test]
    fn variables_that_the_disks_do_not_tell() {
        let own = environment("Environment=A=1\nEnvironment=\nPassEnvironment=B\n", |_| Vec::new());
        assert_eq!((own.value("A"), own.may_have("A"), own.may_have("B")), (None, false, true));
        for text in
            ["EnvironmentFile=-/run/x/env\n", "EnvironmentFile=-/etc/[ab]\n", "EnvironmentFile=/etc/gone\n"]
        {
            assert!(environment(text, |_| Vec::new()).may_have("A"), "{text}");
        }
        assert!(environment("EnvironmentFile=-/etc/bad\n", |_| vec![None]).may_have("A"));
    }
}
