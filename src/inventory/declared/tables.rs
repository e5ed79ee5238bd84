//! The tables of a lock file in TOML (TOML 1.0, "Array of Tables"), one at a time: such a file has one for each package, and
//! one that cannot be read is lost alone. A table begins at a line with `[[`, and has the tables below its name that follow.

use serde_json::Value;

use super::{named::Named, records::Record};
use crate::{error::FormatError, limits};

/// Hands over the tables of lists by their number, each under the name of its list.
pub(super) fn read(text: &str, named: &mut Named, mut each: impl FnMut(&Record<'_>, &mut Named)) {
    let mut table = Table { list: "", text: "", number: 0 };
    let mut start = 0_usize;
    let mut offset = 0_usize;
    for line in text.split_inclusive('\n') {
        if line.starts_with("[[") || (line.starts_with('[') && first(name(line)) != first(table.list)) {
            table.text = text.get(start..offset).unwrap_or_default();
            table.read(named, &mut each);
            start = offset;
            table.list = if line.starts_with("[[") { name(line) } else { "" };
        }
        offset = offset.saturating_add(line.len());
    }
    table.text = text.get(start..).unwrap_or_default();
    table.read(named, &mut each);
}

/// A part of the file: a table of a list, or, without a name, what is in none.
struct Table<'a> {
    list: &'a str,
    text: &'a str,
    number: usize,
}

impl Table<'_> {
    fn read(&mut self, named: &mut Named, each: &mut impl FnMut(&Record<'_>, &mut Named)) {
        if self.list.is_empty() {
            return;
        }
        self.number = self.number.saturating_add(1);
        if self.text.len() > limits::LOCK_TABLE_BYTES {
            let bound = limits::LOCK_TABLE_BYTES;
            return named
                .fail(FormatError::limit(format!("table {} has more than {bound} bytes", self.number)));
        }
        let mut value = match toml::from_str::<Value>(self.text) {
            Ok(value) => value,
            Err(error) => return named.lose(&format!("table {}: {:.120}", self.number, error.message())),
        };
        for key in self.list.split('.') {
            value = value.get_mut(key).map(Value::take).unwrap_or_default();
        }
        let value = value.get_mut(0).map(Value::take).unwrap_or_default();
        each(&Record::new(&[self.list.to_owned(), self.number.to_string()], value), named);
    }
}

/// The name in a line `[NAME]` or `[[NAME]]`.
fn name(line: &str) -> &str {
    let name = line.trim_start_matches('[');
    name.split(']').next().unwrap_or(name).trim()
}

fn first(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> (Vec<String>, usize) {
        let mut named = Named::new("lock");
        let mut seen = Vec::new();
        read(text, &mut named, |record, _| seen.push(format!("{}: {}", record.place(), record.value)));
        named.add(crate::inventory::Package::new(crate::inventory::PackageKind::Npm, "a", "1"));
        (seen, named.finish().unwrap().damage.len())
    }

    #[test]
    fn a_table_has_the_tables_below_it() {
        let text = "version = 1\n\n[[package]]\nname = \"a\"\n\n[package.source]\ntype = \"git\"\n\n[[package]]\nname =\n\n\
                    [[package]]\nname = \"b\"\nfiles = [\n    {file = \"b\"},\n]\n[metadata]\nfiles = 1\n[[deps.C]]\nx = 1\n    [deps.C.y]\n    z = 2\n";
        let expected = [
            "package 1: {\"name\":\"a\",\"source\":{\"type\":\"git\"}}",
            "package 3: {\"files\":[{\"file\":\"b\"}],\"name\":\"b\"}",
            "deps.C 4: {\"x\":1,\"y\":{\"z\":2}}",
        ];
        assert_eq!(all(text), (expected.map(str::to_owned).to_vec(), 1));
        assert_eq!(all(""), (vec![], 0));
        assert_eq!(all(&format!("[[a]]\nx = {}", "[".repeat(100_000))), (vec![], 1));
        assert_eq!(all(&format!("[[a]]\nx = \"{}\"", " ".repeat(limits::LOCK_TABLE_BYTES))), (vec![], 1));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(\\[\\[|\\]\\]|\\[|\\]|a|[.]|=|1|\n|é)*") {
            all(&text);
        }
    }
}
