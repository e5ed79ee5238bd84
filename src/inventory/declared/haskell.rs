//! Haskell's lock files: `stack.yaml.lock` of Stack ("Lock files"; packages beyond a snapshot) and `cabal.project.freeze` of
//! Cabal (`cabal freeze`; constraints `any.NAME ==VERSION`).

use super::{document::Document, named::Named, records::text};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads Stack's: `hackage: NAME-VERSION@sha256:…`, or the name and the version of a repository or an archive.
pub(super) fn read_stack(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    lock.yaml(&[&["packages"]], |record| {
        let completed = record.value.get("completed");
        let told = |key| completed.and_then(|completed| text(completed, key));
        let hackage = told("hackage").and_then(|told| told.split('@').next()?.rsplit_once('-'));
        let Some((name, version)) = hackage.or_else(|| told("name").zip(told("version"))) else {
            return named.lose(&format!("{} has no name or no version", record.place()));
        };
        let origin = match told("git").zip(told("commit")) {
            Some((url, commit)) => Some(format!("git+{url}@{commit}")),
            None => told("url").map(str::to_owned),
        };
        named.add(Package { origin, ..Package::new(PackageKind::Hackage, name, version) });
    })
}

/// Reads Cabal's.
pub(super) fn read_cabal(freeze: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    for constraint in freeze.text().split([',', '\n']) {
        let constraint = constraint.trim();
        let constraint = constraint.strip_prefix("constraints:").unwrap_or(constraint).trim();
        let Some((name, version)) = constraint.split_once("==") else { continue };
        let name = name.trim();
        named.add(Package::new(
            PackageKind::Hackage,
            name.strip_prefix("any.").unwrap_or(name),
            version.trim(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn packages_of_both_tools() {
        let stack = "packages:\n- completed:\n    hackage: acme-missiles-0.3@sha256:2ba6,613\n    pantry-tree:\n      sha256: '00'\n      size: 226\n  \
                     original:\n    hackage: acme-missiles-0.3\n- completed:\n    commit: 0f1e\n    git: https://example.com/g.git\n    name: g\n    \
                     version: 1.2.3\n  original:\n    git: https://example.com/g.git\n- original: x\nsnapshots:\n- completed: {size: 1}\n";
        let expected =
            vec!["acme-missiles 0.3".to_owned(), "g 1.2.3 git+https://example.com/g.git@0f1e".to_owned()];
        assert_eq!(testing::named(PackageKind::Hackage, "stack.yaml.lock", stack), (expected, 1));
        let cabal = "active-repositories: hackage.haskell.org:merge\nconstraints: any.aeson ==2.1.0.0,\n             aeson -bytestring-builder,\n             \
                     any.base ==4.18.1.0,\n             bad ==\nindex-state: hackage.haskell.org 2024-01-01T00:00:00Z\n";
        let expected = vec!["aeson 2.1.0.0".to_owned(), "base 4.18.1.0".to_owned()];
        assert_eq!(testing::named(PackageKind::Hackage, "cabal.project.freeze", cabal), (expected, 1));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(constraints:|any.|a|==|1|,|\n|packages:|- completed:|  hackage: a-1|é)*") {
            testing::read("stack.yaml.lock", &text);
            testing::read("cabal.project.freeze", &text);
        }
    }
}
