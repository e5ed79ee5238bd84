//! PHP packages: what Composer notes of the vendor directory that it fills, `VENDOR/composer/installed.json` (Composer's
//! `FilesystemRepository`): a list of packages (Composer 1), or an object with that list (Composer 2). `composer.lock` says
//! what is to be installed, not what is.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{
    Extraction, Extractor, File, Package, PackageKind, Requirement,
    package::{digest, web_address},
    records,
};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const INSTALLED: &str = "installed.json";

/// Composer's packages, their versions as `composer show` prints them: with the `v` of a tag, or the name of a branch.
pub(super) struct Composer;

impl Extractor for Composer {
    fn name(&self) -> &'static str {
        "composer"
    }

    fn version(&self) -> u32 {
        3
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && is_installed(path)
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        read(&file.read(INSTALLED, limits::COMPOSER_INSTALLED_BYTES)?)
    }
}

/// Whether a path is that of what Composer notes of a vendor directory, which may have any name.
pub(super) fn is_installed(path: &GuestPath) -> bool {
    let mut above = path.components().rev();
    above.next() == Some(INSTALLED.as_bytes()) && above.next() == Some(b"composer") && above.next().is_some()
}

/// The packages of an `installed.json`.
pub(super) fn read(bytes: &[u8]) -> Result<Extraction, FormatError> {
    let list: &[&str] = if bytes.trim_ascii_start().starts_with(b"[") { &[] } else { &["packages"] };
    records::packages(INSTALLED, bytes, list, "no name or no version", Record::package)
}

/// What is read of a record.
#[derive(Deserialize)]
struct Record {
    name: String,
    version: String,
    license: Option<License>,
    homepage: Option<Value>,
    dist: Option<Value>,
    require: Option<Value>,
}

impl Record {
    fn package(self) -> Option<Package> {
        let Self { name, version, license, homepage, dist, require } = self;
        if !name.contains('/') || version.is_empty() {
            return None;
        }
        let license = license.and_then(License::text);
        let url = homepage.as_ref().and_then(Value::as_str).and_then(web_address);
        let sum = dist.as_ref().and_then(|dist| dist.get("shasum")?.as_str());
        let digest = sum.and_then(|hex| digest("sha1", hex));
        // The interpreter and its extensions have no vendor.
        let names = require.as_ref().and_then(Value::as_object).into_iter().flat_map(|names| names.keys());
        let requires = names.filter(|name| name.contains('/')).map(Requirement::named).collect();
        Some(Package { license, url, digest, requires, ..Package::new(PackageKind::Composer, name, version) })
    }
}

/// The licences, of which the user chooses one.
#[derive(Deserialize)]
#[serde(untagged)]
enum License {
    One(String),
    Any(Vec<String>),
    Other(IgnoredAny),
}

impl License {
    fn text(self) -> Option<String> {
        let text = match self {
            Self::One(text) => text,
            Self::Any(list) => list.join(" OR "),
            Self::Other(_) => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn extract(text: &str) -> Result<Extraction, FormatError> {
        testing::extract(&Composer, "app/vendor/composer/installed.json", text.as_bytes(), &[])
    }

    fn composer(name: &str, version: &str, license: Option<&str>) -> Package {
        Package { license: license.map(str::to_owned), ..Package::new(PackageKind::Composer, name, version) }
    }

    #[test]
    fn wants_what_composer_notes_of_a_vendor_directory() {
        testing::wants(
            &Composer,
            &[
                "vendor/composer/installed.json",
                "var/www/html/vendor/composer/installed.json",
                "srv/app/lib/composer/installed.json",
            ],
            &[
                "installed.json",
                "composer/installed.json",
                "app/vendor/installed.json",
                "app/vendor/composer/installed.php",
                "app/vendor/composer/a/installed.json",
                "app/composer.lock",
            ],
        );
    }

    #[test]
    fn lists_of_both_versions() {
        let list = r#"[
            {"name":"symfony/http-kernel","version":"v5.4.20","version_normalized":"5.4.20.0","license":["MIT"],
             "homepage":"https://symfony.com","dist":{"type":"zip","shasum":"0123456789abcdef0123456789abcdef01234567"}},
            {"version":"dev-master","extra":{"name":"x/y"},"name":"A/b","homepage":[],"dist":{"shasum":""},"license":["LGPL-2.1-only","GPL-3.0-or-later"],
             "require":{"php":">=8","ext-json":"*","c/d":"^1"}},
            {"name":"c/d","version":"1.0","license":"BSD-3-Clause","type":"metapackage","install-path":null},
            {"name":"e/f","version":"2","license":[]},
            {"name":"g/h","version":"3","license":{}}
        ]"#;
        let expected = [
            Package {
                url: Some("https://symfony.com".into()),
                digest: Some("sha1:0123456789abcdef0123456789abcdef01234567".into()),
                ..composer("symfony/http-kernel", "v5.4.20", Some("MIT"))
            },
            Package {
                requires: vec![Requirement::named("c/d")],
                ..composer("A/b", "dev-master", Some("LGPL-2.1-only OR GPL-3.0-or-later"))
            },
            composer("c/d", "1.0", Some("BSD-3-Clause")),
            composer("e/f", "2", None),
            composer("g/h", "3", None),
        ];
        let object = format!(r#"{{"dev":true,"packages":{list},"dev-package-names":["c/d"]}}"#);
        for text in [list, &object] {
            let found = extract(text).unwrap();
            assert_eq!((found.packages(), found.damage.len()), (expected.to_vec(), 0));
        }
        assert_eq!(extract("[]").unwrap().packages(), []);
        assert_eq!(extract(r#"{"packages":[]}"#).unwrap().packages(), []);
    }

    #[test]
    fn a_bad_record_is_lost_alone() {
        let good = r#"{"name":"a/b","version":"1"}"#;
        for bad in [
            "null",
            "[]",
            "{}",
            r#"{"name":"c/d"}"#,
            r#"{"name":"c/d","version":2}"#,
            r#"{"name":"c/d","version":""}"#,
            r#"{"name":"c","version":"1"}"#,
        ] {
            let found = extract(&format!("[{bad},{good}]")).unwrap();
            assert_eq!(found.packages(), [composer("a/b", "1", None)], "{bad}");
            assert_eq!(found.damage[0].detail(), "installed.json: record 1 has no name or no version");
        }
        let cut = extract(&format!("[{good},{{\"name\":\"c")).unwrap();
        assert_eq!((cut.packages().len(), cut.damage.len()), (1, 1));
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for text in ["", "{", "{}", "1", r#"{"packages":1}"#, "[] []", "[{}]"] {
            assert!(extract(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"name\"|\"version\"|\"license\"|\"packages\"|\"a/b\")*") {
            let _ = extract(&text);
        }
    }
}
