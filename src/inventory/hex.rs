//! Packages of Hex that Mix or rebar3 unpacked among a project's dependencies: `hex_metadata.config` (hex_core, "Package
//! metadata"), terms of Erlang, each with a key. Releases have no such file.

use super::{Extraction, Extractor, File, Package, PackageKind};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const METADATA: &str = "hex_metadata.config";

/// Hex's packages.
pub(super) struct Hex;

impl Extractor for Hex {
    fn name(&self) -> &'static str {
        "hex"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && path.name() == METADATA.as_bytes()
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(METADATA, limits::HEX_METADATA_BYTES)?;
        let text = String::from_utf8_lossy(&bytes);
        let (mut name, mut version, mut license) = (None, None, None);
        for term in text.split("}.\n") {
            let pair = term.trim_start().strip_prefix('{').and_then(|pair| pair.split_once(','));
            let Some((key, value)) = pair else { continue };
            match binaries(key).next() {
                Some("name") => name = binaries(value).next(),
                Some("version") => version = binaries(value).next(),
                Some("licenses") => license = Some(binaries(value).collect::<Vec<_>>().join(" OR ")),
                _ => {}
            }
        }
        let (Some(name), Some(version)) = (name, version) else {
            return Err(FormatError::malformed(METADATA, "no name or no version"));
        };
        let mut found = Extraction::default();
        let license = license.filter(|license| !license.is_empty());
        found.add(Package { license, ..Package::new(PackageKind::Hex, name, version) });
        Ok(found)
    }
}

/// What stands in `<<"…">>` or `<<"…"/utf8>>`, without escapes.
fn binaries(text: &str) -> impl Iterator<Item = &str> {
    let ends = |part| ["\">>", "\"/utf8>>"].iter().filter_map(move |end| str::find(part, end)).min();
    let part = move |part| ends(part).and_then(|end| str::get(part, ..end));
    text.split("<<\"").skip(1).filter_map(part).filter(|text| !text.is_empty() && !text.contains('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn extract(text: &str) -> Result<Vec<Package>, FormatError> {
        testing::extract(&Hex, "app/deps/jason/hex_metadata.config", text.as_bytes(), &[])
            .map(|found| found.packages())
    }

    #[test]
    fn wants_the_metadata_of_dependencies() {
        testing::wants(
            &Hex,
            &["app/deps/jason/hex_metadata.config"],
            &["app/deps/jason/.hex", "app/mix.lock"],
        );
    }

    #[test]
    fn a_package_by_its_metadata() {
        let text = "{<<\"app\">>,<<\"jason\">>}.\n{<<\"description\">>,\n <<\"A {<<\\\"name\\\">>,\">>}.\n\
                    {<<\"licenses\">>,[<<\"Apache-2.0\">>,<<\"MIT\"/utf8>>]}.\n{<<\"name\">>,<<\"jason\"/utf8>>}.\n\
                    {<<\"requirements\">>,\n [{<<\"decimal\">>,\n   [{<<\"version\">>,<<\"~> 1.0\">>}]}]}.\n\
                    {<<\"version\">>,<<\"1.4.1\">>}.\n";
        let expected = Package {
            license: Some("Apache-2.0 OR MIT".into()),
            ..Package::new(PackageKind::Hex, "jason", "1.4.1")
        };
        assert_eq!(extract(text).unwrap(), [expected]);
        let bare = "{<<\"name\">>,<<\"a\">>}.\n{<<\"version\">>,<<\"1.0.0\">>}.";
        assert_eq!(extract(bare).unwrap(), [Package::new(PackageKind::Hex, "a", "1.0.0")]);
        for text in
            ["", "{<<\"name\">>,<<\"a\">>}.\n", "{<<\"name\">>,<<\"\">>}.\n{<<\"version\">>,<<\"1\">>}.\n"]
        {
            assert!(extract(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{]|<<\"|\">>|name|version|licenses|,|[}][.]\n|[\\\\é])*") {
            let _ = extract(&text);
        }
    }
}
