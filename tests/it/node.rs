//! Nodes of every kind (`scripts/make-nodes.sh`), each against what lies beside its disks: the verdict with its reasons and what
//! shows them, the exit code, the mounts, where the runtimes' state was found, and every gap.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use icecore::{
    block::{Memory, Source},
    gap::Code,
    node::NodeFacts,
    report::{self, Report, Status},
    scan::{self, Inputs, OpenError, Options},
    volume,
};
use serde::Deserialize;
use serde_json::Value;

/// What is to be found on the disks of a node.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    disks: Vec<String>,
    exit: i32,
    status: Status,
    /// Codes, and what their evidence begins with.
    #[serde(default)]
    reasons: Vec<(Code, String)>,
    /// Codes, subjects, and a part of what was seen.
    #[serde(default)]
    gaps: Vec<(Code, String, String)>,
    os: Option<String>,
    os_version: Option<String>,
    hostname: Option<String>,
    /// Places and volumes.
    #[serde(default)]
    mounts: Vec<(String, String)>,
    /// Names, volumes that are not mounted, places.
    runtimes: Vec<(String, Option<String>, String)>,
}

/// The bundled disks, or those that were made just now (`$ICECORE_NODES`).
fn fixture(name: &str) -> PathBuf {
    let made = std::env::var_os("ICECORE_NODES").map(PathBuf::from);
    made.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/nodes")).join(name)
}

fn disks(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| fixture(&format!("{name}.qcow2"))).collect()
}

fn options(names: &[&str]) -> Options {
    let inputs = Inputs { disks: disks(names), ..Inputs::default() };
    Options { inputs, reproducible: true, ..Options::default() }
}

fn scan_of(names: &[&str]) -> Report {
    scan::scan(&options(names), &scan::Silent).unwrap()
}

fn icecore(words: &[&str], disks: &[PathBuf]) -> (Option<i32>, Vec<u8>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_icecore"));
    let done = command.args(words).args(disks).output().unwrap();
    (done.status.code(), done.stdout)
}

#[test]
fn every_node_is_what_it_was_made_to_be() {
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(fixture("")).unwrap().map(|e| e.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|end| end == "json"));
    cases.sort();
    assert!(cases.len() > 40, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let name = case.file_stem().unwrap().to_string_lossy().into_owned();
        let expected: Expected = serde_json::from_slice(&std::fs::read(&case).unwrap()).unwrap();
        let names: Vec<&str> = expected.disks.iter().map(String::as_str).collect();
        let words = ["scan", "--no-vulnerabilities", "--reproducible", "-q", "-f", "json"];
        let (code, out) = icecore(&words, &disks(&names));
        let report: Report = serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut check = |what: &str, found: String, wanted: String| {
            if found != wanted {
                wrong.push(format!("{name}: {what}\n   found {found}\n  wanted {wanted}"));
            }
        };
        check("exit", format!("{code:?}"), format!("{:?}", Some(expected.exit)));
        check("status", format!("{:?}", report.verdict.status), format!("{:?}", expected.status));
        // What begins or contains what is wanted is shown as that.
        let reasons: Vec<(Code, String)> = (0..)
            .zip(&report.verdict.reasons)
            .map(|(n, reason)| {
                let wanted = expected.reasons.get(n).filter(|(_, text)| reason.evidence.starts_with(text));
                (reason.code, wanted.map_or_else(|| reason.evidence.clone(), |(_, text)| text.clone()))
            })
            .collect();
        check("reasons", format!("{reasons:?}"), format!("{:?}", expected.reasons));
        let gaps: Vec<(Code, String, String)> = (0..)
            .zip(&report.gaps)
            .map(|(n, gap)| {
                let wanted = expected.gaps.get(n).filter(|(.., text)| gap.detail.contains(text));
                let detail = wanted.map_or_else(|| gap.detail.clone(), |(.., text)| text.clone());
                (gap.code, gap.subject.clone(), detail)
            })
            .collect();
        check("gaps", format!("{gaps:?}"), format!("{:?}", expected.gaps));
        let os = report.node.os.as_ref();
        check("os", format!("{:?}", os.map(|os| os.id.clone())), format!("{:?}", expected.os));
        if expected.os_version.is_some() {
            let version = os.and_then(|os| os.version_id.clone());
            check("version", format!("{version:?}"), format!("{:?}", expected.os_version));
        }
        if expected.hostname.is_some() {
            check("hostname", format!("{:?}", report.node.hostname), format!("{:?}", expected.hostname));
        }
        let mounts: Vec<_> =
            report.node.mounts.iter().map(|mount| (mount.path.clone(), mount.volume.clone())).collect();
        check("mounts", format!("{mounts:?}"), format!("{:?}", expected.mounts));
        let runtimes: Vec<_> = report
            .node
            .runtimes
            .iter()
            .map(|runtime| (runtime.name.clone(), runtime.volume.clone(), runtime.path.clone()))
            .collect();
        check("runtimes", format!("{runtimes:?}"), format!("{:?}", expected.runtimes));
        // The store of every node that is analyzed holds the same image.
        let has_store = expected.runtimes.iter().any(|(name, ..)| name == "containerd");
        let packages: Vec<&str> = report
            .images
            .iter()
            .flat_map(|image| image.packages.iter().flatten())
            .map(|p| p.name.as_str())
            .collect();
        let wanted: &[&str] = if has_store && expected.exit != 4 { &["musl"] } else { &[] };
        check("packages", format!("{packages:?}"), format!("{wanted:?}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_packages_of_containers_are_not_the_nodes() {
    for names in
        [&["cos"][..], &["bottlerocket", "bottlerocket-data"], &["bind", "data"], &["rhcos"], &["talos"]]
    {
        assert_eq!(scan_of(names).node.packages.as_deref(), Some(&[][..]), "{names:?}");
    }
}

/// The reasons for which a directory with these files, given as a node's root, is skipped.
fn reasons_of(files: &[(&str, &str)]) -> Vec<(Code, String)> {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files.iter().chain([&("etc/os-release", "ID=debian\n"), &("etc/fstab", "")]) {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let inputs = Inputs { disks: vec![dir.path().to_owned()], ..Inputs::default() };
    let report = scan::scan(&Options { inputs, ..Options::default() }, &scan::Silent).unwrap();
    assert_eq!(report.verdict.status, Status::Skipped);
    report.verdict.reasons.into_iter().map(|reason| (reason.code, reason.evidence)).collect()
}

#[test]
fn a_node_is_skipped_for_what_was_seen_of_it() {
    let config = ("etc/containerd/config.toml", "root = \"/var/lib/containerd\"\n");
    let one = |files: &[(&str, &str)]| {
        let reasons = reasons_of(files);
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        reasons.into_iter().next().unwrap()
    };
    assert_eq!(one(&[]).0, Code::NoContainerRuntime);
    let containers = [("var/lib/lxc/a/config", ""), ("var/lib/lxc/b/config", "")];
    assert_eq!(one(&containers), (Code::UnsupportedRuntime, "lxc:/var/lib/lxc/a, and 1 more".to_owned()));
    // The usual place, in which a runtime that never ran has made nothing.
    assert_eq!(one(&[config]).0, Code::NoContainerRuntime);
    let elsewhere = ("etc/docker/daemon.json", "{\"data-root\": \"/mnt/data/docker\"}");
    assert_eq!(one(&[elsewhere, ("mnt/data/x", "")]).0, Code::MissingDisk);
}

#[test]
fn facts_skip_a_node_before_a_byte_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.json");
    let facts = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let (code, out) = icecore(
            &["scan", "--no-vulnerabilities", "-q", "-f", "json", "--node-facts", path.to_str().unwrap()],
            &disks(&["aks-managed"]),
        );
        (code, serde_json::from_slice::<Value>(&out).ok())
    };
    for (text, code) in [
        (r#"{"os_type":"Windows"}"#, "windows-node"),
        (r#"{"os_type":"freebsd"}"#, "unsupported-node"),
        (r#"{"os_type":"Linux","os_disk_type":"Ephemeral"}"#, "ephemeral-os-disk"),
        (r#"{"disks":[{"name":"os-1","role":"os","encryption":"guest"}]}"#, "encrypted-volume"),
    ] {
        let (exit, report) = facts(text);
        let report = report.unwrap();
        assert_eq!(exit, Some(4), "{text}");
        assert_eq!(report["verdict"]["status"], "skipped");
        assert_eq!(report["verdict"]["reasons"][0]["code"], code);
        assert!(report["verdict"]["reasons"][0]["evidence"].as_str().unwrap().starts_with("node facts: "));
        assert_eq!(report["stats"]["bytes_read"], 0, "{text}");
        assert_eq!(report["stats"]["reads"], 0, "{text}");
        // Not even opened: the disk need not be there.
        let options = Options {
            inputs: Inputs { disks: vec![fixture("no-such-disk.qcow2")], ..Inputs::default() },
            facts: NodeFacts::parse(text.as_bytes()).unwrap(),
            ..Options::default()
        };
        assert_eq!(scan::scan(&options, &scan::Silent).unwrap().verdict.status, Status::Skipped);
    }
    for text in [
        "{}",
        r#"{"os_type":"linux","os_disk_type":"managed","power_state":"running","disks":[{"name":"a","role":"os","sku":"Premium_LRS","size_gib":128,"encryption":"platform"},{"name":"b","role":"data","encryption":"guest"}]}"#,
    ] {
        let (exit, report) = facts(text);
        assert_eq!((exit, report.unwrap()["stats"]["bytes_read"].as_u64().unwrap() > 0), (Some(0), true));
    }
    for text in
        ["", "{", "[]", "null", r#"{"osType":"linux"}"#, r#"{"os_disk_type":"efemeral"}"#, r#"{"os_type":7}"#]
    {
        let (exit, report) = facts(text);
        assert_eq!((exit, report.is_none()), (Some(2), true), "{text}");
    }
    let none = ["scan", "--no-vulnerabilities", "--node-facts", "/nonexistent.json"];
    assert_eq!(icecore(&none, &disks(&["aks-managed"])).0, Some(2));
}

#[test]
fn bounds_of_the_caller_skip_a_node_that_keeps_its_name() {
    let scan = |bound: [&str; 2]| {
        let words = ["scan", "--no-vulnerabilities", "-q", "-f", "json", bound[0], bound[1]];
        let (code, out) = icecore(&words, &disks(&["aks-managed"]));
        (code, serde_json::from_slice::<Value>(&out).unwrap())
    };
    for (bound, reason) in
        [(["--max-disks", "0"], "too-many-disks"), (["--max-disk-size", "1MiB"], "disk-too-large")]
    {
        let (code, report) = scan(bound);
        assert_eq!(code, Some(4), "{bound:?}");
        assert_eq!(report["verdict"]["status"], "skipped");
        assert_eq!(report["verdict"]["reasons"][0]["code"], reason);
        assert!(report["node"]["os"]["id"].is_string() && report["node"]["hostname"].is_string(), "{report}");
        assert!(report["images"].as_array().unwrap().is_empty());
    }
    for bound in [["--max-disks", "1"], ["--max-disk-size", "1TiB"]] {
        assert_eq!(scan(bound).0, Some(0), "{bound:?}");
    }
    let words = ["scan", "--no-vulnerabilities", "--max-disk-size", "1 parsec"];
    assert_eq!(icecore(&words, &disks(&["aks-managed"])).0, Some(2));
}

#[test]
fn a_named_snapshot_is_that_of_the_disks_that_have_it() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/demo/node.qcow2");
    let raw = |dir: &Path| {
        let path = dir.join("data.raw");
        std::fs::write(&path, vec![0; 1 << 20]).unwrap();
        path
    };
    let dir = tempfile::tempdir().unwrap();
    let open = |disks: Vec<PathBuf>| {
        scan::open(&Inputs { disks, snapshot: Some("before".to_owned()), ..Inputs::default() })
    };
    let packed = fixture("snapshot.qcow2");
    let told = |disks: Vec<PathBuf>| -> Vec<(Code, String)> {
        let gaps = open(disks).unwrap().gaps;
        let of_disks = gaps.iter().filter(|gap| gap.code == Code::DiskSnapshotMissing);
        of_disks.map(|gap| (gap.code, gap.subject.clone())).collect()
    };
    assert_eq!(told(vec![packed.clone()]), []);
    let missing = |id: &str| (Code::DiskSnapshotMissing, id.to_owned());
    assert_eq!(told(vec![packed.clone(), raw(dir.path())]), [missing("disk1")]);
    assert_eq!(told(vec![raw(dir.path()), packed.clone()]), [missing("disk0")]);
    assert_eq!(told(vec![demo.clone(), packed.clone()]), [missing("disk0")]);
    assert_eq!(open(vec![packed.clone()]).unwrap().machine.hostname.as_deref(), Some("before"));
    let now = scan::open(&Inputs { disks: vec![packed], ..Inputs::default() }).unwrap();
    assert_eq!(now.machine.hostname.as_deref(), Some("after"));
    for disks in [vec![demo.clone()], vec![raw(dir.path())], vec![raw(dir.path()), demo]] {
        let Err(OpenError::NotADisk { path, problem }) = open(disks) else { panic!("opened") };
        assert_eq!(path, "--disk-snapshot");
        assert!(problem.contains("no snapshot \"before\""), "{problem}");
    }
}

#[test]
fn the_tree_leads_from_disks_to_mounts() {
    let inspect =
        |names: &[&str]| scan::inspect(&Inputs { disks: disks(names), ..Inputs::default() }).unwrap();
    let report = inspect(&["lvm"]);
    let mut out = Vec::new();
    report::table(&report, report::Style { colour: false, width: 100 }, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    for line in [
        "└─ disk0p2  8.0 MiB · 00000902-1111-4222-8333-444444444444",
        "   └─ LVM2 physical volume",
        "      ├─ vg-node/root  1.0 MiB",
        "      │     └─ /  root",
        "            └─ /var  /dev/vg-node/var",
    ] {
        assert!(out.lines().any(|found| found.starts_with(line)), "{line}\n{out}");
    }
    // Every volume and every mount is in it, whatever the node.
    for names in
        [&["lvm"][..], &["fcos"], &["bottlerocket", "bottlerocket-data"], &["talos"], &["eks"], &["luks"]]
    {
        let report = inspect(names);
        let schema = serde_json::to_value(report::schema()).unwrap();
        let value = serde_json::to_value(&report).unwrap();
        let errors: Vec<_> =
            jsonschema::validator_for(&schema).unwrap().iter_errors(&value).map(|e| e.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
        let mut shown = Vec::new();
        let mut todo: Vec<&report::Branch> = report.node.tree.iter().collect();
        while let Some(branch) = todo.pop() {
            shown.push((branch.kind, branch.name.clone()));
            todo.extend(&branch.children);
        }
        for volume in &report.node.volumes {
            let is_branch = |kind| !matches!(kind, report::BranchKind::Content | report::BranchKind::Mount);
            let of = shown.iter().filter(|(kind, name)| is_branch(*kind) && *name == volume.id);
            assert_eq!(of.count(), 1, "{}", volume.id);
        }
        for mount in &report.node.mounts {
            assert!(shown.contains(&(report::BranchKind::Mount, mount.path.clone())), "{}", mount.path);
        }
    }
    assert!(scan_of(&["lvm"]).node.tree.is_empty());
}

#[test]
fn what_other_tools_made_is_called_by_its_name() {
    let found = |name: &str| {
        let packed = std::fs::read(fixture(&format!("signatures/{name}.zst"))).unwrap();
        let source: Source = Arc::new(Memory::new(zstd::decode_all(&*packed).unwrap()));
        volume::signature(&source).map(|found| (found.name, found.code))
    };
    let volume = Some(Code::UnsupportedVolume);
    for (name, expected) in [
        ("swap", ("swap", None)),
        ("swap-16k", ("swap", None)),
        ("ufs1", ("UFS", Some(Code::UnsupportedFileSystem))),
        ("ufs2", ("UFS", Some(Code::UnsupportedFileSystem))),
        ("dm-verity", ("dm-verity hash device", volume)),
        ("bcache", ("bcache", volume)),
        ("zfs", ("ZFS member", volume)),
        ("apfs", ("APFS", Some(Code::UnsupportedFileSystem))),
        ("drbd-v08", ("DRBD", volume)),
        ("drbd-v09", ("DRBD", volume)),
    ] {
        assert_eq!(found(name), Some(expected), "{name}");
    }
}

/// The bytes of a packed fixture.
fn unpacked(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures").join(format!("{name}.zst"));
    zstd::decode_all(&*std::fs::read(path).unwrap()).unwrap()
}

/// A file system that is there and cannot be opened is called by its name, and the gap says why.
#[test]
fn a_file_system_that_cannot_be_opened_keeps_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let opened = |disks: &[Vec<u8>]| {
        let paths = disks.iter().enumerate().map(|(number, bytes)| {
            let path = dir.path().join(format!("disk{number}.img"));
            std::fs::write(&path, bytes).unwrap();
            path
        });
        scan::open(&Inputs { disks: paths.collect(), ..Inputs::default() }).unwrap()
    };
    let seen = |disks: &[Vec<u8>]| -> (Vec<String>, Vec<(Code, String)>) {
        let node = opened(disks);
        assert!(node.file_systems.is_empty());
        (
            node.volumes.iter().map(|volume| volume.content.clone()).collect(),
            node.gaps.iter().map(|gap| (gap.code, gap.detail.clone())).collect(),
        )
    };
    // A bit of s_feature_incompat that has no meaning yet; the high byte of s_major.
    for (name, kind, at, code, says) in [
        ("ext4/ext2-1k.img", "ext4", 1024 + 96 + 3, Code::UnsupportedFeature, "ext4 feature FEATURE_I31"),
        ("squashfs/squashfs-gzip.img", "squashfs", 29, Code::UnsupportedFeature, "squashfs version"),
    ] {
        let mut disk = unpacked(name);
        disk[at] |= 0x80;
        let (content, gaps) = seen(&[disk]);
        assert_eq!(content, [kind]);
        assert!(gaps.len() == 1 && gaps[0].0 == code && gaps[0].1.starts_with(says), "{gaps:?}");
    }
    // Devices of one file system, of which nothing but what tells that is left.
    let devices = [1, 2].map(|number| {
        let mut disk = unpacked(&format!("btrfs/raid.disk{number}"));
        disk[0x1_1000..0x400_0000].fill(0);
        disk[0x400_1000..].fill(0);
        disk
    });
    let (content, gaps) = seen(&devices);
    assert_eq!(content, ["btrfs"; 2]);
    assert_eq!(gaps.iter().filter(|(code, _)| *code == Code::CorruptStructure).count(), 2, "{gaps:?}");
}

#[test]
fn what_is_to_be_told_of_a_file_system_in_a_file_is_told() {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/fat/in-use-fat-16-flush.img.zst");
    let image = zstd::decode_all(&*std::fs::read(image).unwrap()).unwrap();
    let root = tempfile::tempdir().unwrap();
    for (path, bytes) in [
        ("etc/os-release", b"ID=debian\n".as_slice()),
        ("etc/fstab", b"/srv/fat.img /mnt/fat vfat loop 0 0\n"),
        ("srv/fat.img", image.as_slice()),
    ] {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let inputs = Inputs { disks: vec![root.path().to_owned()], ..Inputs::default() };
    let report = scan::inspect(&inputs).unwrap();
    assert!(report.node.mounts.iter().any(|mount| mount.path == "/mnt/fat"));
    let of_file = report.gaps.iter().filter(|gap| gap.path.as_deref() == Some("/srv/fat.img"));
    assert_eq!(of_file.map(|gap| gap.code).collect::<Vec<_>>(), [Code::DirtyImage]);
}

#[test]
fn a_file_system_in_a_file_is_mounted_as_a_snap_is() {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/squashfs/squashfs-gzip.img.zst");
    let image = zstd::decode_all(&*std::fs::read(image).unwrap()).unwrap();
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, bytes: &[u8]| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let unit = |file: &str, at: &str| {
        format!(
            "[Mount]\nWhat=/var/lib/snapd/snaps/{file}.snap\nWhere={at}\nType=squashfs\nOptions=nodev,ro\n"
        )
    };
    write("etc/os-release", b"ID=ubuntu\nVERSION_ID=\"24.04\"\n");
    write("var/lib/snapd/snaps/core_1.snap", &image);
    write("var/lib/snapd/snaps/cut_2.snap", &image[..64]);
    for (name, at) in [("core_1", "/snap/core/1"), ("cut_2", "/snap/cut/2"), ("gone_3", "/snap/gone/3")] {
        let unit = unit(name, at);
        let path = at[1..].replace('/', "-");
        write(&format!("etc/systemd/system/{path}.mount"), unit.as_bytes());
    }
    std::fs::create_dir_all(root.path().join("snap/core/1")).unwrap();
    let inputs = Inputs { disks: vec![root.path().to_owned()], ..Inputs::default() };
    let report = scan::inspect(&inputs).unwrap();
    let mounts: Vec<_> =
        report.node.mounts.iter().map(|mount| (mount.path.as_str(), mount.spec.as_str())).collect();
    assert_eq!(mounts, [("/", "root"), ("/snap/core/1", "/var/lib/snapd/snaps/core_1.snap")]);
    let of_snaps =
        report.gaps.iter().filter(|gap| gap.path.as_deref().is_some_and(|path| path.contains("snap")));
    let of_snaps: Vec<_> = of_snaps.map(|gap| gap.path.as_deref().unwrap()).collect();
    assert_eq!(of_snaps, ["/var/lib/snapd/snaps/cut_2.snap"]);
    let (code, listed) = icecore(&["ls"], &[root.path().to_owned(), PathBuf::from("/snap/core/1")]);
    assert_eq!(code, Some(3), "one snap is damaged");
    assert!(String::from_utf8(listed).unwrap().lines().any(|line| line.ends_with("device")));
}
