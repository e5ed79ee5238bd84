//! Java packages: the artifacts that archives are and hold (JAR File Specification; Maven's `pom.properties`), archives that
//! were unpacked, and the runtime. An archive costs its directory and the few members that name packages, not its bytes. What a bill
//! of materials in one names is declared.

mod archive;
mod filename;
mod groups;
mod identity;
mod manifest;
mod properties;
mod runtime;
#[cfg(test)]
mod tests;

pub(super) use runtime::Runtime;

use super::{Extraction, Extractor, File, Package, PackageKind};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};
use properties::Coordinates;

/// The file that Maven writes into what it builds.
const POM: &str = properties::STRUCTURE;

/// Maven's artifacts, whatever built them.
pub(super) struct Java;

impl Extractor for Java {
    fn name(&self) -> &'static str {
        "java"
    }

    fn version(&self) -> u32 {
        2
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular
            && (archive::extension(path.name()).is_some() || archive::is_pom(path.as_bytes()))
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let name = file.path().name();
        if name != POM.as_bytes() {
            return archive::Search::file(file.content(), &String::from_utf8_lossy(name));
        }
        let Coordinates { group, artifact, version } =
            Coordinates::parse(&file.read(POM, limits::JAR_PROPERTIES_BYTES)?)?;
        let mut found = Extraction::default();
        found.add(Package::new(PackageKind::Maven, format!("{group}:{artifact}"), version));
        Ok(found)
    }
}
