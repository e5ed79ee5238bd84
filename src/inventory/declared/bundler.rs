//! Bundler's lock file, `Gemfile.lock` or `gems.locked` (Bundler's `LockfileParser`): sections by source, and in each, four
//! blanks deep, the gems that were chosen, `NAME (VERSION[-PLATFORM])`. What they depend on is deeper.

use super::{document::Document, named::Named};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a lock file.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    let (mut section, mut remote, mut revision) = ("", "", "");
    let text = lock.text();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let depth = line.bytes().take_while(|byte| *byte == b' ').count();
        let line = line.trim();
        match (depth, line.split_once(": ")) {
            (0, _) => (section, remote, revision) = (line, "", ""),
            (2, Some(("remote", value))) => remote = value,
            (2, Some(("revision", value))) => revision = value,
            (4, _) if matches!(section, "GEM" | "GIT") => match gem(line) {
                Some(gem) => {
                    let origin = (section == "GIT").then(|| format!("git+{remote}@{revision}"));
                    named.add(Package { origin, ..gem });
                }
                None => named.lose(&format!("line {number} has no gem and version")),
            },
            _ => {}
        }
    }
    Ok(())
}

/// The gem of `NAME (VERSION)` or `NAME (VERSION-PLATFORM)`: no version has a hyphen.
fn gem(line: &str) -> Option<Package> {
    let (name, version) = line.split_once(" (")?;
    let version = version.strip_suffix(')')?;
    let (version, platform) = version.split_once('-').map_or((version, None), |(a, b)| (a, Some(b)));
    let arch = platform.map(str::to_owned);
    Some(Package { arch, ..Package::new(PackageKind::Gem, name, version) })
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    const LOCK: &str = "GIT\n  remote: https://example.com/g.git\n  revision: 0f1e\n  branch: main\n  specs:\n    g (0.1.0)\n      rack (>= 2)\n\n\
                        PATH\n  remote: .\n  specs:\n    app (0.1.0)\n\nGEM\n  remote: https://rubygems.org/\n  specs:\n    nokogiri (1.15.4)\n      \
                        racc (~> 1.4)\n    nokogiri (1.15.4-x86_64-linux)\n    rack (3.0.8.rc1)\n    bad\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  \
                        rack (~> 3)\n\nCHECKSUMS\n  rack (3.0.8.rc1) sha256=00\n\nBUNDLED WITH\n   2.4.10\n";

    #[test]
    fn gems_of_each_source() {
        let expected = [
            "g 0.1.0 git+https://example.com/g.git@0f1e",
            "nokogiri 1.15.4",
            "nokogiri 1.15.4",
            "rack 3.0.8.rc1",
        ];
        for path in ["Gemfile.lock", "gems.locked"] {
            let named = testing::named(PackageKind::Gem, path, LOCK);
            assert_eq!(named, (expected.map(str::to_owned).to_vec(), 1));
        }
        assert_eq!(gem("nokogiri (1.15.4-x86_64-linux)").unwrap().arch.as_deref(), Some("x86_64-linux"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(GEM|GIT|remote: |\n|  |a|[(]|[)]|-|é)*") {
            testing::read("Gemfile.lock", &text);
        }
    }
}
