//! Extensions of Visual Studio Code and of editors made of it: `extensions/PUBLISHER.NAME-VERSION/package.json` in a home
//! directory of theirs (Extension Manifest of the Extension API). Those that an editor comes with are part of it.

use serde::Deserialize;

use super::{Extraction, Extractor, File, Package, PackageKind};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const MANIFEST: &str = "manifest of an extension";
/// Directories in which editors keep `extensions`, all of them or servers' for work from afar.
#[rustfmt::skip]
const HOMES: [&[u8]; 11] = [
    b".cursor", b".cursor-server", b".openvscode-server", b".vscode", b".vscode-insiders", b".vscode-oss",
    b".vscode-server", b".vscode-server-insiders", b".windsurf", b".windsurf-server", b"code-server",
];

/// Extensions of editors.
pub(super) struct Vscode;

impl Extractor for Vscode {
    fn name(&self) -> &'static str {
        "vscode"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        let mut above = path.components().rev();
        kind == FileKind::Regular
            && above.next() == Some(b"package.json")
            && above.next().is_some()
            && above.next() == Some(b"extensions")
            && above.next().is_some_and(|dir| HOMES.contains(&dir))
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(MANIFEST, limits::PACKAGE_JSON_BYTES)?;
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let manifest: Manifest = serde_json::from_slice(text)
            .map_err(|error| FormatError::malformed(MANIFEST, error.to_string()))?;
        let Manifest { publisher, name, version, license, metadata } = manifest;
        if [&publisher, &name, &version].iter().any(|text| text.is_empty()) {
            return Err(FormatError::malformed(MANIFEST, "no publisher, no name or no version"));
        }
        let mut package = Package::new(PackageKind::VscodeExtension, format!("{publisher}/{name}"), version);
        package.license = license.filter(|license| !license.is_empty());
        // The editor notes for what it took an extension that is built for each platform.
        let platform = metadata.and_then(|metadata| metadata.target_platform);
        package.arch =
            platform.filter(|platform| !["", "undefined", "universal"].contains(&platform.as_str()));
        let mut found = Extraction::default();
        found.add(package);
        Ok(found)
    }
}

/// What is read of a manifest.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    publisher: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    license: Option<String>,
    #[serde(default, rename = "__metadata")]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default, rename = "targetPlatform")]
    target_platform: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn extract(text: &str) -> Result<Extraction, FormatError> {
        let path = "root/.vscode-server/extensions/golang.go-0.39.1/package.json";
        testing::extract(&Vscode, path, text.as_bytes(), &[])
    }

    #[test]
    fn wants_manifests_of_extensions() {
        testing::wants(
            &Vscode,
            &[
                "root/.vscode-server/extensions/golang.go-0.39.1/package.json",
                "home/a/.local/share/code-server/extensions/ms-python.python-2024.1.0-universal/package.json",
                "home/a/.vscode/extensions/a.b-1.0.0-linux-x64/package.json",
            ],
            &[
                "root/.vscode-server/extensions/package.json",
                "root/.vscode-server/extensions/a.b-1/node_modules/c/package.json",
                "root/.vscode-server/bin/0123/extensions/git/package.json",
                "srv/extensions/a/package.json",
            ],
        );
    }

    #[test]
    fn publisher_name_version_platform() {
        let text = r#"{"name":"go","publisher":"golang","version":"0.39.1","license":"MIT",
            "__metadata":{"id":"d6f6cfea","targetPlatform":"linux-x64"},"contributes":{}}"#;
        let go = Package {
            arch: Some("linux-x64".to_owned()),
            license: Some("MIT".to_owned()),
            ..Package::new(PackageKind::VscodeExtension, "golang/go", "0.39.1")
        };
        assert_eq!(extract(text).unwrap().packages(), [go]);
        for platform in [r#"{"targetPlatform":"undefined"}"#, "{}", "null"] {
            let text = format!(r#"{{"name":"a","publisher":"b","version":"1","__metadata":{platform}}}"#);
            let plain = Package::new(PackageKind::VscodeExtension, "b/a", "1");
            assert_eq!(extract(&text).unwrap().packages(), [plain], "{platform}");
        }
        for bad in ["", "{}", "[]", r#"{"name":"a","version":"1"}"#, r#"{"name":1}"#] {
            assert!(extract(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"name\"|\"publisher\"|\"version\"|\"__metadata\")*") {
            let _ = extract(&text);
        }
    }
}
