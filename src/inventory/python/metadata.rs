//! The metadata of a package (packaging.python.org, "Core metadata specifications"). Only the headers are read, not the
//! description after them.

use super::requirement::{Version, required};
use crate::{
    block::Source,
    error::FormatError,
    inventory::{
        Package, PackageKind, Requirement,
        fields::{Blocks, Names},
        lines::Lines,
        package::web_address,
    },
    limits,
};

const HEADERS: &str = "python metadata";
const FIELDS: &[&str] = &["Name", "Version", "License", "License-Expression", "Home-page", REQUIRES];
const REQUIRES: &str = "Requires-Dist";

/// The package that some metadata describes, installed for this Python.
pub(super) fn read(source: &Source, python: Option<Version>) -> Result<Package, FormatError> {
    let lines = Lines::new(source, HEADERS, 4096, limits::METADATA_HEADER_BYTES);
    let block = Blocks::new(lines, HEADERS, Names::AnyCase, FIELDS).repeating(REQUIRES).next()?;
    let mut block = block.ok_or_else(|| FormatError::malformed(HEADERS, "no headers"))?;
    let (Some(name), Some(version)) = (block.take("Name"), block.take("Version")) else {
        return Err(FormatError::corrupt(HEADERS, block.offset, "no Name or no Version"));
    };
    let mut package = Package::new(PackageKind::Pypi, name, version);
    let license = block.take("License-Expression").or_else(|| block.take("License"));
    package.license = license.filter(|license| license != "UNKNOWN");
    let requires = block.take_all(REQUIRES);
    package.requires =
        requires.iter().filter_map(|text| required(text, python)).map(Requirement::named).collect();
    package.url = block.take("Home-page").as_deref().and_then(web_address);
    Ok(package)
}

/// Whether the headers end within some bytes.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    [b"\n\n".as_slice(), b"\n\r\n"].iter().any(|end| memchr::memmem::find(bytes, end).is_some())
}
