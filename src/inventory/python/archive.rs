//! Archives that Python imports or runs as they are: zipped eggs (setuptools, "The Internal Structure of Python Eggs"),
//! applications (`zipapp`, PEX, shiv) with the packages that they bring along, and wheels ("Binary distribution format").
//! A wheel is there to be installed, so its packages are declared, unless it is one of those that a PEX was unpacked to.

use std::sync::Arc;

use super::{
    metadata,
    requirement::{self, Version},
};
use crate::{
    block::{Memory, Source},
    error::FormatError,
    fs::{FileKind, GuestPath},
    inventory::{
        Extraction, Extractor, File, Package,
        zip::{self, ARCHIVE, Budget, Member},
    },
    limits, num,
};

/// Eggs, applications and wheels.
pub(in crate::inventory) struct Archive;

impl Extractor for Archive {
    fn name(&self) -> &'static str {
        "python-archive"
    }

    fn version(&self) -> u32 {
        4
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        let name = path.name();
        kind == FileKind::Regular
            && [b".egg".as_slice(), b".pex", b".pyz", b".whl"]
                .iter()
                .any(|extension| name.ends_with(extension))
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let declared = is_to_be_installed(file.path());
        let python = requirement::python_of(file.path());
        let found = zip::packages(file.content(), &is_metadata, &|source, member, budget| {
            read(source, member, python, budget).map(|package| Some(Package { declared, ..package }))
        })?;
        match found {
            None if file.path().name().ends_with(b".whl") => {
                Err(FormatError::malformed(ARCHIVE, "no end record"))
            }
            // A script that is called so, or nothing at all.
            found => Ok(found.unwrap_or_default()),
        }
    }
}

/// Whether an archive is a wheel that nothing has unpacked.
fn is_to_be_installed(path: &GuestPath) -> bool {
    path.name().ends_with(b".whl") && !path.components().any(|dir| dir == b".deps")
}

/// Whether a member is the metadata of a package.
fn is_metadata(name: &[u8]) -> bool {
    let mut above = name.rsplit(|byte| *byte == b'/');
    match above.next() {
        Some(b"METADATA") => above.next().is_some_and(|dir| dir.ends_with(b".dist-info")),
        Some(b"PKG-INFO") => {
            above.next().is_some_and(|dir| dir == b"EGG-INFO" || dir.ends_with(b".egg-info"))
        }
        _ => false,
    }
}

fn read(
    source: &Source,
    member: Member,
    python: Option<Version>,
    budget: &mut Budget,
) -> Result<Package, FormatError> {
    let limit = limits::METADATA_HEADER_BYTES;
    budget.unpack(member.size.max(member.packed).min(limit))?;
    let bytes = member.begin(source, num::to_usize(limit), &metadata::is_whole)?;
    let source: Source = Arc::new(Memory::new(bytes));
    metadata::read(&source, python)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Shown, testing, zip::testing::archive};

    fn rows(path: &str, bytes: &[u8]) -> Vec<String> {
        let found = testing::extract(&Archive, path, bytes, &[]).unwrap();
        assert!(found.damage.is_empty());
        let row = |shown: &Shown| {
            let package = &shown.package;
            let declared = if package.declared { " declared" } else { "" };
            format!("{} {}{declared} {}", package.name, package.version, shown.inside.as_deref().unwrap())
        };
        found.shown.iter().map(row).collect()
    }

    #[test]
    fn wants_archives_by_their_extension() {
        testing::wants(
            &Archive,
            &["a/x-1-py3.11.egg", "srv/app.pex", "srv/app.pyz", "x-1-py3-none-any.whl"],
            &["srv/app", "srv/app.zip", "a.egg/EGG-INFO/PKG-INFO", "egg"],
        );
    }

    #[test]
    fn what_archives_hold_and_wheels_announce() {
        let six = "Name: six\nVersion: 1.16.0\n\nText\n";
        let egg = archive(&[("EGG-INFO/PKG-INFO", six), ("six.py", "")]);
        assert_eq!(rows("a/six-1.16.0-py3.egg", &egg), ["six 1.16.0 EGG-INFO/PKG-INFO"]);
        let wheel = archive(&[("six-1.16.0.dist-info/METADATA", six), ("six.py", "")]);
        let member = "six 1.16.0 declared six-1.16.0.dist-info/METADATA";
        assert_eq!(rows("a/six-1.16.0-py3-none-any.whl", &wheel), [member]);
        let member = "six 1.16.0 six-1.16.0.dist-info/METADATA";
        assert_eq!(rows("srv/app.pex/.deps/six-1.16.0-py3-none-any.whl", &wheel), [member]);
        let deps = ".deps/six-1.16.0-py3-none-any.whl/six-1.16.0.dist-info/METADATA";
        let mut pex = b"#!/usr/bin/env python3\n".to_vec();
        pex.extend(archive(&[("PEX-INFO", "{}"), (deps, six), ("METADATA", six)]));
        assert_eq!(rows("srv/app.pex", &pex), [format!("six 1.16.0 {deps}")]);
    }

    #[test]
    fn what_is_no_archive_or_damaged() {
        assert!(testing::extract(&Archive, "a.whl", b"", &[]).is_err());
        assert_eq!(testing::extract(&Archive, "a.pyz", b"#!/bin/sh\n", &[]).unwrap().shown, []);
        let wheel = archive(&[
            ("a.dist-info/METADATA", "Name: a\n"),
            ("b.dist-info/METADATA", "Name: b\nVersion: 1\n"),
        ]);
        let found = testing::extract(&Archive, "a.whl", &wheel, &[]).unwrap();
        assert_eq!((found.shown.len(), found.damage.len()), (1, 1));
        assert_eq!(
            found.damage[0].detail(),
            "python metadata at offset 0x0: no Name or no Version (a.dist-info/METADATA)"
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, at: proptest::sample::Index, byte: u8) {
            let _ = testing::extract(&Archive, "a.whl", &bytes, &[]);
            let mut wheel = archive(&[("a.dist-info/METADATA", "Name: a\nVersion: 1\n")]);
            let at = at.index(wheel.len());
            wheel[at] = byte;
            let _ = testing::extract(&Archive, "a.whl", &wheel, &[]);
        }
    }
}
