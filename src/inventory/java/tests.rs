//! Archives as Java's tools and hostile hands make them.

use std::{
    io::{Cursor, Write},
    sync::Arc,
};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::{
    block::{Counted, Counter, Memory, Source},
    gap::Code,
    inventory::testing,
};

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored)
}

/// An archive of these members.
fn archive(members: &[(&str, &[u8], SimpleFileOptions)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, options) in members {
        writer.start_file(*name, *options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A jar of one artifact.
fn jar(artifact: &str) -> Vec<u8> {
    let pom = format!("version=1\ngroupId=g\nartifactId={artifact}\n");
    let place = format!("META-INF/maven/g/{artifact}/pom.properties");
    archive(&[(&place, pom.as_bytes(), deflated()), ("g/A.class", &[7; 3000], deflated())])
}

/// What a file shows, as `place name@version`, and what is wrong with it.
fn found(path: &str, bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    match testing::extract(&Java, path, bytes, &[]) {
        Ok(found) => {
            let shown = found.shown.iter().map(|shown| {
                let place = shown.inside.as_deref().unwrap_or("-");
                format!("{place} {}@{}", shown.package.name, shown.package.version)
            });
            (shown.collect(), found.damage.iter().map(FormatError::detail).collect())
        }
        Err(error) => (Vec::new(), vec![error.detail()]),
    }
}

/// What a file without damage shows.
fn shown(path: &str, bytes: &[u8]) -> Vec<String> {
    let (shown, damage) = found(path, bytes);
    assert_eq!(damage, [""; 0]);
    shown
}

#[test]
fn wants_archives_and_what_was_unpacked_of_them() {
    testing::wants(
        &Java,
        &[
            "a.jar",
            "opt/A.WAR",
            "a.jmod",
            "a.rar",
            "META-INF/maven/g/a/pom.properties",
            "x/META-INF/maven/g/a/pom.properties",
        ],
        &[
            "jar",
            ".jar",
            "a.jar.bak",
            "a.zip",
            "pom.properties",
            "maven/g/a/pom.properties",
            "META-INF/maven/a/pom.properties",
        ],
    );
}

#[test]
fn archives_in_archives_stored_and_compressed() {
    let inner = archive(&[("lib/c-1.jar", &jar("c"), deflated()), ("x.class", b"", stored())]);
    let outer = archive(&[
        ("META-INF/MANIFEST.MF", b"Implementation-Title: app\nImplementation-Version: 7\n\n", deflated()),
        ("BOOT-INF/lib/a-1.jar", &jar("a"), stored()),
        ("BOOT-INF/lib/b.war", &inner, stored()),
        ("WEB-INF/lib/d-1.jar", &jar("other"), deflated()),
        ("WEB-INF/lib/empty.jar", b"", stored()),
    ]);
    let expected = [
        "- app@7",
        "BOOT-INF/lib/a-1.jar g:a@1",
        "BOOT-INF/lib/b.war!/lib/c-1.jar g:c@1",
        "WEB-INF/lib/d-1.jar d@1",
        "WEB-INF/lib/d-1.jar!/META-INF/maven/g/other/pom.properties g:other@1",
    ];
    assert_eq!(shown("opt/app.jar", &outer), expected);
}

#[test]
fn what_a_bill_of_materials_names_is_declared() {
    const BILL: &str = "META-INF/sbom/application.cdx.json";
    let bill = br#"{"bomFormat":"CycloneDX","components":[{"name":"a","purl":"pkg:maven/g/a@1?type=jar"},{"purl":"x"}]}"#;
    let outer = archive(&[("BOOT-INF/lib/b-1.jar", &jar("b"), stored()), (BILL, bill, deflated())]);
    let found = testing::extract(&Java, "app.jar", &outer, &[]).unwrap();
    let rows: Vec<_> = found
        .shown
        .iter()
        .map(|shown| (shown.inside.as_deref(), shown.package.name.as_str(), shown.package.declared))
        .collect();
    assert_eq!(rows, [(Some(BILL), "g:a", true), (Some("BOOT-INF/lib/b-1.jar"), "g:b", false)]);
    let damage: Vec<_> = found.damage.iter().map(FormatError::detail).collect();
    assert_eq!(damage, [format!("bill of materials: record 2 has a purl that is none: x ({BILL})")]);
}

#[test]
fn something_before_and_behind_an_archive() {
    let bytes = jar("a");
    let with = |before: &[u8], behind: &[u8]| [before, &bytes, behind].concat();
    assert_eq!(shown("a.jar", &with(b"#!/bin/sh\nexec java -jar $0\n", b"")), ["- g:a@1"]);
    assert_eq!(shown("a.jmod", &with(b"JM\x01\0", b"")), ["- g:a@1"]);
    assert_eq!(shown("a.jar", &with(b"", &[0; 5000])), ["- g:a@1"]);
    let comment = [b"a PK\x05\x06 in a comment".as_slice(), &[b'.'; 5000]].concat();
    let mut commented = with(b"", &comment);
    let at = bytes.len() - 2;
    commented[at..at + 2].copy_from_slice(&u16::try_from(comment.len()).unwrap().to_le_bytes());
    assert_eq!(shown("a.jar", &commented), ["- g:a@1"]);
}

#[test]
fn numbers_of_64_bits_and_sizes_behind_the_data() {
    let pom = b"version=1\ngroupId=g\nartifactId=a\n";
    let place = "META-INF/maven/g/a/pom.properties";
    assert_eq!(shown("a.jar", &archive(&[(place, pom, deflated().large_file(true))])), ["- g:a@1"]);
    let mut writer = ZipWriter::new_stream(Vec::new());
    writer.start_file(place, deflated()).unwrap();
    writer.write_all(pom).unwrap();
    assert_eq!(shown("a.jar", &writer.finish().unwrap().into_inner()), ["- g:a@1"]);
    // Numbers that do not fit in the headers, with the records that have them.
    let names: Vec<String> = (0..70_000).map(|n| n.to_string()).collect();
    let mut many: Vec<_> = names.iter().map(|name| (name.as_str(), b"".as_slice(), stored())).collect();
    many.push((place, pom, deflated()));
    assert_eq!(shown("a.jar", &archive(&many)), ["- g:a@1"]);
}

#[test]
fn a_jar_costs_its_directory_and_what_names_it() {
    let classes: Vec<u8> = (0..2_000_000u32).map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()[3]).collect();
    let nested =
        archive(&[("A.class", &classes, stored()), ("META-INF/MANIFEST.MF", b"A: b\n\n", deflated())]);
    let outer = archive(&[("lib/n-1.jar", &nested, stored()), ("B.class", &classes, deflated())]);
    let counter = Arc::new(Counter::default());
    let content: Source = Arc::new(Counted::new(Arc::new(Memory::new(outer)), Arc::clone(&counter)));
    let path = GuestPath::new("a.jar");
    let found = Java.extract(&File::new(&path, &content, &|_| Ok(None))).unwrap();
    assert_eq!(found.packages().len(), 1);
    assert!(counter.bytes() < 10_000, "{} bytes", counter.bytes());
}

#[test]
fn coordinates_that_were_unpacked() {
    let path = "app/WEB-INF/classes/META-INF/maven/g/a/pom.properties";
    assert_eq!(shown(path, b"groupId=g\nartifactId=a\nversion=1"), ["- g:a@1"]);
    assert_eq!(found(path, b"groupId=g\n").1, ["pom.properties: no artifactId"]);
}

#[test]
fn what_is_no_archive() {
    let none = || (Vec::new(), Vec::new());
    assert_eq!(found("a.jar", b""), none());
    assert_eq!(found("a.rar", b"Rar!\x1a\x07\x00"), none());
    assert_eq!(found("a.jar", b"a stub").1, ["zip archive: no end record"]);
    assert_eq!(found("a.rar", b"PK\x03\x04...").1, ["zip archive: no end record"]);
    let outer = archive(&[("a-1.jar", &jar("a"), stored()), ("b.jar", b"a stub", deflated())]);
    assert_eq!(
        found("x.jar", &outer),
        (vec!["a-1.jar g:a@1".into()], vec!["zip archive: no end record (b.jar)".into()])
    );
}

#[test]
fn one_bad_member_loses_itself() {
    let good = jar("a");
    let pom = b"version=1\ngroupId=g\nartifactId=b\n".as_slice();
    let bytes =
        archive(&[("META-INF/maven/g/b/pom.properties", pom, stored()), ("a-1.jar", &good, deflated())]);
    let changed = |find: &[u8], at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        let place = bytes.windows(find.len()).position(|part| part == find).unwrap();
        bytes[place + at] ^= byte;
        found("x.jar", &bytes)
    };
    let a = vec!["a-1.jar g:a@1".to_owned()];
    let (shown, damage) = changed(pom, 8, 1);
    assert_eq!(shown, a);
    assert!(
        damage[0].contains("checksum") && damage[0].ends_with("(META-INF/maven/g/b/pom.properties)"),
        "{damage:?}"
    );
    let (shown, damage) = changed(b"PK\x03\x04", 2, 1);
    assert_eq!((shown, damage.len()), (a.clone(), 1), "{damage:?}");
    assert!(damage[0].contains("zip local header at offset 0x0: no signature"), "{damage:?}");
    // In the directory: the method, the flags, the size.
    for (at, byte, problem) in
        [(10, 9, "method 9"), (8, 1, "encrypted"), (24, 1, "more than"), (25, 0xff, "fewer than")]
    {
        let (shown, damage) = changed(b"PK\x01\x02", at, byte);
        assert_eq!((shown, damage.len()), (a.clone(), 1), "{damage:?}");
        assert!(damage[0].contains(problem), "{damage:?}");
    }
    let (shown, damage) = changed(b"PK\x05\x06", 12, 1);
    assert!(shown.is_empty() && damage[0].starts_with("zip "), "{damage:?}");
}

#[test]
fn depth_and_size_are_bounded() {
    let mut bytes = jar("a");
    for _ in 0..limits::JAR_DEPTH {
        bytes = archive(&[("n.jar", &bytes, deflated())]);
    }
    assert_eq!(shown("a.jar", &bytes).len(), 1);
    let deeper = archive(&[("n.jar", &bytes, deflated())]);
    let (none, damage) = found("a.jar", &deeper);
    assert!(none.is_empty() && damage[0].starts_with("archives nested deeper than 8"), "{damage:?}");
    let large =
        archive(&[("a.jar", &vec![0; (128 << 20) + 1], deflated()), ("b-1.jar", &jar("b"), stored())]);
    let found = testing::extract(&Java, "x.jar", &large, &[]).unwrap();
    assert_eq!(found.packages().len(), 1);
    assert_eq!(found.damage.iter().map(FormatError::code).collect::<Vec<_>>(), [Code::LimitReached]);
}

#[test]
fn members_that_overlap_cost_no_more_than_one_file_may() {
    // A thousand names for one bomb.
    let zeros = archive(&[("A.class", &vec![0; 4 << 20], stored())]);
    let bomb = archive(&[("a.jar", &zeros, deflated())]);
    let at = bomb.windows(4).position(|part| part == b"PK\x01\x02").unwrap();
    let end = bomb.windows(4).position(|part| part == b"PK\x05\x06").unwrap();
    let mut many = bomb[..at].to_vec();
    (0..1000).for_each(|_| many.extend(&bomb[at..end]));
    let mut record = bomb[end..].to_vec();
    record[12..16].copy_from_slice(&u32::try_from((end - at) * 1000).unwrap().to_le_bytes());
    many.extend(record);
    let (none, damage) = found("a.jar", &many);
    assert!(none.is_empty());
    assert!(damage.iter().any(|text| text.contains("unpack to more than")), "{}", damage[0]);
}

proptest::proptest! {
    #[test]
    fn never_panics(at in 0usize..900, byte: u8, cut in 0usize..900) {
        let inner = jar("b");
        let mut bytes = archive(&[("lib/b-1.jar", &inner, stored()), ("META-INF/MANIFEST.MF", b"A: b\n\n", deflated())]);
        let length = bytes.len();
        bytes[at % length] = byte;
        let _ = found("a.jar", &bytes);
        bytes.truncate(cut);
        let _ = found("a.jar", &bytes);
    }

    #[test]
    fn never_panics_on_anything(bytes: Vec<u8>) {
        let _ = found("a.jar", &[&b"PK\x03\x04"[..], &bytes, b"PK\x01\x02PK\x05\x06", &bytes].concat());
    }
}
