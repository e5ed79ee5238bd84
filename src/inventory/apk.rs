//! Alpine's database of installed packages: apk-tools' v2 text form (apk-v2(5), wiki "Apk spec"), which apk
//! v3 still writes. One-letter fields, a block a package; the file list follows in the same block.

use super::{
    Extraction, Extractor, File, Owner, Package, PackageKind, SourcePackage,
    fields::{Block, Blocks, List, Names},
    lines::Lines,
    package::web_address,
    requires::Requires,
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
/// Package, version, architecture, origin, licence, maintainer, homepage, dependencies, what it provides.
const FIELDS: &[&str] = &["P", "V", "A", "o", "L", "m", "U", "D", "p"];

/// Alpine's and its relatives' packages.
pub(super) struct Apk;

impl Extractor for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn version(&self) -> u32 {
        4
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
        let (mut found, mut requires) = (Extraction::default(), Requires::default());
        blocks.read_into(&mut found, |record, found| read_record(record, &mut requires, found));
        requires.resolve(&mut found);
        found.finish()
    }
}

/// Reads one block; false if no more are to be read.
fn read_record(mut record: Block, requires: &mut Requires, found: &mut Extraction) -> bool {
    let (name, version) = (record.take("P"), record.take("V"));
    let bad = record.problem_or_cut(RECORD).map(|problem| found.lose(problem)).is_some();
    let (Some(name), Some(version)) = (name, version) else {
        if !bad {
            found.lose(FormatError::corrupt(RECORD, record.offset, "no name (P) or no version (V)"));
        }
        return true;
    };
    let files = std::mem::take(&mut record.owner.files);
    found.own(Owner { files, ..Owner::new(&name) });
    let mut package = Package::new(PackageKind::Apk, name, version);
    package.arch = record.take("A");
    package.license = record.take("L");
    package.vendor = record.take("m");
    package.url = record.take("U").as_deref().and_then(web_address);
    let version = &package.version;
    package.source = record.take("o").map(|name| SourcePackage { name, version: version.clone() });
    // Words such as `so:libc.so.1=1`, `cmd:sh`, `/bin/sh` or `name>=1`; what begins with `!` must not be there.
    let [needs, provides] = ["D", "p"].map(|field| record.take(field).unwrap_or_default());
    requires.add(package, found, |number, requires| {
        for word in needs.split_ascii_whitespace().filter(|word| !word.starts_with('!')) {
            requires.require(number, capability(word).as_bytes());
        }
        for word in provides.split_ascii_whitespace() {
            requires.provide(number, capability(word).as_bytes());
        }
    })
}

/// A word without its version, and without the repository that it may only come from.
fn capability(word: &str) -> &str {
    word.split(['<', '>', '=', '~', '@']).next().unwrap_or(word)
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
    fn who_serves_a_dependency() {
        let found = extract(
            "P:a\nV:1\nD:so:libc.musl-x86_64.so.1 b>=2 !c cmd:sh /bin/sh pc:none@edge\n\nP:musl\nV:1\n\
             p:so:libc.musl-x86_64.so.1=1\n\nP:b\nV:2\nD:a b\n\nP:c\nV:1\np:cmd:sh=1.36.1-r2 /bin/sh\n\n",
        )
        .unwrap();
        assert_eq!(testing::requirements(&found), ["a: musl b c", "musl:", "b: a", "c:"]);
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
