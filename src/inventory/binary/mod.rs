//! Programs and libraries that say what they were built of: Go modules, Rust crates (cargo-auditable), .NET packages, components
//! of GraalVM's native images, and the versions of programs that no package manager installed.
//!
//! Of a program two small reads are made, its headers and its table of sections; only the sections that hold an answer are
//! read then. What is no program ends after the first.

mod bundle;
mod elf;
mod go;
mod golang;
mod graal;
mod ldflags;
mod macho;
mod names;
mod note;
mod pe;
mod program;
mod rust;
mod signature;
mod signatures;
#[cfg(test)]
pub(super) mod testing;

use program::Program;

use super::{Extraction, Extractor, File};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath, Stat},
    limits,
};

/// Programs and libraries.
pub(super) struct Binary;

impl Extractor for Binary {
    fn name(&self) -> &'static str {
        "binary"
    }

    fn version(&self) -> u32 {
        4
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && names::may_be_program(path)
    }

    /// Nobody runs a program whose mode forbids it; libraries, and programs of other systems, have no such bit.
    fn accepts(&self, path: &GuestPath, stat: &Stat) -> bool {
        stat.size >= limits::PROGRAM_LEAST_BYTES
            && (stat.mode & 0o111 != 0 || names::runs_without_bit(path.name()))
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some(mut program) = Program::open(file.content())? else { return Ok(found) };
        if let Some(error) = program.damage.take() {
            found.lose(error);
        }
        if program.is_packed() {
            found.lose(FormatError::unsupported("a program that UPX packed"));
            return found.finish();
        }
        match go::read(&program) {
            Ok(Some(info)) => golang::add(&info, &mut found),
            Ok(None) => {}
            Err(error) => found.lose(error),
        }
        for read in [rust::read, graal::read, note::read, bundle::read] {
            if let Err(error) = read(&program, &mut found) {
                found.lose(error);
            }
        }
        if found.shown.is_empty()
            && let Some(package) = signature::find(&program, file.path().name())?
        {
            found.add(package);
        }
        found.finish()
    }
}

#[cfg(test)]
mod tests;
