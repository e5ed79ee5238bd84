//! The paths of a Nix store: `nix/var/nix/db/db.sqlite`, table `ValidPaths` (Nix, `schema.sql`). A path is
//! `/nix/store/HASH-NAME`, its name and version parted as `builtins.parseDrvName` does.
//!
//! Paths without a version are scripts, sources and parts of configurations; those of derivations, and of files by their
//! endings, are no packages either. Outputs of a package that nixpkgs names (`-dev`, `-man`, …) are the package, which is
//! told once, however often it was built.

use std::collections::BTreeSet;

use super::{Extraction, Extractor, File, Package, PackageKind, sqlite};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
};

const WAL: &str = "db.sqlite-wal";
const JOURNAL: &str = "db.sqlite-journal";
const PLACE: &str = "nix/var/nix/db/db.sqlite";
/// Digits of a path's hash.
const HASH: usize = 32;
/// Endings of paths that are files: derivations, sources and their patches, results of checks.
const FILES: [&str; 13] = [
    ".drv",
    ".drv.chroot",
    ".check",
    ".lock",
    ".patch",
    ".diff",
    ".tar",
    ".gz",
    ".xz",
    ".bz2",
    ".zst",
    ".tgz",
    ".zip",
];
/// Outputs other than the default one (nixpkgs manual, "Multiple-output packages", and what its packages add).
const OUTPUTS: [&str; 17] = [
    "bin", "data", "debug", "dev", "devdoc", "devman", "dist", "doc", "getent", "info", "lib", "libgcc",
    "man", "modules", "out", "static", "terminfo",
];

/// Packages in a Nix store.
pub(super) struct Nix;

impl Extractor for Nix {
    fn name(&self) -> &'static str {
        "nix"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && path.as_bytes() == PLACE.as_bytes()
    }

    fn companions(&self) -> &'static [&'static str] {
        &[WAL, JOURNAL]
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let database = sqlite::open(file, [WAL, JOURNAL], &mut found)?;
        let table = database.table("ValidPaths")?;
        let table = table.ok_or_else(|| FormatError::malformed("sqlite schema", "no table ValidPaths"))?;
        let mut told = BTreeSet::new();
        for row in database.rows(&table) {
            // Columns: id, path.
            let path = row.and_then(|row| row.text(1)?.ok_or_else(|| row.corrupt("the path is no text")));
            let package = path.and_then(|path| {
                let name = store_name(&path).ok_or_else(|| {
                    let path: String = path.chars().take(80).collect();
                    FormatError::malformed("nix store path", format!("{path:?}"))
                })?;
                Ok(package(name))
            });
            match package {
                Ok(Some(package)) if told.insert((package.name.clone(), package.version.clone())) => {
                    if !found.add(package) {
                        break;
                    }
                }
                Ok(_) => {}
                Err(error) => found.lose(error),
            }
        }
        found.finish()
    }
}

/// What follows the hash in the last part of a store's path.
fn store_name(path: &str) -> Option<&str> {
    let (_, last) = path.rsplit_once('/')?;
    let (hash, name) = last.split_at_checked(HASH)?;
    name.strip_prefix('-')
        .filter(|name| !name.is_empty() && hash.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The package of a path's name, `None` if it is none.
fn package(name: &str) -> Option<Package> {
    if FILES.iter().any(|ending| name.ends_with(ending)) {
        return None;
    }
    let (name, version) = parse_drv_name(name)?;
    let version = match version.rsplit_once('-') {
        Some((version, output)) if OUTPUTS.contains(&output) => version,
        _ => version,
    };
    Some(Package::new(PackageKind::Nix, name, version))
}

/// A version begins behind the first hyphen that no letter follows.
fn parse_drv_name(text: &str) -> Option<(&str, &str)> {
    let starts = |rest: &str| rest.bytes().next().is_some_and(|byte| !byte.is_ascii_alphabetic());
    let mut splits = text.match_indices('-').filter_map(|(at, _)| {
        let (name, rest) = text.split_at_checked(at)?;
        Some((name, rest.strip_prefix('-')?))
    });
    splits.find(|(_, version)| starts(version)).filter(|(name, _)| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing::{self, Cell};

    #[test]
    fn wants_the_database_of_the_store() {
        testing::wants(
            &Nix,
            &[PLACE],
            &["nix/var/nix/db/db.sqlite-wal", "nix/var/nix/db/schema", "db.sqlite"],
        );
    }

    #[test]
    fn names_and_versions() {
        let parts = |name: &str| package(name).map(|package| format!("{} {}", package.name, package.version));
        for (name, expected) in [
            ("bash-5.2p26", Some("bash 5.2p26")),
            ("bash-interactive-5.2p26-dev", Some("bash-interactive 5.2p26")),
            ("glibc-2.38-44-bin", Some("glibc 2.38-44")),
            ("python3.11-requests-2.31.0", Some("python3.11-requests 2.31.0")),
            ("libfoo-0-unstable-2024-01-02", Some("libfoo 0-unstable-2024-01-02")),
            ("nss-cacert-3.98-p11kit", Some("nss-cacert 3.98-p11kit")),
            ("openssl-3.0.13.drv", None),
            ("zlib-1.3.1.tar.gz", None),
            ("stdenv-linux", None),
            ("unit-sshd.service", None),
            ("-1", None),
            ("a-", None),
        ] {
            assert_eq!(parts(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn names_follow_the_hash() {
        let path = "/nix/store/0rhzp4g0nhh5slqcbhbbr0kkpkjvr4rp-bash-5.2";
        assert_eq!(store_name(path), Some("bash-5.2"));
        for bad in ["", "/nix/store/short-a-1", "/nix/store/0rhzp4g0nhh5slqcbhbbr0kkpkjvr4rp", "é/x"] {
            assert_eq!(store_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_package_of_the_store_once() {
        let path = |name: &str| format!("/nix/store/0rhzp4g0nhh5slqcbhbbr0kkpkjvr4rp-{name}");
        let names = ["openssl-3.0.13", "openssl-3.0.13-dev", "bash-5.2p26.drv", "source", "zlib-1.3.1"];
        let paths = names.map(path);
        let rows = paths.each_ref().map(|path| [Cell::Null, Cell::Text(path)]);
        let rows: Vec<&[Cell<'_>]> =
            rows.iter().map(<[_; 2]>::as_slice).chain([&[Cell::Null, Cell::Text("/x")][..]]).collect();
        let database = testing::sqlite(&[("ValidPaths", &rows)]);
        let found = testing::extract(&Nix, PLACE, &database, &[]).unwrap();
        let nix = |name, version| Package::new(PackageKind::Nix, name, version);
        assert_eq!(found.packages(), [nix("openssl", "3.0.13"), nix("zlib", "1.3.1")]);
        assert_eq!(found.damage[0].detail(), "nix store path: \"/x\"");
    }

    #[test]
    fn a_file_that_is_no_database() {
        assert!(testing::extract(&Nix, PLACE, b"x", &[]).is_err());
        assert!(testing::extract(&Nix, PLACE, b"", &[]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[-a0.é/]*", bytes: Vec<u8>) {
            let _ = (store_name(&text), package(&text));
            let _ = testing::extract(&Nix, PLACE, &bytes, &[]);
        }
    }
}
