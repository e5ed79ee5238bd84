//! Package databases that real tools wrote, and a corpus of damaged and hostile ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::Read,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::shared::{corpus, packed_corpus};
use flate2::read::GzDecoder;
use icecore::{
    FormatError,
    block::{Memory, Source},
    database::sqlite::{Database, Value, Wal},
    fs::{FileKind, GuestPath},
    inventory::{EXTRACTORS, Extraction, File},
};

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/inventory").join(name);
    let bytes = fs::read(&path).unwrap();
    if name.ends_with(".zst") { zstd::decode_all(&bytes[..]).unwrap() } else { bytes }
}

fn source(bytes: Vec<u8>) -> Source {
    Arc::new(Memory::new(bytes))
}

fn extract(path: &str, bytes: Vec<u8>) -> Result<Extraction, FormatError> {
    let path = GuestPath::new(path);
    let extractor = EXTRACTORS.iter().find(|e| e.wants(&path, FileKind::Regular)).expect("an extractor");
    extractor.extract(&File::new(&path, &source(bytes), &|_| Ok(None)))
}

#[test]
fn rpm_databases_of_every_form_hold_what_rpm_prints() {
    let truth = String::from_utf8(fixture("rpm.tsv")).unwrap();
    for (path, name) in [
        ("var/lib/rpm/rpmdb.sqlite", "rpmdb.sqlite.zst"),
        ("usr/lib/sysimage/rpm/Packages.db", "Packages.db.zst"),
        ("var/lib/rpm/Packages", "Packages-le.zst"),
        ("var/lib/rpm/Packages", "Packages-be.zst"),
        ("var/lib/rpm/Packages", "Packages-inline.zst"),
    ] {
        let found = extract(path, fixture(name)).unwrap();
        assert!(found.damage.is_empty(), "{name}: {:?}", found.damage);
        let none = || "(none)".to_owned();
        let mut lines: Vec<String> = found
            .packages()
            .into_iter()
            .map(|p| {
                let source = p.source.map_or_else(none, |s| format!("{}-{}.src.rpm", s.name, s.version));
                let [arch, license, vendor, module] =
                    [p.arch, p.license, p.vendor, p.module].map(|field| field.unwrap_or_else(none));
                format!("{}\t{}\t{arch}\t{source}\t{license}\t{vendor}\t{module}\n", p.name, p.version)
            })
            .collect();
        lines.sort();
        assert_eq!(lines.concat(), truth, "{name}");
    }
}

#[test]
fn dpkg_packages_whose_files_are_there_are_what_dpkg_query_prints() {
    let text = String::from_utf8(fixture("dpkg.tsv")).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let states: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(states, BTreeSet::from(["config-files", "half-configured", "installed", "unpacked"]));
    let mut truth: Vec<Vec<String>> = rows
        .iter()
        .filter(|row| row[0] != "config-files")
        .map(|row| row[1..].iter().map(|field| (*field).to_owned()).collect())
        .collect();
    let found = extract("var/lib/dpkg/status", fixture("dpkg-status")).unwrap();
    assert!(found.damage.is_empty(), "{:?}", found.damage);
    let mut seen: Vec<Vec<String>> = found
        .packages()
        .into_iter()
        .map(|p| {
            let (source, of) =
                p.source.map_or_else(|| (p.name.clone(), p.version.clone()), |s| (s.name, s.version));
            vec![p.name, p.version, p.arch.unwrap(), p.vendor.unwrap(), source, of]
        })
        .collect();
    seen.sort();
    truth.sort();
    assert_eq!(seen, truth);
}

#[test]
fn jars_are_and_hold_what_maven_was_asked_for() {
    let truth = String::from_utf8(fixture("jars.tsv")).unwrap();
    let mut rows = Vec::new();
    for name in ["app.jar", "shop.ear", "tools-1.0-all.jar"] {
        let found = extract(&format!("opt/{name}"), fixture(name)).unwrap();
        assert!(found.damage.is_empty(), "{name}: {:?}", found.damage);
        for shown in &found.shown {
            let place = shown.inside.as_deref().unwrap_or("-");
            rows.push(format!("{name}\t{place}\t{}\t{}\n", shown.package.name, shown.package.version));
        }
    }
    rows.sort();
    assert_eq!(rows.concat(), truth);
}

/// Table `t` as the script has `sqlite3` print it.
fn print_rows(database: &Database) -> String {
    let table = database.table("T").unwrap().expect("a table");
    let mut text = String::new();
    for row in database.rows(&table) {
        let row = row.unwrap();
        assert_eq!(row.value(0).unwrap(), Value::Null, "the row id is stored once");
        let Value::Blob(data) = row.value(2).unwrap() else { panic!("no blob in row {}", row.id) };
        let head: String = data.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let number = match row.value(3).unwrap() {
            Value::Null => "null\t".to_owned(),
            Value::Integer(n) => format!("integer\t{n}"),
            Value::Real(n) => format!("real\t{n:.1}"),
            other => panic!("{other:?}"),
        };
        let name = row.text(1).unwrap().unwrap();
        text += &format!("{}\t{name}\t{head}\t{}\t{number}\n", row.id, data.len());
    }
    text
}

#[test]
fn sqlite_pages_of_every_size_and_encoding() {
    let truth = String::from_utf8(fixture("rows.tsv")).unwrap();
    for name in ["p512.db.zst", "p4096.db.zst", "p65536.db.zst"] {
        let database = Database::open(source(fixture(name)), None).unwrap();
        assert_eq!(print_rows(&database), truth, "{name}");
    }
}

#[test]
fn commits_that_are_only_in_the_log_are_seen_and_unfinished_ones_are_not() {
    let truth = String::from_utf8(fixture("wal.tsv")).unwrap();
    let log = fixture("wal.db-wal.zst");
    let open = |log: &[u8]| {
        Database::open(source(fixture("wal.db.zst")), Wal::read(&source(log.to_vec())).unwrap()).unwrap()
    };
    assert_eq!(print_rows(&open(&log)), truth);
    let without = print_rows(&open(&[]));
    assert!(!without.contains("only in the wal") && !without.contains("changed"));
    // A frame that was not written whole ends the log, and with it every commit after it.
    let mut torn = log.clone();
    torn[32 + 24 + 7] ^= 1;
    assert_eq!(print_rows(&open(&torn)), without);
    let mut reset = log;
    reset[16] ^= 1;
    assert_eq!(print_rows(&open(&reset)), without);
}

/// The outcome of one input: packages and damaged records, or an error.
fn outcome(path: &str, name: &str, bytes: Vec<u8>) -> Result<(usize, usize), String> {
    let start = Instant::now();
    let found = extract(path, bytes).map(|found| (found.packages().len(), found.damage.len()));
    assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
    found.map_err(|error| error.detail())
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn corpus_of_text_databases() {
    let mut seen = BTreeMap::new();
    corpus(&["dpkg/", "apk/"], |name, bytes| {
        let path = if name.starts_with("apk") { "lib/apk/db/installed" } else { "var/lib/dpkg/status" };
        seen.insert(name.to_owned(), outcome(path, name, bytes));
    });
    let is = |name: &str| seen[name].clone();
    assert!(is("apk/hostile/binary").is_err());
    // Its dependencies are longer than any line that is read.
    assert_eq!(is("apk/hostile/huge_deps"), Ok((1, 1)));
    assert_eq!(is("dpkg/hostile/dup_package"), Ok((2, 0)));
    assert_eq!(is("dpkg/hostile/huge_count.gz"), Ok((100_000, 1)));
    let versionless = is("dpkg/hostile/no_version");
    assert_eq!(versionless, Err("dpkg stanza at offset 0x0: no Package or no Version".to_owned()));
    let truncated = is("dpkg/hostile/truncated_mid").unwrap();
    assert!(truncated.0 > 0 && truncated.1 == 1, "{truncated:?}");
    for name in ["csv_formula", "html_script", "newline_inject_json", "terminal_escape"] {
        assert_eq!(is(&format!("dpkg/hostile/{name}")), Ok((1, 0)), "{name}");
    }
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn corpus_of_rpm_databases() {
    let mut seen = BTreeMap::new();
    corpus(&["rpmdb/"], |name, bytes| {
        let path = match name {
            name if name.contains("Packages.db") => "var/lib/rpm/Packages.db",
            name if name.contains("sqlite") => "var/lib/rpm/rpmdb.sqlite",
            _ => "var/lib/rpm/Packages",
        };
        seen.insert(name.to_owned(), outcome(path, name, bytes));
    });
    for (name, packages) in [
        ("rpmdb/go-rpmdb/cbl-mariner-2.0_rpmdb.sqlite.zst", 129),
        ("rpmdb/go-rpmdb/sle15-bci_Packages.db.zst", 35),
        ("rpmdb/go-rpmdb/libuuid_Packages.zst", 1),
        ("rpmdb/rpm/rpmdb.sqlite.zst", 2),
    ] {
        assert_eq!(seen[name], Ok((packages, 0)), "{name}");
    }
    assert_eq!(seen.len(), 35);
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn corpus_of_sqlite_files() {
    let (mut files, mut rows) = (0, 0);
    corpus(&["sqlite/", "registry/yarp/SqliteFragment"], |name, bytes| {
        let start = Instant::now();
        files += 1;
        let wal = Wal::read(&source(bytes.clone())).ok().flatten();
        if let Ok(database) = Database::open(source(bytes), wal) {
            for table in database.tables().flatten() {
                for row in database.rows(&table).flatten() {
                    rows += (0..8).filter(|column| row.value(*column).is_ok()).count();
                }
            }
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
    });
    assert!(files > 2000 && rows > 0, "{files} files, {rows} values");
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn corpus_of_archives() {
    let mut seen = BTreeMap::new();
    packed_corpus(&["zip/", "archive_other/"], |name, bytes| {
        let mut plain = Vec::new();
        if GzDecoder::new(&bytes[..]).read_to_end(&mut plain).is_ok() {
            seen.insert(format!("{name}!"), outcome("opt/a.jar", name, plain));
        }
        seen.insert(name.to_owned(), outcome("opt/a.jar", name, bytes));
    });
    assert!(seen.len() > 200, "{}", seen.len());
    let read = seen.values().filter(|found| found.is_ok()).count();
    assert!(read > 50, "{read} of {}", seen.len());
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn corpus_of_text_through_every_extractor() {
    let mut seen = BTreeMap::new();
    corpus(&["text/"], |name, bytes| {
        for path in [
            "node_modules/a/package.json",
            "a.dist-info/METADATA",
            "var/lib/dpkg/status",
            "lib/apk/db/installed",
            "META-INF/maven/g/a/pom.properties",
            "opt/java/release",
        ] {
            seen.insert((path, name.to_owned()), outcome(path, name, bytes.clone()));
        }
    });
    assert!(seen.len() > 6 * 4000, "{}", seen.len());
    // Neither an array nor UTF-16 is a manifest.
    for name in ["json_deep_1M", "json_nul_bom_utf16"] {
        let found = &seen[&("node_modules/a/package.json", format!("text/hostile/{name}.json"))];
        assert!(found.is_err(), "{name}: {found:?}");
    }
}
