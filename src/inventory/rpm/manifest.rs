//! The list of rpms that distroless images of CBL-Mariner and Azure Linux have in place of rpm's database:
//! `var/lib/rpmmanifest/container-manifest-2`, a line a package as `rpm -qa --queryformat` wrote it, fields between tabs:
//! name, version-release, times of installation and build, vendor, epoch, size, architecture, epoch as a number, source.

use super::source;
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    inventory::{Extraction, Extractor, File, Package, PackageKind, lines::Lines},
    limits,
};

const MANIFEST: &str = "rpm manifest";
const PLACE: &str = "var/lib/rpmmanifest/container-manifest-2";

/// Packages of images without rpm.
pub(in crate::inventory) struct RpmManifest;

impl Extractor for RpmManifest {
    fn name(&self) -> &'static str {
        "rpm-manifest"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && path.as_bytes() == PLACE.as_bytes()
    }

    fn places(&self) -> &'static [&'static str] {
        &[PLACE]
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let mut lines = Lines::new(file.content(), MANIFEST, 64 * 1024, limits::TEXT_DATABASE_BYTES);
        while let Some(line) = lines.next()? {
            if line.bytes.is_empty() {
                continue;
            }
            let text = String::from_utf8_lossy(line.bytes);
            match package(&text).filter(|_| !line.cut) {
                Some(package) => {
                    if !found.add(package) {
                        break;
                    }
                }
                None => found.lose(FormatError::corrupt(MANIFEST, line.offset, "no ten fields between tabs")),
            }
        }
        found.finish()
    }
}

fn package(line: &str) -> Option<Package> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, version, _, _, vendor, epoch, _, arch, _, file] = fields.as_slice() else { return None };
    let told = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty() && text != "(none)");
    if name.is_empty() || version.is_empty() {
        return None;
    }
    let version = told(epoch).map_or_else(|| (*version).to_owned(), |epoch| format!("{epoch}:{version}"));
    let mut package = Package::new(PackageKind::Rpm, *name, version);
    package.vendor = told(vendor);
    package.arch = told(arch);
    package.source = source(file);
    Some(package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{SourcePackage, testing};

    #[test]
    fn a_line_is_a_package() {
        let text = "mariner-release\t2.0-12.cm2\t1653816591\t1653753130\tMicrosoft Corporation\t(none)\t580\tnoarch\t0\t\
                    mariner-release-2.0-12.cm2.src.rpm\nopenssl\t1.1.1k-15.cm2\t1\t1\tX\t1\t5\tx86_64\t1\t(none)\nbad\tline\n";
        let found = testing::extract(&RpmManifest, PLACE, text.as_bytes(), &[]).unwrap();
        let release = Package {
            vendor: Some("Microsoft Corporation".into()),
            arch: Some("noarch".into()),
            source: Some(SourcePackage { name: "mariner-release".into(), version: "2.0-12.cm2".into() }),
            ..Package::new(PackageKind::Rpm, "mariner-release", "2.0-12.cm2")
        };
        let openssl = Package {
            vendor: Some("X".into()),
            arch: Some("x86_64".into()),
            ..Package::new(PackageKind::Rpm, "openssl", "1:1.1.1k-15.cm2")
        };
        assert_eq!(found.packages(), [release, openssl]);
        assert_eq!(found.damage.len(), 1);
        assert!(testing::extract(&RpmManifest, PLACE, b"x", &[]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = testing::extract(&RpmManifest, PLACE, &bytes, &[]);
        }
    }
}
