//! Rust: the list of crates that `cargo auditable` puts in a section `.dep-v0` (its PARSING.md and JSON schema): JSON, packed
//! with zlib. Crates that only took part in the build are not in the program.

use std::io::Read;

use serde::Deserialize;

use super::program::Program;
use crate::{
    error::FormatError,
    inventory::{Extraction, Package, PackageKind},
    limits, num,
};

const LIST: &str = "Rust dependency list";
/// Sources of which nothing need be said.
const REGISTRY: &str = "crates.io";

#[derive(Deserialize)]
struct List {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    source: String,
    #[serde(default)]
    kind: Kind,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Runtime,
    Build,
    /// What a later version may add is in the program as far as anybody knows.
    #[serde(other)]
    Unknown,
}

/// Adds the crates of a program.
pub(super) fn read(program: &Program, found: &mut Extraction) -> Result<(), FormatError> {
    let Some(section) = program.section(&[b".dep-v0", b".rust-deps-v0"]) else { return Ok(()) };
    let packed = program.read(section, LIST, limits::CRATE_LIST_BYTES)?;
    let mut json = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice())
        .take(limits::CRATE_LIST_BYTES.saturating_add(1))
        .read_to_end(&mut json)
        .map_err(|error| FormatError::corrupt(LIST, section.offset, error.to_string()))?;
    if num::to_u64(json.len()) > limits::CRATE_LIST_BYTES {
        return Err(FormatError::limit(format!("{LIST} of more than {} bytes", limits::CRATE_LIST_BYTES)));
    }
    let list: List =
        serde_json::from_slice(&json).map_err(|error| FormatError::malformed(LIST, error.to_string()))?;
    for Crate { name, version, source, .. } in list.packages.into_iter().filter(|c| c.kind != Kind::Build) {
        let origin = (source != REGISTRY).then_some(source);
        if !found.add(Package { origin, ..Package::new(PackageKind::Cargo, name, version) }) {
            break;
        }
    }
    Ok(())
}
