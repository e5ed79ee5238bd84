//! The specification's own test suite (`tests/purl/README.md`).

use super::*;
use crate::inventory::{self, Package};

const CASES: &str = include_str!("../../../../tests/purl/cases.tsv");

/// What the rules of a type forbid is asked all the same: whoever wrote it meant a package.
const FORBIDDEN_AND_READ: &[&str] = &[
    "pkg:chrome-extension/44444algnefjeiefhmpklpfiohadpglk",
    "pkg:chrome-extension/dogs",
    "pkg:chrome-extension/dlpngalgnefjeiefhmpklpfiohadpglk@1.2.3.4.5",
    "pkg:chrome-extension/dlpngalgnefjeiefhmpklpfiohadpglk@1.2.3-beta",
    "pkg:conan/bincrafters/cctz@2.3",
    "pkg:conan/cctz@2.3?channel=stable",
    "pkg:cran/A3",
    "pkg:julia/Dates",
    "pkg:npm/myartifact@1.0.0?in%20production=true",
    "pkg:npm/@angular/animation@12.3.1",
    "pkg:npm/React@17.0.1",
    "pkg:npm/foobar@",
    "pkg:npm/.foobar@1.0.0",
    "pkg:npm/_foobar@1.0.0",
    "pkg:npm/foo%F0%9F%98%83bar@1.0.0",
    "pkg:npm/%40foo%F0%9F%98%83/bar@1.0.0",
    "pkg:swift/Alamofire@5.4.3",
];

/// npm has packages from when names had capitals, and others that differ from them in case only.
const CASE_KEPT: &[&str] = &["pkg:npm/LoDash@4.17.21", "pkg:npm/%40MyScope/MyPackage@1.0.0"];

/// What is written otherwise.
const WRITTEN_OTHERWISE: &[(&str, &str)] = &[
    // Everywhere else the suite escapes the plus, as the specification says.
    ("pkg:npm/foobar@1.2.3-alpha.1+build.456", "pkg:npm/foobar@1.2.3-alpha.1%2Bbuild.456"),
    // A codename alone does not tell the distribution.
    (
        "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie",
        "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=debian-jessie",
    ),
    (
        "pkg:deb/debian/dpkg@1.19.0.4?arch=amd64&distro=stretch",
        "pkg:deb/debian/dpkg@1.19.0.4?arch=amd64&distro=debian-stretch",
    ),
    (
        "pkg:rpm/centerim@4.22.10-1.el6?arch=i686&epoch=1&distro=fedora-25",
        "pkg:rpm/fedora/centerim@4.22.10-1.el6?arch=i686&distro=fedora-25&epoch=1",
    ),
    // Packages of these types have names without a namespace here.
    ("pkg:brew/homebrew/core/sqlite@3.43.2", "pkg:brew/sqlite@3.43.2"),
    ("pkg:brew/Homebrew/Core/sqlite@3.43.2", "pkg:brew/sqlite@3.43.2"),
    (
        "pkg:brew/some-org/some-tap/some-app@1.2.3?repository_url=https:%2F%2Fgithub.com%2Fsome-org%2Fhomebrew-some-tap.git",
        "pkg:brew/some-app@1.2.3",
    ),
    ("pkg:brew/homebrew/cask/firefox@120.0", "pkg:brew/firefox@120.0"),
    ("pkg:conan/bincrafters/cctz@2.3?channel=stable", "pkg:conan/cctz@2.3"),
    ("pkg:conan/openssl.org/openssl@3.0.3?user=bincrafters&channel=stable", "pkg:conan/openssl@3.0.3"),
    (
        "pkg:conan/openssl.org/openssl@3.0.3?arch=x86_64&build_type=Debug&compiler=Visual%20Studio&compiler.runtime=MDd\
         &compiler.version=16&os=Windows&shared=True&rrev=93a82349c31917d2d674d22065c7a9ef9f380c8e\
         &prev=b429db8a0e324114c25ec387bfd8281f330d7c5c",
        "pkg:conan/openssl@3.0.3?arch=x86_64",
    ),
    ("pkg:hex/acme/foo@2.3.", "pkg:hex/foo@2.3."),
    (
        "pkg:nix/nixpkgs/haskellPackages._3d-graphics-examples@0.0.0.2",
        "pkg:nix/haskellPackages._3d-graphics-examples@0.0.0.2",
    ),
    (
        "pkg:nix/nixpkgs/imlib2@1.12.6?commit=ea04e1fdd523987348c468e8cb53cc36c575d629",
        "pkg:nix/imlib2@1.12.6",
    ),
    ("pkg:nix/nixpkgs/zthrottle", "pkg:nix/zthrottle"),
];

struct Case {
    input: &'static str,
    /// `None` for what is no purl.
    canonical: Option<&'static str>,
    segments: Vec<String>,
    version: Option<String>,
    qualifiers: Vec<(String, String)>,
}

fn cases() -> Vec<Case> {
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let case = |line: &'static str| {
        let [input, canonical, namespace, name, version, qualifiers] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        Case {
            input,
            canonical: Some(canonical).filter(|canonical| *canonical != "-"),
            segments: namespace.split('/').chain([name]).filter_map(filled).collect(),
            version: filled(version),
            qualifiers: qualifiers
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        }
    };
    let cases: Vec<_> = CASES.lines().skip(1).map(case).collect();
    assert_eq!(cases.len(), 155);
    cases
}

#[test]
fn purls_are_read() {
    for Case { input, canonical, segments, version, qualifiers } in cases() {
        let purl = Purl::parse(input);
        if canonical.is_none() {
            let is_read = FORBIDDEN_AND_READ.contains(&input);
            assert_eq!(purl.is_some(), is_read, "{input}");
            continue;
        }
        let purl = purl.unwrap_or_else(|| panic!("{input}"));
        let kind = PackageKind::from_text(&purl.kind).unwrap();
        let read: Vec<_> = purl.segments.iter().map(|segment| kind.in_purl(segment)).collect();
        assert_eq!(read == segments, !CASE_KEPT.contains(&input), "{input}: {read:?}");
        assert_eq!((purl.version, purl.qualifiers), (version, qualifiers.into_iter().collect()), "{input}");
    }
}

#[test]
fn purls_are_written() {
    for Case { input, canonical, .. } in cases() {
        let Some(canonical) = canonical.filter(|_| !CASE_KEPT.contains(&input)) else { continue };
        let (package, os) = match parse(input).unwrap() {
            Subject::Package { package, os } => (*package, os),
            _ => {
                let Purl { segments, version, .. } = Purl::parse(input).unwrap();
                (Package::new(PackageKind::Generic, &segments[0], version.unwrap_or_default()), None)
            }
        };
        let written = inventory::purl(&package, os.as_ref());
        let otherwise = WRITTEN_OTHERWISE.iter().find(|(known, _)| *known == input);
        let expected = match otherwise {
            Some((_, otherwise)) => (*otherwise).to_owned(),
            None => carried(package.kind, canonical),
        };
        // A distribution is always told.
        let told = os.filter(|_| !expected.contains("distro=")).map(|os| format!("&distro={}", os.id));
        assert_eq!(written, expected + told.as_deref().unwrap_or_default(), "{input}");
    }
}

/// A purl without its subpath and the qualifiers that say nothing of a package that is installed.
fn carried(kind: PackageKind, purl: &str) -> String {
    let purl = purl.split('#').next().unwrap_or_default();
    let (path, qualifiers) = purl.split_once('?').unwrap_or((purl, ""));
    let is_carried = |pair: &&str| match pair.split('=').next().unwrap_or_default() {
        "arch" | "upstream" => true,
        "distro" => kind.is_os(),
        "epoch" => kind == PackageKind::Rpm,
        "platform" => kind == PackageKind::Gem,
        "channel" | "subdir" => kind == PackageKind::Conda,
        _ => false,
    };
    let qualifiers: Vec<_> = qualifiers.split('&').filter(is_carried).collect();
    if qualifiers.is_empty() { path.to_owned() } else { format!("{path}?{}", qualifiers.join("&")) }
}
