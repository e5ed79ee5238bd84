//! What one file says.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Diversion, Owner, Package};
use crate::{error::FormatError, fs::GuestPath, limits};

/// Bytes that count as text of a requirement, besides its own.
const REQUIREMENT: usize = 64;

/// A package, and where in its file it shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shown {
    /// The package.
    pub package: Arc<Package>,
    /// The member of an archive that shows it, `/` between its directories and `!/` before what lies in a member that is
    /// an archive itself; `None` if the file does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub inside: Option<Arc<str>>,
}

/// What one file says, and what of it could not be understood: one bad record loses that record only.
#[derive(Debug, Default)]
pub struct Extraction {
    /// The packages, in the order of the file.
    pub shown: Vec<Shown>,
    /// Files that came with the packages: if none of them is there, the packages were removed and this file was left.
    pub witnesses: Vec<GuestPath>,
    /// The files that packages of a distribution installed.
    pub owners: Vec<Owner>,
    /// The files that lie elsewhere than their packages list them.
    pub diversions: Vec<Diversion>,
    /// The records that were not read.
    pub damage: Vec<FormatError>,
    /// Bytes of text that the packages and their places have.
    text: usize,
    /// Files that were taken or not, as there were too many.
    files: usize,
}

impl Extraction {
    /// Takes a package that the file itself shows. False if the file has too many, which is noted: the caller stops.
    pub(super) fn add(&mut self, package: Package) -> bool {
        self.show(package, None)
    }

    /// Takes a package that a member of the file shows, as [`add`](Self::add).
    pub(super) fn add_inside(&mut self, package: Package, member: &Arc<str>) -> bool {
        self.show(package, Some(Arc::clone(member)))
    }

    fn show(&mut self, package: Package, inside: Option<Arc<str>>) -> bool {
        if package.name.len().max(package.version.len()) > limits::PACKAGE_NAME_BYTES {
            let bound = limits::PACKAGE_NAME_BYTES;
            self.lose(FormatError::limit(format!("a package's name or version of more than {bound} bytes")));
            return true;
        }
        let place = inside.as_ref().map_or(0, |inside| inside.len());
        self.text = self.text.saturating_add(text(&package)).saturating_add(place);
        let problem = if self.shown.len() >= limits::PACKAGES {
            format!("more than {} packages in one file", limits::PACKAGES)
        } else if self.text > limits::PACKAGE_TEXT_BYTES {
            format!("packages of one file with more than {} bytes of text", limits::PACKAGE_TEXT_BYTES)
        } else {
            self.shown.push(Shown { package: Arc::new(package), inside });
            return true;
        };
        self.damage.push(FormatError::limit(problem));
        false
    }

    /// Takes the files that a package installed. Of a file that lists too many, the rest has no owner here: what lies in
    /// them is reported as if nothing had installed it.
    pub(super) fn own(&mut self, owner: Owner) {
        self.files = self.files.saturating_add(owner.files.len());
        if self.files <= limits::OWNED_FILES && !owner.files.is_empty() {
            self.owners.push(owner);
        }
    }

    /// Notes a record that was not read, or one sentence for all that follow too many of them.
    pub(super) fn lose(&mut self, error: FormatError) {
        match self.damage.len() {
            n if n < limits::DAMAGED_RECORDS => self.damage.push(error),
            n if n == limits::DAMAGED_RECORDS => self.damage.push(FormatError::limit(format!(
                "more than {} damaged records in one file; the others are not named",
                limits::DAMAGED_RECORDS
            ))),
            _ => {}
        }
    }

    /// The packages, wherever in the file they show.
    pub fn packages(&self) -> Vec<Package> {
        self.shown.iter().map(|shown| Package::clone(&shown.package)).collect()
    }

    /// Bytes of text that the packages have.
    pub(crate) fn text_bytes(&self) -> usize {
        self.shown.iter().map(|shown| text(&shown.package)).sum()
    }

    /// The extraction, or its first error if nothing at all could be read.
    pub(super) fn finish(mut self) -> Result<Self, FormatError> {
        if self.shown.is_empty() && !self.damage.is_empty() {
            return Err(self.damage.swap_remove(0));
        }
        Ok(self)
    }
}

fn text(package: &Package) -> usize {
    let Package {
        name, version, arch, source, license, vendor, module, origin, url, digest, requires, ..
    } = package;
    let needs = requires.len().saturating_mul(REQUIREMENT);
    let requires = requires.iter().flat_map(|one| [Some(&one.name), one.version.as_ref()]).flatten();
    let source = source.iter().flat_map(|source| [&source.name, &source.version]);
    let others = [arch, license, vendor, module, origin, url, digest].into_iter().flatten();
    let all = [name, version].into_iter().chain(source).chain(others).chain(requires);
    all.map(String::len).fold(needs, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::PackageKind;

    #[test]
    fn damage_is_bounded_and_told() {
        let mut extraction = Extraction::default();
        for n in 0..1000 {
            extraction.lose(FormatError::corrupt("record", n, "bad"));
        }
        assert_eq!(extraction.damage.len(), limits::DAMAGED_RECORDS + 1);
        assert!(extraction.damage.last().unwrap().detail().contains("more than 100"));
        assert!(extraction.add(Package::new(PackageKind::Deb, "a", "1")));
        assert!(extraction.finish().is_ok());
    }

    #[test]
    fn nothing_but_damage_is_an_error() {
        let mut extraction = Extraction::default();
        extraction.lose(FormatError::corrupt("record", 7, "bad"));
        assert_eq!(extraction.finish().unwrap_err().offset(), Some(7));
        assert!(Extraction::default().finish().is_ok());
    }
}
