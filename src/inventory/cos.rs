//! Packages of Container-Optimized OS: `etc/cos-package-info.json`, which its build writes (cos-tools, `pkg/cos`). A
//! `version` is that of the whole build where `ebuild_version` stands beside it; the ebuild is the source package.

use serde::Deserialize;

use super::{Extraction, Extractor, File, Package, PackageKind, SourcePackage, records};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const INFO: &str = "cos-package-info.json";
const PLACE: &str = "etc/cos-package-info.json";

/// Container-Optimized OS's packages.
pub(super) struct Cos;

impl Extractor for Cos {
    fn name(&self) -> &'static str {
        "cos"
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

    /// What was only needed to build the image (`buildTimePackages`) is not on it.
    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(INFO, limits::PACKAGE_LIST_BYTES)?;
        records::packages(INFO, &bytes, &["installedPackages"], "no name or no version", Record::package)
    }
}

#[derive(Deserialize)]
struct Record {
    category: Option<String>,
    name: String,
    version: String,
    ebuild_version: Option<String>,
}

impl Record {
    fn package(self) -> Option<Package> {
        if self.name.is_empty() || self.version.is_empty() {
            return None;
        }
        let mut package = Package::new(PackageKind::Cos, self.name, self.version);
        package.source =
            self.category.filter(|category| !category.is_empty()).map(|category| SourcePackage {
                name: format!("{category}/{}", package.name),
                version: self.ebuild_version.unwrap_or_else(|| package.version.clone()),
            });
        Some(package)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn extract(text: &str) -> Result<Extraction, FormatError> {
        testing::extract(&Cos, PLACE, text.as_bytes(), &[])
    }

    #[test]
    fn wants_the_list_of_the_image() {
        testing::wants(&Cos, &[PLACE], &["cos-package-info.json", "x/etc/cos-package-info.json"]);
    }

    #[test]
    fn installed_packages_and_their_ebuilds() {
        let found = extract(
            r#"{"buildTimePackages":[{"category":"app-admin","name":"eselect","version":"17162.336.16"}],
                "installedPackages":[
                {"category":"dev-lang","name":"python-exec","version":"17162.336.16","ebuild_version":"2.0.1-r1"},
                {"category":"sys-libs","name":"zlib","version":"1.2.11-r4"},
                {"name":"x"},
                {"name":"y","version":"1"}]}"#,
        )
        .unwrap();
        let cos = |name, version, source: Option<(&str, &str)>| Package {
            source: source
                .map(|(name, version)| SourcePackage { name: name.into(), version: version.into() }),
            ..Package::new(PackageKind::Cos, name, version)
        };
        assert_eq!(
            found.packages(),
            [
                cos("python-exec", "17162.336.16", Some(("dev-lang/python-exec", "2.0.1-r1"))),
                cos("zlib", "1.2.11-r4", Some(("sys-libs/zlib", "1.2.11-r4"))),
                cos("y", "1", None),
            ]
        );
        assert_eq!(found.damage[0].detail(), "cos-package-info.json: record 3 has no name or no version");
        for bad in ["", "{}", "[]", r#"{"installedPackages":1}"#, r#"{"installedPackages":[1]}"#] {
            assert!(extract(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"name\"|\"version\"|\"installedPackages\")*") {
            let _ = extract(&text);
        }
    }
}
