//! Npm.js packages: `package.json` right below a `node_modules` directory (npm's folders(5) and
//! package-json(5)). Lock files say what is to be installed, not what is.

use serde::Deserialize;
use serde_json::Value;

use super::{Extraction, Extractor, File, Package, PackageKind};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const MANIFEST: &str = "package.json";

/// npm's, yarn's and pnpm's packages.
pub(super) struct Npm;

impl Extractor for Npm {
    fn name(&self) -> &'static str {
        "node"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        if path.name() != MANIFEST.as_bytes() || kind != FileKind::Regular {
            return false;
        }
        let mut above = path.components().rev().skip(1);
        let (Some(name), Some(next)) = (above.next(), above.next()) else { return false };
        if name.starts_with(b"@") || name.starts_with(b".") {
            return false;
        }
        next == b"node_modules" || (next.starts_with(b"@") && above.next() == Some(b"node_modules"))
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(MANIFEST, limits::PACKAGE_JSON_BYTES)?;
        // npm passes over a byte order mark.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let corrupt = |problem: String| FormatError::malformed(MANIFEST, problem);
        let manifest: Manifest = serde_json::from_slice(text).map_err(|error| corrupt(error.to_string()))?;
        let mut found = Extraction::default();
        let (name, version) = match (manifest.name, manifest.version) {
            (Some(Value::String(name)), Some(Value::String(version))) => (name, version),
            // A file that only sets a module type or an entry point: a part of the package around it.
            (None, None) => return Ok(found),
            (name, version) => {
                let shown = |value: Option<Value>| value.map_or_else(|| "none".to_owned(), |v| excerpt(&v));
                return Err(corrupt(format!("name {}, version {}", shown(name), shown(version))));
            }
        };
        if name.is_empty() || version.is_empty() {
            return Err(corrupt(format!("name {name:?}, version {version:?}")));
        }
        let mut package = Package::new(PackageKind::Npm, name, version);
        package.license = manifest.license.or(manifest.licenses).as_ref().and_then(license);
        found.add(package);
        Ok(found)
    }
}

/// What is read of package-json(5).
#[derive(Deserialize)]
struct Manifest {
    name: Option<Value>,
    version: Option<Value>,
    license: Option<Value>,
    licenses: Option<Value>,
}

/// An SPDX expression, or the older `{ "type": … }` and lists of either.
fn license(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Object(object) => object.get("type").and_then(Value::as_str).map(str::to_owned),
        Value::Array(list) => {
            let names: Vec<String> =
                list.iter().filter(|item| !item.is_array()).filter_map(license).collect();
            (!names.is_empty()).then(|| names.join(" OR "))
        }
        _ => None,
    }
}

fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn extract(text: &str) -> Result<Extraction, FormatError> {
        testing::extract(&Npm, "app/node_modules/a/package.json", text.as_bytes(), &[])
    }

    #[test]
    fn wants_installed_packages_only() {
        testing::wants(
            &Npm,
            &[
                "node_modules/a/package.json",
                "usr/lib/node_modules/npm/package.json",
                "app/node_modules/@scope/a/package.json",
                "app/node_modules/a/node_modules/b/package.json",
                "app/node_modules/.pnpm/a@1.0.0/node_modules/a/package.json",
            ],
            &[
                "package.json",
                "app/package.json",
                "node_modules/package.json",
                "node_modules/a/dist/package.json",
                "node_modules/@scope/package.json",
                "node_modules/@scope/a/esm/package.json",
                "node_modules/.cache/package.json",
                "node_modules/a/package-lock.json",
            ],
        );
    }

    #[test]
    fn name_version_license() {
        let npm = |name, version| Package::new(PackageKind::Npm, name, version);
        let one = |text| extract(text).unwrap().packages();
        let mit = Package { license: Some("MIT".into()), ..npm("@s/a", "1.2.3-rc.1") };
        assert_eq!(
            one("\u{feff}{\"version\":\"1.2.3-rc.1\",\"x\":[{}],\"name\":\"@s/a\",\"license\":\"MIT\"}"),
            [mit]
        );
        let old = Package { license: Some("MIT OR BSD".into()), ..npm("a", "1") };
        assert_eq!(one(r#"{"name":"a","version":"1","licenses":[{"type":"MIT"},"BSD",[[]]]}"#), [old]);
        assert_eq!(one(r#"{"name":"a","version":"1","license":null}"#), [npm("a", "1")]);
        assert_eq!(one(r#"{"type":"module"}"#), []);
    }

    #[test]
    fn what_is_no_manifest_is_an_error() {
        for text in [
            "",
            "[]",
            "{",
            r#"{"name":"a"}"#,
            r#"{"name":"a","version":1}"#,
            r#"{"name":"","version":"1"}"#,
            r#"{"name":"a","name":"b","version":"1"}"#,
        ] {
            assert!(extract(text).is_err(), "{text}");
        }
        assert_eq!(
            extract(r#"{"name":["a"]}"#).unwrap_err().detail(),
            "package.json: name [\"a\"], version none"
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"name\"|\"version\"|\"license\"|\"type\")*") {
            let _ = extract(&text);
        }
    }
}
