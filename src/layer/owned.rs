//! The files of a layer that packages installed, in 12 bytes each.

use serde::{Deserialize, Serialize};

use crate::{
    fs::GuestPath,
    inventory::{Owner, PackageKind, owned},
};

/// Files and the names of their packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    names: Vec<(Option<PackageKind>, String)>,
    /// Keys of paths with places in `names`, sorted.
    files: Vec<(u64, u32)>,
}

impl Owned {
    /// Takes what a database of packages says. [`Self::seal`] follows the last one.
    pub(super) fn add(&mut self, owner: Owner) {
        let Ok(place) = u32::try_from(self.names.len()) else { return };
        self.names.push((owner.kind, owner.name));
        self.files.extend(owner.files.into_iter().map(|file| (file, place)));
    }

    /// Sorts, so that files can be looked up.
    pub(super) fn seal(&mut self) {
        self.files.sort_unstable();
        self.files.dedup();
        self.files.shrink_to_fit();
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
        for (name, paths) in [("a", ["usr/bin/x", "usr/share/a"]), ("b", ["bin/x", "usr/share/b"])] {
            let files = paths.iter().map(|path| owned::key(&GuestPath::new(path))).collect();
            let kind = (name == "b").then_some(PackageKind::Pypi);
            owned.add(Owner { kind, name: name.to_owned(), files });
        }
        owned.seal();
        let of = |path: &str| owned.of(&GuestPath::new(path)).collect::<Vec<_>>();
        let b = (Some(PackageKind::Pypi), "b");
        assert_eq!(of("usr/bin/x"), [(None, "a"), b]);
        assert_eq!(of("usr/share/b"), [b]);
        assert!(of("usr/share/c").is_empty());
    }
}
