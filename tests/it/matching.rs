//! Packages whose advisories are known, against whole feeds.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use icecore::{
    block::Memory,
    vuln::{Database, feeds, query::Query},
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

/// Each line's ids are the records that match, no more and no fewer; informational ones do not count.
fn every_line_holds(database: &Database, table: &str) {
    let rows = shared::table(&format!("data/matching/{table}.tsv"));
    let mut wrong = Vec::new();
    let start = Instant::now();
    for row in &rows {
        let [ecosystem, name, version, ids, ..] = row.as_slice() else { panic!("{row:?}") };
        let expected: BTreeSet<String> =
            ids.split(',').filter(|id| !id.is_empty() && !id.contains('!')).map(str::to_owned).collect();
        let query = Query::parse(&format!("{ecosystem}\t{name}\t{version}")).unwrap();
        let findings = query.matches(database).unwrap().findings;
        let found: BTreeSet<String> = findings.into_iter().flat_map(|finding| finding.records).collect();
        if found != expected {
            wrong.push(format!("{ecosystem} {name} {version}: {found:?}, expected {expected:?}"));
        }
    }
    eprintln!("  {table}: {} of {} lines hold, {:?}", rows.len() - wrong.len(), rows.len(), start.elapsed());
    assert!(wrong.is_empty(), "{} wrong: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
    assert!(!rows.is_empty());
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn almalinux() {
    every_line_holds(&build(&["almalinux-osv"]), "almalinux");
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn pypi() {
    every_line_holds(&build(&["pypa"]), "pypi");
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn all_feeds_together() {
    let database = build(&[]);
    database.verify().unwrap();
    let releases = ["AlmaLinux:9", "Alpine:v3.20", "Debian:12", "PyPI", "npm"];
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
