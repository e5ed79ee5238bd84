//! Deno's lock file, `deno.lock` (Deno's documentation, "Lockfile"): the packages of npm's registry, by `NAME@VERSION` and
//! peers after `_`, at three places in its versions. Those of JSR have no type of purl.

use super::{document::Document, named::Named, npm};
use crate::error::FormatError;

/// Reads a lock file.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    lock.json(&[&["npm"], &["packages", "npm"]], |record| {
        let parts = npm::split(record.key()).map(|(name, rest)| (name, rest.split('_').next()));
        match parts {
            Some((name, Some(version))) => named.add(npm::package(name, version, None)),
            // The second version has a level more.
            _ if record.key() == "packages" => {
                for key in record.value.as_object().into_iter().flat_map(|packages| packages.keys()) {
                    if let Some((name, version)) = npm::split(key) {
                        let version = version.split('_').next().unwrap_or_default();
                        named.add(npm::package(name, version, None));
                    }
                }
            }
            _ if record.key() == "specifiers" => {}
            _ => named.lose(&format!("{} has no name or no version", record.place())),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn packages_of_each_version() {
        let packages = r#"{"chalk@5.3.0":{"integrity":"x"},"@b/core@7.1.0_chalk@5.3.0":{}}"#;
        for text in [
            format!(
                r#"{{"version":"2","npm":{{"specifiers":{{"chalk@5":"chalk@5.3.0"}},"packages":{packages}}}}}"#
            ),
            format!(
                r#"{{"version":"3","packages":{{"specifiers":{{}},"jsr":{{"@s/a@1":{{}}}},"npm":{packages}}}}}"#
            ),
            format!(r#"{{"version":"5","specifiers":{{"npm:chalk@5":"5.3.0"}},"npm":{packages}}}"#),
        ] {
            let mut named = testing::named(PackageKind::Npm, "deno.lock", &text);
            named.0.sort();
            assert_eq!(named, (vec!["@b/core 7.1.0".into(), "chalk 5.3.0".into()], 0));
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"packages\"|\"npm\"|\"a@1_\"|\"@\")*") {
            testing::read("deno.lock", &text);
        }
    }
}
