//! Packages whose advisories are known, against whole feeds.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use icecore::{
    block::Memory,
    vuln::{Database, Finding, feeds, query::Query},
};

use crate::shared;

fn build(only: &[&str]) -> Database {
    let feeds = shared::path("data/vulndb");
    let only: Vec<_> = only.iter().map(|name| (*name).to_owned()).collect();
    let start = Instant::now();
    let (bytes, summary) = feeds::build(&feeds, &only).unwrap();
    eprintln!("{only:?}: {} bytes in {:?}", bytes.len(), start.elapsed());
    for source in &summary.sources {
        eprintln!("  {source:?}");
    }
    for problem in summary.problems.iter().take(5) {
        eprintln!("  {problem:?}");
    }
    eprintln!("  not read: {}", summary.not_read.len());
    let start = Instant::now();
    let database = Database::open(Arc::new(Memory::new(bytes))).unwrap();
    eprintln!("  opened in {:?}", start.elapsed());
    database
}

/// The feeds whose expected matches are known, with their tables.
const TABLES: [(&str, &str); 14] = [
    ("almalinux-osv", "almalinux"),
    ("azurelinux-oval", "azure-azurelinux-3.0"),
    ("azurelinux-oval", "azure-cbl-mariner-1.0"),
    ("azurelinux-oval-mariner2", "azure-cbl-mariner-2.0"),
    ("bitnami", "bitnami"),
    ("debian-dsa-dla", "debian-dsa-dla"),
    ("rustsec-osv", "crates.io-osv"),
    ("rustsec", "crates.io"),
    ("osv-from-fixtures", "ghsa-maven-etc"),
    ("osv-go", "go"),
    ("haskell-osv", "haskell"),
    ("friendsofphp", "packagist"),
    ("pypa", "pypi"),
    ("rubysec", "rubygems"),
];

/// Maven 3.9 says that `9.0.0-M1`, which a record names, is `9.0.0.M1`, from which another is affected; who made the table
/// compared them by other rules.
const AS_MAVEN: [&str; 3] = ["Maven", "org.apache.tomcat:tomcat-catalina", "9.0.0-M1"];

/// Each line's ids are what matches, no more and no fewer; informational ones do not count. A finding counts as
/// an id if it is its own, an alias or one of its records.
fn every_line_holds(table: &str, answers: impl Iterator<Item = Vec<Finding>>) {
    let rows = shared::table(&format!("data/matching/{table}.tsv"));
    let mut wrong = Vec::new();
    let mut count = 0;
    for (row, findings) in rows.iter().zip(answers) {
        count += 1;
        let [ecosystem, name, version, ids, ..] = row.as_slice() else { panic!("{row:?}") };
        let expected: BTreeSet<&str> =
            ids.split(',').filter(|id| !id.is_empty() && !id.contains('!')).collect();
        let names = |finding: &Finding| -> BTreeSet<String> {
            let all = finding.aliases.iter().chain(&finding.records).chain([&finding.id]);
            all.cloned().collect()
        };
        let found: Vec<_> = findings.iter().map(names).collect();
        let held = |id: &&str| found.iter().any(|names| names.contains(*id));
        let wanted = |names: &BTreeSet<String>| names.iter().any(|name| expected.contains(name.as_str()));
        let as_maven = [ecosystem, name, version] == AS_MAVEN;
        if !expected.iter().all(held) || !(found.iter().all(wanted) || as_maven) {
            wrong.push(format!("{ecosystem} {name} {version}: {found:?}, expected {expected:?}"));
        }
    }
    eprintln!("  {table}: {} of {} lines hold", count - wrong.len(), rows.len());
    assert!(wrong.is_empty(), "{} wrong: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
    assert!(count == rows.len() && count > 0);
}

fn lines(table: &str) -> Vec<String> {
    let rows = shared::table(&format!("data/matching/{table}.tsv"));
    rows.iter().map(|row| row[..3].join("\t")).collect()
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn every_line_of_every_feed() {
    for (feed, table) in TABLES {
        let database = build(&[feed]);
        let queries = lines(table).into_iter().map(|line| Query::parse(&line).unwrap());
        every_line_holds(table, queries.map(|query| query.matches(&database).unwrap().findings));
    }
}

/// The same by the command line, which reads lines and answers them in their order.
#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn every_line_of_every_feed_on_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let (file, asked) = (dir.path().join("advisories.db"), dir.path().join("lines"));
    for (feed, table) in TABLES {
        let (bytes, _) = feeds::build(&shared::path("data/vulndb"), &[feed.to_owned()]).unwrap();
        std::fs::write(&file, bytes).unwrap();
        std::fs::write(&asked, lines(table).join("\n")).unwrap();
        let icecore = std::process::Command::new(env!("CARGO_BIN_EXE_icecore"))
            .args(["match", "-f", "ndjson", "--db"])
            .args([&file, &asked])
            .output()
            .unwrap();
        let told = String::from_utf8(icecore.stdout).unwrap();
        every_line_holds(
            table,
            told.lines().map(|line| {
                let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
                serde_json::from_value(record["findings"].take()).unwrap()
            }),
        );
    }
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn all_feeds_together() {
    let database = build(&[]);
    database.verify().unwrap();
    let releases =
        ["AlmaLinux:9", "Alpine:v3.20", "Debian:12", "Red Hat:9", "Ubuntu:22.04:LTS", "PyPI", "npm"];
    for release in releases {
        assert!(database.about().ecosystems[release] > 2000, "{release}");
    }
    // A package's own feed answers the same in company: what is found alone is found here too.
    let rows = shared::table("data/matching/pypi.tsv");
    for row in rows.iter().filter(|row| !row[3].is_empty()) {
        let query = Query::parse(&row[..3].join("\t")).unwrap();
        let findings = query.matches(&database).unwrap().findings;
        let found: BTreeSet<_> = findings.iter().flat_map(|finding| &finding.records).collect();
        for id in row[3].split(',').filter(|id| !id.contains('!')) {
            assert!(found.contains(&id.to_owned()), "{row:?}: {found:?}");
        }
    }
}
