//! An archive and the archives in it: of each the directory is read, and then only the members that name packages.
//! What is stored is read in place, what is compressed in memory.

use std::sync::Arc;

use super::{identity::Evidence, manifest::Manifest, properties::Coordinates};
use crate::{
    block::{Memory, ReadAt, Source},
    error::FormatError,
    inventory::{
        Extraction, sbom,
        zip::{ARCHIVE, Budget, Directory, Member, within},
    },
    limits, num,
};

const MANIFEST: &str = "META-INF/MANIFEST.MF";
/// Where builds of Spring Boot's and others put what an archive is made of (Spring Boot's reference, "CycloneDX SBOM").
const BILLS: (&[u8], &[u8]) = (b"META-INF/sbom/", b".cdx.json");

/// The file names that Java archives have: extension, and whether other formats have it, too.
const EXTENSIONS: [(&str, bool); 12] = [
    ("jar", false),
    ("war", false),
    ("ear", false),
    ("jmod", false),
    ("hpi", false),
    ("jpi", false),
    ("lpkg", false),
    ("kar", true),
    ("nar", true),
    ("par", true),
    ("rar", true),
    ("sar", true),
];

/// Whether a file is a Java archive by its name; `Some(true)` if files of other formats are called so, too.
pub(super) fn extension(name: &[u8]) -> Option<bool> {
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    let (stem, extension) = (name.get(..dot)?, name.get(dot.saturating_add(1)..)?);
    let known = EXTENSIONS.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known.as_bytes()));
    known.filter(|_| !stem.is_empty() && !stem.ends_with(b"/")).map(|(_, shared)| *shared)
}

/// Whether a path is that of an artifact's coordinates, in a jar or where one was unpacked.
pub(super) fn is_pom(path: &[u8]) -> bool {
    let mut above = path.rsplit(|byte| *byte == b'/');
    above.next() == Some(b"pom.properties")
        && above.nth(2) == Some(b"maven")
        && above.next() == Some(b"META-INF")
}

/// What one file holds, as it is found.
pub(super) struct Search {
    /// The packages and what could not be read.
    pub found: Extraction,
    budget: Budget,
    /// The file has more packages than are taken.
    full: bool,
}

/// An archive: the file, or a member of the one around it.
struct Place<'a> {
    /// The path within the file; `None` of the file itself.
    inside: Option<&'a Arc<str>>,
    name: &'a str,
    depth: usize,
}

/// The members of an archive that are read.
#[derive(Default)]
struct Parts {
    poms: Vec<(Box<str>, Member)>,
    manifest: Option<Member>,
    bills: Vec<(Box<str>, Member)>,
    archives: Vec<(Box<str>, Member)>,
}

impl Search {
    /// Finds the packages of the file `name`; an error is of the file as a whole.
    pub(super) fn file(source: &Source, name: &str) -> Result<Extraction, FormatError> {
        let mut search = Self { found: Extraction::default(), budget: Budget::new(), full: false };
        search.archive(source, &Place { inside: None, name, depth: 0 })?;
        search.found.finish()
    }

    fn archive(&mut self, source: &Source, place: &Place<'_>) -> Result<(), FormatError> {
        let Some(directory) = Directory::read(source, &mut self.budget)? else {
            return no_archive(source, place);
        };
        let parts = self.parts(&directory, place);
        self.packages(source, &parts, &|below| directory.has(below), place);
        // Not kept while the archives in this one are read.
        drop(directory);
        for (name, member) in &parts.archives {
            if self.full {
                break;
            }
            let inside = place.join(name);
            if let Err(error) = self.member(source, *member, &inside, place.depth) {
                self.found.lose(within(error, &inside));
            }
        }
        Ok(())
    }

    fn parts(&mut self, directory: &Directory, place: &Place<'_>) -> Parts {
        let mut parts = Parts::default();
        for member in directory.members() {
            let (name, member) = match member {
                Ok(member) => member,
                Err(error) => {
                    self.found.lose(place.error(error));
                    break;
                }
            };
            let list = if is_pom(name) {
                &mut parts.poms
            } else if extension(name).is_some() {
                &mut parts.archives
            } else if name.starts_with(BILLS.0) && name.ends_with(BILLS.1) {
                &mut parts.bills
            } else {
                if name.eq_ignore_ascii_case(MANIFEST.as_bytes()) {
                    parts.manifest.get_or_insert(member);
                }
                continue;
            };
            let problem = if name.len() > limits::PATH_BYTES {
                format!("a member's name of more than {} bytes", limits::PATH_BYTES)
            } else if list.len() >= limits::ZIP_MEMBERS {
                format!("more than {} archives, bills or {} in one archive", limits::ZIP_MEMBERS, super::POM)
            } else {
                list.push((String::from_utf8_lossy(name).into(), member));
                continue;
            };
            self.found.lose(place.error(FormatError::limit(problem)));
            break;
        }
        // In the order of the disk.
        parts.poms.sort_by_key(|(_, member)| member.at);
        parts.archives.sort_by_key(|(_, member)| member.at);
        parts
    }

    fn packages(&mut self, source: &Source, parts: &Parts, has: &dyn Fn(&str) -> bool, place: &Place<'_>) {
        let mut poms = Vec::new();
        for (name, member) in &parts.poms {
            match self.pom(source, *member) {
                Ok(coordinates) => poms.push((name.clone(), coordinates)),
                Err(error) => self.found.lose(within(error, &place.join(name))),
            }
        }
        let manifest = parts.manifest.map(|member| self.manifest(source, member)).transpose();
        let manifest = manifest.unwrap_or_else(|error| {
            self.found.lose(within(error, &place.join(MANIFEST)));
            None
        });
        let stem = place.name.rsplit_once('.').map_or(place.name, |(stem, _)| stem);
        let evidence = Evidence { stem, poms, manifest: manifest.unwrap_or_default(), has };
        for (package, member) in evidence.packages() {
            let taken = match (member.map(|member| place.join(&member)), place.inside) {
                (Some(member), _) => self.found.add_inside(package, &member),
                (None, Some(inside)) => self.found.add_inside(package, inside),
                (None, None) => self.found.add(package),
            };
            self.full |= !taken;
        }
        for (name, member) in &parts.bills {
            let inside = place.join(name);
            if let Err(error) = self.bill(source, *member, &inside) {
                self.found.lose(within(error, &inside));
            }
        }
    }

    /// What a bill of materials names may lie in the archive or not.
    fn bill(&mut self, source: &Source, member: Member, inside: &Arc<str>) -> Result<(), FormatError> {
        if member.size > limits::SBOM_BYTES {
            let (size, bound) = (member.size, limits::SBOM_BYTES);
            return Err(FormatError::limit(format!(
                "a bill of materials of {size} bytes, more than {bound}"
            )));
        }
        self.budget.unpack(member.size.max(member.packed))?;
        let mut named = Extraction::default();
        sbom::components(&member.read(source)?, "components", false, &mut named);
        for error in named.damage {
            self.found.lose(within(error, inside));
        }
        for shown in named.shown {
            if self.full {
                break;
            }
            self.full = !self.found.add_inside(Arc::unwrap_or_clone(shown.package), inside);
        }
        Ok(())
    }

    fn pom(&mut self, source: &Source, member: Member) -> Result<Coordinates, FormatError> {
        if member.size > limits::JAR_PROPERTIES_BYTES {
            let (size, bound) = (member.size, limits::JAR_PROPERTIES_BYTES);
            return Err(FormatError::limit(format!("{} of {size} bytes, more than {bound}", super::POM)));
        }
        self.budget.unpack(member.size.max(member.packed))?;
        Coordinates::parse(&member.read(source)?)
    }

    /// Signed jars have manifests of many MiB, of which only the beginning is about the jar.
    fn manifest(&mut self, source: &Source, member: Member) -> Result<Manifest, FormatError> {
        let limit = limits::JAR_MANIFEST_BYTES;
        self.budget.unpack(member.size.max(member.packed).min(limit))?;
        let bytes = member.begin(source, num::to_usize(limit), &Manifest::is_whole)?;
        if num::to_u64(bytes.len()) >= limit && !Manifest::is_whole(&bytes) {
            return Err(FormatError::limit(format!("a manifest's main section of more than {limit} bytes")));
        }
        Ok(Manifest::parse(&bytes))
    }

    /// An archive that is a member.
    fn member(
        &mut self,
        source: &Source,
        member: Member,
        inside: &Arc<str>,
        depth: usize,
    ) -> Result<(), FormatError> {
        let depth = depth.saturating_add(1);
        if depth > limits::JAR_DEPTH {
            return Err(FormatError::limit(format!("archives nested deeper than {}", limits::JAR_DEPTH)));
        }
        let name = inside.rsplit('/').next().unwrap_or(inside);
        let place = Place { inside: Some(inside), name, depth };
        if let Some(stored) = member.stored(source)? {
            return self.archive(&stored, &place);
        }
        let size = member.size.max(member.packed);
        self.budget.unpack(size)?;
        self.budget.hold(member.size)?;
        let unpacked = member.read(source);
        let done = unpacked.and_then(|bytes| {
            let source: Source = Arc::new(Memory::new(bytes));
            self.archive(&source, &place)
        });
        self.budget.give_back(member.size);
        done
    }
}

impl Place<'_> {
    /// The path of a member within the file.
    fn join(&self, member: &str) -> Arc<str> {
        match self.inside {
            Some(inside) => format!("{inside}!/{member}").into(),
            None => member.into(),
        }
    }

    fn error(&self, error: FormatError) -> FormatError {
        match self.inside {
            Some(inside) => within(error, inside),
            None => error,
        }
    }
}

/// What has no end record: nothing if it is empty or a file of another format, else an archive that is damaged.
fn no_archive(source: &Source, place: &Place<'_>) -> Result<(), FormatError> {
    let mut start = [0; 4];
    let begins = source.size() >= 4 && source.read_at(&mut start, 0).is_ok() && start.starts_with(b"PK");
    if source.size() == 0 || !begins && extension(place.name.as_bytes()) != Some(false) {
        return Ok(());
    }
    Err(FormatError::malformed(ARCHIVE, "no end record"))
}
