//! Composer's lock file, `composer.lock` (Composer's "The Lock File" and `composer.lock` of its schema): `packages` and
//! `packages-dev`, with versions as Composer prints them.

use serde_json::Value;

use super::{document::Document, named::Named, records::text};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a lock file.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    lock.json(&[&["packages"], &["packages-dev"]], |record| {
        if record.value.get("dist").is_some_and(|dist| text(dist, "type") == Some("path")) {
            return;
        }
        match (record.text("name"), record.text("version")) {
            (Some(name), Some(version)) if name.contains('/') => {
                let license = record.value.get("license").and_then(license);
                named.add(Package { license, ..Package::new(PackageKind::Composer, name, version) });
            }
            _ => named.lose(&format!("{} has no name or no version", record.place())),
        }
    })
}

/// The licences, of which the user chooses one.
fn license(value: &Value) -> Option<String> {
    let names: Vec<&str> = value.as_array()?.iter().filter_map(Value::as_str).collect();
    (!names.is_empty()).then(|| names.join(" OR "))
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn packages_of_both_lists() {
        let text = r#"{"content-hash":"0","packages":[
            {"name":"symfony/http-kernel","version":"v5.4.20","license":["MIT"]},
            {"name":"l/l","version":"dev-main","dist":{"type":"path","url":"./l"}},{"name":"bad"}],
            "packages-dev":[{"name":"a/b","version":"dev-master"}],"aliases":[],"platform":{"php":"^8"}}"#;
        let expected = ["symfony/http-kernel v5.4.20", "a/b dev-master"];
        let named = testing::named(PackageKind::Composer, "composer.lock", text);
        assert_eq!(named, (expected.map(str::to_owned).to_vec(), 1));
        assert_eq!(license(&serde_json::json!(["A", "B"])).as_deref(), Some("A OR B"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"packages\"|\"name\"|\"version\"|\"a/b\")*") {
            testing::read("composer.lock", &text);
        }
    }
}
