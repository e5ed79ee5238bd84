//! OSV's names of ecosystems (OSV schema, "Defined ecosystems"): which one a package belongs to, how its
//! names are spelled, and which scheme orders its versions.

use super::version::Scheme;
use crate::inventory::{Os, Package, PackageKind};

/// The order of versions in an ecosystem; `None` for one whose versions are not read.
pub fn scheme(ecosystem: &str) -> Option<Scheme> {
    let base = ecosystem.split(':').next().unwrap_or(ecosystem);
    Some(match base {
        "Debian" | "Ubuntu" => Scheme::Dpkg,
        "Alpine" | "Wolfi" | "Chainguard" => Scheme::Apk,
        "AlmaLinux" | "Rocky Linux" | "Red Hat" | "SUSE" | "openSUSE" => Scheme::Rpm,
        "PyPI" => Scheme::Pep440,
        "npm" => Scheme::Npm,
        _ => return None,
    })
}

/// A package's name as its ecosystem compares it.
pub fn name(ecosystem: &str, name: &str) -> String {
    match ecosystem {
        "PyPI" => python_name(name),
        _ => name.to_owned(),
    }
}

/// The normalized name of a Python project (PEP 503).
pub fn python_name(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// The ecosystem that a package of a distribution, or of a language, is looked up in; `None` if OSV has no
/// name for it or the release is not known.
pub fn of(kind: PackageKind, os: Option<&Os>) -> Option<String> {
    match kind {
        PackageKind::Pypi => Some("PyPI".to_owned()),
        PackageKind::Npm => Some("npm".to_owned()),
        PackageKind::Deb | PackageKind::Apk | PackageKind::Rpm => release(kind, os?),
        #[expect(unreachable_patterns, reason = "kinds that have no advisories yet")]
        _ => None,
    }
}

fn release(kind: PackageKind, os: &Os) -> Option<String> {
    let version = os.version_id.as_deref();
    Some(match (kind, os.id.as_str()) {
        (PackageKind::Deb, "debian") => format!("Debian:{}", debian_release(os)?),
        (PackageKind::Deb, "ubuntu") => format!("Ubuntu:{}", ubuntu_release(version?)),
        (PackageKind::Apk, "alpine") => format!("Alpine:{}", alpine_release(version?)),
        (PackageKind::Apk, "wolfi") => "Wolfi".to_owned(),
        (PackageKind::Apk, "chainguard") => "Chainguard".to_owned(),
        (PackageKind::Rpm, "almalinux") => format!("AlmaLinux:{}", major(version?)),
        (PackageKind::Rpm, "rocky") => format!("Rocky Linux:{}", major(version?)),
        _ => return None,
    })
}

fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

/// Testing images name their release by its codename only; before 7 the minor number was part of it.
fn debian_release(os: &Os) -> Option<&str> {
    let Some(version) = os.version_id.as_deref() else {
        let codename = os.codename.as_deref()?;
        return DEBIAN_CODENAMES.iter().find(|(name, _)| *name == codename).map(|(_, number)| *number);
    };
    Some(match major(version) {
        "6" => "6.0",
        "5" => "5.0",
        "4" => "4.0",
        "3" => version,
        major => major,
    })
}

/// Releases whose images, or purls, may name them by codename alone.
const DEBIAN_CODENAMES: [(&str, &str); 7] = [
    ("jessie", "8"),
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
];

/// April's releases of even years are long-term ones, and OSV says so in the name.
fn ubuntu_release(version: &str) -> String {
    let mut parts = version.split('.');
    let (year, month) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let even = year.bytes().last().is_some_and(|digit| digit.is_multiple_of(2));
    let suffix = if even && month == "04" { ":LTS" } else { "" };
    format!("{year}.{month}{suffix}")
}

/// `3.20.3` is `v3.20`; the snapshots of edge are dated (`3.21_alpha20240923`).
fn alpine_release(version: &str) -> String {
    let mut parts = version.split('.');
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) if minor.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("v{major}.{minor}")
        }
        _ => "edge".to_owned(),
    }
}

/// The package that a name and version of an ecosystem stand for: what [`of`] gives back. `None` for an
/// ecosystem whose packages have no kind here.
pub fn package(ecosystem: &str, name: &str, version: &str) -> Option<(Package, Option<Os>)> {
    let (base, release) = ecosystem.split_once(':').unwrap_or((ecosystem, ""));
    let (kind, id) = match base {
        "Debian" => (PackageKind::Deb, Some("debian")),
        "Ubuntu" => (PackageKind::Deb, Some("ubuntu")),
        "Alpine" => (PackageKind::Apk, Some("alpine")),
        "AlmaLinux" => (PackageKind::Rpm, Some("almalinux")),
        "Rocky Linux" => (PackageKind::Rpm, Some("rocky")),
        "PyPI" => (PackageKind::Pypi, None),
        "npm" => (PackageKind::Npm, None),
        _ => return None,
    };
    let mut package = Package::new(kind, name, version);
    // Debian's and Alpine's advisories name source packages.
    package.arch = matches!(kind, PackageKind::Deb | PackageKind::Apk).then(|| "source".to_owned());
    let release = release.trim_start_matches('v').trim_end_matches(":LTS");
    let version_id = Some(release.to_owned()).filter(|release| !release.is_empty());
    let os = id.map(|id| Os { id: id.to_owned(), version_id, ..Os::default() });
    Some((package, os))
}

/// The name and version under which a package's ecosystem files its advisories: the source package of a
/// Debian package with its own version, the origin of an Alpine one, the package itself elsewhere.
///
/// Debian signs its kernels in source packages of their own (`linux-signed-amd64`, version `6.1.27+1`), which
/// no advisory names; the binary package keeps the version of `linux`.
pub(super) fn subject(package: &Package) -> (&str, &str) {
    match (package.kind, &package.source) {
        (PackageKind::Deb, Some(source)) if source.name.starts_with("linux-signed-") => {
            ("linux", &package.version)
        }
        (PackageKind::Deb, Some(source)) => (&source.name, &source.version),
        (PackageKind::Apk, Some(source)) => (&source.name, &package.version),
        _ => (&package.name, &package.version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(id: &str, version: &str) -> Os {
        let version_id = Some(version.to_owned()).filter(|version| !version.is_empty());
        Os { id: id.to_owned(), version_id, ..Os::default() }
    }

    #[test]
    fn releases_as_osv_names_them() {
        for (kind, id, version, expected) in [
            (PackageKind::Deb, "debian", "12", Some("Debian:12")),
            (PackageKind::Deb, "debian", "6.0.10", Some("Debian:6.0")),
            (PackageKind::Deb, "debian", "", None),
            (PackageKind::Deb, "ubuntu", "22.04", Some("Ubuntu:22.04:LTS")),
            (PackageKind::Deb, "ubuntu", "23.10", Some("Ubuntu:23.10")),
            (PackageKind::Apk, "alpine", "3.20.3", Some("Alpine:v3.20")),
            (PackageKind::Apk, "alpine", "3.21_alpha20240923", Some("Alpine:edge")),
            (PackageKind::Rpm, "almalinux", "9.4", Some("AlmaLinux:9")),
            (PackageKind::Rpm, "rhel", "9.4", None),
            (PackageKind::Npm, "debian", "12", Some("npm")),
        ] {
            assert_eq!(of(kind, Some(&os(id, version))).as_deref(), expected, "{id} {version}");
        }
        let sid = Os { codename: Some("trixie".to_owned()), ..os("debian", "") };
        assert_eq!(of(PackageKind::Deb, Some(&sid)).as_deref(), Some("Debian:13"));
        assert_eq!(of(PackageKind::Deb, None), None);
    }

    #[test]
    fn packages_of_ecosystems() {
        for name in ["Debian:12", "Ubuntu:22.04:LTS", "Alpine:v3.20", "AlmaLinux:9", "PyPI", "npm"] {
            let (package, os) = package(name, "a", "1").unwrap();
            assert_eq!(of(package.kind, os.as_ref()).as_deref(), Some(name));
        }
        assert_eq!(package("crates.io", "a", "1"), None);
    }

    #[test]
    fn python_names_are_normalized() {
        assert_eq!(name("PyPI", "Foo__Bar.baz"), "foo-bar-baz");
        assert_eq!(name("npm", "@Scope/A_b"), "@Scope/A_b");
    }
}
