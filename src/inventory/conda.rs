//! Conda's packages: conda and its relatives write `conda-meta/NAME-VERSION-BUILD.json` into each environment for each package
//! that they link into it (conda, "PrefixRecord").

use serde::Deserialize;

use super::{Extraction, Extractor, File, Owner, Package, PackageKind, Requirement, package::digest};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const RECORD: &str = "conda record";

/// Packages in environments of conda, mamba, micromamba and pixi.
pub(super) struct Conda;

impl Extractor for Conda {
    fn name(&self) -> &'static str {
        "conda"
    }

    fn version(&self) -> u32 {
        3
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        let mut above = path.components().rev();
        let is_json = above.next().is_some_and(|name| name.ends_with(b".json"));
        // An environment's history and state lie beside the records, under names without two hyphens.
        let is_record = path.name().iter().filter(|byte| **byte == b'-').count() >= 2;
        kind == FileKind::Regular && is_json && is_record && above.next() == Some(b"conda-meta")
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(RECORD, limits::CONDA_RECORD_BYTES)?;
        let malformed = |problem: String| FormatError::malformed(RECORD, problem);
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if record.name.is_empty() || record.version.is_empty() {
            return Err(malformed("no name or no version".to_owned()));
        }
        let mut package = Package::new(PackageKind::Conda, record.name, record.version);
        package.arch = record.subdir.filter(|subdir| !subdir.is_empty());
        package.license = record.license.filter(|license| !license.is_empty());
        package.origin = record.channel.as_deref().and_then(channel).map(str::to_owned);
        package.digest = record.sha256.and_then(|hex| digest("sha256", &hex));
        let names = record.depends.iter().filter_map(|spec| spec.split_ascii_whitespace().next());
        package.requires = names.map(Requirement::named).collect();
        let mut owner = Owner::of(&package);
        if let Some(prefix) = file.path().parent().and_then(|meta| meta.parent()) {
            let prefix = [prefix.as_bytes(), b"/"].concat();
            record.files.iter().for_each(|path| owner.take_in(&prefix, path.as_bytes()));
        }
        let mut found = Extraction::default();
        found.own(owner);
        found.add(package);
        Ok(found)
    }
}

/// What is read of a record.
#[derive(Deserialize)]
struct Record {
    name: String,
    version: String,
    subdir: Option<String>,
    license: Option<String>,
    channel: Option<String>,
    sha256: Option<String>,
    /// Paths in the environment.
    #[serde(default)]
    files: Vec<String>,
    /// Match specifications: name, version, build.
    #[serde(default)]
    depends: Vec<String>,
}

/// A channel's name: a URL has it before the platform.
fn channel(text: &str) -> Option<&str> {
    let mut parts = text.trim_end_matches('/').rsplit('/');
    let last = parts.next()?;
    let is_platform = last == "noarch" || ["linux-", "osx-", "win-"].iter().any(|os| last.starts_with(os));
    let name = if is_platform { parts.next()? } else { last };
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{owned::key, testing};

    const PATH: &str = "opt/conda/conda-meta/numpy-1.26.4-py312heda63a1_0.json";

    #[test]
    fn wants_records_of_environments() {
        testing::wants(
            &Conda,
            &[PATH, "opt/conda/envs/x/conda-meta/ca-certificates-2024.2.2-hbcca054_0.json"],
            &[
                "opt/conda/conda-meta/state.json",
                "opt/conda/conda-meta/history",
                "opt/conda/pkgs/numpy-1.26.4-py312heda63a1_0.json",
            ],
        );
    }

    #[test]
    fn a_package_with_its_platform_and_channel() {
        let text = r#"{"build": "py312heda63a1_0", "build_number": 0,
            "channel": "https://conda.example.org/conda-forge/linux-64", "depends": ["python >=3.12"],
            "files": ["bin/f2py"], "license": "BSD-3-Clause", "name": "numpy", "subdir": "linux-64",
            "version": "1.26.4"}"#;
        let found = testing::extract(&Conda, PATH, text.as_bytes(), &[]).unwrap();
        let expected = Package {
            arch: Some("linux-64".into()),
            license: Some("BSD-3-Clause".into()),
            origin: Some("conda-forge".into()),
            requires: vec![Requirement::named("python")],
            ..Package::new(PackageKind::Conda, "numpy", "1.26.4")
        };
        let files = vec![key(&GuestPath::new("opt/conda/bin/f2py"))];
        assert_eq!(found.owners, [Owner { files, ..Owner::of(&expected) }]);
        assert_eq!(found.packages(), [expected]);
        for (text, expected) in [
            ("conda-forge", Some("conda-forge")),
            ("https://repo.example.org/pkgs/main/noarch/", Some("main")),
            ("", None),
        ] {
            assert_eq!(channel(text), expected, "{text}");
        }
        for text in ["", "[]", r#"{"name":"a"}"#, r#"{"name":"","version":"1"}"#] {
            assert!(testing::extract(&Conda, PATH, text.as_bytes(), &[]).is_err(), "{text}");
        }
    }
}
