//! The bundled node: a disk that a real containerd wrote, held against what the kernel and the guests' own
//! tools said of it (scripts/make-demo.sh).

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use icecore::{
    block::{self, Stream},
    fs::{FileKind, Handle},
    report::{self, Report, Status},
    scan::{self, Inputs, Options, Where},
    vuln::{Database, feeds},
};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// One image of truth.json.
#[derive(Deserialize)]
struct Truth {
    id: String,
    manifest: String,
    layers: Vec<String>,
    packages: std::collections::BTreeMap<String, Vec<(String, String)>>,
    files: Vec<Vec<Value>>,
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/demo").join(name)
}

fn inputs() -> Inputs {
    Inputs { disks: vec![fixture("node.qcow2")], ..Inputs::default() }
}

fn options() -> Options {
    let database = Database::open(block::open(&fixture("advisories.db")).unwrap()).unwrap();
    Options { inputs: inputs(), database: Some(Arc::new(database)), reproducible: true, ..Options::default() }
}

pub(crate) fn scan_demo() -> Report {
    scan::scan(&options(), &scan::Silent).unwrap()
}

fn truth() -> Vec<Truth> {
    let packed = std::fs::read(fixture("truth.json.zst")).unwrap();
    serde_json::from_slice(&zstd::decode_all(packed.as_slice()).unwrap()).unwrap()
}

fn names(packages: &[report::Package], kind: &str) -> BTreeSet<(String, String)> {
    let own = packages.iter().filter(|package| package.kind.text() == kind);
    own.map(|package| (package.name.clone(), package.version.clone())).collect()
}

#[test]
fn every_image_has_the_packages_that_its_own_tools_list() {
    let report = scan_demo();
    assert_eq!(report.verdict.status, Status::Complete, "{:?}", report.gaps);
    let truth = truth();
    assert_eq!(report.images.len(), truth.len());
    for expected in truth {
        let image = report.images.iter().find(|image| image.id == expected.id).unwrap();
        assert!(image.manifests.contains(&expected.manifest));
        let layers: Vec<_> = image.layers.iter().map(|layer| layer.diff_id.clone()).collect();
        assert_eq!(layers, expected.layers);
        for kind in ["deb", "rpm", "pypi", "npm"] {
            let wanted: BTreeSet<_> = expected.packages.get(kind).into_iter().flatten().cloned().collect();
            assert_eq!(
                names(image.packages.as_deref().unwrap(), kind),
                wanted,
                "{:?} {kind}",
                image.references
            );
        }
    }
}

#[test]
fn every_file_of_every_image_is_the_kernels() {
    let node = scan::open(&inputs()).unwrap();
    let mut compared = 0;
    for image in truth() {
        let root = scan::view(&node, &Where::Image(image.id.clone())).unwrap();
        let mut found = Vec::new();
        list(&root.top(), &mut found);
        found.sort_by(|a, b| a[0].as_str().cmp(&b[0].as_str()));
        compared += found.len();
        assert_eq!(found, image.files, "{}", image.id);
    }
    assert!(compared > 1000, "{compared}");
}

/// Rows as scripts/truth.py makes them.
pub(crate) fn list(dir: &Handle, rows: &mut Vec<Vec<Value>>) {
    let listing = dir.read_dir().unwrap();
    assert!(listing.damage.is_empty());
    for entry in listing.entries {
        let file = Handle { fs: dir.fs.clone(), ino: entry.ino, path: dir.path.join(&entry.name) };
        let stat = file.stat().unwrap();
        let letter = if stat.kind == FileKind::Regular { '-' } else { stat.kind.letter() };
        let mut row: Vec<Value> = vec![file.path.to_string().into(), mode(letter, stat.mode).into()];
        match stat.kind {
            FileKind::Regular => {
                let mut sum = Sha256::new();
                io::copy(&mut Stream::new(file.open().unwrap()), &mut sum).unwrap();
                let digest: String = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
                row.extend([stat.size.into(), digest.into()]);
            }
            FileKind::Symlink => {
                let target = file.fs.read_link(file.ino).unwrap();
                row.push(String::from_utf8(target).unwrap().into());
            }
            FileKind::Directory => list(&file, rows),
            _ => {}
        }
        rows.push(row);
    }
}

/// As `ls -l` spells a mode.
fn mode(letter: char, bits: u32) -> String {
    let mut text = String::from(letter);
    for (shift, special, mark) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let triple = bits >> shift;
        text.push(if triple & 4 != 0 { 'r' } else { '-' });
        text.push(if triple & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & special != 0, triple & 1 != 0) {
            (true, true) => mark,
            (true, false) => mark.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[test]
fn containers_and_pods_are_the_runtimes_own() {
    let report = scan_demo();
    let load = |name| -> Value { serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap() };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let containers: BTreeSet<_> = load("containers.json")
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (text(&c["id"]), text(&c["metadata"]["name"]), text(&c["image_ref"])))
        .collect();
    let found: BTreeSet<_> =
        report.containers.iter().map(|c| (c.id.clone(), c.name.clone(), c.image.clone())).collect();
    assert_eq!(found, containers);
    let sandboxes: BTreeSet<String> = report.sandboxes.iter().map(|sandbox| sandbox.id.clone()).collect();
    assert_eq!(sandboxes, report.pods.iter().map(|pod| pod.sandbox.clone()).collect());
    let pods: BTreeSet<_> = load("pods.json")
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["metadata"])
        .map(|m| (text(&m["namespace"]), text(&m["name"]), text(&m["uid"])))
        .collect();
    let found: BTreeSet<_> =
        report.pods.iter().map(|p| (p.namespace.clone(), p.name.clone(), p.uid.clone())).collect();
    assert_eq!(found, pods);
}

#[test]
fn what_a_container_changed_is_told() {
    let report = scan_demo();
    let web = report.containers.iter().find(|container| container.name == "app").unwrap();
    assert_eq!(web.state, "running");
    assert_eq!(web.changes.as_ref().unwrap().deleted, 1, "printf was removed");
    assert_eq!(
        names(web.packages_added.as_deref().unwrap(), "pypi"),
        BTreeSet::from([("evil".to_owned(), "9.9".to_owned())])
    );
    let front = report.containers.iter().find(|container| container.name == "front").unwrap();
    assert_eq!((front.state.as_str(), front.packages_added.as_ref().map(Vec::len)), ("exited", Some(0)));
}

#[test]
fn what_only_a_lock_file_names_is_matched_if_somebody_asks() {
    let findings = |declared: bool| {
        let report = scan::scan(&Options { declared, ..options() }, &scan::Silent).unwrap();
        let declared = report.findings().filter(|(_, finding)| finding.declared);
        let packages: BTreeSet<String> = declared.map(|(_, finding)| finding.package.clone()).collect();
        (report.findings().count(), packages)
    };
    let (there, none) = findings(false);
    let (all, declared) = findings(true);
    assert_eq!((none.len(), all), (0, there + 11));
    let expected = ["%40hapi/hoek@9.0.0", "axios@0.21.1", "lodash@4.17.15", "minimist@1.2.0"];
    assert_eq!(declared, expected.map(|name| format!("pkg:npm/{name}")).into());
}

#[test]
fn findings_say_why_and_what_is_exploited() {
    let report = scan_demo();
    let alma = report
        .images
        .iter()
        .find(|image| image.references.contains(&"registry.example/legacy/alma:9".into()));
    let looney =
        alma.unwrap().findings.iter().flatten().find(|finding| finding.id == "CVE-2023-4911").unwrap();
    assert_eq!(looney.fixed_in, ["2.34-60.el9_2.7"]);
    assert!(looney.kev.is_some() && looney.epss.is_some());
    assert_eq!(looney.why[0].scheme, "rpm");
    assert!(looney.why[0].version.ends_with("2.34-28.el9_0"));
    let npm = report.images.iter().flat_map(|image| image.findings.iter().flatten());
    assert!(npm.clone().any(|finding| finding.package == "pkg:npm/lodash@4.17.15"));
    assert!(!npm.clone().any(|f| f.package.starts_with("pkg:npm/minimist") && f.id.is_empty()));
}

#[test]
fn the_report_is_the_same_whatever_the_number_of_threads() {
    let text = |threads| {
        scan::on_threads(Some(threads), || {
            let mut text = Vec::new();
            let report = scan::scan(&options(), &scan::Silent).unwrap();
            scan::json(&report, &mut text).unwrap();
            assert!(text == serde_json::to_vec_pretty(&report).unwrap(), "{threads} threads");
            text
        })
    };
    let one = text(1);
    for threads in [2, 8] {
        assert!(text(threads) == one, "{threads} threads");
    }
}

#[test]
fn a_cache_changes_nothing_but_the_work() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        cache: Some(dir.path().to_owned()),
        cache_unpacked: true,
        reproducible: false,
        ..options()
    };
    let run = || {
        let mut report = scan::scan(&options, &scan::Silent).unwrap();
        let cached = report.stats.layers_cached.take().unwrap();
        let read = report.stats.bytes_read.take().unwrap();
        report.stats.reads = None;
        (serde_json::to_vec(&report).unwrap(), cached, read)
    };
    let (cold, none, much) = run();
    let (warm, all, little) = run();
    assert_eq!(none, 0);
    assert!(all >= 6, "{all}");
    assert!(little < much);
    assert!(cold == warm);
}

#[test]
fn reports_and_records_validate_against_their_schemas() {
    let report = scan_demo();
    let schema = serde_json::to_value(report::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let value = serde_json::to_value(&report).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).take(5).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(serde_json::from_value::<Report>(value).unwrap(), report);

    let mut lines = Vec::new();
    report::ndjson(&report, &mut lines).unwrap();
    let schema = serde_json::to_value(report::record_schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let records: Vec<Value> = lines
        .split(|byte| *byte == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    for record in &records {
        let errors: Vec<String> =
            validator.iter_errors(record).map(|error| error.to_string()).take(5).collect();
        assert!(errors.is_empty(), "{record}: {errors:?}");
    }
    assert_eq!(records.last().unwrap()["kind"], "verdict");
    let (declared, there): (Vec<_>, Vec<_>) = records
        .iter()
        .filter(|record| record["kind"] == "package")
        .partition(|record| record["declared"] == true);
    let removed = report
        .containers
        .iter()
        .map(|container| container.packages_removed.iter().flatten().count())
        .sum::<usize>();
    assert_eq!(there.len() as u64, report.stats.packages.unwrap() + removed as u64);
    assert_eq!(
        declared.len(),
        report.images.iter().map(|image| image.packages_declared.len()).sum::<usize>()
    );
    assert!(!declared.is_empty());
}

#[test]
fn the_bundled_database_is_built_from_the_bundled_feeds() {
    let (bytes, summary) = feeds::build(&fixture("feeds"), &[]).unwrap();
    assert_eq!(summary.problems, []);
    assert!(
        bytes == std::fs::read(fixture("advisories.db")).unwrap(),
        "run scripts/make-demo-feeds.py again"
    );
}

#[test]
fn files_whose_data_never_reached_the_disk_are_read_from_blobs() {
    let crash = Inputs { disks: vec![fixture("crash.qcow2")], ..Inputs::default() };
    let crash = scan::scan(&Options { inputs: crash, ..options() }, &scan::Silent).unwrap();
    let demo = scan_demo();
    let by_reference = |report: &Report| {
        let package = |package: &report::Package| (package.name.clone(), package.version.clone());
        let packages =
            |image: &report::Image| image.packages.iter().flatten().map(package).collect::<Vec<_>>();
        report.images.iter().map(|image| (image.references.clone(), packages(image))).collect::<BTreeSet<_>>()
    };
    assert_eq!(by_reference(&crash), by_reference(&demo));
    let blobs = crash.images.iter().flat_map(|image| &image.layers);
    assert!(blobs.filter(|layer| layer.source == report::LayerSource::Blob).count() > 10);
    // The node's own files have no second source: that is said.
    let codes: Vec<_> = crash.gaps.iter().map(|gap| (gap.code.text(), gap.subject.as_str())).collect();
    assert_eq!(codes, [("zero-length-files", "node")]);
    assert_eq!(crash.verdict.status, Status::Partial);
}

#[test]
fn a_file_whose_data_never_reached_the_disk_is_shown_from_its_blob() {
    let show = |disk: &str| {
        let disk = fixture(disk);
        let image = ["--image", "registry.example/shop/web:1.1"];
        let run = |command: &str, path: &str| {
            let args = [&[command][..], &image[..], &[disk.to_str().unwrap(), path][..]].concat();
            let run = std::process::Command::new(env!("CARGO_BIN_EXE_icecore")).args(args).output().unwrap();
            assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
            run.stdout
        };
        (run("cat", "/etc/os-release"), run("hash", "/etc"))
    };
    let shown = show("crash.qcow2");
    assert!(!shown.0.is_empty());
    assert_eq!(shown, show("node.qcow2"));
}
