//! What a package says of itself: package-json(5).

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    error::FormatError,
    inventory::{
        Package, PackageKind, Requirement,
        package::{digest, web_address},
    },
};

/// The file's name.
pub(super) const MANIFEST: &str = "package.json";

/// The package that a manifest describes, `None` for one that describes a part of the package around it.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Package>, FormatError> {
    // npm passes over a byte order mark.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let corrupt = |problem: String| FormatError::malformed(MANIFEST, problem);
    let manifest: Manifest = serde_json::from_slice(text).map_err(|error| corrupt(error.to_string()))?;
    let (name, version) = match (manifest.name, manifest.version) {
        (Some(Value::String(name)), Some(Value::String(version))) => (name, version),
        // A file that only sets a module type or an entry point.
        (None, None) => return Ok(None),
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
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let homepage = text(&manifest.homepage).as_deref().and_then(web_address);
    package.url = homepage.or_else(|| manifest.repository.as_ref().and_then(repository));
    let requires = [manifest.dependencies, manifest.optional, manifest.peers];
    let names: BTreeSet<String> = requires.into_iter().flatten().flat_map(names).collect();
    package.requires = names.into_iter().map(Requirement::named).collect();
    package.digest = text(&manifest.integrity).as_deref().and_then(integrity);
    Ok(Some(package))
}

/// What is read of package-json(5).
#[derive(Deserialize)]
struct Manifest {
    name: Option<Value>,
    version: Option<Value>,
    license: Option<Value>,
    licenses: Option<Value>,
    homepage: Option<Value>,
    repository: Option<Value>,
    /// What npm notes until its version 6.
    #[serde(rename = "_integrity")]
    integrity: Option<Value>,
    dependencies: Option<Value>,
    #[serde(rename = "optionalDependencies")]
    optional: Option<Value>,
    #[serde(rename = "peerDependencies")]
    peers: Option<Value>,
}

/// The members of an object.
fn names(value: Value) -> impl Iterator<Item = String> {
    let object = if let Value::Object(object) = value { object } else { serde_json::Map::new() };
    object.into_iter().map(|(name, _)| name).filter(|name| !name.is_empty())
}

/// The address of a repository, if it is written as one.
fn repository(value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value.get("url")?.as_str())?;
    web_address(text.strip_prefix("git+").unwrap_or(text))
}

/// The first digest of some metadata (W3C, "Subresource Integrity").
fn integrity(text: &str) -> Option<String> {
    let (algorithm, value) = text.split_ascii_whitespace().next()?.split_once('-')?;
    let bytes = BASE64_STANDARD.decode(value).ok()?;
    digest(algorithm, &bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
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

    #[test]
    fn name_version_license() {
        let npm = |name, version| Package::new(PackageKind::Npm, name, version);
        let one = |text: &str| read(text.as_bytes()).unwrap();
        let mit = Package { license: Some("MIT".into()), ..npm("@s/a", "1.2.3-rc.1") };
        assert_eq!(
            one("\u{feff}{\"version\":\"1.2.3-rc.1\",\"x\":[{}],\"name\":\"@s/a\",\"license\":\"MIT\"}"),
            Some(mit)
        );
        let old = Package { license: Some("MIT OR BSD".into()), ..npm("a", "1") };
        assert_eq!(one(r#"{"name":"a","version":"1","licenses":[{"type":"MIT"},"BSD",[[]]]}"#), Some(old));
        assert_eq!(one(r#"{"name":"a","version":"1","license":null}"#), Some(npm("a", "1")));
        assert_eq!(one(r#"{"type":"module"}"#), None);
    }

    #[test]
    fn address_and_digest() {
        let of = |members: &str| {
            let text = format!(r#"{{"name":"a","version":"1",{members}}}"#);
            let package = read(text.as_bytes()).unwrap().unwrap();
            (package.url, package.digest)
        };
        let url = |text: &str| (Some(text.to_owned()), None);
        assert_eq!(
            of(r#""homepage":"https://a.example","repository":"https://b.example""#),
            url("https://a.example")
        );
        assert_eq!(
            of(r#""homepage":false,"repository":{"url":"git+https://b.example/a.git"}"#),
            url("https://b.example/a.git")
        );
        assert_eq!(of(r#""repository":"github:a/b","_integrity":"sha1-AA==""#), (None, None));
        let sum = Some(format!("sha1:{}", "00".repeat(20)));
        assert_eq!(of(&format!(r#""_integrity":"sha1-{}=""#, "A".repeat(27))), (None, sum));
    }

    #[test]
    fn what_is_required_in_any_way_but_for_development() {
        let text = r#"{"name":"a","version":"1","dependencies":{"c":"^1","b":"*"},"devDependencies":{"d":"1"},
                       "optionalDependencies":{"c":"^1","@s/e":"1"},"peerDependencies":{"f":"1"}}"#;
        let names = ["@s/e", "b", "c", "f"].map(Requirement::named);
        assert_eq!(read(text.as_bytes()).unwrap().unwrap().requires, names);
        let odd = r#"{"name":"a","version":"1","dependencies":["b"],"peerDependencies":{"":"1"}}"#;
        assert_eq!(read(odd.as_bytes()).unwrap().unwrap().requires, []);
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
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(
            read(br#"{"name":["a"]}"#).unwrap_err().detail(),
            "package.json: name [\"a\"], version none"
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"name\"|\"version\"|\"license\"|\"type\")*") {
            let _ = read(text.as_bytes());
        }
    }
}
