//! npm's lock files, `package-lock.json` and `npm-shrinkwrap.json` of all three versions (npm's package-lock-json(5)). The
//! second has two lists for the sake of older clients: `packages` by place, and `dependencies` in each other, which is the
//! only one of the first. A git repository or an archive in that one has no version.

use serde_json::Value;

use super::{
    document::Document,
    named::Named,
    records::{self, Record},
};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a lock file.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    let mut has_places = false;
    lock.json(&[&["packages"], &["dependencies"]], |record| {
        if record.root() == "packages" {
            has_places = true;
            at_place(&record, named);
        } else if !has_places {
            dependency(record.key(), &record.value, named);
        }
    })
}

/// A package of `packages`; those outside `node_modules` are the project itself and its workspaces.
fn at_place(record: &Record<'_>, named: &mut Named) {
    let Some((_, name)) = record.key().rsplit_once("node_modules/") else { return };
    if record.value.get("link").is_some_and(|link| *link == true) {
        return;
    }
    // The directory of an alias has another name than its package.
    let name = record.text("name").unwrap_or(name);
    let resolved = record.text("resolved");
    match (record.text("version"), resolved) {
        (_, Some(resolved)) if resolved.starts_with("file:") => {}
        (Some(version), _) => named.add(package(name, version, resolved)),
        // What a repository holds need not have one.
        (None, Some(resolved)) if resolved.starts_with("git") => {}
        (None, _) => named.lose(&format!("{} has no version", record.place())),
    }
}

/// A package of `dependencies`, and those in it. The reader of JSON bounds how deep they are.
fn dependency(name: &str, value: &Value, named: &mut Named) {
    match records::text(value, "version") {
        Some(version) => match version.strip_prefix("npm:") {
            Some(alias) => match split(alias) {
                Some((name, version)) => named.add(package(name, version, None)),
                None => named.lose(&format!("{name:.80} has version {version:.80}")),
            },
            None if is_version(version) => {
                named.add(package(name, version, records::text(value, "resolved")));
            }
            None => {}
        },
        None => named.lose(&format!("{name:.80} has no version")),
    }
    let inner = value.get("dependencies").and_then(Value::as_object);
    for (name, value) in inner.into_iter().flatten() {
        dependency(name, value, named);
    }
}

/// A package of npm's; where it comes from, unless from a registry.
pub(super) fn package(name: &str, version: &str, resolved: Option<&str>) -> Package {
    let mut package = Package::new(PackageKind::Npm, name, version);
    package.origin = resolved.and_then(origin);
    package
}

/// The origin that a resolved URL tells: a commit of a repository, or an archive that is no registry's (`…/-/NAME.tgz`).
fn origin(resolved: &str) -> Option<String> {
    let (url, fragment) = resolved.split_once('#').map_or((resolved, None), |(url, part)| (url, Some(part)));
    match fragment {
        Some(commit) if url.starts_with("git+") => Some(format!("{url}@{commit}")),
        Some(commit) if url.starts_with("git:") || url.ends_with(".git") => {
            Some(format!("git+{url}@{commit}"))
        }
        // Yarn notes the digest of a registry's archive here.
        _ if url.starts_with("http") && !url.contains("/-/") => Some(url.to_owned()),
        _ => None,
    }
}

/// The name and the rest of `name@rest`, which may begin with the `@` of a scope.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let at = text.char_indices().skip(1).find(|(_, c)| *c == '@')?.0;
    let (name, rest) = text.split_at_checked(at)?;
    Some((name, rest.strip_prefix('@')?))
}

/// Whether this is a version, not a place or the name of a branch.
pub(super) fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains(['/', ':'])
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    fn named(text: &str) -> (Vec<String>, usize) {
        testing::named(PackageKind::Npm, "app/package-lock.json", text)
    }

    #[test]
    fn packages_by_place() {
        let text = r#"{"name":"app","version":"1.0.0","lockfileVersion":3,"packages":{
            "":{"name":"app","version":"1.0.0"},
            "node_modules/@b/core":{"version":"7.1.0","resolved":"https://registry.example/@b/core/-/core-7.1.0.tgz"},
            "node_modules/alias":{"name":"lodash","version":"4.17.21"},
            "node_modules/a/node_modules/lodash":{"version":"4.17.21","inBundle":true},
            "node_modules/git":{"version":"3.0.1","resolved":"git+ssh://git@example.com/o/git.git#0f1e"},
            "node_modules/url":{"version":"1.0.0","resolved":"https://example.com/url.tgz"},
            "node_modules/local":{"version":"1.0.0","resolved":"file:local.tgz"},
            "node_modules/member":{"resolved":"packages/member","link":true},
            "node_modules/none":{"resolved":"git+https://example.com/o/none.git#0f1e"},
            "node_modules/bad":{"dev":true},
            "packages/member":{"version":"0.1.0"}
        },"dependencies":{"git":{"version":"git+ssh://git@example.com/o/git.git#0f1e"},"x":{"version":"1.0.0"}}}"#;
        let expected = [
            "@b/core 7.1.0",
            "lodash 4.17.21",
            "git 3.0.1 git+ssh://git@example.com/o/git.git@0f1e",
            "url 1.0.0 https://example.com/url.tgz",
        ];
        assert_eq!(named(text), (expected.map(str::to_owned).to_vec(), 1));
    }

    #[test]
    fn packages_in_each_other() {
        let text = r#"{"lockfileVersion":1,"dependencies":{
            "a":{"version":"1.0.0","dependencies":{"b":{"version":"2.0.0-rc.1"},"c":{"version":7}}},
            "alias":{"version":"npm:@s/real@4.0.0"},
            "git":{"version":"git+https://example.com/o/git.git#0f1e"},
            "local":{"version":"file:../local"}}}"#;
        let expected = ["a 1.0.0", "b 2.0.0-rc.1", "@s/real 4.0.0"];
        assert_eq!(named(text), (expected.map(str::to_owned).to_vec(), 1));
        assert_eq!(named("{}"), (vec![], 0));
        assert_eq!(named("\u{feff} "), (vec![], 0));
        assert!(testing::fails("npm-shrinkwrap.json", "{"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:@0]|\"packages\"|\"dependencies\"|\"version\"|\"node_modules/a\"|\"npm:a@1\")*") {
            testing::read("package-lock.json", &text);
        }
    }
}
