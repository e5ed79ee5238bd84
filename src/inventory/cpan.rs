//! Perl's distributions of CPAN: cpanm, cpm and Carton leave `.meta/DISTRIBUTION-VERSION/install.json` in the directory for the
//! architecture (App::cpanminus, `save_meta`), and beside it what the distribution says of itself (CPAN::Meta::Spec,
//! `MYMETA.json`). What was installed otherwise leaves a list of its files, and no version of the distribution.
//!
//! The version in `install.json` is often a number, which has lost its zeros: it is not used.

use serde::{Deserialize, de::IgnoredAny};

use super::{Extraction, Extractor, File, Package, PackageKind, package::web_address};
use crate::{
    block,
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const INSTALL: &str = "install.json";
const MYMETA: &str = "MYMETA.json";

/// Distributions of CPAN, by their author where CPAN's index names one.
pub(super) struct Cpan;

impl Extractor for Cpan {
    fn name(&self) -> &'static str {
        "cpan"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && distribution(path).is_some()
    }

    fn companions(&self) -> &'static [&'static str] {
        &[MYMETA]
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some(distribution) = distribution(file.path()) else { return Ok(found) };
        let install: Install = parse(INSTALL, &file.read(INSTALL, limits::CPAN_META_BYTES)?)?;
        // Without what it says of itself a distribution is still there.
        let meta = meta(file).unwrap_or_else(|error| {
            found.lose(error);
            None
        });
        let meta = meta.unwrap_or_default();
        let own = distribution.strip_prefix(&meta.name).and_then(|rest| rest.strip_prefix('-'));
        let named = own.filter(|_| !meta.name.is_empty()).map(|version| (meta.name.as_str(), version));
        let Some((name, version)) = named.or_else(|| split(distribution)) else {
            let problem = format!("a distribution without a version: {distribution:.80}");
            return Err(FormatError::malformed(INSTALL, problem));
        };
        let author = install.pathname.as_deref().and_then(author);
        let name = author.map_or_else(|| name.to_owned(), |author| format!("{author}/{name}"));
        let mut package = Package::new(PackageKind::Cpan, name, version);
        package.license = meta.license.text();
        package.url = meta.resources.homepage.as_deref().and_then(web_address);
        found.add(package);
        Ok(found)
    }
}

/// The distribution with its version whose record is at a path.
fn distribution(path: &GuestPath) -> Option<&str> {
    let mut above = path.components().rev();
    if above.next()? != INSTALL.as_bytes() {
        return None;
    }
    let distribution = above.next()?;
    (above.next()? == b".meta").then(|| std::str::from_utf8(distribution).ok())?
}

/// The name and the version, which begins with a digit, behind a `v` or not.
fn split(distribution: &str) -> Option<(&str, &str)> {
    let dashes = distribution.rmatch_indices('-').map(|(at, _)| at);
    let mut parts =
        dashes.filter_map(|at| Some((distribution.get(..at)?, distribution.get(at.checked_add(1)?..)?)));
    parts.find(|(name, version)| {
        let number = version.strip_prefix('v').unwrap_or(version);
        !name.is_empty() && number.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// The author in `A/AU/AUTHOR/…`, CPAN's own directories.
fn author(pathname: &str) -> Option<&str> {
    let pathname = pathname.strip_prefix("authors/id/").unwrap_or(pathname);
    let mut parts = pathname.split('/');
    let (first, second, author) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id =
        |id: &str| id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-');
    let is_author =
        first.len() == 1 && second.starts_with(first) && author.starts_with(second) && is_id(author);
    (is_author && parts.next().is_some()).then_some(author)
}

fn meta(file: &File<'_>) -> Result<Option<Meta>, FormatError> {
    let Some(source) = file.companion(MYMETA)? else { return Ok(None) };
    parse(MYMETA, &block::read_all(&source, MYMETA, limits::CPAN_META_BYTES)?).map(Some)
}

fn parse<'de, T: Deserialize<'de>>(structure: &'static str, bytes: &'de [u8]) -> Result<T, FormatError> {
    serde_json::from_slice(bytes).map_err(|error| FormatError::malformed(structure, error.to_string()))
}

/// What is read of what the installer notes.
#[derive(Deserialize)]
struct Install {
    pathname: Option<String>,
}

/// What is read of what a distribution says of itself.
#[derive(Deserialize, Default)]
struct Meta {
    #[serde(default)]
    name: String,
    #[serde(default)]
    license: License,
    #[serde(default)]
    resources: Resources,
}

#[derive(Deserialize, Default)]
struct Resources {
    homepage: Option<String>,
}

/// The licences in the specification's own words. Whether all hold or one may be chosen it does not say.
#[derive(Deserialize)]
#[serde(untagged)]
enum License {
    One(String),
    Several(Vec<String>),
    Other(IgnoredAny),
}

impl Default for License {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl License {
    fn text(self) -> Option<String> {
        let text = match self {
            Self::One(text) => text,
            Self::Several(list) => list.join(", "),
            Self::Other(_) => return None,
        };
        Some(text).filter(|text| !["", "unknown"].contains(&text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{purl, testing};

    const DIR: &str = "usr/local/lib/perl5/site_perl/5.38.2/x86_64-linux-gnu/.meta";

    fn extract(distribution: &str, install: &str, meta: Option<&str>) -> Result<Extraction, FormatError> {
        let companions: Vec<_> = meta.iter().map(|meta| (MYMETA, meta.as_bytes())).collect();
        let path = format!("{DIR}/{distribution}/install.json");
        testing::extract(&Cpan, &path, install.as_bytes(), &companions)
    }

    #[test]
    fn wants_records_of_installers() {
        testing::wants(
            &Cpan,
            &[&format!("{DIR}/Try-Tiny-0.31/install.json"), "app/local/lib/perl5/x/.meta/A-1/install.json"],
            &[&format!("{DIR}/Try-Tiny-0.31/MYMETA.json"), "app/.meta/install.json", "app/A-1/install.json"],
        );
    }

    #[test]
    fn author_distribution_version() {
        let install = r#"{"version":0.3,"target":"Acme::Tiny","pathname":"A/AC/ACME/Acme-Tiny-0.30.tar.gz",
            "provides":{},"dist":"Acme-Tiny-0.30","name":"Acme::Tiny"}"#;
        let meta = r#"{"name":"Acme-Tiny","version":"0.30","license":["perl_5"],
            "resources":{"homepage":"https://example.com/tiny"},"prereqs":{}}"#;
        let plain = Package::new(PackageKind::Cpan, "ACME/Acme-Tiny", "0.30");
        let whole = Package {
            license: Some("perl_5".to_owned()),
            url: Some("https://example.com/tiny".to_owned()),
            ..plain.clone()
        };
        for (meta, expected, damage) in
            [(Some(meta), whole, 0), (None, plain.clone(), 0), (Some("[]x"), plain, 1)]
        {
            let found = extract("Acme-Tiny-0.30", install, meta).unwrap();
            assert_eq!(purl(&expected, None), "pkg:cpan/ACME/Acme-Tiny@0.30");
            assert_eq!((found.packages(), found.damage.len()), (vec![expected], damage));
        }
    }

    #[test]
    fn names_and_versions_of_distributions() {
        for (distribution, meta, expected) in [
            ("Try-Tiny-0.31", "", ("Try-Tiny", "0.31")),
            ("CPAN-02Packages-Search-v1.0.0", "", ("CPAN-02Packages-Search", "v1.0.0")),
            ("Foo-1.0-TRIAL", "", ("Foo", "1.0-TRIAL")),
            ("Foo-1.0-2", r#"{"name":"Foo","license":"mit"}"#, ("Foo", "1.0-2")),
        ] {
            let meta = Some(meta).filter(|meta| !meta.is_empty());
            let found = extract(distribution, r#"{"pathname":"x/Foo.tar.gz"}"#, meta).unwrap().packages();
            assert_eq!((found[0].name.as_str(), found[0].version.as_str()), expected);
        }
        for (distribution, install) in [("Foo", "{}"), ("-1", "{}"), ("Foo-1", "[]x"), ("Foo-1", "")] {
            assert!(extract(distribution, install, None).is_err(), "{distribution} {install}");
        }
    }

    #[test]
    fn authors() {
        for (pathname, expected) in [
            ("E/ET/ETHER/Try-Tiny-0.31.tar.gz", Some("ETHER")),
            ("authors/id/O/OA/OALDERS/sub/A-1.tar.gz", Some("OALDERS")),
            ("https://example.com/A-1.tar.gz", None),
            ("E/ET/ETHER", None),
            ("E/ET/ether/A-1.tar.gz", None),
        ] {
            assert_eq!(author(pathname), expected, "{pathname}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(dist in "[-v0-9A-Za.]*", text in "([{}\\[\\],:0]|\"pathname\"|\"name\"|\"license\")*") {
            let _ = extract(&dist, &text, Some(&text));
        }
    }
}
