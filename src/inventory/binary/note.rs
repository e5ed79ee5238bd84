//! Packaging metadata in a note of an ELF (systemd, "Package Metadata for Executable Files"): what package a program belongs
//! to, as its builder says. Where that package is installed, its own database says so too.

use serde::Deserialize;

use super::program::Program;
use crate::{
    error::FormatError,
    inventory::{Extraction, Package, PackageKind},
    limits, num,
};

const NOTE: &str = "ELF package note";
const OWNER: &[u8] = b"FDO\0";
const KIND: u32 = 0xcafe_1a7e;

#[derive(Deserialize)]
struct Metadata {
    name: Option<String>,
    version: Option<String>,
    architecture: Option<String>,
    os: Option<String>,
}

/// Adds the package that a note names.
pub(super) fn read(program: &Program, found: &mut Extraction) -> Result<(), FormatError> {
    let Some(section) = program.section(&[b".note.package"]) else { return Ok(()) };
    let raw = program.read(section, NOTE, limits::PACKAGE_NOTE_BYTES)?;
    let Some(text) = description(program, &raw) else {
        return Err(FormatError::corrupt(
            NOTE,
            section.offset,
            "not of the owner or the kind that it should have",
        ));
    };
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let metadata: Metadata =
        serde_json::from_slice(text).map_err(|error| FormatError::malformed(NOTE, error.to_string()))?;
    if let (Some(name), Some(version)) = (metadata.name, metadata.version) {
        let package = Package::new(PackageKind::Generic, name, version);
        found.add(Package { arch: metadata.architecture, vendor: metadata.os, ..package });
    }
    Ok(())
}

/// What the first note of a section holds, if it is of the right kind.
fn description<'a>(program: &Program, raw: &'a [u8]) -> Option<&'a [u8]> {
    let number = |at| program.numbers.u32(raw, at);
    let (owner, length, kind) = (num::index(number(0)?), num::index(number(4)?), number(8)?);
    let rest = raw.get(12..)?;
    if rest.get(..owner)? != OWNER || kind != KIND {
        return None;
    }
    rest.get(owner..)?.get(..length)
}
