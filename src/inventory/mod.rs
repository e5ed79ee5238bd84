//! Packages: one file in, what it says is installed out. An [`Extractor`] is handed a file and cannot tell a
//! node from an image; [`EXTRACTORS`] lists them.

mod file;
mod os;
mod package;
mod purl;

pub use file::File;
pub use os::Os;
pub use package::{Package, PackageKind, SourcePackage};
pub use purl::purl;

use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
};

/// What one file says, and what of it could not be understood: one bad record loses that record only.
#[derive(Debug, Default)]
pub struct Extraction {
    /// The packages.
    pub packages: Vec<Package>,
    /// The records that were not read.
    pub damage: Vec<FormatError>,
}

/// Reads one ecosystem's evidence of installed packages. Pure: bytes in, packages out.
pub trait Extractor: Sync {
    /// A kebab word, unique among the extractors.
    fn name(&self) -> &'static str;

    /// Raised whenever the same file would give another answer: part of the layer cache's key.
    fn version(&self) -> u32;

    /// Whether a file is to be extracted. Called for every path, so it looks at the name first.
    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool;

    /// Names of files in the same directory that [`File::companion`] may be asked for.
    fn companions(&self) -> &'static [&'static str] {
        &[]
    }

    /// The packages that the file shows. An error means that nothing of it could be read.
    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError>;
}

/// The extractors, in the order in which they are tried; the first that wants a file gets it.
pub static EXTRACTORS: &[&dyn Extractor] = &[];
