//! Packages of Bottlerocket: the application inventory that its build makes of the rpms of an image (Bottlerocket,
//! "Software Inventory"); the image has no database of rpm's.

use serde::Deserialize;

use super::{Extraction, Extractor, File, Package, PackageKind, records};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const INVENTORY: &str = "application-inventory.json";
const PLACE: &str = "usr/share/bottlerocket/application-inventory.json";

/// Bottlerocket's packages.
pub(super) struct Bottlerocket;

impl Extractor for Bottlerocket {
    fn name(&self) -> &'static str {
        "bottlerocket"
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
        let bytes = file.read(INVENTORY, limits::PACKAGE_LIST_BYTES)?;
        records::packages(
            INVENTORY,
            &bytes,
            &["Content"],
            "no Name, no Version or no Release",
            Record::package,
        )
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    name: String,
    version: String,
    release: String,
    epoch: Option<String>,
    architecture: Option<String>,
    publisher: Option<String>,
}

impl Record {
    fn package(self) -> Option<Package> {
        if self.name.is_empty() || self.version.is_empty() || self.release.is_empty() {
            return None;
        }
        let version = format!("{}-{}", self.version, self.release);
        // rpm's queries say `(none)` where there is none.
        let version = match self.epoch.filter(|epoch| !epoch.is_empty() && epoch != "(none)") {
            Some(epoch) => format!("{epoch}:{version}"),
            None => version,
        };
        let mut package = Package::new(PackageKind::Rpm, self.name, version);
        package.arch = self.architecture;
        package.vendor = self.publisher;
        Some(package)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn extract(text: &str) -> Result<Extraction, FormatError> {
        testing::extract(&Bottlerocket, PLACE, text.as_bytes(), &[])
    }

    #[test]
    fn wants_the_inventory_of_the_image() {
        testing::wants(&Bottlerocket, &[PLACE], &["srv/application-inventory.json"]);
    }

    #[test]
    fn rpms_of_the_image() {
        let found = extract(
            r#"{"Content":[
                {"Name":"kernel-6.1","Publisher":"Bottlerocket","Version":"6.1.92","Release":"1.1718.br1","Epoch":"(none)",
                 "InstalledTime":"2024-06-20T00:00:00Z","ApplicationType":"Unspecified","Architecture":"x86_64",
                 "Url":"https://www.kernel.org/","Summary":"The Linux kernel"},
                {"Name":"x","Version":"1","Release":"2","Epoch":"1"},
                {"Name":"y","Version":"1"}]}"#,
        )
        .unwrap();
        let kernel = Package {
            arch: Some("x86_64".into()),
            vendor: Some("Bottlerocket".into()),
            ..Package::new(PackageKind::Rpm, "kernel-6.1", "6.1.92-1.1718.br1")
        };
        assert_eq!(found.packages(), [kernel, Package::new(PackageKind::Rpm, "x", "1:1-2")]);
        assert_eq!(
            found.damage[0].detail(),
            "application-inventory.json: record 3 has no Name, no Version or no Release"
        );
        assert!(extract("{}").is_err() && extract(r#"{"Content":[{}]}"#).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"Name\"|\"Version\"|\"Content\")*") {
            let _ = extract(&text);
        }
    }
}
