//! Data flows one way. The table below is the documentation of which room may import which.

use std::{fs, path::Path};

/// A room and the rooms that it may import. `bytes`, `digest`, `error`, `gap`, `limits`, `newfile`, `num` and `xml` serve all rooms.
const ROOMS: &[(&str, &[&str])] = &[
    ("block", &[]),
    ("disk", &["block"]),
    ("volume", &["block"]),
    ("fs", &["block"]),
    ("database", &["block"]),
    ("node", &["block", "volume", "fs", "database", "inventory"]),
    ("store", &["block", "fs", "database"]),
    ("layer", &["block", "fs", "inventory", "store"]),
    ("image", &["block", "fs", "layer", "inventory"]),
    ("inventory", &["block", "fs", "database"]),
    ("vuln", &["block", "inventory"]),
    ("report", &["inventory", "vuln"]),
    (
        "scan",
        &[
            "block",
            "disk",
            "volume",
            "fs",
            "database",
            "node",
            "store",
            "layer",
            "image",
            "inventory",
            "vuln",
            "report",
        ],
    ),
];
const SERVE_ALL: &[&str] =
    &["bytes", "error", "gap", "limits", "newfile", "num", "xml", "Digest", "FormatError", "Gap"];

#[test]
fn rooms_import_only_what_the_table_allows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&src).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if !path.is_dir() || name == "cli" {
            continue;
        }
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == name) else {
            wrong.push(format!("{name} is not in the table"));
            continue;
        };
        for (file, text) in sources(&path) {
            for import in imports(&text) {
                if import != name
                    && !allowed.contains(&import.as_str())
                    && !SERVE_ALL.contains(&import.as_str())
                {
                    wrong.push(format!("{file} imports {import}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_import_is_seen_in_every_spelling() {
    assert_eq!(imports("use crate::{\n  block::{self, X},\n  fs::Root, num,\n};"), ["block", "fs", "num"]);
    assert_eq!(imports("use crate::store::Image; let x = crate::vuln::f();"), ["store", "vuln"]);
}

fn sources(dir: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    all
}

/// The first segments after every `crate::` of a source: of one path, or of each path in a braced list.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            found.push(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut fresh = true;
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                c if fresh && (c.is_alphabetic() || c == '_') => {
                    found.push(word(&list[i..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}
