//! Snaps, where they are mounted or unpacked: `snap/NAME/REVISION/meta/snap.yaml` (Snapcraft, "The snap format"), below the
//! directory in which a distribution mounts them.

use serde::Deserialize;

use super::{Extraction, Extractor, File, Package, PackageKind};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const META: &str = "snap.yaml";

/// Snaps whose files are there.
pub(super) struct Snap;

impl Extractor for Snap {
    fn name(&self) -> &'static str {
        "snap"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        let mut above = path.components().rev();
        kind == FileKind::Regular
            && above.next() == Some(META.as_bytes())
            && above.next() == Some(b"meta")
            && above.nth(2) == Some(b"snap")
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(META, limits::SNAP_YAML_BYTES)?;
        let meta: Meta = serde_saphyr::from_slice(&bytes).map_err(|error| {
            FormatError::malformed(META, error.to_string().chars().take(200).collect::<String>())
        })?;
        if meta.name.is_empty() || meta.version.is_empty() {
            return Err(FormatError::malformed(META, "no name or no version"));
        }
        let mut package = Package::new(PackageKind::Snap, meta.name, meta.version);
        package.license = meta.license;
        // One that is built for several runs on each of them.
        if let [arch] = meta.architectures.as_slice() {
            package.arch = Some(arch.clone());
        }
        let mut found = Extraction::default();
        found.add(package);
        Ok(found)
    }
}

#[derive(Deserialize)]
struct Meta {
    name: String,
    version: String,
    license: Option<String>,
    #[serde(default)]
    architectures: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    const AT: &str = "snap/core20/1828/meta/snap.yaml";

    #[test]
    fn wants_what_describes_a_snap() {
        testing::wants(
            &Snap,
            &[AT, "var/lib/snapd/snap/x/x1/meta/snap.yaml"],
            &["snap/core20/1828/snap.yaml", "snap/core20/1828/usr/meta/snap.yaml", "src/snap/snap.yaml"],
        );
    }

    #[test]
    fn a_snap_by_its_description() {
        let extract = |text: &str| testing::extract(&Snap, AT, text.as_bytes(), &[]);
        let text = "name: core20\nversion: 20230801\nsummary: base\ntype: base\nlicense: GPL-3.0\narchitectures:\n- amd64\n\
                    apps:\n  x: {command: bin/x}\n";
        let core = Package {
            license: Some("GPL-3.0".into()),
            arch: Some("amd64".into()),
            ..Package::new(PackageKind::Snap, "core20", "20230801")
        };
        assert_eq!(extract(text).unwrap().packages(), [core]);
        let text = "name: x\nversion: '1.10'\narchitectures: [amd64, arm64]\n";
        assert_eq!(extract(text).unwrap().packages(), [Package::new(PackageKind::Snap, "x", "1.10")]);
        for bad in ["", "name: x\n", "version: 1\n", "name: x\nversion: ''\n", "- x\n", "name: {\n"] {
            assert!(extract(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(name|version|architectures|:|-| |\n|[&*a\\[{])*") {
            let _ = testing::extract(&Snap, AT, text.as_bytes(), &[]);
        }
    }
}
