//! Go's module file, `go.mod` (Go Modules Reference, "go.mod files"): what it requires, or what replaces that. Versions are
//! the least that a build takes; `go.sum` has those that were looked at, too, and is not read.

use super::{document::Document, named::Named};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a module file.
pub(super) fn read(file: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    let text = file.text();
    let mut required = Vec::new();
    let mut replaced = Vec::new();
    let mut block = None;
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.split("//").next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches(['"', '`'])).collect();
        let (verb, rest) = match (block, words.as_slice()) {
            (_, []) => continue,
            (Some(_), [")"]) => {
                block = None;
                continue;
            }
            (Some(verb), rest) => (verb, rest),
            (None, [verb, "("]) => {
                block = Some(*verb);
                continue;
            }
            (None, [verb, rest @ ..]) => (*verb, rest),
        };
        match (verb, rest) {
            ("require", [path, version]) => required.push((*path, *version)),
            ("replace", [path, "=>", by @ ..]) => replaced.push((*path, None, by.to_vec())),
            ("replace", [path, version, "=>", by @ ..]) => {
                replaced.push((*path, Some(*version), by.to_vec()));
            }
            ("require" | "replace", _) => named.lose(&format!("line {number} has no module and version")),
            _ => {}
        }
    }
    replaced.sort_unstable();
    for (path, version) in required {
        let find = |version: Option<&str>| {
            let at = replaced.binary_search_by(|(of, only, _)| (*of, *only).cmp(&(path, version)));
            at.ok().and_then(|at| replaced.get(at))
        };
        match find(Some(version)).or_else(|| find(None)).map(|(_, _, by)| by.as_slice()) {
            None => named.add(Package::new(PackageKind::Golang, path, version)),
            Some([path, version]) => named.add(Package::new(PackageKind::Golang, *path, *version)),
            // A directory.
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn modules_or_what_replaces_them() {
        let text = "module example.com/app // comment\n\ngo 1.22\ntoolchain go1.22.1\n\nrequire \"example.com/a\" v1.0.0\n\
                    require (\n\texample.com/b/v2 v2.1.0-rc.1 // indirect\n\t// none\n\texample.com/c v1.0.0\n\texample.com/d v1.0.0\n\
                    \texample.com/e v1.0.0\n\texample.com/e v1.1.0\n\tbad\n)\n\nexclude example.com/a v0.9.0\nreplace (\n\
                    \texample.com/c => example.com/fork/c v1.0.1\n\texample.com/d => ../d\n)\n\
                    replace example.com/e v1.1.0 => example.com/e v1.2.0\n";
        let expected = [
            "example.com/a v1.0.0",
            "example.com/b/v2 v2.1.0-rc.1",
            "example.com/fork/c v1.0.1",
            "example.com/e v1.0.0",
            "example.com/e v1.2.0",
        ];
        let named = testing::named(PackageKind::Golang, "app/go.mod", text);
        assert_eq!(named, (expected.map(str::to_owned).to_vec(), 1));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(require|replace| |\\(|\\)|\n|a|=>|v1|\"|//|é)*") {
            testing::read("go.mod", &text);
        }
    }
}
