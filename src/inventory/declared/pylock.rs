//! Python's lock files in TOML: a list of packages with names, versions and sources. `pylock.toml` is PEP 751's, `poetry.lock`
//! Poetry's, `pdm.lock` PDM's and `uv.lock` uv's; they differ in how a source is told.

use serde_json::Value;

use super::{
    document::Document,
    named::Named,
    records::{Record, text},
    tables,
};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a lock file of any of the four.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    tables::read(&lock.text(), named, |record, named| {
        if !["package", "packages"].contains(&record.root()) {
            return;
        }
        let Some(source) = source(record) else { return };
        match (record.text("name"), record.text("version")) {
            (Some(name), Some(version)) => {
                let package = Package::new(PackageKind::Pypi, name, version);
                named.add(Package { origin: source, ..package });
            }
            // Whatever a repository or an archive holds when it is built.
            (Some(_), None) if source.is_some() => {}
            _ => named.lose(&format!("{} has no name or no version", record.place())),
        }
    });
    Ok(())
}

/// Where a package comes from, if not from a registry; `None` of a local one.
fn source(record: &Record<'_>) -> Option<Option<String>> {
    let package = &record.value;
    let none = &Value::Null;
    let source = package.get("source").unwrap_or(none);
    let is_local = package.get("path").is_some()
        || package.get("directory").is_some()
        || ["path", "directory", "editable", "virtual"].iter().any(|key| source.get(key).is_some())
        || text(source, "type").is_some_and(|kind| matches!(kind, "directory" | "file"));
    if is_local {
        return None;
    }
    let vcs = package.get("vcs").unwrap_or(none);
    let archive = package.get("archive").unwrap_or(none);
    Some(if let Some(url) = text(vcs, "url") {
        let kind = text(vcs, "type").unwrap_or("git");
        Some(format!("{kind}+{url}@{}", text(vcs, "commit-id").unwrap_or_default()))
    } else if let Some(url) = text(source, "git") {
        // uv: what was asked for, then the commit.
        let commit = url.split_once('#').map_or("", |(_, commit)| commit);
        Some(format!("git+{}@{commit}", url.split(['?', '#']).next().unwrap_or(url)))
    } else if let Some(url) = record.text("git") {
        Some(format!("git+{url}@{}", record.text("revision").unwrap_or_default()))
    } else if text(source, "type") == Some("git") {
        let commit = text(source, "resolved_reference").unwrap_or_default();
        text(source, "url").map(|url| format!("git+{url}@{commit}"))
    } else if text(source, "type") == Some("legacy") {
        None
    } else {
        text(source, "url").or(text(archive, "url")).or(record.text("url")).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    fn check(path: &str, text: &str, expected: &[&str], damage: usize) {
        let expected = expected.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(testing::named(PackageKind::Pypi, path, text), (expected, damage), "{path}");
    }

    #[test]
    fn sources_as_each_tool_tells_them() {
        let registry = "[[package]]\nname = \"a\"\nversion = \"1.0\"\n";
        check(
            "poetry.lock",
            &format!(
                "{registry}optional = false\n[package.dependencies]\nb = \"*\"\n[[package]]\nname = \"g\"\nversion = \"2.0\"\n\
                 [package.source]\ntype = \"git\"\nurl = \"https://example.com/g.git\"\nreference = \"HEAD\"\n\
                 resolved_reference = \"0f1e\"\n[[package]]\nname = \"l\"\nversion = \"0\"\n[package.source]\n\
                 type = \"directory\"\nurl = \"../l\"\n[[package]]\nname = \"i\"\nversion = \"3\"\n[package.source]\n\
                 type = \"legacy\"\nurl = \"https://example.com/simple\"\nreference = \"x\"\n[metadata]\nlock-version = \"2.0\"\n"
            ),
            &["a 1.0", "g 2.0 git+https://example.com/g.git@0f1e", "i 3"],
            0,
        );
        check(
            "pdm.lock",
            &format!(
                "[metadata]\ngroups = [\"default\"]\n{registry}[[package]]\nname = \"g\"\nversion = \"2.0\"\n\
                 git = \"https://example.com/g.git\"\nref = \"main\"\nrevision = \"0f1e\"\n[[package]]\nname = \"l\"\n\
                 version = \"0\"\npath = \"./l\"\n[[package]]\nversion = \"1\"\n"
            ),
            &["a 1.0", "g 2.0 git+https://example.com/g.git@0f1e"],
            1,
        );
        check(
            "uv.lock",
            &format!(
                "version = 1\n{registry}source = {{ registry = \"https://example.com/simple\" }}\n[[package]]\nname = \"g\"\n\
                 version = \"2.0\"\nsource = {{ git = \"https://example.com/g?rev=main#0f1e\" }}\n[[package]]\nname = \"app\"\n\
                 version = \"0.1.0\"\nsource = {{ virtual = \".\" }}\n[[package]]\nname = \"u\"\nversion = \"1\"\n\
                 source = {{ url = \"https://example.com/u.whl\" }}\n"
            ),
            &["a 1.0", "g 2.0 git+https://example.com/g@0f1e", "u 1 https://example.com/u.whl"],
            0,
        );
        let pylock = format!(
            "lock-version = \"1.0\"\n{}[[packages]]\nname = \"g\"\nvcs = {{ type = \"git\", url = \"https://example.com/g\", \
             commit-id = \"0f1e\" }}\n[[packages]]\nname = \"l\"\ndirectory = {{ path = \".\" }}\n[[packages]]\nname = \"b\"\n",
            registry.replace("package", "packages")
        );
        check("pylock.toml", &pylock, &["a 1.0"], 1);
        check("pylock.dev.toml", &pylock, &["a 1.0"], 1);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(\\[\\[package\\]\\]\n|name|version|source|git| = |\"a\"|\n|[{}é.])*") {
            testing::read("uv.lock", &text);
        }
    }
}
