//! A small database of real records, built as `icecore db build` does, and real packages against it.

use std::{
    cmp::Ordering,
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use icecore::{
    block::Memory,
    inventory::{Os, Package, PackageKind, SourcePackage},
    vuln::{
        Database, Finding, Severity, Status, ecosystem, feeds,
        matching::{Asked, Coverage, Reason},
        osv::{Affected, Range, Record},
        query::Query,
        version::Scheme,
    },
};
use proptest::prelude::*;

pub(crate) fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/feeds")
}

pub(crate) static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| feeds::build(&fixture(), &[]).unwrap().0);
static DATABASE: LazyLock<Database> = LazyLock::new(|| open(BYTES.clone()).unwrap());

fn open(bytes: Vec<u8>) -> Result<Database, icecore::FormatError> {
    Database::open(Arc::new(Memory::new(bytes)))
}

fn os(id: &str, version: &str) -> Option<Os> {
    Some(Os { id: id.to_owned(), version_id: Some(version.to_owned()), ..Os::default() })
}

fn findings(package: &Package, os: Option<&Os>) -> Vec<Finding> {
    DATABASE.matches(package, os).unwrap().findings
}

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.id.as_str()).collect()
}

#[test]
fn a_binary_package_is_matched_by_its_source() {
    let mut libc = Package::new(PackageKind::Deb, "libc6", "2.36-9+deb12u1");
    libc.source = Some(SourcePackage { name: "glibc".to_owned(), version: "2.36-9+deb12u1".to_owned() });
    let found = findings(&libc, os("debian", "12").as_ref());
    // DSA-5514-1 is about this one vulnerability: one finding, two records.
    assert_eq!(ids(&found), ["CVE-2023-4911"]);
    let finding = &found[0];
    assert_eq!(finding.records, ["CVE-2023-4911", "DSA-5514-1"]);
    assert_eq!(finding.fixed_in, ["2.36-9+deb12u3"]);
    assert_eq!(finding.severity, Severity::High);
    assert_eq!((finding.cvss[0].score, finding.status), (7.8, Status::Affected));
    assert_eq!(finding.package, "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?distro=debian-12&upstream=glibc");
    assert_eq!(finding.kev.as_ref().unwrap().date_added, "2023-11-21");
    assert!(finding.epss.as_ref().unwrap().score > 0.1);
    let why = &finding.why[0];
    assert_eq!(
        (why.name.as_str(), why.range.as_str(), why.scheme.as_str()),
        ("glibc", "< 2.36-9+deb12u3", "dpkg")
    );
    libc.source.as_mut().unwrap().version = "2.36-9+deb12u3".to_owned();
    assert_eq!(
        ids(&findings(&libc, os("debian", "12").as_ref())),
        [""; 0],
        "the fixed version is not affected"
    );
}

#[test]
fn a_signed_kernel_is_matched_as_the_kernel_that_was_signed() {
    let source =
        |name: &str, version: &str| SourcePackage { name: name.to_owned(), version: version.to_owned() };
    let mut image = Package::new(PackageKind::Deb, "linux-image-6.1.0-9-amd64", "6.1.27-1");
    image.source = Some(source("linux-signed-amd64", "6.1.27+1"));
    let signed = DATABASE.matches(&image, os("debian", "12").as_ref()).unwrap().findings;
    image.source = Some(source("linux", "6.1.27-1"));
    let plain = DATABASE.matches(&image, os("debian", "12").as_ref()).unwrap().findings;
    let short = |findings: &[Finding]| {
        findings.iter().map(|finding| (finding.id.clone(), finding.why.clone())).collect::<Vec<_>>()
    };
    assert_eq!(short(&signed), short(&plain));
    assert!(!plain.is_empty());
}

#[test]
fn urgencies_and_unfixed_packages() {
    let perl = findings(&Package::new(PackageKind::Deb, "perl", "5.36.0-3"), os("debian", "12").as_ref());
    assert_eq!(ids(&perl), ["CVE-2022-48522", "CVE-2023-31484"]);
    assert_eq!(perl[0].severity, Severity::Negligible, "Debian calls it unimportant");
    assert_eq!(perl[0].cvss[0].score, 9.8);
    assert_eq!((perl[1].fixed_in.len(), perl[1].status), (0, Status::Affected));
    let old = Package::new(PackageKind::Deb, "libreswan", "4.3-1");
    assert_eq!(findings(&old, os("debian", "11").as_ref())[0].status, Status::WillNotFix);
}

#[test]
fn an_advisory_does_not_stand_for_what_is_fixed_already() {
    let expat = Package::new(PackageKind::Deb, "expat", "2.5.0-1");
    let found = findings(&expat, os("debian", "12").as_ref());
    assert_eq!(ids(&found), ["CVE-2024-45490", "CVE-2024-45491", "CVE-2024-45492"]);
    assert!(found.iter().all(|finding| finding.records.contains(&"DSA-5770-1".to_owned())));
}

#[test]
fn alpine_by_origin_and_release() {
    let mut crypto = Package::new(PackageKind::Apk, "libcrypto3", "3.1.3-r0");
    crypto.source = Some(SourcePackage { name: "openssl".to_owned(), version: "3.1.3-r0".to_owned() });
    let found = findings(&crypto, os("alpine", "3.19.0").as_ref());
    assert!(ids(&found).contains(&"CVE-2023-5363"), "{:?}", ids(&found));
    crypto.version = "3.1.4-r0".to_owned();
    let found = findings(&crypto, os("alpine", "3.19.0").as_ref());
    assert!(!ids(&found).contains(&"CVE-2023-5363"), "{:?}", ids(&found));
}

#[test]
fn rpm_modules_do_not_mix() {
    let alma = os("almalinux", "8.10");
    let plain = Package::new(PackageKind::Rpm, "nodejs-packaging", "17-3.el8");
    assert_eq!(ids(&findings(&plain, alma.as_ref())), [""; 0]);
    let mut modular = Package::new(PackageKind::Rpm, "nodejs-packaging", "17-3.module_el8.4.0+1");
    modular.module = Some("nodejs:14:8040020210101:522a0ee4".to_owned());
    assert_eq!(ids(&findings(&modular, alma.as_ref())), ["CVE-2021-22883", "CVE-2021-22884"]);
    modular.module = Some("nodejs:12:8040020210101:522a0ee4".to_owned());
    assert_eq!(ids(&findings(&modular, alma.as_ref())), [""; 0]);
    // The same by the OSV schema alone, which knows no modules.
    let query = Query::parse("AlmaLinux:8\tnodejs-packaging\t17-3.el8").unwrap();
    let found = query.matches(&DATABASE).unwrap().findings;
    assert!(ids(&found).contains(&"ALEA-2021:4200"), "{:?}", ids(&found));
}

#[test]
fn an_almalinux_advisory_is_one_finding_for_each_vulnerability() {
    let kernel = Package::new(PackageKind::Rpm, "kernel-rt-core", "5.14.0-70.13.1.rt21.83.el9_0");
    let found = findings(&kernel, os("almalinux", "9.0").as_ref());
    assert_eq!(ids(&found), ["CVE-2022-1012", "CVE-2022-1729", "CVE-2022-1966", "CVE-2022-27666"]);
    assert!(found.iter().all(|finding| finding.records == ["ALSA-2022:5267"]));
    assert!(found.iter().all(|finding| finding.severity == Severity::High), "the summary says Important");
    for other in ["rocky", "rhel", "centos"] {
        let matches = DATABASE.matches(&kernel, os(other, "9.0").as_ref()).unwrap();
        assert_eq!((matches.findings.len(), matches.coverage), (0, Coverage::NoAdvisories), "{other}");
    }
    let mut foreign = kernel;
    foreign.vendor = Some("ELRepo".to_owned());
    let matches = DATABASE.matches(&foreign, os("almalinux", "9.0").as_ref()).unwrap();
    assert_eq!((matches.findings.len(), matches.coverage), (0, Coverage::Foreign));
}

#[test]
fn an_artifact_without_its_group_is_not_taken_for_one_without_vulnerabilities() {
    let jar = Package::new(PackageKind::Maven, "commons-text", "1.9");
    let matches = DATABASE.matches(&jar, None).unwrap();
    assert_eq!((matches.findings.len(), matches.coverage), (0, Coverage::Unnamed));
}

#[test]
fn bug_fixes_are_no_findings_of_a_scan() {
    let texlive = Package::new(PackageKind::Rpm, "texlive-framed", "7:20180414-23.el8");
    assert_eq!(ids(&findings(&texlive, os("almalinux", "8.5").as_ref())), [""; 0]);
}

#[test]
fn records_of_one_vulnerability_are_folded() {
    let found = findings(&Package::new(PackageKind::Pypi, "Requests", "2.30.0"), None);
    assert_eq!(ids(&found), ["CVE-2023-32681"]);
    assert_eq!(found[0].records, ["GHSA-j8r2-6x86-q33q", "PYSEC-2023-74"]);
    assert_eq!(found[0].aliases, ["GHSA-j8r2-6x86-q33q", "PYSEC-2023-74"]);
    assert_eq!(found[0].fixed_in, ["2.31.0"]);
    assert_eq!(found[0].severity, Severity::Medium);
    let loguru = Package::new(PackageKind::Pypi, "loguru", "0.5.3");
    assert_eq!(ids(&findings(&loguru, None)), [""; 0], "the record is withdrawn");
}

#[test]
fn aliases_join_records_but_not_two_cve_ids_with_records_of_their_own() {
    let npm = |id: &str, aliases: &str| {
        format!(
            r#"{{"id":"{id}","aliases":[{aliases}],"affected":[{{"package":{{"ecosystem":"npm","name":"a"}},
            "ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}}]}}]}}]}}"#
        )
    };
    let found = |records: &[String]| {
        let feed = feeds::Feed::named("ghsa-npm").unwrap();
        let mut builder = icecore::vuln::database::Builder::default();
        for record in records {
            let mut output = feeds::Output::default();
            feed.read(feeds::File { name: "a.json", bytes: record.as_bytes() }, &mut output).unwrap();
            builder.add(feed, output).unwrap();
        }
        let database = open(builder.finish().unwrap()).unwrap();
        let matches = database.matches(&Package::new(PackageKind::Npm, "a", "1.0.0"), None).unwrap();
        let names = |finding: Finding| (finding.id, finding.aliases.join(" "), finding.records.join(" "));
        matches.findings.into_iter().map(names).collect::<Vec<_>>()
    };
    let text =
        |id: &str, aliases: &str, records: &str| (id.to_owned(), aliases.to_owned(), records.to_owned());
    // A-1 and B-1 are joined by C-1, which names both.
    assert_eq!(
        found(&[npm("A-1", r#""CVE-1""#), npm("B-1", ""), npm("C-1", r#""A-1","B-1""#)]),
        [text("CVE-1", "A-1 B-1 C-1", "A-1 B-1 C-1")]
    );
    assert_eq!(
        found(&[npm("A-1", r#""CVE-1","CVE-2""#), npm("CVE-1", ""), npm("CVE-2", "")]),
        [text("CVE-1", "A-1", "A-1 CVE-1"), text("CVE-2", "A-1", "CVE-2")]
    );
}

#[test]
fn npm_ranges_scopes_and_known_ends() {
    let ws = |version| findings(&Package::new(PackageKind::Npm, "ws", version), None);
    let fixed = |version| {
        let found = ws(version);
        found.iter().find(|finding| finding.id == "CVE-2024-37890").map(|finding| finding.fixed_in.clone())
    };
    assert_eq!(fixed("8.17.0").unwrap(), ["8.17.1"]);
    assert_eq!(fixed("7.5.9").unwrap(), ["7.5.10"]);
    assert_eq!(fixed("7.5.10"), None);
    // `introduced: 11.4.9` without an end, and `< 11.6.14` beside it.
    let alert = |version| findings(&Package::new(PackageKind::Npm, "sweetalert2", version), None);
    assert_eq!(ids(&alert("11.6.13")), ["GHSA-qq6h-5g6j-q3cm"]);
    assert_eq!(ids(&alert("11.7.0")), [""; 0]);
    let query = Query::parse("npm\tsweetalert2\t11.7.0").unwrap();
    assert_eq!(ids(&query.matches(&DATABASE).unwrap().findings), ["GHSA-qq6h-5g6j-q3cm"]);
}

#[test]
fn a_version_outside_its_scheme_is_matched_exactly_and_said() {
    let matches = |version| {
        let package = Package::new(PackageKind::Pypi, "leo", version);
        let matches = DATABASE.matches(&package, None).unwrap();
        (ids(&matches.findings).join(" "), matches.unordered)
    };
    assert_eq!(matches("4.11-final"), ("CVE-2020-23478".to_owned(), true));
    assert_eq!(matches("4.12-final"), (String::new(), true));
    assert_eq!(matches("6.2"), ("CVE-2020-23478".to_owned(), false));
}

#[test]
fn no_advisories_is_not_no_findings() {
    let covers = |os: Option<Os>, kind| DATABASE.covers(os.as_ref(), kind);
    assert_eq!(covers(os("debian", "12"), PackageKind::Deb), Coverage::Covered);
    for (id, version) in [("debian", "99"), ("ubuntu", "22.04"), ("raspbian", "12"), ("debian", "")] {
        assert_eq!(covers(os(id, version), PackageKind::Deb), Coverage::NoAdvisories, "{id} {version}");
    }
    assert_eq!(covers(None, PackageKind::Deb), Coverage::NoAdvisories);
    assert_eq!(covers(None, PackageKind::Npm), Coverage::Covered);
}

/// Of a package, or a vulnerability, every record is told, with the reason why it is no finding.
#[test]
fn near_misses_tell_why_not() {
    let asked = Asked { near_misses: true, ..Asked::default() };
    let mut libc = Package::new(PackageKind::Deb, "libc6", "2.36-9+deb12u3");
    libc.source = Some(SourcePackage { name: "glibc".to_owned(), version: "2.36-9+deb12u3".to_owned() });
    let found = DATABASE.answer(&libc, os("debian", "12").as_ref(), asked).unwrap();
    assert_eq!(ids(&found.findings), [""; 0]);
    let near = found.near_misses.iter().find(|near| near.why.record == "CVE-2023-4911").unwrap();
    assert_eq!((near.id.as_str(), near.reason), ("CVE-2023-4911", Reason::OtherVersion));
    assert_eq!((near.why.range.as_str(), near.why.version.as_str()), ("< 2.36-9+deb12u3", "2.36-9+deb12u3"));
    // An advisory about several vulnerabilities is told for each.
    let alma = os("almalinux", "8.10");
    let plain = Package::new(PackageKind::Rpm, "nodejs-packaging", "17-3.el8");
    let found = DATABASE.answer(&plain, alma.as_ref(), asked).unwrap();
    assert!(found.near_misses.iter().all(|near| near.reason == Reason::OtherModule));
    assert!(found.near_misses.iter().any(|near| near.id == "CVE-2021-22883"));
    assert_eq!(DATABASE.matches(&plain, alma.as_ref()).unwrap().near_misses, []);
}

/// A container runs on the node's kernel, whatever its image holds.
#[test]
fn a_kernel_in_an_image_is_no_finding() {
    let kernel = Package::new(PackageKind::Rpm, "kernel-rt-core", "5.14.0-70.13.1.rt21.83.el9_0");
    let alma = os("almalinux", "9.0");
    let in_image = Asked { near_misses: true, kernel_runs: false, ..Asked::default() };
    let found = DATABASE.answer(&kernel, alma.as_ref(), in_image).unwrap();
    assert_eq!(ids(&found.findings), [""; 0]);
    let held: BTreeSet<_> =
        found.near_misses.iter().filter(|near| near.reason == Reason::KernelNotRunning).collect();
    assert_eq!(held.len(), DATABASE.matches(&kernel, alma.as_ref()).unwrap().findings.len());
}

/// A new database is put in the place of one that is read: who reads it keeps the old one.
#[test]
fn a_database_that_is_replaced_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (place, new) = (dir.path().join("advisories.db"), dir.path().join("new"));
    std::fs::write(&place, &*BYTES).unwrap();
    let database = Database::open(icecore::block::open(&place).unwrap()).unwrap();
    std::fs::write(&new, "another").unwrap();
    std::fs::rename(&new, &place).unwrap();
    database.verify().unwrap();
    let package = Package::new(PackageKind::Pypi, "Requests", "2.30.0");
    assert_eq!(ids(&database.matches(&package, None).unwrap().findings), ["CVE-2023-32681"]);
}

/// What grows without end when it is unpacked, or nests without end, is a malformed record like any other.
#[test]
fn hostile_records_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("pypa");
    std::fs::create_dir(&folder).unwrap();
    let good = "id: PYSEC-1\naffected: []\n";
    for n in 0..10 {
        std::fs::write(folder.join(format!("{n}.yaml")), good.replace('1', &n.to_string())).unwrap();
    }
    let lines = (1..20).map(|n| {
        let alias = format!("*a{}", n - 1);
        format!("a{n}: &a{n} [{}]", [alias.as_str(); 9].join(","))
    });
    let aliases = format!("a0: &a0 [x]\n{}\nid: PYSEC-X\n", lines.collect::<Vec<_>>().join("\n"));
    let nested = format!("id: PYSEC-Y\nx: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (name, text) in
        [("aliases", aliases.as_str()), ("nested", &nested), ("nul", "id: \0"), ("type", "id: [1]")]
    {
        std::fs::write(folder.join(format!("{name}.yaml")), text).unwrap();
    }
    let (_, summary) = feeds::build(dir.path(), &[]).unwrap();
    assert_eq!((summary.sources[0].records, summary.sources[0].malformed), (10, 4), "{:?}", summary.problems);
}

#[test]
fn every_changed_byte_of_a_database_is_found() {
    for at in (0..BYTES.len()).step_by(61) {
        let mut changed = BYTES.clone();
        changed[at] ^= 0x10;
        assert!(open(changed).and_then(|database| database.verify()).is_err(), "byte {at}");
    }
    for length in (0..BYTES.len()).step_by(997) {
        let cut = BYTES[..length].to_vec();
        assert!(open(cut).and_then(|database| database.verify()).is_err(), "cut at {length}");
    }
}

/// The records that a linear reading of all of a feed finds: the specification's pseudo-code, without the
/// database.
fn linear(records: &[(String, Record)], ecosystem: &str, name: &str, version: &str) -> BTreeSet<String> {
    let scheme = ecosystem::scheme(ecosystem).unwrap();
    let about = |affected: &&Affected| {
        affected.package.as_ref().is_some_and(|package| {
            package.ecosystem == ecosystem && ecosystem::name(ecosystem, &package.name) == name
        })
    };
    let matching = records.iter().filter(|(_, record)| {
        record.withdrawn.is_none()
            && record.affected.iter().filter(about).any(|one| affects(one, scheme, version))
    });
    matching.map(|(_, record)| record.id.clone()).collect()
}

fn affects(affected: &Affected, scheme: Scheme, version: &str) -> bool {
    let listed =
        |listed: &String| listed == version || scheme.compare(listed, version) == Ok(Ordering::Equal);
    affected.versions.iter().any(listed)
        || affected.ranges.iter().any(|range| range.kind != "GIT" && in_range(range, scheme, version))
}

fn in_range(range: &Range, scheme: Scheme, version: &str) -> bool {
    let known = |event: &icecore::vuln::osv::Event| {
        let versions = [&event.introduced, &event.fixed, &event.last_affected];
        versions.into_iter().flatten().all(|version| version == "0" || scheme.accepts(version))
    };
    if !scheme.accepts(version) || !range.events.iter().all(known) {
        return false;
    }
    let order = |other: &str| match (version, other) {
        ("0", "0") => Ordering::Equal,
        ("0", _) => Ordering::Less,
        (_, "0") => Ordering::Greater,
        _ => scheme.compare(version, other).unwrap(),
    };
    // Affected if more of the events at or before the version open a range than close one: what sorting
    // and walking them finds, for ranges whose events alternate.
    let count = |pick: fn(&icecore::vuln::osv::Event) -> Option<&String>, holds: fn(Ordering) -> bool| {
        range.events.iter().filter_map(pick).filter(|at| holds(order(at))).count()
    };
    let opened = count(|event| event.introduced.as_ref(), Ordering::is_ge);
    let closed = count(|event| event.fixed.as_ref(), Ordering::is_ge)
        + count(|event| event.last_affected.as_ref(), Ordering::is_gt);
    opened > closed
}

static RECORDS: LazyLock<Vec<(String, Record)>> = LazyLock::new(|| {
    let mut records = Vec::new();
    for feed in ["debian-osv", "alpine-osv", "almalinux-osv", "ghsa-npm", "ghsa-pip", "pypa"] {
        let file = std::fs::File::open(fixture().join(format!("{feed}.tar.zst"))).unwrap();
        let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
        for entry in archive.entries().unwrap() {
            let text = std::io::read_to_string(entry.unwrap()).unwrap();
            let record = match feed {
                "pypa" => serde_saphyr::from_str(&text).unwrap(),
                _ => serde_json::from_str(&text).unwrap(),
            };
            records.push((feed.to_owned(), record));
        }
    }
    records
});

/// Every package of every record, with every version that a record names for its name anywhere.
static SUBJECTS: LazyLock<Vec<(String, String, Vec<String>)>> = LazyLock::new(|| {
    let mut packages = BTreeSet::new();
    let mut versions = BTreeSet::new();
    for affected in RECORDS.iter().flat_map(|(_, record)| &record.affected) {
        let Some(package) = &affected.package else { continue };
        if ecosystem::scheme(&package.ecosystem).is_none() {
            continue;
        }
        let name = ecosystem::name(&package.ecosystem, &package.name);
        packages.insert((package.ecosystem.clone(), name.clone()));
        let events = affected.ranges.iter().flat_map(|range| &range.events);
        let named = events.flat_map(|event| [&event.introduced, &event.fixed, &event.last_affected]);
        let all = named.flatten().chain(&affected.versions);
        versions.extend(all.map(|version| (name.clone(), version.clone())));
    }
    let of = |name: &str| versions.iter().filter(|(of, _)| of == name).map(|(_, v)| v.clone()).collect();
    packages.iter().map(|(ecosystem, name)| (ecosystem.clone(), name.clone(), of(name))).collect()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn a_lookup_answers_like_a_linear_reading(
        subject in any::<prop::sample::Index>(),
        version in any::<prop::sample::Index>(),
        suffix in prop_oneof![3 => Just(""), 1 => Just(".1"), 1 => Just("-1"), 1 => Just("~"), 1 => Just("x")],
    ) {
        let (ecosystem, name, versions) = subject.get(&SUBJECTS);
        prop_assume!(!versions.is_empty());
        let version = format!("{}{suffix}", version.get(versions));
        let found = DATABASE.evaluate(ecosystem, name, &version, "", Asked::default()).unwrap().findings;
        let found: BTreeSet<_> = found.into_iter().flat_map(|finding| finding.records).collect();
        prop_assert_eq!(found, linear(&RECORDS, ecosystem, name, &version), "{} {} {}", ecosystem, name, version);
    }
}
