//! Slackware's packages: `var/lib/pkgtools/packages/NAME-VERSION-ARCH-BUILD` (pkgtools, installpkg(8)), before 15.0
//! `var/log/packages`. A file's name is the package's identity; the paths that it installed follow the line `FILE LIST:`.
//! The build is part of the version, as `-1_slack15.0` tells what was fixed.

use super::{Extraction, Extractor, File, Owner, Package, PackageKind, lines::Lines};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const RECORD: &str = "slackware package";
const PLACES: [&[u8]; 2] = [b"var/lib/pkgtools/packages/", b"var/log/packages/"];

/// Slackware's and its relatives' packages.
pub(super) struct Slackware;

impl Extractor for Slackware {
    fn name(&self) -> &'static str {
        "slackware"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && identity(path).is_some()
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some([name, version, arch, build]) = identity(file.path()) else { return Ok(found) };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let version = format!("{}-{}", text(version), text(build));
        let package =
            Package { arch: Some(text(arch)), ..Package::new(PackageKind::Slackware, text(name), version) };
        let mut owner = Owner::new(&package.name);
        files(file, &mut owner).unwrap_or_else(|error| found.lose(error));
        found.own(owner);
        found.add(package);
        Ok(found)
    }
}

/// Name, version, architecture and build, taken apart from the right: only names have hyphens.
fn identity(path: &GuestPath) -> Option<[&[u8]; 4]> {
    let path = path.as_bytes();
    let file = PLACES.into_iter().find_map(|place| path.strip_prefix(place))?;
    let mut parts = file.rsplitn(4, |byte| *byte == b'-');
    let (build, arch, version) = (parts.next()?, parts.next()?, parts.next()?);
    let parts = [parts.next()?, version, arch, build];
    (!file.contains(&b'/') && parts.iter().all(|part| !part.is_empty())).then_some(parts)
}

fn files(file: &File<'_>, owner: &mut Owner) -> Result<(), FormatError> {
    let mut lines = Lines::new(file.content(), RECORD, 16 * 1024, limits::TEXT_DATABASE_BYTES);
    let mut is_list = false;
    while let Some(line) = lines.next()? {
        if !is_list {
            is_list = line.bytes == b"FILE LIST:";
            continue;
        }
        // A directory is everybody's; what is in `install` belongs to the archive.
        let is_file = !line.bytes.is_empty() && !line.bytes.ends_with(b"/");
        if is_file && !line.cut && !line.bytes.starts_with(b"install/") {
            owner.take(line.bytes);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{owned::key, testing};

    const AT: &str = "var/lib/pkgtools/packages/aaa_glibc-solibs-2.33-x86_64-5_slack15.0";

    #[test]
    fn wants_records_of_packages() {
        testing::wants(
            &Slackware,
            &[AT, "var/log/packages/bash-4.3.048-x86_64-1_slack14.2"],
            &[
                "var/lib/pkgtools/removed_packages/a-1-x86_64-1",
                "var/log/packages/a-1-1",
                "var/log/packages/a-1-x86_64-1/x",
                "var/log/packages/-1-x86_64-1",
            ],
        );
    }

    #[test]
    fn a_package_and_its_files() {
        let text = b"PACKAGE NAME:     aaa_glibc-solibs-2.33-x86_64-5_slack15.0\nPACKAGE DESCRIPTION:\nx: y\nFILE LIST:\n./\n\
                     install/\ninstall/doinst.sh\nlib64/\nlib64/libc.so.6\n";
        let found = testing::extract(&Slackware, AT, text, &[]).unwrap();
        let glibc = Package {
            arch: Some("x86_64".into()),
            ..Package::new(PackageKind::Slackware, "aaa_glibc-solibs", "2.33-5_slack15.0")
        };
        assert_eq!(found.packages(), [glibc]);
        let files = vec![key(&GuestPath::new("lib64/libc.so.6"))];
        assert_eq!(found.owners, [Owner { files, ..Owner::new("aaa_glibc-solibs") }]);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = testing::extract(&Slackware, AT, &[b"FILE LIST:\n", &bytes[..]].concat(), &[]);
        }
    }
}
