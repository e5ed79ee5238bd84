//! Extensions of Chromium and browsers made of it: `Extensions/ID/VERSION_N/manifest.json` in a profile of theirs (Chrome for
//! Developers, "Manifest file format"). The package is called by its id, as the name that people see is another one in each
//! language.

use serde::Deserialize;

use super::{Extraction, Extractor, File, Package, PackageKind, package::web_address};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const MANIFEST: &str = "manifest of an extension";
const ID_LETTERS: usize = 32;

/// Extensions of browsers.
pub(super) struct Chrome;

impl Extractor for Chrome {
    fn name(&self) -> &'static str {
        "chrome"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && id(path).is_some()
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some(id) = id(file.path()) else { return Ok(found) };
        let bytes = file.read(MANIFEST, limits::PACKAGE_JSON_BYTES)?;
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let manifest: Manifest = serde_json::from_slice(text)
            .map_err(|error| FormatError::malformed(MANIFEST, error.to_string()))?;
        if manifest.version.is_empty() {
            return Err(FormatError::malformed(MANIFEST, "no version"));
        }
        let mut package = Package::new(PackageKind::ChromeExtension, id, manifest.version);
        package.url = manifest.homepage_url.as_deref().and_then(web_address);
        found.add(package);
        Ok(found)
    }
}

/// The id of the extension whose manifest is at a path.
fn id(path: &GuestPath) -> Option<&str> {
    let mut above = path.components().rev();
    if above.next()? != b"manifest.json" {
        return None;
    }
    // The version, and how often it was installed anew.
    let version = above.next()?;
    let id = std::str::from_utf8(above.next()?).ok()?;
    let is_id = id.len() == ID_LETTERS && id.bytes().all(|byte| matches!(byte, b'a'..=b'p'));
    (is_id && version.contains(&b'_') && above.next()? == b"Extensions").then_some(id)
}

/// What is read of a manifest.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    version: String,
    homepage_url: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    const ID: &str = "cjpalhdlnbpafiamejdnhcphjbkeiagm";

    fn extract(text: &str) -> Result<Extraction, FormatError> {
        let path = format!("root/.config/chromium/Default/Extensions/{ID}/1.58.0_0/manifest.json");
        testing::extract(&Chrome, &path, text.as_bytes(), &[])
    }

    #[test]
    fn wants_manifests_of_installed_extensions() {
        testing::wants(
            &Chrome,
            &[&format!("home/a/.config/google-chrome/Profile 1/Extensions/{ID}/1.58.0_0/manifest.json")],
            &[
                &format!("x/Extensions/{ID}/manifest.json"),
                &format!("x/Extensions/{ID}/1.58.0/manifest.json"),
                &format!("x/Extensions/{}/1.58.0_0/manifest.json", ID.to_uppercase()),
                "x/Extensions/ublock/1_0/manifest.json",
                &format!("x/{ID}/1.58.0_0/manifest.json"),
            ],
        );
    }

    #[test]
    fn id_and_version() {
        let text = r#"{"name":"__MSG_extName__","version":"1.58.0","manifest_version":2,
            "homepage_url":"https://example.com/x"}"#;
        let expected = Package {
            url: Some("https://example.com/x".to_owned()),
            ..Package::new(PackageKind::ChromeExtension, ID, "1.58.0")
        };
        assert_eq!(extract(&format!("\u{feff}{text}")).unwrap().packages(), [expected]);
        for bad in ["", "{}", "[]x", r#"{"version":1}"#] {
            assert!(extract(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"version\"|\"homepage_url\")*") {
            let _ = extract(&text);
        }
    }
}
