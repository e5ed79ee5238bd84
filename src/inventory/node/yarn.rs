//! Archives from which Yarn's packages are used in place (Yarn, "Plug'n'Play"): a project's `.yarn/cache` has one for each
//! package, which lies in a `node_modules` directory in it.

use super::{
    installed::is_installed,
    manifest::{self, MANIFEST},
};
use crate::{
    block::Source,
    error::FormatError,
    fs::{FileKind, GuestPath},
    inventory::{
        Extraction, Extractor, File, Package,
        zip::{self, ARCHIVE, Budget, Member},
    },
    limits,
};

/// Packages in a project's cache.
pub(in crate::inventory) struct YarnCache;

impl Extractor for YarnCache {
    fn name(&self) -> &'static str {
        "yarn-cache"
    }

    fn version(&self) -> u32 {
        3
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        let mut above = path.components().rev().skip(1);
        kind == FileKind::Regular
            && path.name().ends_with(b".zip")
            && above.next() == Some(b"cache")
            && above.next() == Some(b".yarn")
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let is_wanted =
            |name: &[u8]| name.ends_with(MANIFEST.as_bytes()) && is_installed(&GuestPath::new(name));
        let found = zip::packages(file.content(), &is_wanted, &read)?;
        found.ok_or_else(|| FormatError::malformed(ARCHIVE, "no end record"))
    }
}

fn read(source: &Source, member: Member, budget: &mut Budget) -> Result<Option<Package>, FormatError> {
    let (size, bound) = (member.size, limits::PACKAGE_JSON_BYTES);
    if size > bound {
        return Err(FormatError::limit(format!("{MANIFEST} of {size} bytes, more than {bound}")));
    }
    budget.unpack(size.max(member.packed))?;
    manifest::read(&member.read(source)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{testing, zip::testing::archive};

    const PATH: &str = "srv/.yarn/cache/a-npm-1.0.0-0123456789-0123456789.zip";

    #[test]
    fn wants_a_projects_cache() {
        testing::wants(&YarnCache, &[PATH], &["srv/cache/a.zip", "srv/.yarn/a.zip", "srv/.yarn/cache/a.tgz"]);
    }

    #[test]
    fn the_package_and_what_it_brings_along() {
        let a = r#"{"name":"@s/a","version":"1.0.0"}"#;
        let zip = archive(&[
            ("node_modules/@s/a/package.json", a),
            ("node_modules/@s/a/dist/package.json", r#"{"name":"no","version":"1"}"#),
            ("node_modules/@s/a/node_modules/b/package.json", r#"{"name":"b","version":"2.0.0"}"#),
            ("node_modules/@s/a/node_modules/c/package.json", "{"),
        ]);
        let found = testing::extract(&YarnCache, PATH, &zip, &[]).unwrap();
        let names: Vec<_> = found.packages().into_iter().map(|package| package.name).collect();
        assert_eq!((names, found.damage.len()), (vec!["@s/a".to_owned(), "b".to_owned()], 1));
        assert!(testing::extract(&YarnCache, PATH, b"", &[]).is_err());
    }
}
