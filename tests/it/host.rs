//! Inputs on the host: files are left as they are, and a directory is a root of its own.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_icecore");

fn icecore(words: &[&str]) -> Output {
    Command::new(BINARY).args(words).output().unwrap()
}

fn report(words: &[&str]) -> Value {
    let done = icecore(&[&["scan", "--no-vulnerabilities", "-f", "json"], words].concat());
    serde_json::from_slice(&done.stdout).unwrap()
}

/// What could change of a file, and which files there are.
fn state(dir: &Path) -> BTreeMap<String, (Vec<u8>, i64, i64, u32)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let rows = entries.map(|entry| {
        let stat = entry.metadata().unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, (fs::read(entry.path()).unwrap(), stat.mtime(), stat.mtime_nsec(), stat.mode()))
    });
    rows.collect()
}

#[test]
fn inputs_are_left_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/demo");
    for name in ["node.qcow2", "advisories.db"] {
        fs::copy(bundled.join(name), dir.path().join(name)).unwrap();
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o444)).unwrap();
    }
    let before = state(dir.path());
    let (disk, database) = (dir.path().join("node.qcow2"), dir.path().join("advisories.db"));
    let (disk, database) = (disk.to_str().unwrap(), database.to_str().unwrap());
    for words in [
        &["scan", "--db", database, disk][..],
        &["inspect", disk],
        &["hash", "-R", disk, "/etc"],
        &["cat", "--container", "app", disk, "/data/state"],
    ] {
        let mut command = Command::new(BINARY);
        command.args(words).current_dir(dir.path());
        // Nobody in particular may do it, where the binary is not in a place for root alone.
        let is_open = |path: &&Path| fs::metadata(path).is_ok_and(|stat| stat.mode() & 0o001 != 0);
        if rustix::process::geteuid().is_root() && Path::new(BINARY).ancestors().all(|path| is_open(&path)) {
            command.uid(65534).gid(65534);
        }
        let done = command.output().unwrap();
        assert_eq!(done.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    assert!(state(dir.path()) == before);
}

#[test]
fn a_directory_is_a_root_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let file = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let stanza = |name: &str| format!("Package: {name}\nStatus: install ok installed\nVersion: 1\n\n");
    file("usr/lib/os-release", "ID=debian\nVERSION_ID=12\nNAME=Debian\n");
    file("var/lib/dpkg/status", &(stanza("a") + &stanza("b")));
    file("etc/hostname", "copied\n");
    file("srv/node_modules/left-pad/package.json", "{\"name\": \"left-pad\", \"version\": \"1.3.0\"}");
    fs::hard_link(dir.path().join("etc/hostname"), dir.path().join("etc/again")).unwrap();
    // What links name is meant inside.
    symlink("/usr/lib/os-release", dir.path().join("etc/os-release")).unwrap();
    symlink("../../../../../../../../etc/passwd", dir.path().join("etc/escape")).unwrap();
    symlink("/etc/passwd", dir.path().join("etc/passwd-of-the-host")).unwrap();
    let root = dir.path().to_str().unwrap();
    let report = report(&[root]);
    let names: Vec<_> = report["node"]["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a", "b", "left-pad"], "{report}");
    assert_eq!(
        (&report["node"]["os"]["id"], &report["node"]["hostname"]),
        (&"debian".into(), &"copied".into())
    );
    for link in ["/etc/escape", "/etc/passwd-of-the-host"] {
        let done = icecore(&["cat", root, link]);
        assert_eq!((done.status.code(), done.stdout.len()), (Some(2), 0), "{link}");
    }
    let listed = icecore(&["stat", "-R", "--json", root, "/etc"]);
    let rows = String::from_utf8(listed.stdout).unwrap();
    for row in rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let path = dir.path().join(row["path"].as_str().unwrap().trim_start_matches('/'));
        let stat = fs::symlink_metadata(&path).unwrap();
        let own = (stat.size(), u64::from(stat.uid()), u64::from(stat.gid()), stat.nlink());
        let told = |key: &str| row[key].as_u64().unwrap();
        assert_eq!((told("size"), told("uid"), told("gid"), told("links")), own, "{row}");
        assert_eq!(row["mode"], format!("{:04o}", stat.mode() & 0o7777), "{row}");
        assert_eq!(row["mtime"], format!("{}.{:09}", stat.mtime(), stat.mtime_nsec()), "{row}");
        let target = fs::read_link(&path).ok().map(|target| target.to_str().unwrap().to_owned());
        assert_eq!(row.get("target").and_then(Value::as_str), target.as_deref(), "{row}");
    }
    assert_eq!(rows.lines().count(), 6);
}
