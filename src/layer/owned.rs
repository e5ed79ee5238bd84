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
}

impl Owned {
    /// What packages installed, with the files of distributions' packages where diversions say. It is the same in whatever order
    /// the disk had the lists.
    pub(super) fn new(mut owners: Vec<Owner>, mut diversions: Vec<Diversion>) -> Self {
        owners.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        let mut owned = Self::default();
        for Owner { kind, name, files } in owners {
            let name = (kind, name);
            if owned.names.last() != Some(&name) {
                owned.names.push(name);
            }
            let Ok(place) = u32::try_from(owned.names.len().saturating_sub(1)) else { break };
            owned.files.extend(files.into_iter().map(|file| (file, place)));
        }
        owned.files.sort_unstable();
        diversions.sort_by_key(|diversion| diversion.from);
        diversions.dedup_by_key(|diversion| diversion.from);
        // One does not lead on to another: they are applied at once.
        let moves: Vec<_> = diversions.iter().flat_map(|diversion| owned.moved(diversion)).collect();
        for (at, to) in moves {
            if let Some((file, _)) = owned.files.get_mut(at) {
                *file = to;
            }
        }
        owned.files.sort_unstable();
        owned.files.dedup();
        owned.files.shrink_to_fit();
        owned
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
        let owners = [
            ("b", ["bin/x", "usr/share/b"]),
            ("a", ["usr/bin/x", "usr/share/a"]),
            ("a", ["usr/share/c", "bin/x"]),
        ];
        let owners = owners.map(|(name, paths)| {
            let files = paths.iter().map(|path| owned::key(&GuestPath::new(path))).collect();
            let kind = (name == "b").then_some(PackageKind::Pypi);
            Owner { kind, name: name.to_owned(), files }
        });
        let owned = Owned::new(owners.into(), Vec::new());
        let of = |path: &str| owned.of(&GuestPath::new(path)).collect::<Vec<_>>();
        let b = (Some(PackageKind::Pypi), "b");
        assert_eq!(of("usr/bin/x"), [(None, "a"), b]);
        assert_eq!(of("usr/share/b"), [b]);
        assert_eq!(of("usr/share/c"), [(None, "a")]);
        assert!(of("usr/share/d").is_empty());
    }

    #[test]
    fn what_is_diverted_is_looked_for_where_it_lies() {
        let key = |path: &str| owned::key(&GuestPath::new(path));
        let owners = [(None, "a"), (None, "b"), (Some(PackageKind::Pypi), "p")].map(|(kind, name)| Owner {
            kind,
            name: name.to_owned(),
            files: vec![key("bin/x"), key("bin/y"), key("bin/z")],
        });
        let diversion = |from, to, by: Option<&str>| Diversion {
            from: key(from),
            to: key(to),
            by: by.map(str::to_owned),
        };
        let diversions = vec![
            diversion("usr/bin/x", "usr/bin/x.a", Some("b")),
            diversion("usr/bin/y", "usr/bin/x", None),
            diversion("usr/bin/w", "usr/bin/w.a", Some("b")),
        ];
        let owned = Owned::new(owners.into(), diversions);
        let of = |path: &str| owned.of(&GuestPath::new(path)).map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(of("usr/bin/x"), ["a", "b", "p"]);
        assert_eq!(of("usr/bin/x.a"), ["a"]);
        assert_eq!((of("usr/bin/y"), of("usr/bin/z")), (vec!["p"], vec!["a", "b", "p"]));
        assert_eq!((of("usr/bin/w"), of("usr/bin/w.a")), (Vec::new(), Vec::new()));
    }
}
