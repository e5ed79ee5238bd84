//! Rust: the list of crates that `cargo auditable` puts in a section `.dep-v0` (its PARSING.md and JSON schema): JSON, packed
//! with zlib. Crates that only took part in the build are not in the program.

use std::io::Read;

use serde::Deserialize;

use super::program::Program;
use crate::{
    error::FormatError,
    inventory::{Extraction, Package, PackageKind, Requirement},
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
    /// The numbers of others in the list.
    #[serde(default)]
    dependencies: Vec<usize>,
}

impl Crate {
    /// One program may have several versions of a crate.
    fn required(&self) -> Requirement {
        Requirement { name: self.name.clone(), version: Some(self.version.clone()) }
    }
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
    let crates = &list.packages;
    for one in crates.iter().filter(|one| one.kind != Kind::Build) {
        let mut package = Package::new(PackageKind::Cargo, &one.name, &one.version);
        package.origin = (one.source != REGISTRY).then(|| one.source.clone());
        let needed = one.dependencies.iter().filter_map(|number| crates.get(*number));
        package.requires = needed.filter(|needed| needed.kind != Kind::Build).map(Crate::required).collect();
        if !found.add(package) {
            break;
        }
    }
    Ok(())
}
