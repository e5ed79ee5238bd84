//! What the packages of one database need of each other. Many databases name capabilities (a library's soname, a
//! virtual package, a command) that packages provide: they are resolved while the whole database is at hand.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{Extraction, Package, Requirement, owned::key};
use crate::{error::FormatError, fs::GuestPath, limits};

/// The capabilities of one database's packages, which are told by their numbers in its extraction.
#[derive(Default)]
pub(super) struct Requires {
    provided: HashMap<Box<[u8]>, Vec<usize>>,
    required: Vec<(usize, Box<[u8]>)>,
}

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
        let providers = self.provided.entry(capability.into()).or_default();
        if providers.last() != Some(&package) && providers.len() <= limits::PROVIDERS {
            providers.push(package);
        }
    }

    /// Notes that a package needs a capability, or one of several: all of them that are there are taken to serve it.
    pub(super) fn require(&mut self, package: usize, capability: &[u8]) {
        if self.required.len() <= limits::REQUIREMENTS {
            self.required.push((package, capability.into()));
        }
    }

    /// Notes who provides what is needed, in the packages. Nobody is noted for what nobody provides, as options and files
    /// are, and for what so many provide that it says nothing.
    pub(super) fn resolve(self, found: &mut Extraction) {
        let Self { mut provided, required } = self;
        if required.len() > limits::REQUIREMENTS {
            let bound = limits::REQUIREMENTS;
            found
                .lose(FormatError::limit(format!("packages that need more than {bound} others in one file")));
        }
        Self::files(&mut provided, &required, found);
        let mut edges = BTreeSet::new();
        for (package, capability) in &required {
            let providers = provided.get(capability).filter(|all| all.len() <= limits::PROVIDERS);
            let others = providers.into_iter().flatten().filter(|provider| *provider != package);
            edges.extend(others.map(|provider| (*package, *provider)));
        }
        for (package, provider) in edges {
            let Some(name) = found.shown.get(provider).map(|shown| shown.package.name.clone()) else {
                continue;
            };
            let Some(shown) = found.shown.get_mut(package) else { continue };
            // Two architectures of one package are one name.
            let requires = &mut Arc::make_mut(&mut shown.package).requires;
            if !requires.iter().any(|known| known.name == name) {
                requires.push(Requirement::named(name));
            }
        }
    }

    /// Notes which packages have the files that are needed by their paths.
    fn files(
        provided: &mut HashMap<Box<[u8]>, Vec<usize>>,
        required: &[(usize, Box<[u8]>)],
        found: &Extraction,
    ) {
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
                provided.entry((*path).clone()).or_default().push(*number);
            }
        }
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
}
