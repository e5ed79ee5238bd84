//! What the packages of one database need of each other. Many databases name capabilities (a library's soname, a
//! virtual package, a command) that packages provide: they are resolved while the whole database is at hand.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::{Extraction, Package, Requirement, owned::key};
use crate::{error::FormatError, fs::GuestPath, limits};

/// Bytes that a capability takes besides its name.
const CAPABILITY: usize = 96;

/// The capabilities of one database's packages, which are told by their numbers in its extraction.
#[derive(Default)]
pub(super) struct Requires {
    provided: Provided,
    /// Those that each package needs, in the order of the packages.
    required: Vec<(usize, Box<[u8]>)>,
    /// Bytes that all of them take.
    bytes: usize,
}

type Provided = HashMap<Box<[u8]>, Vec<usize>>;

impl Requires {
    /// Adds a package to an extraction, and what `relate` notes of its number. False as [`Extraction::add`].
    pub(super) fn add(
        &mut self,
        package: Package,
        found: &mut Extraction,
        relate: impl FnOnce(usize, &mut Self),
    ) -> bool {
        let (name, number) = (package.name.clone(), found.shown.len());
        let more = found.add(package);
        // It may have been refused.
        if found.shown.len() > number {
            self.provide(number, name.as_bytes());
            relate(number, self);
        }
        more
    }

    /// Notes that a package provides a capability, as it does its name.
    pub(super) fn provide(&mut self, package: usize, capability: &[u8]) {
        if self.has_room(capability) {
            provide(&mut self.provided, package, capability);
        }
    }

    /// Notes that a package needs a capability, or one of several: all of them that are there are taken to serve it.
    pub(super) fn require(&mut self, package: usize, capability: &[u8]) {
        if self.has_room(capability) {
            self.required.push((package, capability.into()));
        }
    }

    fn has_room(&mut self, capability: &[u8]) -> bool {
        self.bytes = self.bytes.saturating_add(capability.len()).saturating_add(CAPABILITY);
        self.bytes <= limits::CAPABILITY_BYTES
    }

    /// Notes who provides what is needed, in the packages. Nobody is noted for what nobody provides, as options and files
    /// are, and for what so many provide that it says nothing.
    pub(super) fn resolve(self, found: &mut Extraction) {
        let Self { mut provided, required, bytes } = self;
        if bytes > limits::CAPABILITY_BYTES {
            let bound = limits::CAPABILITY_BYTES;
            let problem =
                format!("packages of one file that need and provide more than {bound} bytes of names");
            found.lose(FormatError::limit(problem));
        }
        Self::files(&mut provided, &required, found);
        let (mut edges, mut text) = (0_usize, 0_usize);
        for needs in required.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((package, _)) = needs.first() else { continue };
            let providers = needs.iter().filter_map(|(_, capability)| provided.get(capability));
            let providers = providers.filter(|all| all.len() <= limits::PROVIDERS).flatten().copied();
            let others = providers.inspect(|_| edges = edges.saturating_add(1));
            let others: BTreeSet<usize> = others.filter(|provider| provider != package).collect();
            // Two architectures of one package are one name.
            let mut seen = HashSet::new();
            let names =
                others.iter().filter_map(|provider| Some(found.shown.get(*provider)?.package.name.as_str()));
            let names = names.filter(|name| seen.insert(*name));
            let requires: Vec<Requirement> = names.map(Requirement::named).collect();
            text = requires.iter().fold(text, |text, one| text.saturating_add(one.name.len()));
            if edges > limits::REQUIREMENTS || text > limits::PACKAGE_TEXT_BYTES {
                let bound = limits::REQUIREMENTS;
                let problem = format!("packages of one file that need more than {bound} others");
                return found.lose(FormatError::limit(problem));
            }
            if let Some(shown) = found.shown.get_mut(*package) {
                Arc::make_mut(&mut shown.package).requires = requires;
            }
        }
    }

    /// Notes which packages have the files that are needed by their paths.
    fn files(provided: &mut Provided, required: &[(usize, Box<[u8]>)], found: &Extraction) {
        let paths = required.iter().map(|(_, capability)| capability).filter(|path| path.starts_with(b"/"));
        let paths: HashMap<u64, &Box<[u8]>> = paths.map(|path| (key(&GuestPath::new(path)), path)).collect();
        if paths.is_empty() {
            return;
        }
        let numbers = found.shown.iter().enumerate().map(|(number, shown)| (&shown.package.name, number));
        let numbers: HashMap<_, _> = numbers.collect();
        for owner in &found.owners {
            let Some(number) = numbers.get(&owner.name) else { continue };
            for path in owner.files.iter().filter_map(|file| paths.get(file)) {
                provide(provided, *number, path);
            }
        }
    }
}

fn provide(provided: &mut Provided, package: usize, capability: &[u8]) {
    let providers = provided.entry(capability.into()).or_default();
    if providers.last() != Some(&package) && providers.len() <= limits::PROVIDERS {
        providers.push(package);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::PackageKind;

    fn resolved(requires: Requires, names: &[&str]) -> Vec<String> {
        let mut found = Extraction::default();
        for name in names {
            found.add(Package::new(PackageKind::Deb, *name, "1"));
        }
        requires.resolve(&mut found);
        let names = |package: &Package| {
            let names: Vec<_> = package.requires.iter().map(|one| one.name.as_str()).collect();
            names.join(" ")
        };
        found.packages().iter().map(names).collect()
    }

    #[test]
    fn who_provides_what_is_needed_is_noted_once() {
        let mut requires = Requires::default();
        requires.require(0, b"libx.so.1");
        requires.require(0, b"x");
        requires.require(0, b"a");
        requires.require(0, b"nobody");
        requires.require(1, b"awk");
        for (package, name) in ["a", "x", "x", "mawk", "gawk"].into_iter().enumerate() {
            requires.provide(package, name.as_bytes());
        }
        requires.provide(1, b"libx.so.1");
        requires.provide(3, b"awk");
        requires.provide(4, b"awk");
        let expected = ["x", "mawk gawk", "", "", ""];
        assert_eq!(resolved(requires, &["a", "x", "x", "mawk", "gawk"]), expected);
    }

    #[test]
    fn what_everybody_provides_says_nothing() {
        let names = vec!["a"; limits::PROVIDERS + 2];
        for (providers, expected) in [(limits::PROVIDERS, "a"), (limits::PROVIDERS + 1, "")] {
            let mut requires = Requires::default();
            requires.require(0, b"x");
            (1..=providers).for_each(|package| requires.provide(package, b"x"));
            assert_eq!(resolved(requires, &names)[0], expected);
        }
    }

    #[test]
    fn what_is_needed_without_end_is_told() {
        let problem = |relate: &dyn Fn(usize, &mut Requires)| {
            let (mut found, mut requires) = (Extraction::default(), Requires::default());
            for number in 0..20_000 {
                let package = Package::new(PackageKind::Deb, number.to_string(), "1");
                requires.add(package, &mut found, |number, requires| relate(number, requires));
            }
            requires.resolve(&mut found);
            let needed: usize = found.shown.iter().map(|shown| shown.package.requires.len()).sum();
            assert!(needed <= limits::REQUIREMENTS, "{needed}");
            found.damage.iter().map(FormatError::detail).collect::<Vec<_>>().join("; ")
        };
        let everything = |number: usize, requires: &mut Requires| {
            (0..64).for_each(|name: usize| requires.require(number, name.to_string().as_bytes()));
        };
        assert_eq!(problem(&everything), "packages of one file that need more than 1000000 others");
        let long = |number: usize, requires: &mut Requires| {
            requires.provide(number, &[number.to_string().as_bytes(), &[b'x'; 8192]].concat());
        };
        let expected = "packages of one file that need and provide more than 134217728 bytes of names";
        assert_eq!(problem(&long), expected);
    }
}
