//! The files of a layer that packages installed, in 12 bytes each.

use serde::{Deserialize, Serialize};

use crate::{
    fs::GuestPath,
    inventory::{Diversion, Owner, PackageKind, owned},
};

/// Files and the names of their packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    names: Vec<(Option<PackageKind>, String)>,
    /// Keys of paths with places in `names`, sorted.
    files: Vec<(u64, u32)>,
    /// What [`Self::seal`] applies.
    #[serde(skip)]
    diversions: Vec<Diversion>,
}

impl Owned {
    /// Takes what a database of packages says. [`Self::seal`] follows the last one.
    pub(super) fn add(&mut self, owner: Owner) {
        let Ok(place) = u32::try_from(self.names.len()) else { return };
        self.names.push((owner.kind, owner.name));
        self.files.extend(owner.files.into_iter().map(|file| (file, place)));
    }

    /// Takes what a package manager says lies elsewhere than packages list it.
    pub(super) fn divert(&mut self, diversions: Vec<Diversion>) {
        self.diversions.extend(diversions);
    }

    /// Puts the files of distributions' packages where diversions say, and sorts, so that files can be looked up, and are told
    /// alike in whatever order the disk had the lists.
    pub(super) fn seal(&mut self) {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by_key(|place| self.names.get(*place));
        let mut names: Vec<(Option<PackageKind>, String)> = Vec::with_capacity(order.len());
        let mut places = vec![0; order.len()];
        for old in order {
            let name = self.names.get_mut(old).map(std::mem::take).unwrap_or_default();
            if names.last() != Some(&name) {
                names.push(name);
            }
            let new = u32::try_from(names.len().saturating_sub(1)).unwrap_or_default();
            if let Some(place) = places.get_mut(old) {
                *place = new;
            }
        }
        self.names = names;
        for (_, place) in &mut self.files {
            let new = usize::try_from(*place).ok().and_then(|old| places.get(old));
            *place = new.copied().unwrap_or_default();
        }
        self.files.sort_unstable();
        let mut diversions = std::mem::take(&mut self.diversions);
        diversions.sort_by_key(|diversion| diversion.from);
        diversions.dedup_by_key(|diversion| diversion.from);
        // One does not lead on to another: they are applied at once.
        let moves: Vec<_> = diversions.iter().flat_map(|diversion| self.moved(diversion)).collect();
        for (at, to) in moves {
            if let Some((file, _)) = self.files.get_mut(at) {
                *file = to;
            }
        }
        self.files.sort_unstable();
        self.files.dedup();
        self.files.shrink_to_fit();
    }

    /// The places in `files` of those that a diversion moves, and their new keys.
    fn moved(&self, diversion: &Diversion) -> impl Iterator<Item = (usize, u64)> {
        let Diversion { from, to, by } = diversion;
        let first = self.files.partition_point(|(file, _)| file < from);
        let files = self.files.iter().enumerate().skip(first).take_while(move |(_, (file, _))| file == from);
        let is_moved = move |place: u32| {
            let name = usize::try_from(place).ok().and_then(|place| self.names.get(place));
            name.is_some_and(|(kind, name)| kind.is_none() && Some(name) != by.as_ref())
        };
        files.filter(move |(_, (_, place))| is_moved(*place)).map(move |(at, _)| (at, *to))
    }

    /// How many files there are.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// The packages that installed the file at a path: the kinds of those of languages, and the names.
    pub fn of(&self, path: &GuestPath) -> impl Iterator<Item = (Option<PackageKind>, &str)> {
        let key = owned::key(path);
        let first = self.files.partition_point(|(file, _)| *file < key);
        let files = self.files.get(first..).unwrap_or_default().iter();
        files.take_while(move |(file, _)| *file == key).filter_map(|(_, place)| {
            let place = usize::try_from(*place).ok()?;
            self.names.get(place).map(|(kind, name)| (*kind, name.as_str()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_with_all_their_packages() {
        let mut owned = Owned::default();
        for (name, paths) in [
            ("b", ["bin/x", "usr/share/b"]),
            ("a", ["usr/bin/x", "usr/share/a"]),
            ("a", ["usr/share/c", "bin/x"]),
        ] {
            let files = paths.iter().map(|path| owned::key(&GuestPath::new(path))).collect();
            let kind = (name == "b").then_some(PackageKind::Pypi);
            owned.add(Owner { kind, name: name.to_owned(), files });
        }
        owned.seal();
        let of = |path: &str| owned.of(&GuestPath::new(path)).collect::<Vec<_>>();
        let b = (Some(PackageKind::Pypi), "b");
        assert_eq!(of("usr/bin/x"), [(None, "a"), b]);
        assert_eq!(of("usr/share/b"), [b]);
        assert_eq!(of("usr/share/c"), [(None, "a")]);
        assert!(of("usr/share/d").is_empty());
    }

    #[test]
    fn what_is_diverted_is_looked_for_where_it_lies() {
        let mut owned = Owned::default();
        let key = |path: &str| owned::key(&GuestPath::new(path));
        for (kind, name) in [(None, "a"), (None, "b"), (Some(PackageKind::Pypi), "p")] {
            owned.add(Owner {
                kind,
                name: name.to_owned(),
                files: vec![key("bin/x"), key("bin/y"), key("bin/z")],
            });
        }
        let diversion = |from, to, by: Option<&str>| Diversion {
            from: key(from),
            to: key(to),
            by: by.map(str::to_owned),
        };
        owned.divert(vec![
            diversion("usr/bin/x", "usr/bin/x.a", Some("b")),
            diversion("usr/bin/y", "usr/bin/x", None),
            diversion("usr/bin/w", "usr/bin/w.a", Some("b")),
        ]);
        owned.seal();
        let of = |path: &str| owned.of(&GuestPath::new(path)).map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(of("usr/bin/x"), ["a", "b", "p"]);
        assert_eq!(of("usr/bin/x.a"), ["a"]);
        assert_eq!((of("usr/bin/y"), of("usr/bin/z")), (vec!["p"], vec!["a", "b", "p"]));
        assert_eq!((of("usr/bin/w"), of("usr/bin/w.a")), (Vec::new(), Vec::new()));
    }
}
