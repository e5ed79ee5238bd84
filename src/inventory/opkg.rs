//! opkg's status database: stanzas of dpkg's form (opkg's `pkg_parse.c`). OpenWrt keeps it in `usr/lib/opkg`, Yocto in
//! `var/lib/opkg`, Entware in `opt/lib/opkg`.

use super::{
    Extraction, Extractor, File, Package, PackageKind, dpkg,
    fields::{Block, Blocks, Names},
    lines::Lines,
};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const STANZA: &str = "opkg stanza";
const PLACES: [&str; 3] = ["usr/lib/opkg/status", "var/lib/opkg/status", "opt/lib/opkg/status"];
const FIELDS: &[&str] = &["Package", "Status", "Version", "Architecture", "Maintainer", "License"];

/// Packages of OpenWrt, of Yocto's distributions and their relatives.
pub(super) struct Opkg;

impl Extractor for Opkg {
    fn name(&self) -> &'static str {
        "opkg"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && PLACES.iter().any(|place| path.as_bytes() == place.as_bytes())
    }

    fn places(&self) -> &'static [&'static str] {
        &PLACES
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let lines = Lines::new(file.content(), "opkg status", 64 * 1024, limits::TEXT_DATABASE_BYTES);
        let mut found = Extraction::default();
        Blocks::new(lines, STANZA, Names::AnyCase, FIELDS).read_into(&mut found, read_stanza);
        found.finish()
    }
}

/// Reads one stanza; false if no more are to be read.
fn read_stanza(mut stanza: Block, found: &mut Extraction) -> bool {
    let identity = dpkg::installed(&mut stanza, STANZA, true, found);
    let Some((name, version)) = identity else { return true };
    let mut package = Package::new(PackageKind::Opkg, name, version);
    package.arch = stanza.take("Architecture");
    package.vendor = stanza.take("Maintainer");
    package.license = stanza.take("License");
    found.add(package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn extract(text: &str) -> Result<Extraction, FormatError> {
        testing::extract(&Opkg, PLACES[0], text.as_bytes(), &[])
    }

    #[test]
    fn wants_the_databases() {
        testing::wants(&Opkg, &PLACES, &["usr/lib/opkg/info/busybox.control", "rom/usr/lib/opkg/status"]);
    }

    #[test]
    fn packages_that_are_on_disk() {
        let found = extract(
            "Package: busybox\nVersion: 1.36.1-r2\nDepends: libc\nStatus: install user installed\nEssential: yes\n\
             Architecture: x86_64\nConffiles:\n /etc/syslog.conf e3b0\nInstalled-Time: 1730715936\n\n\
             Package: gone\nVersion: 1\nStatus: deinstall user not-installed\n\n\
             Package: nothing\nStatus: install ok installed\n",
        )
        .unwrap();
        let busybox = Package {
            arch: Some("x86_64".into()),
            ..Package::new(PackageKind::Opkg, "busybox", "1.36.1-r2")
        };
        assert_eq!(found.packages(), [busybox]);
        assert_eq!(found.damage[0].detail(), "opkg stanza at offset 0xf2: no Package or no Version");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = testing::extract(&Opkg, PLACES[0], &bytes, &[]);
        }
    }
}
