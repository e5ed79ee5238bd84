//! Yarn's lock files, `yarn.lock`: blocks of its own notation until Yarn 1 ("yarn.lock" in its documentation), YAML with a
//! `resolution` for each package since Yarn 2 ("Lexicon", "Lockfile").

use super::{document::Document, named::Named, npm, records::Record};
use crate::error::FormatError;

/// Reads a lock file of any version.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    let text = lock.text();
    if text.lines().any(|line| line.starts_with("__metadata:")) {
        return lock.yaml(&[&[]], |record| resolution(&record, named));
    }
    let mut block = Block::default();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if !line.starts_with(' ') {
            block.end(named);
            block = Block { patterns: line.trim_end().trim_end_matches(':'), ..Block::default() };
        } else if let Some(field) = line.strip_prefix("  ").filter(|field| !field.starts_with(' ')) {
            match field.split_once(' ').map(|(key, value)| (key.trim_matches('"'), value)) {
                Some(("version", value)) => block.version = value.trim().trim_matches('"'),
                Some(("resolved", value)) => block.resolved = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
    }
    block.end(named);
    Ok(())
}

/// A package with the patterns that led to it: `"a@^1.0.0", a@^1.2.0:`.
#[derive(Default)]
struct Block<'a> {
    patterns: &'a str,
    version: &'a str,
    resolved: Option<&'a str>,
}

impl Block<'_> {
    fn end(&self, named: &mut Named) {
        let pattern = self.patterns.split(", ").next().unwrap_or_default().trim_matches('"');
        if pattern.is_empty() {
            return;
        }
        let name = npm::split(pattern).and_then(|(name, range)| match range.strip_prefix("npm:") {
            Some(alias) => npm::split(alias).or(Some((alias, ""))),
            None if is_local(range) => None,
            None => Some((name, range)),
        });
        match name {
            Some((name, _)) if !self.version.is_empty() => {
                named.add(npm::package(name, self.version, self.resolved));
            }
            None if npm::split(pattern).is_some() => {}
            _ => named.lose(&format!("{pattern:.80} has no name or no version")),
        }
    }
}

fn is_local(range: &str) -> bool {
    ["file:", "link:", "portal:", "workspace:"].iter().any(|protocol| range.starts_with(protocol))
}

/// A package of YAML: `resolution: "NAME@PROTOCOL:REFERENCE"`.
fn resolution(record: &Record<'_>, named: &mut Named) {
    if record.key() == "__metadata" {
        return;
    }
    let resolved = record.text("resolution").and_then(npm::split);
    let (Some((name, reference)), Some(version)) = (resolved, record.text("version")) else {
        return named.lose(&format!("{} has no resolution or no version", record.place()));
    };
    if is_local(reference) {
        return;
    }
    let mut package = npm::package(name, version, None);
    // What npm's registry has is changed by a patch, and is still that version.
    if !reference.starts_with("npm:") && !reference.starts_with("patch:") {
        package.origin = Some(match reference.split_once("#commit=") {
            Some((url, commit)) => format!("git+{url}@{commit}"),
            None => reference.to_owned(),
        });
    }
    named.add(package);
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    fn named(text: &str) -> (Vec<String>, usize) {
        testing::named(PackageKind::Npm, "app/yarn.lock", text)
    }

    #[test]
    fn blocks_of_the_first_version() {
        let text = "# yarn lockfile v1\n\n\n\"@b/core@^7.0.0\", \"@b/core@^7.1.0\":\n  version \"7.1.0\"\n  resolved \
                    \"https://registry.example/@b/core/-/core-7.1.0.tgz#aa\"\n  integrity sha512-x\n  dependencies:\n    \
                    version \"^9\"\n\nalias@npm:lodash@^4:\n  version \"4.17.21\"\n\n\"git@git+https://example.com/git.git\":\n  \
                    version \"3.0.1\"\n  resolved \"git+https://example.com/git.git#0f1e\"\n\n\"l@file:./l\":\n  version \"0.0.0\"\n\n\
                    q@1:\n  \"version\" \"1.0.0\"\n\nbad@1:\n  resolved \"x\"\n";
        let expected =
            ["@b/core 7.1.0", "lodash 4.17.21", "git 3.0.1 git+https://example.com/git.git@0f1e", "q 1.0.0"];
        assert_eq!(named(text), (expected.map(str::to_owned).to_vec(), 1));
        assert_eq!(named("# yarn lockfile v1\n\n\n"), (vec![], 0));
    }

    #[test]
    fn resolutions_of_later_versions() {
        let text = r#"__metadata:
  version: 8
  cacheKey: 10c0

"@b/core@npm:^7.0.0, @b/core@npm:^7.1.0":
  version: 7.1.0
  resolution: "@b/core@npm:7.1.0"
  dependencies:
    a: "npm:^1.0.0"
  languageName: node
  linkType: hard

"alias@npm:lodash@^4":
  version: 4.17.21
  resolution: "lodash@npm:4.17.21"

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."

"git@https://example.com/git.git":
  version: 3.0.1
  resolution: "git@https://example.com/git.git#commit=0f1e"

"typescript@patch:typescript@npm%3A^5#optional!builtin<compat/typescript>":
  version: 5.4.2
  resolution: "typescript@patch:typescript@npm%3A5.4.2#optional!builtin<compat/typescript>::version=5.4.2"

"bad@npm:1":
  version: 1.0.0
"#;
        let expected = [
            "@b/core 7.1.0",
            "lodash 4.17.21",
            "git 3.0.1 git+https://example.com/git.git@0f1e",
            "typescript 5.4.2",
        ];
        assert_eq!(named(text), (expected.map(str::to_owned).to_vec(), 1));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(__metadata:|version|resolution: |resolved|a@npm:|@|\"|\n|  |, |[é:#1])*") {
            testing::read("yarn.lock", &text);
        }
    }
}
