//! The command line, read as shell sessions: tests/cmd/*.trycmd, and what README shows.

use std::process::{Command, Stdio};

#[test]
fn command_line() {
    trycmd::TestCases::new()
        .case("tests/cmd/*.trycmd")
        .case("README.md")
        .env("COLUMNS", "110")
        .env("NO_COLOR", "1");
}

#[test]
fn command_line_on_a_narrow_terminal() {
    trycmd::TestCases::new().case("tests/cmd/narrow/*.trycmd").env("COLUMNS", "40").env("NO_COLOR", "1");
}

fn icecore(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_icecore"));
    command.args(words).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

const GATED: &[&str] = &[
    "scan",
    "--db",
    "disk-fixtures/demo/advisories.db",
    "--fail-on",
    "high",
    "disk-fixtures/demo/node.qcow2",
];

#[test]
fn a_reader_that_leaves_does_not_change_the_verdict() {
    for format in ["json", "ndjson", "table"] {
        let mut child = icecore(&[GATED, &["-f", format]].concat()).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(1), "{format}");
    }
}

#[test]
fn variables_of_flags_take_the_words_of_shells() {
    let node = "disk-fixtures/demo/node.qcow2";
    for (word, has_run) in [("1", false), ("true", false), ("0", true), ("no", true)] {
        let scan = ["scan", "--no-vulnerabilities", "-f", "json", node];
        let done = icecore(&scan).env("ICECORE_REPRODUCIBLE", word).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(report.get("run").is_some(), has_run, "{word}");
    }
}

#[test]
fn variables_that_are_set_and_empty_say_nothing() {
    let node = "disk-fixtures/demo/node.qcow2";
    let words = [
        "DB",
        "DB_MAX_AGE",
        "CACHE",
        "THREADS",
        "IMAGES",
        "OUTPUT",
        "FORMAT",
        "REPRODUCIBLE",
        "BACKING",
        "FAIL_ON",
    ];
    let mut command = icecore(&["scan", "--no-vulnerabilities", "-q", node]);
    let empty = words.map(|word| (format!("ICECORE_{word}"), ""));
    assert_eq!(command.envs(empty).output().unwrap().status.code(), Some(0));
    // Nor do they stand for what has to be said.
    let done = icecore(&["diff", node]).env("ICECORE_CONTAINER", "").output().unwrap();
    assert_eq!(done.status.code(), Some(2));
}

#[test]
fn an_archive_goes_to_standard_output_too() {
    let dir = tempfile::tempdir().unwrap();
    let disk = concat!(env!("CARGO_MANIFEST_DIR"), "/disk-fixtures/demo/node.qcow2");
    let export = |to: &str| {
        let words = ["export", "--image", "registry.example/legacy/alma:9", disk, "-o", to];
        let done = icecore(&words).current_dir(dir.path()).output().unwrap();
        assert_eq!(done.status.code(), Some(0));
        done.stdout
    };
    let written = export("-");
    assert!(export("file").is_empty());
    assert!(!written.is_empty() && written == std::fs::read(dir.path().join("file")).unwrap());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn as_many_threads_as_are_asked_for_read_the_same() {
    let disk = "disk-fixtures/demo/node.qcow2";
    let hashes = |threads| {
        let words = ["hash", "-R", "--threads", threads, disk, "/"];
        icecore(&words).output().unwrap().stdout
    };
    let one = hashes("1");
    assert!(one.iter().filter(|byte| **byte == b'\n').count() > 100);
    assert!(hashes("3") == one && hashes("0") == one);
}

#[test]
fn a_disk_that_cannot_be_read_is_no_node_of_another_kind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.qcow2");
    let whole = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/disk-fixtures/demo/node.qcow2")).unwrap();
    std::fs::write(&path, &whole[..200]).unwrap();
    let path = path.to_str().unwrap();
    let done = icecore(&["scan", "--no-vulnerabilities", "-f", "json", path]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((done.status.code(), &report["verdict"]["status"]), (Some(3), &"failed".into()), "{report}");
}

#[test]
fn reports_of_every_kind_validate_against_the_schemas_that_are_printed() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/disk-fixtures/demo");
    let database = format!("{demo}/advisories.db");
    let cut = file("cut.qcow2", &std::fs::read(format!("{demo}/node.qcow2")).unwrap()[..200]);
    let empty = file("empty.raw", &[0; 4096]);
    let facts = file("facts.json", b"{\"os_type\": \"windows\"}");
    let packages = file("packages", b"pkg:npm/minimist@1.2.0\n");
    let validator = |what: &str| {
        let printed = icecore(&["schema", what]).output().unwrap().stdout;
        jsonschema::validator_for(&serde_json::from_slice(&printed).unwrap()).unwrap()
    };
    let (of_reports, of_records) = (validator("report"), validator("record"));
    let valid = |validator: &jsonschema::Validator, text: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(text).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{value}: {errors:?}");
        value
    };
    let crash = format!("{demo}/crash.qcow2");
    for (words, status) in [
        (&["scan", "--db", &database, &crash][..], "partial"),
        (&["scan", "--db", &database, "disk-fixtures/demo/node.qcow2"], "complete"),
        (&["scan", "--db", &database, "--near-misses", "disk-fixtures/demo/node.qcow2"], "complete"),
        (&["scan", "--db", &database, "--explain", "glibc", "disk-fixtures/demo/node.qcow2"], "complete"),
        (&["inspect", &crash], "complete"),
        (&["inspect", "disk-fixtures/nodes/lvm.qcow2"], "complete"),
        (&["scan", "--no-vulnerabilities", &empty], "skipped"),
        (&["scan", "--no-vulnerabilities", &cut], "failed"),
        (&["scan", "--no-vulnerabilities", "--node-facts", &facts, &empty], "skipped"),
    ] {
        let json = icecore(&[words, &["-f", "json"]].concat()).output().unwrap().stdout;
        assert_eq!(valid(&of_reports, &json)["verdict"]["status"], status, "{words:?}");
        let lines = icecore(&[words, &["-f", "ndjson"]].concat()).output().unwrap().stdout;
        let records: Vec<_> =
            lines.trim_ascii().split(|byte| *byte == b'\n').map(|line| valid(&of_records, line)).collect();
        assert_eq!(records.last().unwrap()["verdict"]["status"], status, "{words:?}");
    }
    let done = icecore(&["match", "--db", &database, "-f", "ndjson", &packages]).output().unwrap();
    assert!(!valid(&of_records, done.stdout.trim_ascii())["findings"].as_array().unwrap().is_empty());
}

#[test]
fn secrets_of_urls_are_told_nowhere() {
    const DISK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/disk-fixtures/demo/node.qcow2");
    const FEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/disk-fixtures/feeds");
    const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/disk-fixtures/demo/advisories.db");
    // The second one has no server to wait for.
    const URLS: [&str; 2] =
        ["https://me:PASS word'@[h/x//y?sig=SIGNATURE", "HTTP://me:PASSWORD@[h/x,y?a=b&sig=SIGNATURE#z"];
    let flags: [(&[&str], &[&str]); 13] = [
        (
            &["scan", DISK],
            &["--disk-format", "--disk-snapshot", "--backing", "--siblings", "-f", "-o", "--db"],
        ),
        (
            &["scan", DISK],
            &["--db-max-age", "--severity", "--fail-on", "--node-facts", "--cache", "--threads"],
        ),
        (
            &["scan", DISK, "--no-vulnerabilities"],
            &["--images", "--progress", "--output", "--nope", "-q", "-z"],
        ),
        (&["inspect", DISK], &["--disk-format", "--disk-snapshot", "--format", "--output"]),
        (
            &["ls", DISK, "/"],
            &["--volume", "--image", "--layer", "--container", "--disk-format", "-l", "--json"],
        ),
        (&["stat", DISK, "/"], &["--volume", "--image", "--layer", "--container", "--disk-snapshot", "-R"]),
        (&["cat", DISK, "/"], &["--volume", "--image", "--layer", "--container", "--threads"]),
        (&["hash", DISK, "/"], &["--volume", "--image", "--layer", "--container", "--threads"]),
        (&["export", DISK], &["--image", "--output", "-o"]),
        (&["export", DISK, "--image", "registry.example/legacy/alma:9"], &["--output", "-o", "--threads"]),
        (&["match"], &["--db", "-f"]),
        (&["db", "build"], &["--feeds", "--only", "-o"]),
        (&["db", "build", "--feeds", FEEDS], &["--output", "--only"]),
    ];
    let words: [&[&str]; 24] = [
        &[],
        &["scan"],
        &["scan", DISK],
        &["scan", "--no-vulnerabilities"],
        &["inspect"],
        &["ls"],
        &["ls", DISK],
        &["ls", DISK, "/"],
        &["stat", DISK],
        &["cat", DISK],
        &["hash", DISK],
        &["export", "--image", "x", "-o", "y"],
        &["match"],
        &["db"],
        &["db", "build"],
        &["db", "info"],
        &["db", "info", DISK],
        &["compare-versions"],
        &["compare-versions", "dpkg"],
        &["compare-versions", "pep440", "1"],
        &["schema"],
        &["completions"],
        &["man"],
        &["help"],
    ];
    let variables = [
        "DISK_FORMAT",
        "DISK_SNAPSHOT",
        "BACKING",
        "SIBLINGS",
        "THREADS",
        "FORMAT",
        "OUTPUT",
        "DB",
        "DB_MAX_AGE",
        "SEVERITY",
        "IGNORE_UNFIXED",
        "FAIL_ON",
        "NO_VULNERABILITIES",
        "IMAGES",
        "NODE_FACTS",
        "NO_CONTAINERS",
        "NO_NODE",
        "CACHE",
        "REPRODUCIBLE",
        "PROGRESS",
        "QUIET",
        "VERBOSE",
        "VOLUME",
        "IMAGE",
        "LAYER",
        "CONTAINER",
        "RECURSIVE",
        "JSON",
        "LONG",
        "FEEDS",
        "OUTPUT_FILE",
        "ONLY",
    ];
    let commands: [&[&str]; 16] = [
        &["scan", DISK, "--db", DATABASE, "-f", "json"],
        &["inspect", DISK],
        &["ls", DISK, "/etc"],
        &["stat", DISK, "/etc"],
        &["cat", DISK, "/etc/hostname"],
        &["hash", DISK, "/etc"],
        &["export", DISK],
        &["match"],
        &["db", "build"],
        &["scan", "--help"],
        &["ls", "--help"],
        &["hash", "-h"],
        &["export", "--help"],
        &["match", "--help"],
        &["db", "build", "--help"],
        &["man", "scan"],
    ];
    let mut told = Vec::new();
    let mut count = 0;
    let dir = tempfile::tempdir().unwrap();
    let mut check = |command: &mut Command, what: String| {
        // Where a URL that is taken for a path may be written.
        command.current_dir(dir.path()).env("HOME", dir.path());
        let done = command.stderr(Stdio::piped()).stdout(Stdio::piped()).output().unwrap();
        let text = [done.stdout, done.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        count += 1;
        if ["PASS", "word'@", "SIGNATURE"].iter().any(|secret| text.contains(secret)) {
            told.push(format!("{what}: {text}"));
        }
    };
    for url in URLS {
        for (command, flags) in flags {
            for flag in flags {
                check(icecore(command).args([flag, url]), format!("{command:?} {flag} {url}"));
                check(icecore(command).arg(format!("{flag}={url}")), format!("{command:?} {flag}={url}"));
            }
        }
        for command in words {
            check(icecore(command).arg(url), format!("{command:?} {url}"));
            check(icecore(command).args([url, url]), format!("{command:?} {url} twice"));
        }
        for command in commands {
            for variable in variables {
                check(
                    icecore(command).env(format!("ICECORE_{variable}"), url),
                    format!("{variable} {command:?} {url}"),
                );
            }
        }
    }
    let written: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(written.is_empty(), "{written:?}");
    assert!(count > 1000 && told.is_empty(), "{count} {}", told.join("\n"));
}
