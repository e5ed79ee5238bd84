//! Cargo's lock file, `Cargo.lock` (The Cargo Book, "Cargo.toml vs Cargo.lock"): packages with the registry or the repository
//! that they come from. One without a source is a member of the workspace or lies at a local path.

use super::{document::Document, named::Named, tables};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a lock file.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    tables::read(&lock.text(), named, |record, named| {
        if record.root() != "package" {
            return;
        }
        let (Some(name), Some(version)) = (record.text("name"), record.text("version")) else {
            return named.lose(&format!("{} has no name or no version", record.place()));
        };
        let Some(source) = record.text("source") else { return };
        let mut package = Package::new(PackageKind::Cargo, name, version);
        if source.starts_with("git+")
            && let Some((url, commit)) = source.split_once('#')
        {
            package.origin = Some(format!("{}@{commit}", url.split('?').next().unwrap_or(url)));
        }
        named.add(package);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn packages_with_a_source() {
        let text = r#"version = 4
[[package]]
name = "app"
version = "0.1.0"
dependencies = ["serde 1.0.200", "g"]
[[package]]
name = "serde"
version = "1.0.200"
source = "registry+https://example.com/index"
checksum = "00"
[[package]]
name = "g"
version = "0.2.0"
source = "git+https://example.com/g?branch=main#0f1e"
[[package]]
name = "bad"
source = "registry+https://example.com/index"
"#;
        let expected = ["serde 1.0.200", "g 0.2.0 git+https://example.com/g@0f1e"];
        assert_eq!(
            testing::named(PackageKind::Cargo, "Cargo.lock", text),
            (expected.map(str::to_owned).to_vec(), 1)
        );
        assert!(testing::fails("Cargo.lock", "[[package]"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(\\[\\[package\\]\\]\n|name|version|source| = |\"git[+]#a?\"|\n|é)*") {
            testing::read("Cargo.lock", &text);
        }
    }
}
