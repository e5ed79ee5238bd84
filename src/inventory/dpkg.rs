//! dpkg's status database: deb-control(5), dpkg(1) "Package states". `var/lib/dpkg/status` holds a stanza
//! a package; distroless images have one file a package in `var/lib/dpkg/status.d`, without states.

use super::{
    Extraction, Extractor, File, Package, PackageKind, Requirement, SourcePackage,
    fields::{Block, Blocks, Names},
    lines::Lines,
    package::web_address,
    requires::Requires,
};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const STATUS: &str = "var/lib/dpkg/status";
pub(super) const STATUS_D: &[u8] = b"var/lib/dpkg/status.d/";
/// The ending of the list of checksums that lies beside a package in [`STATUS_D`].
pub(super) const MD5SUMS: &[u8] = b".md5sums";
const STANZA: &str = "dpkg stanza";
const FIELDS: &[&str] = &[
    "Package",
    "Status",
    "Version",
    "Architecture",
    "Source",
    "Maintainer",
    "Homepage",
    "Pre-Depends",
    "Depends",
    "Provides",
];

/// Debian's and its relatives' packages.
pub(super) struct Dpkg;

impl Extractor for Dpkg {
    fn name(&self) -> &'static str {
        "dpkg"
    }

    fn version(&self) -> u32 {
        3
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        let path = path.as_bytes();
        kind == FileKind::Regular
            && (path == STATUS.as_bytes()
                || path.strip_prefix(STATUS_D).is_some_and(|name| {
                    !name.is_empty() && !name.contains(&b'/') && !name.ends_with(MD5SUMS)
                }))
    }

    fn places(&self) -> &'static [&'static str] {
        &[STATUS]
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let stateful = file.path().as_bytes() == STATUS.as_bytes();
        let lines = Lines::new(file.content(), "dpkg status", 64 * 1024, limits::TEXT_DATABASE_BYTES);
        let blocks = Blocks::new(lines, STANZA, Names::AnyCase, FIELDS);
        let (mut found, mut requires) = (Extraction::default(), Requires::default());
        blocks.read_into(&mut found, |block, found| {
            let requires = stateful.then_some(&mut requires);
            read_stanza(block, requires, found)
        });
        requires.resolve(&mut found);
        found.finish()
    }
}

/// Reads one stanza; false if no more are to be read. A database of all packages tells who provides what is needed.
fn read_stanza(mut stanza: Block, requires: Option<&mut Requires>, found: &mut Extraction) -> bool {
    let installed = installed(&mut stanza, STANZA, requires.is_some(), found);
    let Some((name, version)) = installed else { return true };
    let mut package = Package::new(PackageKind::Deb, name, version);
    package.arch = stanza.take("Architecture");
    package.vendor = stanza.take("Maintainer");
    package.url = stanza.take("Homepage").as_deref().and_then(web_address);
    package.source = stanza.take("Source").map(|source| read_source(&source, &package.version));
    relate(stanza, package, requires, found)
}

/// The name and the version of a stanza's package, `None` if it is not on disk or the stanza does not tell them, which is
/// noted. In a `stateful` database every stanza has a state, and every line an end.
pub(super) fn installed(
    stanza: &mut Block,
    structure: &'static str,
    stateful: bool,
    found: &mut Extraction,
) -> Option<(String, String)> {
    let status = stanza.take("Status");
    if !status.as_deref().is_none_or(is_on_disk) {
        return None;
    }
    let (name, version) = (stanza.take("Package"), stanza.take("Version"));
    let problem = if stateful { stanza.problem_or_cut(structure) } else { stanza.problem.take() };
    let bad = problem.map(|problem| found.lose(problem)).is_some();
    let (Some(name), Some(version)) = (name, version) else {
        // A stanza that is known to be damaged is not reported a second time.
        if !bad {
            found.lose(FormatError::corrupt(structure, stanza.offset, "no Package or no Version"));
        }
        return None;
    };
    if stateful && status.is_none() {
        let problem = format!("{name} has no Status; it is taken to be installed");
        found.lose(FormatError::corrupt(structure, stanza.offset, problem));
    }
    Some((name, version))
}

/// Whether a `want flag status` triple says that the package's files are there, be it half-way: everything
/// but `not-installed` and `config-files`. A status word that dpkg does not know counts as there.
fn is_on_disk(status: &str) -> bool {
    !matches!(status.split_ascii_whitespace().nth(2), Some("not-installed" | "config-files"))
}

/// Adds a package and its relationships (Debian Policy, "Declaring relationships between packages"). Of alternatives, those
/// that are there serve; versions were dpkg's business when it installed them.
fn relate(
    mut stanza: Block,
    mut package: Package,
    requires: Option<&mut Requires>,
    found: &mut Extraction,
) -> bool {
    let needs = ["Pre-Depends", "Depends"].map(|field| stanza.take(field).unwrap_or_default());
    let needs = needs.iter().flat_map(|list| relations(list));
    let Some(requires) = requires else {
        package.requires = needs.map(Requirement::named).collect();
        return found.add(package);
    };
    requires.add(package, found, |number, requires| {
        needs.for_each(|name| requires.require(number, name.as_bytes()));
        let provides = stanza.take("Provides").unwrap_or_default();
        relations(&provides).for_each(|name| requires.provide(number, name.as_bytes()));
    })
}

/// The names in `name:arch (relation version) | name, …`.
fn relations(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', '|'])
        .filter_map(|relation| relation.trim_start().split([':', '(', ' ', '\t']).next())
        .filter(|name| !name.is_empty())
}

/// `name` or `name (version)`; without a version the source has the binary's.
fn read_source(field: &str, version: &str) -> SourcePackage {
    let (name, own) = field.split_once('(').unwrap_or((field, ""));
    let own = own.trim().trim_end_matches(')').trim();
    let version = if own.is_empty() { version } else { own };
    SourcePackage { name: name.trim().to_owned(), version: version.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn extract(text: &str) -> Result<Extraction, FormatError> {
        testing::extract(&Dpkg, "var/lib/dpkg/status", text.as_bytes(), &[])
    }

    #[test]
    fn wants_the_database_and_nothing_beside_it() {
        testing::wants(
            &Dpkg,
            &["var/lib/dpkg/status", "var/lib/dpkg/status.d/libc6", "var/lib/dpkg/status.d/libstdc++6"],
            &[
                "var/lib/dpkg/status-old",
                "var/lib/dpkg/status.d/libc6.md5sums",
                "var/lib/dpkg/status.d/a/b",
                "var/lib/dpkg/available",
                "home/var/lib/dpkg/status",
            ],
        );
    }

    #[test]
    fn states_sources_and_architectures() {
        let found = extract(
            "Package: libc6\nStatus: install ok installed\nMaintainer: D <d@x>\nArchitecture: amd64\n\
             Multi-Arch: same\nSource: glibc (2.36-9)\nHomepage: https://x.org\nVersion: 2.36-9+b1\nDescription: a\n Package: no\n\n\
             Package: libc6\nStatus: hold ok unpacked\nArchitecture: i386\nSource: glibc\nVersion: 2.36-9\n\n\
             Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
             Package: never\nStatus: unknown ok not-installed\n\n\
             Package: leaving\nStatus: deinstall ok installed\nVersion: 1:2\n",
        )
        .unwrap();
        assert!(found.damage.is_empty());
        let source = |version: &str| Some(SourcePackage { name: "glibc".into(), version: version.into() });
        let deb = |name, version| Package::new(PackageKind::Deb, name, version);
        let amd64 = Package {
            arch: Some("amd64".into()),
            vendor: Some("D <d@x>".into()),
            url: Some("https://x.org".into()),
            source: source("2.36-9"),
            ..deb("libc6", "2.36-9+b1")
        };
        let i386 = Package { arch: Some("i386".into()), source: source("2.36-9"), ..deb("libc6", "2.36-9") };
        assert_eq!(found.packages(), [amd64, i386, deb("leaving", "1:2")]);
    }

    #[test]
    fn who_serves_a_relationship() {
        let text = "Package: a\nStatus: install ok installed\nVersion: 1\nPre-Depends: libc6 (>= 2.36)\n\
                    Depends: libc6:any, default-mta | mail-transport-agent, gone | a,perl5\nRecommends: awk\n\n\
                    Package: libc6\nStatus: install ok installed\nVersion: 2\nDepends: awk\n\n\
                    Package: postfix\nStatus: install ok installed\nVersion: 3\nProvides: mail-transport-agent, perl5 (= 5)\n\n\
                    Package: mawk\nStatus: deinstall ok config-files\nVersion: 4\nProvides: awk\n";
        let found = extract(text).unwrap();
        assert_eq!(testing::requirements(&found), ["a: libc6 postfix", "libc6:", "postfix:"]);
        // Without the other packages at hand, all that may serve.
        let text = b"Package: a\nVersion: 1\nDepends: libc6 (>= 2), b | c";
        let found = testing::extract(&Dpkg, "var/lib/dpkg/status.d/a", text, &[]).unwrap();
        assert_eq!(testing::requirements(&found), ["a: libc6 b c"]);
    }

    #[test]
    fn a_package_is_there_from_its_first_file_to_its_last() {
        for (status, expected) in [
            ("unknown ok not-installed", false),
            ("deinstall ok config-files", false),
            ("install reinstreq half-installed", true),
            ("install ok unpacked", true),
            ("install ok half-configured", true),
            ("install ok triggers-awaited", true),
            ("install ok triggers-pending", true),
            ("hold ok installed", true),
            ("install user installed", true),
            ("install ok", true),
        ] {
            assert_eq!(is_on_disk(status), expected, "{status}");
        }
    }

    #[test]
    fn a_bad_stanza_loses_itself_only() {
        let found = extract(
            "Package: a\nStatus: install ok installed\n\njunk\nPackage: b\nVersion: 1\n\
             Status: install ok installed\n\nPackage: c\nVersion: 2\n\nPackage: d\nVersion: 3",
        )
        .unwrap();
        let names: Vec<_> = found.packages().into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["b", "c", "d"]);
        let damage: Vec<_> = found.damage.iter().map(FormatError::detail).collect();
        assert_eq!(
            damage,
            [
                "dpkg stanza at offset 0x0: no Package or no Version",
                "dpkg stanza at offset 0x29: a line without a field: junk",
                "dpkg stanza at offset 0x62: c has no Status; it is taken to be installed",
                "dpkg stanza at offset 0x79: the file ends within a line",
                "dpkg stanza at offset 0x79: d has no Status; it is taken to be installed",
            ]
        );
        assert!(extract("").unwrap().packages().is_empty());
        assert!(extract("Package: a\n").is_err());
    }

    #[test]
    fn distroless_files_have_no_state() {
        let path = "var/lib/dpkg/status.d/tzdata";
        let text = b"Package: tzdata\nVersion: 2024a-0+deb12u1\nArchitecture: all";
        let found = testing::extract(&Dpkg, path, text, &[]).unwrap();
        assert!(found.damage.is_empty());
        assert_eq!(found.packages()[0].version, "2024a-0+deb12u1");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(Package|Version|Status|x|:| |\n|a)*") {
            let _ = extract(&text);
        }
    }
}
