//! What a later layer does to the evidence of packages: each case as directories with an overlay's marks and as tars with
//! `.wh.` names, folded.

use std::sync::Arc;

use icecore::{
    Digest,
    block::{Memory, Source},
    fs::{
        FileKind, GuestPath, Handle, Root,
        memory::{Entry, Tree},
    },
    gap::Scope,
    image, layer,
};

/// What a layer does at a path.
enum Step {
    File(&'static str, Vec<u8>),
    Whiteout(&'static str),
    Opaque(&'static str),
}
use Step::{Opaque, Whiteout};

fn file(path: &'static str, content: impl Into<Vec<u8>>) -> Step {
    Step::File(path, content.into())
}

/// An upper directory.
fn directory(steps: &[Step]) -> Handle {
    let mut tree = Tree::default();
    for step in steps {
        match step {
            Step::File(path, content) => tree.file(path, content.clone()),
            Whiteout(path) => tree.insert(&GuestPath::new(path), Entry::new(FileKind::CharDevice)),
            Opaque(path) => tree.mark(&GuestPath::new(path), layer::overlay::opaque()),
        }
    }
    Root::new(tree.build()).top()
}

/// A layer's blob.
fn tar(steps: &[Step]) -> Handle {
    let mut tar = tar::Builder::new(Vec::new());
    for step in steps {
        let (path, content) = match step {
            Step::File(path, content) => ((*path).to_owned(), content.as_slice()),
            Whiteout(path) => {
                let (dir, name) = path.rsplit_once('/').unwrap();
                (format!("{dir}/.wh.{name}"), &[][..])
            }
            Opaque(path) => (format!("{path}/.wh..wh..opq"), &[][..]),
        };
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content).unwrap();
    }
    let bytes = tar.into_inner().unwrap();
    let digest = Digest::of(&bytes);
    let source: Source = Arc::new(Memory::new(bytes));
    let blob = layer::open_blob(&source, &digest, &digest, &layer::wants).unwrap();
    assert!(blob.notes.is_empty());
    Root::new(blob.fs).top()
}

/// The packages that the image shows, and those that only its layers have: `type name version path`.
fn folded(layers: &[Vec<Step>]) -> (Vec<String>, Vec<String>) {
    let both = [directory, tar].map(|of: fn(&[Step]) -> Handle| {
        let layers: Vec<Handle> = layers.iter().map(|steps| of(steps)).collect();
        let facts: Vec<_> = layers.iter().map(facts_of).collect();
        let inventory = image::fold(&facts, "test", &|| Ok(layers.clone()));
        assert_eq!(inventory.gaps, []);
        let rows = |packages: &[image::Located]| {
            let rows = packages.iter().map(|at| {
                let package = &at.package;
                format!("{} {} {} {}", package.kind.text(), package.name, package.version, at.path)
            });
            rows.collect::<Vec<_>>()
        };
        let merged = Root::new(image::merge(&layers)).top();
        let walked = image::fold(&[facts_of(&merged)], "test", &|| Ok(vec![merged.clone()]));
        assert_eq!(rows(&inventory.packages), rows(&walked.packages));
        (rows(&inventory.packages), rows(&image::hidden(&facts, &inventory)))
    });
    let [of_directories, of_tars] = both;
    assert_eq!(of_directories, of_tars);
    of_directories
}

fn facts_of(top: &Handle) -> Arc<layer::LayerFacts> {
    Arc::new(layer::analyze(top, layer::Walk::whole("test", Scope::Layer)))
}

#[track_caller]
fn shows(layers: &[Vec<Step>], shown: &[&str], hidden: &[&str]) {
    assert_eq!(folded(layers), (strings(shown), strings(hidden)));
}

fn strings(rows: &[&str]) -> Vec<String> {
    rows.iter().map(|row| (*row).to_owned()).collect()
}

fn metadata(name: &str, version: &str) -> String {
    format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
}

fn dpkg(packages: &[(&str, &str)]) -> String {
    let stanza = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: all\n\n")
    };
    packages.iter().map(stanza).collect()
}

fn jar(name: &str, version: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let path = format!("META-INF/maven/org.example/{name}/pom.properties");
    zip.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
    let text = format!("groupId=org.example\nartifactId={name}\nversion={version}\n");
    std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

const SIX: &str = "usr/lib/python3/site-packages/six.dist-info/METADATA";

#[test]
fn evidence_that_a_later_layer_writes_again_is_the_later_one() {
    let layers = [vec![file(SIX, metadata("six", "1"))], vec![file(SIX, metadata("six", "2"))]];
    shows(&layers, &[&format!("pypi six 2 /{SIX}")], &[&format!("pypi six 1 /{SIX}")]);
}

#[test]
fn a_package_that_a_later_layer_moves_shows_where_it_is() {
    let moved = "opt/site-packages/six.dist-info/METADATA";
    let layers = [
        vec![file(SIX, metadata("six", "1"))],
        vec![Whiteout("usr/lib/python3/site-packages"), file(moved, metadata("six", "1"))],
    ];
    // It is there: its old place is no news.
    shows(&layers, &[&format!("pypi six 1 /{moved}")], &[]);
}

#[test]
fn a_package_whose_directory_or_file_a_later_layer_removes_is_gone() {
    for gone in [
        SIX,
        "usr/lib/python3/site-packages/six.dist-info",
        "usr/lib/python3",
        "usr/lib/python3/site-packages",
    ] {
        let layers = [vec![file(SIX, metadata("six", "1")), file("srv/a", "")], vec![Whiteout(gone)]];
        shows(&layers, &[], &[&format!("pypi six 1 /{SIX}")]);
    }
    let layers = [
        vec![file(SIX, metadata("six", "1"))],
        vec![Opaque("usr/lib/python3"), file("usr/lib/python3/a", "")],
    ];
    shows(&layers, &[], &[&format!("pypi six 1 /{SIX}")]);
}

#[test]
fn a_package_of_which_a_later_layer_removes_other_files_only_is_still_evident() {
    let record = "usr/lib/python3/site-packages/six.dist-info/RECORD";
    let layers = [vec![file(SIX, metadata("six", "1")), file(record, "")], vec![Whiteout(record)]];
    shows(&layers, &[&format!("pypi six 1 /{SIX}")], &[]);
}

#[test]
fn a_package_of_which_a_later_layer_leaves_the_metadata_only_is_marked() {
    let record = "usr/lib/python3/site-packages/six.dist-info/RECORD";
    let module = "usr/lib/python3/site-packages/six/__init__.py";
    let base = || {
        vec![
            file(SIX, metadata("six", "1")),
            file(record, "six/__init__.py,,\nsix.dist-info/RECORD,,\n"),
            file(module, ""),
        ]
    };
    let gone = |layers: &[Vec<Step>]| {
        let facts: Vec<_> = layers.iter().map(|steps| facts_of(&tar(steps))).collect();
        let inventory = image::fold(&facts, "test", &|| Ok(Vec::new()));
        inventory.packages.iter().map(|at| at.files_gone).collect::<Vec<_>>()
    };
    assert_eq!(gone(&[base()]), [false]);
    assert_eq!(gone(&[base(), vec![Whiteout(module)]]), [true]);
    assert_eq!(gone(&[base(), vec![Whiteout("usr/lib/python3/site-packages/six")]]), [true]);
}

#[test]
fn the_newest_database_wins_whole() {
    const STATUS: &str = "var/lib/dpkg/status";
    let layers = [
        vec![file(STATUS, dpkg(&[("a", "1"), ("b", "1"), ("c", "1")]))],
        vec![file(STATUS, dpkg(&[("a", "2"), ("c", "1")]))],
    ];
    shows(
        &layers,
        &[&format!("deb a 2 /{STATUS}"), &format!("deb c 1 /{STATUS}")],
        &[&format!("deb a 1 /{STATUS}"), &format!("deb b 1 /{STATUS}")],
    );
    const APK: &str = "lib/apk/db/installed";
    let of = |version: &str| format!("P:musl\nV:{version}\nA:x86_64\n\n");
    let layers = [vec![file(APK, of("1.2.4-r0"))], vec![file(APK, of("1.2.5-r0"))], vec![file("a/b", "")]];
    shows(&layers, &[&format!("apk musl 1.2.5-r0 /{APK}")], &[&format!("apk musl 1.2.4-r0 /{APK}")]);
}

#[test]
fn one_of_many_files_of_a_database_may_be_removed_or_replaced() {
    const A: &str = "var/lib/dpkg/status.d/a";
    const B: &str = "var/lib/dpkg/status.d/b";
    let of = |name, version| format!("Package: {name}\nVersion: {version}\nArchitecture: all\n");
    let base = || vec![file(A, of("a", "1")), file(B, of("b", "1"))];
    let layers = [base(), vec![Whiteout(A), file(B, of("b", "2"))]];
    shows(&layers, &[&format!("deb b 2 /{B}")], &[&format!("deb a 1 /{A}"), &format!("deb b 1 /{B}")]);
    let layers = [base(), vec![Whiteout("var/lib/dpkg/status.d")]];
    shows(&layers, &[], &[&format!("deb a 1 /{A}"), &format!("deb b 1 /{B}")]);
    // Removed and made anew: what is written there later is there alone.
    let layers = [base(), vec![Opaque("var/lib/dpkg/status.d"), file(B, of("b", "1"))]];
    shows(&layers, &[&format!("deb b 1 /{B}")], &[&format!("deb a 1 /{A}")]);
}

#[test]
fn a_jar_that_becomes_a_directory_is_what_the_directory_holds() {
    const JAR: &str = "srv/app.jar";
    const INSIDE: &str = "srv/app.jar/META-INF/maven/org.example/b/pom.properties";
    let properties = "groupId=org.example\nartifactId=b\nversion=2\n";
    let layers = [vec![file(JAR, jar("a", "1"))], vec![file(INSIDE, properties)]];
    shows(
        &layers,
        &[&format!("maven org.example:b 2 /{INSIDE}")],
        &[&format!("maven org.example:a 1 /{JAR}")],
    );
    let layers = [vec![file(INSIDE, properties)], vec![file(JAR, jar("a", "1"))]];
    shows(
        &layers,
        &[&format!("maven org.example:a 1 /{JAR}")],
        &[&format!("maven org.example:b 2 /{INSIDE}")],
    );
}

#[test]
fn a_file_in_the_place_of_a_directory_hides_what_was_in_it() {
    const PACKAGE: &str = "srv/node_modules/a/package.json";
    let layers = [
        vec![file(PACKAGE, r#"{"name":"a","version":"1.0.0"}"#)],
        vec![file("srv/node_modules/a", "not a directory")],
    ];
    shows(&layers, &[], &[&format!("npm a 1.0.0 /{PACKAGE}")]);
}

#[test]
fn what_is_removed_and_installed_again_is_there_once() {
    let layers = [
        vec![file(SIX, metadata("six", "1"))],
        vec![Whiteout("usr/lib/python3/site-packages/six.dist-info")],
        vec![file(SIX, metadata("six", "1"))],
    ];
    shows(&layers, &[&format!("pypi six 1 /{SIX}")], &[]);
}
