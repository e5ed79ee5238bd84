//! The files of a layer that packages of its distribution installed, in 12 bytes each.

use serde::{Deserialize, Serialize};

use crate::{
    fs::GuestPath,
    inventory::{Owner, owned},
};

/// Files and the names of their packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    names: Vec<String>,
    /// Keys of paths with places in `names`, sorted.
    files: Vec<(u64, u32)>,
}

impl Owned {
    /// Takes what a database of packages says. [`Self::seal`] follows the last one.
    pub(super) fn add(&mut self, owner: Owner) {
        let Ok(place) = u32::try_from(self.names.len()) else { return };
        self.names.push(owner.name);
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

    /// The names of the packages that installed the file at a path.
    pub fn of(&self, path: &GuestPath) -> impl Iterator<Item = &str> {
        let key = owned::key(path);
        let first = self.files.partition_point(|(file, _)| *file < key);
        let files = self.files.get(first..).unwrap_or_default().iter();
        files.take_while(move |(file, _)| *file == key).filter_map(|(_, place)| {
            let place = usize::try_from(*place).ok()?;
            self.names.get(place).map(String::as_str)
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
            owned.add(Owner { name: name.to_owned(), files });
        }
        owned.seal();
        let of = |path: &str| owned.of(&GuestPath::new(path)).collect::<Vec<_>>();
        assert_eq!(of("usr/bin/x"), ["a", "b"]);
        assert_eq!(of("usr/share/b"), ["b"]);
        assert!(of("usr/share/c").is_empty());
    }
}
