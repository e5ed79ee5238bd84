//! Pipenv's lock file, `Pipfile.lock`: packages by name in sections (`default`, `develop`, others by their categories), each
//! with `==VERSION`. A repository or a directory has none.

use super::{document::Document, named::Named};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a lock file.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    lock.json(&[&["*"]], |record| {
        if record.root() == "_meta" {
            return;
        }
        match record.text("version").and_then(|version| version.strip_prefix("==")) {
            Some(version) => named.add(Package::new(PackageKind::Pypi, record.key(), version)),
            None if ["git", "path", "file", "editable"].iter().any(|key| record.value.get(key).is_some()) => {
            }
            None => named.lose(&format!("{} has no version", record.place())),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn packages_of_all_sections() {
        let text = r#"{"_meta":{"hash":{"sha256":"0"},"sources":[{"name":"pypi"}]},
            "default":{"requests":{"hashes":["sha256:0"],"version":"==2.31.0"},"l":{"path":"./l"}},
            "develop":{"pytest":{"version":"==8.0.0"},"bad":{"version":"*"}},"docs":{"sphinx":{"version":"==7.2.6"}}}"#;
        let expected = ["requests 2.31.0", "pytest 8.0.0", "sphinx 7.2.6"];
        assert_eq!(
            testing::named(PackageKind::Pypi, "Pipfile.lock", text),
            (expected.map(str::to_owned).to_vec(), 1)
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"_meta\"|\"a\"|\"version\"|\"==1\")*") {
            testing::read("Pipfile.lock", &text);
        }
    }
}
