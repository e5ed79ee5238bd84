//! What the tests of all formats do.

use super::Declared;
use crate::inventory::{PackageKind, testing};

/// The packages that a file of this name names, `name version` or `name version ORIGIN`, and the number of damaged records.
pub(super) fn named(kind: PackageKind, path: &str, text: &str) -> (Vec<String>, usize) {
    let found = testing::extract(&Declared, path, text.as_bytes(), &[]).unwrap_or_else(|error| {
        panic!("{path}: {}", error.detail());
    });
    let packages = found.packages().into_iter().map(|package| {
        assert!(package.declared && package.kind == kind, "{package:?}");
        let origin = package.origin.map(|origin| format!(" {origin}")).unwrap_or_default();
        format!("{} {}{origin}", package.name, package.version)
    });
    (packages.collect(), found.damage.len())
}

/// Whether a file of this name cannot be read at all.
pub(super) fn fails(path: &str, text: &str) -> bool {
    testing::extract(&Declared, path, text.as_bytes(), &[]).is_err()
}

/// Reads a file for what no test looks at.
pub(super) fn read(path: &str, text: &str) {
    let _ = testing::extract(&Declared, path, text.as_bytes(), &[]);
}
