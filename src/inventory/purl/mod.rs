//! Package URLs (ECMA-427, "Package-URL specification", and its type definitions).

mod package;
mod parts;

use std::fmt::Write;

pub(crate) use parts::Purl;

use super::{Os, Package, PackageKind};

/// The purl of a package that is installed on `os`.
pub fn purl(package: &Package, os: Option<&Os>) -> String {
    let mut purl = format!("pkg:{}/", package.kind.text());
    let os = os.filter(|_| package.kind.is_os());
    let (own, name) = package.kind.split(&package.name);
    let namespace = match package.kind.separator() {
        Some(_) => own.unwrap_or_default(),
        // The type names the distribution.
        None if matches!(package.kind, PackageKind::Cos | PackageKind::Freebsd | PackageKind::Slackware) => {
            ""
        }
        None => os.map_or("", namespace),
    };
    for segment in namespace.split('/').filter(|segment| !segment.is_empty()) {
        encode(&mut purl, &package.kind.in_purl(segment));
        purl.push('/');
    }
    encode(&mut purl, &package.kind.in_purl(name));
    let (epoch, version) = epoch(package);
    if !version.is_empty() {
        purl.push('@');
        encode(&mut purl, version);
    }
    qualifiers(&mut purl, package, os, epoch);
    purl
}

/// rpm's epoch is a qualifier; dpkg's stays in the version.
fn epoch(package: &Package) -> (Option<&str>, &str) {
    match package.version.split_once(':') {
        Some((epoch, version)) if package.kind == PackageKind::Rpm => (Some(epoch), version),
        _ => (None, &package.version),
    }
}

/// The vendor: os-release's `ID`, but for Red Hat, whose purls say `redhat`.
fn namespace(os: &Os) -> &str {
    match os.id.as_str() {
        "rhel" => "redhat",
        id => id,
    }
}

fn qualifiers(purl: &mut String, package: &Package, os: Option<&Os>, epoch: Option<&str>) {
    let distro = os.map(|os| match (&os.version_id, &os.codename) {
        (Some(version), _) => format!("{}-{version}", os.id),
        (None, Some(codename)) => format!("{}-{codename}", os.id),
        (None, None) => os.id.clone(),
    });
    let upstream = package
        .source
        .as_ref()
        .filter(|source| source.name != package.name || source.version != package.version);
    let upstream = upstream.map(|source| match source.version == package.version {
        true => source.name.clone(),
        false => format!("{}@{}", source.name, source.version),
    });
    let of_kind = |kind, value: &Option<String>| value.clone().filter(|_| package.kind == kind);
    // What a gem, an extension or one of conda's packages was built for, their purls call otherwise.
    let is_platform = matches!(package.kind, PackageKind::Gem | PackageKind::VscodeExtension);
    let all = [
        ("arch", package.arch.clone().filter(|_| !is_platform && package.kind != PackageKind::Conda)),
        ("channel", of_kind(PackageKind::Conda, &package.origin)),
        ("distro", distro),
        ("epoch", epoch.map(str::to_owned)),
        ("platform", package.arch.clone().filter(|_| is_platform)),
        ("rpmmod", package.module.clone()),
        ("subdir", of_kind(PackageKind::Conda, &package.arch)),
        ("upstream", upstream),
    ];
    let mut separator = '?';
    for (key, value) in all {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        // Writing to a string cannot fail.
        let _ = write!(purl, "{separator}{key}=");
        encode(purl, &value);
        separator = '&';
    }
}

/// Percent-encodes all but letters, digits, `.`, `-`, `_`, `~` and the colon.
fn encode(purl: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                purl.push(char::from(byte));
            }
            other => {
                let _ = write!(purl, "%{other:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::SourcePackage;

    #[test]
    fn each_kind_as_its_type_definition_says() {
        let os = Os { id: "rhel".to_owned(), version_id: Some("9.4".to_owned()), ..Os::default() };
        let mut rpm = Package::new(PackageKind::Rpm, "libstdc++", "1:11.4.1-3.el9");
        rpm.arch = Some("x86_64".to_owned());
        assert_eq!(
            purl(&rpm, Some(&os)),
            "pkg:rpm/redhat/libstdc%2B%2B@11.4.1-3.el9?arch=x86_64&distro=rhel-9.4&epoch=1"
        );
        let mut deb = Package::new(PackageKind::Deb, "libssl3", "3.0.11-1~deb12u2");
        deb.source = Some(SourcePackage { name: "openssl".to_owned(), version: deb.version.clone() });
        assert_eq!(purl(&deb, None), "pkg:deb/libssl3@3.0.11-1~deb12u2?upstream=openssl");
        let pypi = Package::new(PackageKind::Pypi, "Foo_Bar", "1.0+x");
        assert_eq!(purl(&pypi, Some(&os)), "pkg:pypi/foo-bar@1.0%2Bx");
        let mut gem = Package::new(PackageKind::Gem, "nokogiri", "1.13.9");
        gem.arch = Some("x86_64-linux".to_owned());
        assert_eq!(purl(&gem, None), "pkg:gem/nokogiri@1.13.9?platform=x86_64-linux");
        let mut extension = Package::new(PackageKind::VscodeExtension, "golang/go", "0.39.1");
        extension.arch = Some("win32-x64".to_owned());
        assert_eq!(purl(&extension, None), "pkg:vscode-extension/golang/go@0.39.1?platform=win32-x64");
        let plugin = Package::new(PackageKind::Generic, "wordpress-plugin/akismet", "5.0.2");
        assert_eq!(purl(&plugin, None), "pkg:generic/wordpress-plugin/akismet@5.0.2");
        let mut conda = Package::new(PackageKind::Conda, "numpy", "1.26.4");
        (conda.arch, conda.origin) = (Some("linux-64".to_owned()), Some("conda-forge".to_owned()));
        assert_eq!(purl(&conda, None), "pkg:conda/numpy@1.26.4?channel=conda-forge&subdir=linux-64");
        let os = Os { id: "cos".to_owned(), version_id: Some("109".to_owned()), ..Os::default() };
        let cos = Package::new(PackageKind::Cos, "zlib", "17162.336.16");
        assert_eq!(purl(&cos, Some(&os)), "pkg:cos/zlib@17162.336.16?distro=cos-109");
        let os = Os { id: "openwrt".to_owned(), version_id: Some("23.05.5".to_owned()), ..Os::default() };
        let opkg = Package::new(PackageKind::Opkg, "busybox", "1.36.1-r2");
        assert_eq!(purl(&opkg, Some(&os)), "pkg:opkg/openwrt/busybox@1.36.1-r2?distro=openwrt-23.05.5");
        let language = |kind, name, version| purl(&Package::new(kind, name, version), None);
        assert_eq!(language(PackageKind::Npm, "@babel/core", "7.0.0"), "pkg:npm/%40babel/core@7.0.0");
        assert_eq!(
            language(PackageKind::Maven, "org.apache.tomcat:tomcat", "9.0.0.M1"),
            "pkg:maven/org.apache.tomcat/tomcat@9.0.0.M1"
        );
        assert_eq!(language(PackageKind::Composer, "Twig/Twig", "v3.4.0"), "pkg:composer/twig/twig@v3.4.0");
        assert_eq!(
            language(PackageKind::Golang, "golang.org/x/net", "v0.1.0"),
            "pkg:golang/golang.org/x/net@v0.1.0"
        );
    }
}
