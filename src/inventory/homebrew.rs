//! Homebrew's packages: `Cellar/NAME/VERSION/INSTALL_RECEIPT.json` (Homebrew, "Tab"), below the prefix that it is installed
//! in. The version is the directory's name, with the revision of the formula behind `_`, as `brew list --versions` prints it.

use serde::Deserialize;

use super::{Extraction, Extractor, File, Package, PackageKind};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const RECEIPT: &str = "INSTALL_RECEIPT.json";
/// Where formulae come from by default.
const CORE: &str = "homebrew/core";

/// Homebrew's packages.
pub(super) struct Homebrew;

impl Extractor for Homebrew {
    fn name(&self) -> &'static str {
        "homebrew"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && place(path).is_some()
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some((name, version)) = place(file.path()) else { return Ok(found) };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut package = Package::new(PackageKind::Brew, text(name), text(version));
        // Without its receipt a package is still there.
        let receipt = file.read(RECEIPT, limits::BREW_RECEIPT_BYTES).and_then(|bytes| {
            serde_json::from_slice(&bytes).map_err(|error| FormatError::malformed(RECEIPT, error.to_string()))
        });
        let Receipt { arch, source } = receipt.unwrap_or_else(|error| {
            found.lose(error);
            Receipt::default()
        });
        package.arch = arch;
        package.origin = source.and_then(|source| source.tap).filter(|tap| tap != CORE);
        found.add(package);
        Ok(found)
    }
}

#[derive(Default, Deserialize)]
struct Receipt {
    arch: Option<String>,
    source: Option<Formula>,
}

#[derive(Deserialize)]
struct Formula {
    tap: Option<String>,
}

/// The name and the version of the package whose receipt is at a path.
fn place(path: &GuestPath) -> Option<(&[u8], &[u8])> {
    let mut above = path.components().rev();
    let is_receipt = above.next()? == RECEIPT.as_bytes();
    let (version, name) = (above.next()?, above.next()?);
    (is_receipt && above.next()? == b"Cellar").then_some((name, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    const AT: &str = "home/linuxbrew/.linuxbrew/Cellar/python@3.11/3.11.9_1/INSTALL_RECEIPT.json";

    #[test]
    fn wants_receipts() {
        testing::wants(
            &Homebrew,
            &[AT, "opt/homebrew/Cellar/jq/1.7.1/INSTALL_RECEIPT.json"],
            &["Cellar/jq/INSTALL_RECEIPT.json", "opt/homebrew/Caskroom/x/1/INSTALL_RECEIPT.json"],
        );
    }

    #[test]
    fn a_package_by_its_directory() {
        let extract = |text: &str| testing::extract(&Homebrew, AT, text.as_bytes(), &[]).unwrap();
        let python = Package::new(PackageKind::Brew, "python@3.11", "3.11.9_1");
        let text = r#"{"homebrew_version":"4.3.5","arch":"x86_64","source":{"spec":"stable","tap":"me/tap","path":"x"}}"#;
        let tapped = Package { arch: Some("x86_64".into()), origin: Some("me/tap".into()), ..python.clone() };
        assert_eq!(extract(text).packages(), [tapped]);
        let core = extract(r#"{"arch":null,"source":{"tap":"homebrew/core"}}"#);
        assert_eq!((core.packages(), core.damage.len()), (vec![python.clone()], 0));
        let damaged = extract("");
        assert_eq!((damaged.packages(), damaged.damage.len()), (vec![python], 1));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"arch\"|\"source\"|\"tap\")*") {
            let _ = testing::extract(&Homebrew, AT, text.as_bytes(), &[]);
        }
    }
}
