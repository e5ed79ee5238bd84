//! OSV's names of ecosystems (OSV schema, "Defined ecosystems"): which one a package belongs to, how its
//! names are spelled, and which scheme orders its versions.

use super::version::Scheme;
use crate::inventory::{Os, Package, PackageKind, SourcePackage, python_name};

/// The order of versions in an ecosystem; `None` for one whose versions are not read.
pub fn scheme(ecosystem: &str) -> Option<Scheme> {
    Some(match family(ecosystem).0 {
        "Debian" | "Ubuntu" | "Echo" => Scheme::Dpkg,
        "Alpine" | "Wolfi" | "Chainguard" | "MinimOS" => Scheme::Apk,
        "AlmaLinux" | "Rocky Linux" | "Red Hat" | "SUSE" | "openSUSE" | "openEuler" | "Mageia"
        | "Photon OS" | "Azure Linux" | "CBL-Mariner" | "Amazon Linux" | "Oracle Linux" | "Fedora" => {
            Scheme::Rpm
        }
        "PyPI" => Scheme::Pep440,
        // Node.js itself, of which OSV has no ecosystem.
        "Node.js" => Scheme::Npm,
        "npm" | "GitHub Actions" | "Julia" | "SwiftURL" => Scheme::Npm,
        "crates.io" => Scheme::SemVer,
        "Maven" => Scheme::Maven,
        "RubyGems" | "CocoaPods" => Scheme::RubyGems,
        "Packagist" => Scheme::Composer,
        "NuGet" => Scheme::NuGet,
        "Go" => Scheme::Go,
        "Hex" => Scheme::Hex,
        "Pub" => Scheme::Pub,
        "Hackage" | "GHC" => Scheme::Hackage,
        "CRAN" | "Bioconductor" => Scheme::Cran,
        "Conda" => Scheme::Conda,
        "ConanCenter" => Scheme::Conan,
        "Bitnami" => Scheme::Bitnami,
        "Arch Linux" => Scheme::Alpm,
        "Gentoo" => Scheme::Gentoo,
        "OpenSSL" => Scheme::OpenSsl,
        _ => return None,
    })
}

/// The part of an ecosystem's name that all its releases share, and the release.
pub(super) fn family(ecosystem: &str) -> (&str, Option<&str>) {
    ecosystem.split_once(':').map_or((ecosystem, None), |(family, release)| (family, Some(release)))
}

/// An ecosystem as records name it, without what is no release of it: Maven's repositories, and the lines of
/// updates that only Ubuntu's customers get, which are told beside it.
pub(super) fn osv(ecosystem: &str) -> (String, Option<String>) {
    match family(ecosystem) {
        ("Maven", Some(_)) => ("Maven".to_owned(), None),
        ("Ubuntu", Some(release)) => match release.strip_prefix("Pro:") {
            None => (ecosystem.to_owned(), None),
            Some(release) => {
                let fips = ["FIPS-preview:", "FIPS-updates:", "FIPS:"];
                let fips = fips.iter().find_map(|fips| release.strip_prefix(fips));
                let channel = if fips.is_some() { "fips" } else { "esm" };
                (format!("Ubuntu:{}", fips.unwrap_or(release)), Some(channel.to_owned()))
            }
        },
        _ => (ecosystem.to_owned(), None),
    }
}

/// A package's name as its ecosystem compares it.
pub fn name(ecosystem: &str, name: &str) -> String {
    match family(ecosystem).0 {
        "PyPI" => python_name(name),
        "NuGet" | "Packagist" => name.to_ascii_lowercase(),
        _ => name.to_owned(),
    }
}

/// The ecosystem that a package of a distribution, or of a language, is looked up in; `None` if OSV has no
/// name for it or the release is not known.
pub fn of(kind: PackageKind, os: Option<&Os>) -> Option<String> {
    match LANGUAGES.iter().find(|(known, _)| *known == kind) {
        Some((_, ecosystem)) => Some((*ecosystem).to_owned()),
        None => release(kind, os?),
    }
}

/// The ecosystems of packages that no distribution installs.
const LANGUAGES: [(PackageKind, &str); 20] = [
    (PackageKind::Bitnami, "Bitnami"),
    (PackageKind::Brew, "Homebrew"),
    (PackageKind::Cargo, "crates.io"),
    (PackageKind::Cocoapods, "CocoaPods"),
    (PackageKind::Composer, "Packagist"),
    (PackageKind::Conan, "ConanCenter"),
    (PackageKind::Conda, "Conda"),
    (PackageKind::Cran, "CRAN"),
    (PackageKind::Gem, "RubyGems"),
    (PackageKind::Github, "GitHub Actions"),
    (PackageKind::Golang, "Go"),
    (PackageKind::Hackage, "Hackage"),
    (PackageKind::Hex, "Hex"),
    (PackageKind::Julia, "Julia"),
    (PackageKind::Maven, "Maven"),
    (PackageKind::Npm, "npm"),
    (PackageKind::Nuget, "NuGet"),
    (PackageKind::Pub, "Pub"),
    (PackageKind::Pypi, "PyPI"),
    (PackageKind::Swift, "SwiftURL"),
];

fn release(kind: PackageKind, os: &Os) -> Option<String> {
    let version = os.version_id.as_deref();
    Some(match (kind, os.id.as_str()) {
        (PackageKind::Deb, "debian") => format!("Debian:{}", debian_release(os)?),
        (PackageKind::Deb, "ubuntu") => format!("Ubuntu:{}", ubuntu_release(version?)),
        (PackageKind::Apk, "alpine") => format!("Alpine:{}", alpine_release(version?)),
        (PackageKind::Apk, "wolfi") => "Wolfi".to_owned(),
        (PackageKind::Apk, "chainguard") => "Chainguard".to_owned(),
        (PackageKind::Deb, "echo") => "Echo".to_owned(),
        (PackageKind::Apk, "minimos") => "MinimOS".to_owned(),
        (PackageKind::Alpm, "arch") => "Arch Linux".to_owned(),
        (PackageKind::Ebuild, "gentoo") => "Gentoo".to_owned(),
        (PackageKind::Rpm, "almalinux") => format!("AlmaLinux:{}", major(version?)),
        (PackageKind::Rpm, "amzn") => format!("Amazon Linux:{}", amazon_release(version?)),
        (PackageKind::Rpm, "azurelinux") => format!("Azure Linux:{}", version?),
        (PackageKind::Rpm, "mariner") => format!("CBL-Mariner:{}", version?),
        (PackageKind::Rpm, "ol") => format!("Oracle Linux:{}", major(version?)),
        (PackageKind::Rpm, "photon") => format!("Photon OS:{}", version?),
        (PackageKind::Rpm, "rhel" | "centos") => format!("Red Hat:{}", major(version?)),
        (PackageKind::Rpm, "rocky") => format!("Rocky Linux:{}", major(version?)),
        (PackageKind::Rpm, "sles" | "sles_sap" | "sle_hpc") => format!("SUSE:{}", suse_release(version?)),
        (PackageKind::Rpm, "sle-micro") => format!("SUSE:Linux Enterprise Micro {}", version?),
        (PackageKind::Rpm, "sl-micro") => format!("SUSE:Linux Micro {}", version?),
        (PackageKind::Rpm, "opensuse-leap") => format!("openSUSE:Leap {}", version?),
        (PackageKind::Rpm, "opensuse-tumbleweed") => "openSUSE:Tumbleweed".to_owned(),
        (PackageKind::Rpm, "openEuler") => format!("openEuler:{}", version?),
        _ => return None,
    })
}

/// `2018.03` is the last of the first Amazon Linux, which is called 1.
fn amazon_release(version: &str) -> &str {
    match major(version) {
        year if year.starts_with("201") => "1",
        release => release,
    }
}

/// `15.5` is `Linux Enterprise Server 15 SP5`; 16 has no service packs any more.
fn suse_release(version: &str) -> String {
    match version.split_once('.') {
        Some((major, pack)) if major.parse().is_ok_and(|major: u32| major < 16) => {
            format!("Linux Enterprise Server {major} SP{pack}")
        }
        _ => format!("Linux Enterprise Server {version}"),
    }
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

/// Releases whose images, purls or advisories may name them by codename alone.
const DEBIAN_CODENAMES: [(&str, &str); 14] = [
    ("woody", "3.0"),
    ("sarge", "3.1"),
    ("etch", "4.0"),
    ("lenny", "5.0"),
    ("squeeze", "6.0"),
    ("wheezy", "7"),
    ("jessie", "8"),
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
    ("duke", "15"),
];

/// The ecosystem of a Debian release by its codename.
pub(super) fn debian(codename: &str) -> Option<String> {
    let found = DEBIAN_CODENAMES.iter().find(|(name, _)| *name == codename);
    found.map(|(_, number)| format!("Debian:{number}"))
}

/// The ecosystem of an Ubuntu release by its codename.
pub(super) fn ubuntu(codename: &str) -> Option<String> {
    let found = UBUNTU_CODENAMES.iter().find(|(name, _)| *name == codename);
    found.map(|(_, version)| format!("Ubuntu:{}", ubuntu_release(version)))
}

/// Ubuntu's tracker names releases by codename.
const UBUNTU_CODENAMES: [(&str, &str); 44] = [
    ("warty", "4.10"),
    ("hoary", "5.04"),
    ("breezy", "5.10"),
    ("dapper", "6.06"),
    ("edgy", "6.10"),
    ("feisty", "7.04"),
    ("gutsy", "7.10"),
    ("hardy", "8.04"),
    ("intrepid", "8.10"),
    ("jaunty", "9.04"),
    ("karmic", "9.10"),
    ("lucid", "10.04"),
    ("maverick", "10.10"),
    ("natty", "11.04"),
    ("oneiric", "11.10"),
    ("precise", "12.04"),
    ("quantal", "12.10"),
    ("raring", "13.04"),
    ("saucy", "13.10"),
    ("trusty", "14.04"),
    ("utopic", "14.10"),
    ("vivid", "15.04"),
    ("wily", "15.10"),
    ("xenial", "16.04"),
    ("yakkety", "16.10"),
    ("zesty", "17.04"),
    ("artful", "17.10"),
    ("bionic", "18.04"),
    ("cosmic", "18.10"),
    ("disco", "19.04"),
    ("eoan", "19.10"),
    ("focal", "20.04"),
    ("groovy", "20.10"),
    ("hirsute", "21.04"),
    ("impish", "21.10"),
    ("jammy", "22.04"),
    ("kinetic", "22.10"),
    ("lunar", "23.04"),
    ("mantic", "23.10"),
    ("noble", "24.04"),
    ("oracular", "24.10"),
    ("plucky", "25.04"),
    ("questing", "25.10"),
    ("resolute", "26.04"),
];

/// April's releases of even years are long-term ones, and OSV says so in the name.
fn ubuntu_release(version: &str) -> String {
    let mut parts = version.split('.');
    let (year, month) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let even = year.bytes().last().is_some_and(|digit| digit.is_multiple_of(2));
    let suffix = if even && month == "04" || version == "6.06" { ":LTS" } else { "" };
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
    if let Some((kind, _)) = LANGUAGES.iter().find(|(_, known)| *known == ecosystem) {
        return Some((Package::new(*kind, name, version), None));
    }
    let (base, release) = family(ecosystem);
    let release = release.unwrap_or_default();
    let (kind, id) = match base {
        "Debian" => (PackageKind::Deb, "debian"),
        "Ubuntu" => (PackageKind::Deb, "ubuntu"),
        "Alpine" => (PackageKind::Apk, "alpine"),
        "Wolfi" => (PackageKind::Apk, "wolfi"),
        "Chainguard" => (PackageKind::Apk, "chainguard"),
        "AlmaLinux" => (PackageKind::Rpm, "almalinux"),
        "Amazon Linux" => (PackageKind::Rpm, "amzn"),
        "Arch Linux" => (PackageKind::Alpm, "arch"),
        "Gentoo" => (PackageKind::Ebuild, "gentoo"),
        "Azure Linux" => (PackageKind::Rpm, "azurelinux"),
        "CBL-Mariner" => (PackageKind::Rpm, "mariner"),
        "Oracle Linux" => (PackageKind::Rpm, "ol"),
        "Photon OS" => (PackageKind::Rpm, "photon"),
        "Red Hat" => (PackageKind::Rpm, "rhel"),
        "Rocky Linux" => (PackageKind::Rpm, "rocky"),
        _ => return None,
    };
    let mut package = Package::new(kind, name, version);
    // These advisories name source packages.
    let sources = matches!(kind, PackageKind::Deb | PackageKind::Apk) || names_sources(ecosystem);
    package.arch = sources.then(|| "source".to_owned());
    let release = release.trim_start_matches('v').trim_end_matches(":LTS");
    let version_id = Some(release.to_owned()).filter(|release| !release.is_empty());
    Some((package, Some(Os { id: id.to_owned(), version_id, ..Os::default() })))
}

/// A name and version under which a package's ecosystem files its advisories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) scheme: Scheme,
    /// Whether it is the source's, in an ecosystem that names binary packages too.
    pub(super) is_source: bool,
}

/// The names under which a package is looked up: the source package of a Debian package with its own version,
/// the origin of an Alpine one, the source or the package itself or both of an rpm, the package itself
/// elsewhere.
///
/// Debian signs its kernels in source packages of their own (`linux-signed-amd64`, version `6.1.27+1`), which
/// no advisory names; the binary package keeps the version of `linux`.
pub(super) fn names(ecosystem: &str, package: &Package) -> Vec<Name> {
    let Some(scheme) = scheme(ecosystem) else { return Vec::new() };
    let of = |name: &str, version: &str| Name {
        name: self::name(ecosystem, name),
        version: version.to_owned(),
        scheme,
        is_source: false,
    };
    let own = || of(&package.name, &package.version);
    let Some(source) = &package.source else {
        let itself = Name { is_source: true, ..own() };
        return if names_both(ecosystem) { vec![own(), itself] } else { vec![own()] };
    };
    match package.kind {
        PackageKind::Deb if source.name.starts_with("linux-signed-") => vec![of("linux", &package.version)],
        PackageKind::Deb => vec![of(&source.name, &source.version)],
        PackageKind::Apk if source.name == package.name => vec![own()],
        PackageKind::Apk => match family(ecosystem).0 {
            "Alpine" => vec![of(&source.name, &package.version)],
            _ => vec![of(&source.name, &package.version), own()],
        },
        PackageKind::Rpm if names_both(ecosystem) => {
            vec![own(), Name { is_source: true, ..source_of_rpm(source, package, of) }]
        }
        PackageKind::Rpm if names_sources(ecosystem) => vec![source_of_rpm(source, package, of)],
        _ => vec![own()],
    }
}

/// Whether a distribution of rpms files its advisories by source packages.
fn names_sources(ecosystem: &str) -> bool {
    ["Azure Linux", "CBL-Mariner", "Photon OS", "openEuler", "Mageia"].contains(&family(ecosystem).0)
}

/// Whether it files them by source packages in one place and by binary ones in another.
fn names_both(ecosystem: &str) -> bool {
    ["Red Hat", "SUSE", "openSUSE"].contains(&family(ecosystem).0)
}

/// The source of an rpm. The name of a source rpm's file, by which packages know theirs, has no epoch: the
/// package's own is right if it has the source's version, else versions are compared without epochs.
fn source_of_rpm(source: &SourcePackage, package: &Package, of: impl Fn(&str, &str) -> Name) -> Name {
    let bare = package.version.split_once(':').map_or(package.version.as_str(), |(_, bare)| bare);
    match source.version == bare || source.version == package.version {
        true => of(&source.name, &package.version),
        false => Name { scheme: Scheme::RpmWithoutEpoch, ..of(&source.name, &source.version) },
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
            (PackageKind::Rpm, "rhel", "9.4", Some("Red Hat:9")),
            (PackageKind::Rpm, "sles", "15", Some("SUSE:Linux Enterprise Server 15")),
            (PackageKind::Rpm, "sles", "15.5", Some("SUSE:Linux Enterprise Server 15 SP5")),
            (PackageKind::Rpm, "sles", "16.0", Some("SUSE:Linux Enterprise Server 16.0")),
            (PackageKind::Rpm, "sle-micro", "5.5", Some("SUSE:Linux Enterprise Micro 5.5")),
            (PackageKind::Rpm, "sl-micro", "6.0", Some("SUSE:Linux Micro 6.0")),
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
        for name in [
            "Debian:12",
            "Ubuntu:22.04:LTS",
            "Alpine:v3.20",
            "AlmaLinux:9",
            "Amazon Linux:2023",
            "Azure Linux:3.0",
            "Gentoo",
            "Red Hat:9",
            "PyPI",
            "npm",
            "crates.io",
        ] {
            let (package, os) = package(name, "a", "1").unwrap();
            assert_eq!(of(package.kind, os.as_ref()).as_deref(), Some(name));
        }
        assert_eq!(package("nothing", "a", "1"), None);
    }

    #[test]
    fn python_names_are_normalized() {
        assert_eq!(name("PyPI", "Foo__Bar.baz"), "foo-bar-baz");
        assert_eq!(name("npm", "@Scope/A_b"), "@Scope/A_b");
    }
}
