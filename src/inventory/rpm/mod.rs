//! rpm's database of installed packages in its three forms: SQLite (`rpmdb.sqlite`), ndb (`Packages.db`) and
//! Berkeley DB (`Packages`). Each holds a header a package.
//!
//! What `rpm -qa` lists as `gpg-pubkey` are keys that packages are checked with, and no packages. The source
//! package is what the `SOURCERPM` file name says; file names carry no epoch, so its version has none.

mod header;
mod manifest;

use header::Header;
pub(super) use manifest::RpmManifest;

use super::{
    Extraction, Extractor, File, Owner, Package, PackageKind, SourcePackage, package::web_address,
    requires::Requires, sqlite,
};
use crate::{
    database::{bdb, ndb, sqlite::Value},
    error::FormatError,
    fs::{FileKind, GuestPath},
    num,
};

const SQLITE: &str = "rpmdb.sqlite";
const WAL: &str = "rpmdb.sqlite-wal";
const JOURNAL: &str = "rpmdb.sqlite-journal";
const NDB: &str = "Packages.db";
/// Where distributions keep the database, in each of its forms.
const PLACES: [&str; 9] = [
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages.db",
    "var/lib/rpm/Packages",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/Packages.db",
    "usr/lib/sysimage/rpm/Packages",
    "usr/share/rpm/rpmdb.sqlite",
    "usr/share/rpm/Packages.db",
    "usr/share/rpm/Packages",
];

/// Red Hat's, SUSE's and their relatives' packages.
pub(super) struct Rpm;

impl Extractor for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn version(&self) -> u32 {
        4
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && PLACES.iter().any(|place| path.as_bytes() == place.as_bytes())
    }

    fn companions(&self) -> &'static [&'static str] {
        &[WAL, JOURNAL]
    }

    fn places(&self) -> &'static [&'static str] {
        &PLACES
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut database = Database::default();
        match file.path().name() {
            name if name == SQLITE.as_bytes() => read_sqlite(file, &mut database)?,
            name if name == NDB.as_bytes() => read_ndb(file, &mut database)?,
            _ => read_bdb(file, &mut database)?,
        }
        let Database { mut found, requires } = database;
        requires.resolve(&mut found);
        found.finish()
    }
}

fn read_sqlite(file: &File<'_>, to: &mut Database) -> Result<(), FormatError> {
    let database = sqlite::open(file, [WAL, JOURNAL], &mut to.found)?;
    let table = database.table("Packages")?;
    let table = table.ok_or_else(|| FormatError::malformed("sqlite schema", "no table Packages"))?;
    for row in database.rows(&table) {
        // Columns: hnum, blob.
        let header = row.and_then(|row| match row.value(1)? {
            Value::Blob(blob) => read_header(blob, row.offset()),
            other => Err(row.corrupt(format!("the header is {other:?}"))),
        });
        if !to.take(header) {
            break;
        }
    }
    Ok(())
}

fn read_ndb(file: &File<'_>, to: &mut Database) -> Result<(), FormatError> {
    for blob in ndb::Packages::open(file.content().clone())?.blobs() {
        let header = blob.and_then(|blob| {
            if !blob.intact {
                let problem = format!("checksum of package {}; it was read all the same", blob.index);
                to.found.lose(FormatError::corrupt("ndb blob", blob.offset, problem));
            }
            read_header(&blob.bytes, blob.offset)
        });
        if !to.take(header) {
            break;
        }
    }
    Ok(())
}

fn read_bdb(file: &File<'_>, to: &mut Database) -> Result<(), FormatError> {
    for entry in bdb::Hash::open(file.content().clone())?.entries() {
        let header = match entry {
            // Key 0 holds the number that the next package will get.
            Ok(entry) if entry.key == [0; 4] => continue,
            Ok(entry) => read_header(&entry.value, entry.offset),
            Err(error) => Err(error),
        };
        if !to.take(header) {
            break;
        }
    }
    Ok(())
}

/// What a database says, as far as it was read.
#[derive(Default)]
struct Database {
    found: Extraction,
    requires: Requires,
}

impl Database {
    /// Adds what a header says; false if no more are to be read.
    fn take(&mut self, header: Result<Option<Installed>, FormatError>) -> bool {
        let installed = match header {
            Ok(Some(installed)) => installed,
            Ok(None) => return true,
            Err(error) => {
                self.found.lose(error);
                return true;
            }
        };
        let Installed { package, files, provides, requires } = installed;
        match files {
            Ok(owner) => self.found.own(owner),
            Err(error) => self.found.lose(error),
        }
        self.requires.add(package, &mut self.found, |number, all| {
            provides.iter().for_each(|capability| all.provide(number, capability));
            requires.iter().for_each(|capability| all.require(number, capability));
        })
    }
}

/// What a header says: a list of files that is damaged loses itself only.
struct Installed {
    package: Package,
    files: Result<Owner, FormatError>,
    provides: Vec<Vec<u8>>,
    requires: Vec<Vec<u8>>,
}

/// The package of a header and its files, `None` for a key.
fn read_header(bytes: &[u8], offset: u64) -> Result<Option<Installed>, FormatError> {
    let header = Header::parse(bytes, offset)?;
    let needed = |tag, name: &str| header.string(tag)?.ok_or_else(|| header.corrupt(format!("no {name}")));
    let name = needed(header::NAME, "NAME")?;
    if name == "gpg-pubkey" {
        return Ok(None);
    }
    let (version, release) = (needed(header::VERSION, "VERSION")?, needed(header::RELEASE, "RELEASE")?);
    let version = match header.int32(header::EPOCH)? {
        Some(epoch) => format!("{epoch}:{version}-{release}"),
        None => format!("{version}-{release}"),
    };
    let mut package = Package::new(PackageKind::Rpm, name, version);
    package.arch = header.string(header::ARCH)?;
    package.source = header.string(header::SOURCERPM)?.as_deref().and_then(source);
    package.license = header.string(header::LICENSE)?;
    package.vendor = header.string(header::VENDOR)?;
    package.module = header.string(header::MODULARITYLABEL)?;
    package.url = header.string(header::URL)?.as_deref().and_then(web_address);
    let files = files(&header, &package.name);
    let capabilities =
        |tag| -> Result<Vec<Vec<u8>>, FormatError> { Ok(header.strings(tag)?.map(<[u8]>::to_vec).collect()) };
    let (provides, requires) = (capabilities(header::PROVIDENAME)?, capabilities(header::REQUIRENAME)?);
    Ok(Some(Installed { package, files, provides, requires }))
}

/// The files of a package: names, and for each the number of its directory. The directories end with `/`.
fn files(header: &Header<'_>, name: &str) -> Result<Owner, FormatError> {
    let dirs: Vec<&[u8]> = header.strings(header::DIRNAMES)?.collect();
    let mut owner = Owner::new(name);
    for (file, dir) in header.strings(header::BASENAMES)?.zip(header.numbers(header::DIRINDEXES)?) {
        let dir = dirs.get(num::index(dir));
        let dir = dir.ok_or_else(|| header.corrupt("a file of a directory that is not there"))?;
        owner.take_in(dir, file);
    }
    Ok(owner)
}

/// `name-version-release.src.rpm`, taken apart from the right: names have hyphens, versions have none.
fn source(file: &str) -> Option<SourcePackage> {
    let stem = file.strip_suffix(".rpm")?;
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc"))?;
    let (rest, _release) = stem.rsplit_once('-')?;
    let (name, _version) = rest.rsplit_once('-')?;
    let version = stem.get(name.len().checked_add(1)?..)?;
    Some(SourcePackage { name: name.to_owned(), version: version.to_owned() })
}

#[cfg(test)]
mod tests;
