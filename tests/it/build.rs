//! What building a database of feeds tells of them.

use std::{io::Read, path::Path};

use icecore::vuln::feeds;

use crate::advisories::{BYTES, fixture};

#[test]
fn the_build_names_its_sources_and_what_it_left_out() {
    let (bytes, summary) = feeds::build(&fixture(), &[]).unwrap();
    assert_eq!(bytes, *BYTES, "the same feeds make the same bytes");
    let counts: Vec<_> = summary.sources.iter().map(|s| (s.name.as_str(), s.records, s.set_aside)).collect();
    assert_eq!(
        counts,
        [
            ("almalinux-osv", 10, 0),
            ("alpine-osv", 5, 0),
            ("cisa-kev", 3, 0),
            ("debian-osv", 17, 0),
            ("epss", 39, 0),
            ("ghsa-npm", 9, 0),
            ("ghsa-pip", 6, 0),
            ("pypa", 9, 1),
        ]
    );
    assert!(summary.problems.iter().any(|problem| problem.record == "PYSEC-2021-371"), "{summary:?}");
    let (only, summary) = feeds::build(&fixture(), &["pypa".to_owned()]).unwrap();
    assert_eq!(summary.sources.len(), 1);
    assert!(only.len() < bytes.len() / 4);
    assert!(feeds::build(&fixture(), &["rustsec".to_owned()]).is_err());
}

#[test]
fn a_feed_of_another_format_fails_the_build_and_one_slip_does_not() {
    let feeds_dir = tempfile::tempdir().unwrap();
    let folder = feeds_dir.path().join("ghsa-npm");
    std::fs::create_dir(&folder).unwrap();
    let record = |n: usize| format!(r#"{{"id":"GHSA-{n}","affected":[]}}"#);
    for n in 0..60 {
        std::fs::write(folder.join(format!("{n}.json")), record(n)).unwrap();
    }
    std::fs::write(folder.join("bad.json"), "{").unwrap();
    std::fs::write(feeds_dir.path().join("unheard-of.tar.zst"), "not looked at").unwrap();
    let (_, summary) = feeds::build(feeds_dir.path(), &[]).unwrap();
    assert_eq!((summary.sources[0].records, summary.sources[0].malformed), (60, 1));
    assert_eq!(summary.problems[0].record, "bad.json");
    assert_eq!(summary.not_read, ["unheard-of.tar.zst"]);
    for n in 0..10 {
        std::fs::write(folder.join(format!("bad{n}.json")), "[]x").unwrap();
    }
    let error = feeds::build(feeds_dir.path(), &[]).unwrap_err().to_string();
    assert!(error.contains("ghsa-npm: 11 of 60 records are malformed"), "{error}");
}

/// Feeds are packed as their publishers like it.
#[test]
fn a_feed_is_the_same_however_it_is_packed() {
    let glsa = br#"<glsa id="202512-01"><product type="ebuild">gnupg</product><affected><package name="app-crypt/gnupg">
        <vulnerable range="lt">2.5.14</vulnerable></package></affected></glsa>"#;
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(glsa.len()).unwrap());
    tar.append_data(&mut header, "glsa-master/glsa-202512-01.xml", &glsa[..]).unwrap();
    let tar = tar.into_inner().unwrap();
    let bzip2 = |bytes: &[u8]| {
        let mut packed = Vec::new();
        bzip2::read::BzEncoder::new(bytes, bzip2::Compression::fast()).read_to_end(&mut packed).unwrap();
        packed
    };
    // Programs that pack on several threads write streams that follow each other.
    let (front, back) = tar.split_at(700);
    let gzip = |bytes: &[u8]| {
        let mut packed = Vec::new();
        flate2::read::GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
        packed
    };
    for (name, bytes) in [
        ("gentoo-glsa.tar", tar.clone()),
        ("gentoo-glsa.tar.gz", gzip(&tar)),
        ("gentoo-glsa.tar.zst", zstd::encode_all(&tar[..], 1).unwrap()),
        ("glsa-master.tar.bz2", [bzip2(front), bzip2(back)].concat()),
        ("gentoo-glsa.xml", glsa.to_vec()),
        ("gentoo-glsa.xml.bz2", bzip2(glsa)),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name), &bytes).unwrap();
        let (_, summary) = feeds::build(dir.path(), &[]).unwrap();
        assert_eq!((summary.sources[0].records, summary.sources[0].malformed), (1, 0), "{name}");
        if name.ends_with(".bz2") {
            std::fs::write(dir.path().join(name), &bytes[..bytes.len() / 2]).unwrap();
            assert!(feeds::build(dir.path(), &[]).is_err(), "{name}");
        }
    }
}

/// What a database lacks is named and counted where it is built, and counted in the database.
#[test]
fn what_a_build_leaves_out_is_told_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("feeds/ghsa-npm");
    std::fs::create_dir_all(&folder).unwrap();
    for n in 0..3 {
        std::fs::write(folder.join(format!("{n}.json")), format!(r#"{{"id":"GHSA-{n}","affected":[]}}"#))
            .unwrap();
    }
    std::fs::write(folder.join("bad.json"), "{").unwrap();
    let unordered = r#"{"id":"GHSA-odd","affected":[{"package":{"ecosystem":"npm","name":"odd"},
        "ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"not a version"}]}]}]}"#;
    std::fs::write(folder.join("odd.json"), unordered).unwrap();
    let database = dir.path().join("advisories.db");
    let run = |args: &[&str], paths: &[&Path]| {
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_icecore"))
            .args(args)
            .args(paths)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (run.status.code(), text(run.stdout), text(run.stderr))
    };
    let (code, _, told) =
        run(&["db", "build", "--feeds"], &[&dir.path().join("feeds"), Path::new("-o"), &database]);
    assert_eq!(code, Some(0), "{told}");
    for line in [
        "ghsa-npm               4 records, 1 malformed, 1 ranges unordered, undated",
        "left out: ghsa-npm bad.json: ",
        "left out: ghsa-npm GHSA-odd: ",
        "the database lacks 1 records that are malformed and 1 ranges of versions that their ecosystem does not order",
    ] {
        assert!(told.lines().any(|told| told.starts_with(line)), "{line}\n{told}");
    }
    let (code, about, _) = run(&["db", "info"], &[&database]);
    let about: serde_json::Value = serde_json::from_str(&about).unwrap();
    let source = &about["sources"][0];
    assert_eq!((code, &source["malformed"], &source["unordered"]), (Some(0), &1.into(), &1.into()));
}
