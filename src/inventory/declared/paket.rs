//! Paket's lock file, `paket.lock` (Paket's "The paket.lock file"): groups of sources, and below `NUGET`, four blanks deep, the
//! packages, `NAME (VERSION)`. Files of repositories have commits, not versions.

use super::{document::Document, named::Named};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a lock file.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    let mut is_nuget = false;
    let text = lock.text();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let depth = line.bytes().take_while(|byte| *byte == b' ').count();
        let parts =
            line.trim().split_once(" (").and_then(|(name, rest)| Some((name, rest.split_once(')')?.0)));
        match (depth, parts) {
            (0, _) => is_nuget = line.trim_end() == "NUGET",
            (4, Some((name, version))) if is_nuget => {
                named.add(Package::new(PackageKind::Nuget, name, version));
            }
            (4, None) if is_nuget => named.lose(&format!("line {number} has no package and version")),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn packages_of_nuget() {
        let text = "STORAGE: NONE\nNUGET\n  remote: https://example.com/index.json\n    FSharp.Core (8.0.100) - restriction: >= netstandard2.0\n    \
                    A (1.0.0-rc.1)\n      FSharp.Core (>= 4.7)\n    bad\nGITHUB\n  remote: o/r\n    a.fs (0f1e)\n\nGROUP Build\nNUGET\n  \
                    remote: https://example.com\n    B (2.0)\n";
        let expected = ["FSharp.Core 8.0.100", "A 1.0.0-rc.1", "B 2.0"];
        assert_eq!(
            testing::named(PackageKind::Nuget, "paket.lock", text),
            (expected.map(str::to_owned).to_vec(), 1)
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(NUGET|\n|  |a| [(]|[)]|é)*") {
            testing::read("paket.lock", &text);
        }
    }
}
