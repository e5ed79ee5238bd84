//! The packages that one file names.

use std::collections::HashSet;

use crate::{
    error::FormatError,
    inventory::{Extraction, Package},
};

/// Takes packages that a file names: each once, however often the file names it.
pub(super) struct Named {
    structure: &'static str,
    found: Extraction,
    seen: HashSet<Package>,
    is_full: bool,
}

impl Named {
    /// Nothing yet, of a file whose format is called `structure` in errors.
    pub(super) fn new(structure: &'static str) -> Self {
        Self { structure, found: Extraction::default(), seen: HashSet::new(), is_full: false }
    }

    /// Takes a package, but for one whose name or version is none.
    pub(super) fn add(&mut self, package: Package) {
        let is_word = |text: &str| {
            !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"')
        };
        if !is_word(&package.name) || !is_word(&package.version) {
            let shown = |text: &str| text.chars().take(60).collect::<String>();
            let (name, version) = (shown(&package.name), shown(&package.version));
            return self.lose(&format!("name {name:?}, version {version:?}"));
        }
        let package = Package { declared: true, ..package };
        if !self.is_full && self.seen.insert(package.clone()) {
            self.is_full = !self.found.add(package);
        }
    }

    /// Notes a record that was not understood.
    pub(super) fn lose(&mut self, problem: &str) {
        self.fail(FormatError::malformed(self.structure, problem));
    }

    /// Notes that the file, or the rest of it, was not read.
    pub(super) fn fail(&mut self, error: FormatError) {
        self.found.lose(error);
    }

    /// What the file says, or its first error if nothing of it could be read.
    pub(super) fn finish(self) -> Result<Extraction, FormatError> {
        self.found.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::PackageKind;

    #[test]
    fn each_package_once_and_declared() {
        let mut named = Named::new("lock");
        for (name, version) in [("a", "1"), ("a", "1"), ("a", "2"), ("a b", "1"), ("a", ""), ("", "1")] {
            named.add(Package::new(PackageKind::Npm, name, version));
        }
        let found = named.finish().unwrap();
        let package = |version| Package { declared: true, ..Package::new(PackageKind::Npm, "a", version) };
        assert_eq!(found.packages(), [package("1"), package("2")]);
        let damage: Vec<_> = found.damage.iter().map(FormatError::detail).collect();
        assert_eq!(
            damage,
            [
                r#"lock: name "a b", version "1""#,
                r#"lock: name "a", version """#,
                r#"lock: name "", version "1""#
            ]
        );
    }
}
