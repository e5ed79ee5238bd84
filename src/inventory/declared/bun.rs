//! Bun's lock file, `bun.lock` (Bun's documentation, "Lockfile"): JSON with commas at the end of lists, `packages` by place,
//! each a list that begins with `NAME@VERSION`. Its older form, `bun.lockb`, is an image of Bun's memory and is not read.

use super::{document::Document, named::Named, npm};
use crate::error::FormatError;

/// Reads a lock file.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    let text = lock.text();
    let json = without_last_commas(&text);
    lock.of(json.as_bytes()).json(&[&["packages"]], |record| {
        let parts = record.value.get(0).and_then(|name| npm::split(name.as_str()?));
        match parts {
            Some((name, version)) if npm::is_version(version) => {
                named.add(npm::package(name, version, None));
            }
            // A member of the workspace, a repository, an archive, a directory.
            Some((_, place)) if !place.is_empty() => {}
            _ => named.lose(&format!("{} has no name or no version", record.place())),
        }
    })
}

/// The text without the commas that stand before the end of a list or an object.
fn without_last_commas(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    let mut comma = None;
    let (mut in_text, mut is_escaped) = (false, false);
    for c in text.chars() {
        if in_text {
            in_text = c != '"' || is_escaped;
            is_escaped = c == '\\' && !is_escaped;
        } else if !c.is_whitespace() {
            if let (Some(at), ']' | '}') = (comma, c) {
                json.truncate(at);
            }
            comma = (c == ',').then_some(json.len());
            in_text = c == '"';
        }
        json.push(c);
    }
    json
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::inventory::PackageKind;

    #[test]
    fn packages_of_a_lock_file() {
        let text = r#"{
  "lockfileVersion": 1,
  "workspaces": {"": {"name": "app", "dependencies": {"a": "^1",},},},
  "packages": {
    "@b/core": ["@b/core@7.1.0", "", { "dependencies": { "a": "^1" } }, "sha512-,]"],
    "alias": ["lodash@4.17.21", "", {}, "x\",]"],
    "member": ["member@workspace:packages/member"],
    "git": ["git@git+https://example.com/git.git#0f1e", {}, "0f1e"],
    "bad": [{}],
  }
}"#;
        let expected = ["@b/core 7.1.0", "lodash 4.17.21"];
        let named = testing::named(PackageKind::Npm, "bun.lock", text);
        assert_eq!(named, (expected.map(str::to_owned).to_vec(), 1));
        assert_eq!(without_last_commas(r#"[1, ",]" , ]"#), r#"[1, ",]" ]"#);
        assert_eq!(without_last_commas(r#"["\",]",{},}"#), r#"["\",]",{}}"#);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:@0é]|\"packages\"|\"a@1\"|\\\\|\")*") {
            testing::read("bun.lock", &text);
        }
    }
}
