//! pnpm's lock files, `pnpm-lock.yaml` (pnpm's specification "lockfile", versions 5 to 9): `packages` by what leads to them,
//! `/NAME/VERSION_PEERS` until version 5, `/NAME@VERSION(PEERS)` in 6, `NAME@VERSION` in 9.

use serde_json::Value;

use super::{
    document::Document,
    named::Named,
    npm,
    records::{self, Record},
};
use crate::error::FormatError;

/// Reads a lock file.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    lock.yaml(&[&["packages"]], |record| package(&record, named))
}

fn package(record: &Record<'_>, named: &mut Named) {
    let key = record.key();
    let resolution = record.value.get("resolution").unwrap_or(&Value::Null);
    if records::text(resolution, "directory").is_some() || key.contains("file:") {
        return;
    }
    let Some((name, version)) = name_and_version(key) else {
        return named.lose(&format!("{} has no name or no version", record.place()));
    };
    // Repositories and archives have theirs beside the key.
    let name = record.text("name").unwrap_or(name);
    let Some(version) = record.text("version").or_else(|| npm::is_version(version).then_some(version)) else {
        return;
    };
    let mut package = npm::package(name, version, records::text(resolution, "tarball"));
    if let (Some(repo), Some(commit)) =
        (records::text(resolution, "repo"), records::text(resolution, "commit"))
    {
        package.origin = Some(format!("git+{repo}@{commit}"));
    }
    named.add(package);
}

/// The name and the version, without those of its peers, that a key tells.
fn name_and_version(key: &str) -> Option<(&str, &str)> {
    let (path, has_slash) = key.strip_prefix('/').map_or((key, false), |path| (path, true));
    let scope = match path.starts_with('@') {
        true => path.find('/')?.checked_add(1)?,
        false => 0,
    };
    let length = path.get(scope..)?.find(['/', '@'])?.checked_add(scope)?;
    let (name, rest) = path.split_at_checked(length)?;
    match rest.split_at_checked(1)? {
        ("/", rest) if npm::is_version(rest) => Some((name, rest.split('_').next()?)),
        // The host of another registry is in front.
        ("/", rest) if !has_slash => name_and_version(rest).or(Some((name, rest))),
        (_, rest) => Some((name, rest.split('(').next()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::inventory::PackageKind;

    #[test]
    fn keys_of_each_version() {
        for (key, expected) in [
            ("/a/1.0.0", Some(("a", "1.0.0"))),
            ("/@b/core/7.1.0", Some(("@b/core", "7.1.0"))),
            ("/@b/core/7.1.0_a@1.0.0+@c+d@2.0.0", Some(("@b/core", "7.1.0"))),
            ("registry.example/a/1.0.0", Some(("a", "1.0.0"))),
            ("/a@1.0.0", Some(("a", "1.0.0"))),
            ("/@b/core@7.1.0(a@1.0.0)(@c/d@2.0.0)", Some(("@b/core", "7.1.0"))),
            ("a@1.0.0-rc.1", Some(("a", "1.0.0-rc.1"))),
            ("@b/core@7.1.0", Some(("@b/core", "7.1.0"))),
            ("git@https://example.com/git/tar.gz/0f1e", Some(("git", "https://example.com/git/tar.gz/0f1e"))),
            ("@b", None),
            ("", None),
        ] {
            assert_eq!(name_and_version(key), expected, "{key}");
        }
    }

    #[test]
    fn packages_of_a_lock_file() {
        let text = "lockfileVersion: '9.0'\n\nimporters:\n  .:\n    dependencies:\n      a: {specifier: ^1, version: 1.0.0}\n\n\
                    packages:\n\n  a@1.0.0:\n    resolution: {integrity: sha512-x}\n    engines: {node: '>=4'}\n\n  \
                    git@https://example.com/tar.gz/0f1e:\n    resolution: {tarball: https://example.com/tar.gz/0f1e}\n    \
                    version: 3.0.1\n\n  repo@git+https://example.com/repo.git#aa:\n    resolution: {type: git, repo: \
                    https://example.com/repo.git, commit: aa}\n    version: 2.0.0\n\n  l@file:l:\n    resolution: {directory: l, \
                    type: directory}\n    version: 1.0.0\n\n  file:..: {}\n\n  '@': {}\n\nsnapshots:\n\n  a@1.0.0: {}\n";
        let expected = [
            "a 1.0.0",
            "git 3.0.1 https://example.com/tar.gz/0f1e",
            "repo 2.0.0 git+https://example.com/repo.git@aa",
        ];
        let named = testing::named(PackageKind::Npm, "pnpm-lock.yaml", text);
        assert_eq!(named, (expected.map(str::to_owned).to_vec(), 1));
        let two = testing::named(PackageKind::Npm, "pnpm-lock.yaml", &format!("---\nx: 1\n---\n{text}"));
        assert_eq!(two, named);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(key in "[@/a1_()é:.\"{}\n]*") {
            let _ = name_and_version(&key);
            testing::read("pnpm-lock.yaml", &format!("packages:\n  {key}: {{version: {key}}}"));
        }
    }
}
