//! Alpine's database of installed packages: apk-tools' v2 text form (apk-v2(5), wiki "Apk spec"), which apk
//! v3 still writes. One-letter fields, a block a package; the file list follows in the same block.

use super::{
    Extraction, Extractor, File, Owner, Package, PackageKind, SourcePackage,
    fields::{Block, Blocks, List, Names},
    lines::Lines,
    package::web_address,
};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const RECORD: &str = "apk record";
/// Before and after `/lib` became a link.
const PLACES: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];
/// Directory, and file in it.
const FILES: List = List { dir: b'F', file: b'R' };
/// Package, version, architecture, origin, licence, maintainer, homepage.
const FIELDS: &[&str] = &["P", "V", "A", "o", "L", "m", "U"];

/// Alpine's and its relatives' packages.
pub(super) struct Apk;

impl Extractor for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn version(&self) -> u32 {
        3
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && PLACES.iter().any(|place| path.as_bytes() == place.as_bytes())
    }

    fn places(&self) -> &'static [&'static str] {
        &PLACES
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut lines = Lines::new(file.content(), "apk database", 64 * 1024, limits::TEXT_DATABASE_BYTES);
        // "ADB." plain, "ADBd" and "ADBc" compressed (apk-tools src/adb.h).
        if lines.peek()?.starts_with(b"ADB") {
            return Err(FormatError::unsupported("apk database in adb form (apk v3)"));
        }
        let blocks = Blocks::new(lines, RECORD, Names::Exact, FIELDS).listing(FILES);
        let mut found = Extraction::default();
        blocks.read_into(&mut found, read_record);
        found.finish()
    }
}

/// Reads one block; false if no more are to be read.
fn read_record(mut record: Block, found: &mut Extraction) -> bool {
    let (name, version) = (record.take("P"), record.take("V"));
    let bad = record.problem_or_cut(RECORD).map(|problem| found.lose(problem)).is_some();
    let (Some(name), Some(version)) = (name, version) else {
        if !bad {
            found.lose(FormatError::corrupt(RECORD, record.offset, "no name (P) or no version (V)"));
        }
        return true;
    };
    let files = std::mem::take(&mut record.owner.files);
    found.own(Owner { name: name.clone(), files });
    let mut package = Package::new(PackageKind::Apk, name, version);
    package.arch = record.take("A");
    package.license = record.take("L");
    package.vendor = record.take("m");
    package.url = record.take("U").as_deref().and_then(web_address);
    let version = &package.version;
    package.source = record.take("o").map(|name| SourcePackage { name, version: version.clone() });
    found.add(package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn extract(text: &str) -> Result<Extraction, FormatError> {
        testing::extract(&Apk, "lib/apk/db/installed", text.as_bytes(), &[])
    }

    #[test]
    fn wants_both_places() {
        testing::wants(
            &Apk,
            &["lib/apk/db/installed", "usr/lib/apk/db/installed"],
            &["lib/apk/db/installed.new", "lib/apk/db/scripts.tar", "x/lib/apk/db/installed"],
        );
    }

    #[test]
    fn a_record_with_its_files() {
        let found = extract(
            "C:Q1x=\nP:libcrypto3\nV:3.3.2-r0\nA:x86_64\nS:1\nT:Crypto: library\nU:https://x\nL:Apache-2.0\n\
             o:openssl\nm:A <a@x>\nt:1\np:so:libcrypto.so.3=3\nF:lib\nR:libcrypto.so.3\na:0:0:755\nZ:Q1=\n\n\
             P:.build-deps\nV:20240101.010101\n\n",
        )
        .unwrap();
        let crypto = Package {
            arch: Some("x86_64".into()),
            license: Some("Apache-2.0".into()),
            vendor: Some("A <a@x>".into()),
            url: Some("https://x".into()),
            source: Some(SourcePackage { name: "openssl".into(), version: "3.3.2-r0".into() }),
            ..Package::new(PackageKind::Apk, "libcrypto3", "3.3.2-r0")
        };
        let virtual_package = Package::new(PackageKind::Apk, ".build-deps", "20240101.010101");
        assert_eq!(found.packages(), [crypto, virtual_package]);
        assert!(found.damage.is_empty());
    }

    #[test]
    fn bad_records_and_the_other_form() {
        let found = extract("P:a\nV:1\n\nP:b\n\nV:1\njunk\n\nP:c\nV:2\n").unwrap();
        assert_eq!(found.packages().len(), 2);
        assert_eq!(found.damage.len(), 2);
        assert!(extract("ADB.xyz").unwrap_err().detail().contains("adb form"));
        assert!(extract("").unwrap().packages().is_empty());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = testing::extract(&Apk, "lib/apk/db/installed", &bytes, &[]);
        }
    }
}
