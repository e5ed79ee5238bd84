//! pkg's database of installed packages: `var/db/pkg/local.sqlite`, tables `packages` and `files` (pkg, `pkgdb.c`). The port
//! that a package was built from is its source.

use std::collections::BTreeMap;

use super::{Extraction, Extractor, File, Owner, Package, PackageKind, SourcePackage, sqlite};
use crate::{
    database::sqlite::{Database, Row, Value},
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const WAL: &str = "local.sqlite-wal";
const JOURNAL: &str = "local.sqlite-journal";
const PLACE: &str = "var/db/pkg/local.sqlite";

/// FreeBSD's and its relatives' packages.
pub(super) struct Freebsd;

impl Extractor for Freebsd {
    fn name(&self) -> &'static str {
        "freebsd"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && path.as_bytes() == PLACE.as_bytes()
    }

    fn companions(&self) -> &'static [&'static str] {
        &[WAL, JOURNAL]
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let database = sqlite::open(file, [WAL, JOURNAL], &mut found)?;
        let table = database.table("packages")?;
        let table = table.ok_or_else(|| FormatError::malformed("sqlite schema", "no table packages"))?;
        let mut owners = BTreeMap::new();
        for row in database.rows(&table) {
            match row.and_then(|row| Ok((row.id, package(&row)?))) {
                Ok((id, package)) => {
                    owners.insert(id, Owner::new(&package.name));
                    if !found.add(package) {
                        break;
                    }
                }
                Err(error) => found.lose(error),
            }
        }
        files(&database, &mut owners, &mut found);
        for owner in owners.into_values() {
            found.own(owner);
        }
        found.finish()
    }
}

/// Columns: id, origin, name, version, comment, desc, mtree_id, message, arch, maintainer.
fn package(row: &Row) -> Result<Package, FormatError> {
    let text = |column| Ok::<_, FormatError>(row.text(column)?.filter(|text| !text.is_empty()));
    let (Some(name), Some(version)) = (text(2)?, text(3)?) else {
        return Err(row.corrupt("a package without a name or a version"));
    };
    let mut package = Package::new(PackageKind::Freebsd, name, version);
    package.source = text(1)?.map(|name| SourcePackage { name, version: package.version.clone() });
    package.arch = text(8)?;
    package.vendor = text(9)?;
    Ok(package)
}

/// Hands files to their packages. Columns: path, sha256, package_id.
fn files(database: &Database, owners: &mut BTreeMap<i64, Owner>, found: &mut Extraction) {
    let table = match database.table("files") {
        Ok(Some(table)) => table,
        Ok(None) => return,
        Err(error) => return found.lose(error),
    };
    for row in database.rows(&table).take(limits::OWNED_FILES) {
        let file = row.and_then(|row| Ok((row.text(0)?, owner(&row)?)));
        match file {
            Ok((Some(path), Some(id))) => {
                if let Some(owner) = owners.get_mut(&id) {
                    owner.take(path.as_bytes());
                }
            }
            Ok(_) => {}
            Err(error) => found.lose(error),
        }
    }
}

fn owner(row: &Row) -> Result<Option<i64>, FormatError> {
    Ok(match row.value(2)? {
        Value::Integer(id) => Some(id),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{
        owned::key,
        testing::{self, Cell},
    };

    #[test]
    fn wants_the_database() {
        testing::wants(&Freebsd, &[PLACE], &["var/db/pkg/repo-FreeBSD.sqlite", "var/db/pkg/a/b/CONTENTS"]);
    }

    #[test]
    fn packages_their_ports_and_their_files() {
        let text = Cell::Text;
        let row = |name, version| {
            let (origin, arch) = (text("security/openssl"), text("FreeBSD:14:amd64"));
            [
                Cell::Null,
                origin,
                name,
                version,
                text("c"),
                text("d"),
                Cell::Null,
                Cell::Null,
                arch,
                text("m@x"),
            ]
        };
        let packages = [row(text("openssl"), text("3.0.13_1,1")), row(text("x"), Cell::Null)];
        let packages: Vec<&[Cell<'_>]> = packages.iter().map(<[_; 10]>::as_slice).collect();
        let files: [&[Cell<'_>]; 2] = [
            &[text("/usr/local/bin/openssl"), text("1$00"), Cell::Integer(1)],
            &[text("/usr/local/bin/x"), Cell::Null, Cell::Integer(9)],
        ];
        let database = testing::sqlite(&[("packages", &packages), ("files", &files)]);
        let found = testing::extract(&Freebsd, PLACE, &database, &[]).unwrap();
        let openssl = Package {
            arch: Some("FreeBSD:14:amd64".into()),
            vendor: Some("m@x".into()),
            source: Some(SourcePackage { name: "security/openssl".into(), version: "3.0.13_1,1".into() }),
            ..Package::new(PackageKind::Freebsd, "openssl", "3.0.13_1,1")
        };
        assert_eq!(found.packages(), [openssl]);
        let files = vec![key(&GuestPath::new("usr/local/bin/openssl"))];
        assert_eq!(found.owners, [Owner { files, ..Owner::new("openssl") }]);
        assert!(found.damage[0].detail().ends_with("a package without a name or a version"));
    }

    #[test]
    fn a_file_that_is_no_database() {
        assert!(testing::extract(&Freebsd, PLACE, b"x", &[]).is_err());
        assert!(testing::extract(&Freebsd, PLACE, b"", &[]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = testing::extract(&Freebsd, PLACE, &bytes, &[]);
        }
    }
}
