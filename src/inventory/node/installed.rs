//! Packages as npm, yarn and pnpm install them: `package.json` right below a `node_modules` directory (npm's folders(5)).

use super::manifest::{self, MANIFEST};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    inventory::{Extraction, Extractor, File},
    limits,
};

/// npm's, yarn's and pnpm's packages.
pub(in crate::inventory) struct Npm;

impl Extractor for Npm {
    fn name(&self) -> &'static str {
        "node"
    }

    fn version(&self) -> u32 {
        3
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && is_installed(path)
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(MANIFEST, limits::PACKAGE_JSON_BYTES)?;
        let mut found = Extraction::default();
        if let Some(package) = manifest::read(&bytes)? {
            found.add(package);
        }
        Ok(found)
    }
}

/// Whether a path is that of the manifest of a package in a `node_modules` directory.
pub(super) fn is_installed(path: &GuestPath) -> bool {
    if path.name() != MANIFEST.as_bytes() {
        return false;
    }
    let mut above = path.components().rev().skip(1);
    let (Some(name), Some(next)) = (above.next(), above.next()) else { return false };
    if name.starts_with(b"@") || name.starts_with(b".") {
        return false;
    }
    next == b"node_modules" || (next.starts_with(b"@") && above.next() == Some(b"node_modules"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    #[test]
    fn wants_installed_packages_only() {
        testing::wants(
            &Npm,
            &[
                "node_modules/a/package.json",
                "usr/lib/node_modules/npm/package.json",
                "app/node_modules/@scope/a/package.json",
                "app/node_modules/a/node_modules/b/package.json",
                "app/node_modules/.pnpm/a@1.0.0/node_modules/a/package.json",
            ],
            &[
                "package.json",
                "app/package.json",
                "node_modules/package.json",
                "node_modules/a/dist/package.json",
                "node_modules/@scope/package.json",
                "node_modules/@scope/a/esm/package.json",
                "node_modules/.cache/package.json",
                "node_modules/a/package-lock.json",
            ],
        );
    }
}
