//! Programs that `go` and `cargo auditable` built, against what they say of them, and a corpus of damaged and hostile ones.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use icecore::{
    FormatError,
    block::{Memory, Source},
    fs::{FileKind, GuestPath},
    inventory::{EXTRACTORS, Extraction, File, PackageKind},
};

use crate::shared::corpus;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/programs")
}

fn extract(path: &str, bytes: Vec<u8>) -> Result<Extraction, FormatError> {
    let path = GuestPath::new(path);
    let extractor = EXTRACTORS.iter().find(|e| e.wants(&path, FileKind::Regular)).expect("an extractor");
    assert_eq!(extractor.name(), "binary", "{path}");
    let source: Source = Arc::new(Memory::new(bytes));
    extractor.extract(&File::new(&path, &source, &|_| Ok(None)))
}

/// What a fixture shows of a kind, as lines.
fn found(name: &str, kind: PackageKind) -> BTreeSet<String> {
    let packed = fs::read(fixtures().join(format!("{name}.zst"))).unwrap();
    let found = extract("usr/local/bin/tool", zstd::decode_all(&packed[..]).unwrap()).unwrap();
    assert!(found.damage.is_empty(), "{name}: {:?}", found.damage);
    let rows = found.packages();
    assert!(rows.iter().all(|package| package.kind == kind), "{name}: {rows:?}");
    rows.into_iter().map(|package| format!("{} {}", package.name, package.version)).collect()
}

/// The modules that `go version -m` prints, each as what replaced it unless that is a directory, and the standard library.
fn told(text: &str) -> BTreeSet<String> {
    let mut lines = text.lines();
    let mut rows = vec![format!("stdlib {}", lines.next().unwrap().strip_prefix("go").unwrap())];
    for line in lines {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["", "mod" | "dep", path, version, ..] => rows.push(format!("{path} {version}")),
            ["", "=>", path, version, ..] if !path.starts_with("..") => {
                *rows.last_mut().unwrap() = format!("{path} {version}");
            }
            _ => {}
        }
    }
    rows.into_iter().collect()
}

#[test]
fn modules_are_what_go_prints() {
    let mut names: Vec<String> = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".txt").filter(|name| *name != "rust").map(str::to_owned))
        .collect();
    names.sort();
    assert_eq!(names.len(), 15, "{names:?}");
    for name in names {
        let mut truth = told(&fs::read_to_string(fixtures().join(format!("{name}.txt"))).unwrap());
        assert_eq!(truth.len(), 5, "{name}: {truth:?}");
        // Of a working tree Go knows no version, but what built it may say one.
        if name == "ldflags" {
            assert!(truth.remove("example.org/app/v2 (devel)"));
            truth.insert("example.org/app/v2 v1.2.3".to_owned());
        }
        assert_eq!(found(&name, PackageKind::Golang), truth, "{name}");
    }
}

#[test]
fn crates_are_what_the_list_holds_but_those_of_the_build() {
    let truth = fs::read_to_string(fixtures().join("rust.txt")).unwrap();
    let rows: Vec<Vec<&str>> = truth.lines().map(|line| line.split('\t').collect()).collect();
    assert!(rows.iter().any(|row| row[2] == "build"), "{rows:?}");
    let kept =
        rows.iter().filter(|row| row[2] == "runtime").map(|row| format!("{} {}", row[0], row[1])).collect();
    assert_eq!(found("rust", PackageKind::Cargo), kept);
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn corpus_of_programs() {
    let (mut seen, mut errors) = (0, 0);
    corpus(&["elf/", "zip/", "text/hostile"], |name, bytes| {
        // A name of the table has constants searched too.
        for path in ["usr/sbin/nginx", "usr/local/bin/python3.11", "app/a.so"] {
            let start = Instant::now();
            let found = extract(path, bytes.clone());
            assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
            errors += usize::from(found.is_err());
            seen += 1;
        }
    });
    assert!(seen > 100 && errors > 0, "{errors} of {seen}");
}
