//! Bills of materials that a builder left in an image: Bitnami's, one for each application (`opt/bitnami/NAME/.spdx-NAME.spdx`,
//! SPDX 2.3 in JSON), and those of Cloud Native Buildpacks (Platform API 0.8, "SBOM files": `sbom/launch/…/sbom.EXT.json` in
//! CycloneDX, SPDX or Syft's own JSON), and those of others in `usr/share/sbom` and `usr/local/share/sbom`. A component is a
//! package if it has a purl; all but Bitnami's applications are only named.
//!
//! What apko and melange leave (`var/lib/db/sbom`) is not read: the apk database has the same packages.

use serde::Deserialize;

use super::{Extraction, Extractor, File, Package, PackageKind, Purl, records};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const SBOM: &str = "bill of materials";
/// The lists of components by how the files' names end: SPDX, CycloneDX, Syft.
const LISTS: [(&str, &str); 4] = [
    (".spdx", "packages"),
    (".spdx.json", "packages"),
    (".cdx.json", "components"),
    (".syft.json", "artifacts"),
];

/// Where others leave bills of what they built.
const PLACES: [&str; 2] = ["usr/share/sbom/", "usr/local/share/sbom/"];

/// Components that builders name.
pub(super) struct Sbom;

impl Extractor for Sbom {
    fn name(&self) -> &'static str {
        "sbom"
    }

    fn version(&self) -> u32 {
        2
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        if kind != FileKind::Regular || list(path.name()).is_none() {
            return false;
        }
        if PLACES.iter().any(|place| path.as_bytes().starts_with(place.as_bytes())) {
            return true;
        }
        let name = path.name();
        let mut dirs = path.components().rev().skip(1);
        if name.starts_with(b".spdx-") {
            return dirs.any(|dir| dir == b"bitnami");
        }
        let mut above = dirs.skip_while(|dir| *dir != b"launch");
        name.starts_with(b"sbom.") && above.next().is_some() && above.next() == Some(b"sbom")
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(SBOM, limits::SBOM_BYTES)?;
        let mut found = Extraction::default();
        let list = list(file.path().name()).unwrap_or_default();
        components(&bytes, list, false, &mut found);
        found.finish()
    }
}

/// Adds the components of a bill, by the name of the list of them; `are_there` if they are known to be, where they are only
/// named otherwise.
pub(super) fn components(bytes: &[u8], list: &str, are_there: bool, found: &mut Extraction) {
    let read = records::read(bytes, &[list], &mut |place, component: Option<Component>| match component {
        Some(component) => take(component, place, are_there, found),
        None => {
            found.lose(FormatError::malformed(SBOM, format!("{place} is no component")));
            true
        }
    });
    if let Err(problem) = read {
        found.lose(FormatError::malformed(SBOM, problem));
    }
}

fn list(name: &[u8]) -> Option<&'static str> {
    LISTS.iter().find(|(end, _)| name.ends_with(end.as_bytes())).map(|(_, list)| *list)
}

/// What is read of a component in any of the notations.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    #[serde(default)]
    purl: Option<String>,
    /// SPDX's purls.
    #[serde(default)]
    external_refs: Vec<Reference>,
    /// CycloneDX's components inside this one.
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    #[serde(default)]
    reference_type: String,
    #[serde(default)]
    reference_locator: String,
}

impl Component {
    fn purl(&self) -> Option<&str> {
        let refs = || self.external_refs.iter().find(|one| one.reference_type == "purl");
        let purl = self.purl.as_deref().or_else(|| Some(refs()?.reference_locator.as_str()));
        purl.filter(|purl| !purl.is_empty())
    }
}

/// Takes a component and those inside it. False if there are too many.
fn take(component: Component, place: &str, are_there: bool, found: &mut Extraction) -> bool {
    let mut open = vec![component];
    while let Some(component) = open.pop() {
        if let Some(text) = component.purl() {
            match Purl::parse(text) {
                None => {
                    let problem = format!("{place} has a purl that is none: {text:.80}");
                    found.lose(FormatError::malformed(SBOM, problem));
                }
                Some(purl) => match purl.package().filter(is_component) {
                    Some(package) if package.version.is_empty() => {
                        let problem = format!("{place} has no version: {text:.80}");
                        found.lose(FormatError::malformed(SBOM, problem));
                    }
                    Some(package) => {
                        let declared = !are_there && package.kind != PackageKind::Bitnami;
                        if !found.add(Package { declared, ..package }) {
                            return false;
                        }
                    }
                    None => {}
                },
            }
        }
        open.extend(component.components.into_iter().rev());
    }
    true
}

/// A repository is where a component came from.
fn is_component(package: &Package) -> bool {
    package.kind != PackageKind::Github
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    const BITNAMI: &str = "opt/bitnami/redis/.spdx-redis.spdx";
    const LAUNCH: &str = "layers/sbom/launch/paketo-buildpacks_node-engine/node/sbom.cdx.json";

    fn extract(path: &str, text: &str) -> Result<Extraction, FormatError> {
        testing::extract(&Sbom, path, text.as_bytes(), &[])
    }

    fn named(kind: PackageKind, name: &str, version: &str) -> Package {
        Package { declared: true, ..Package::new(kind, name, version) }
    }

    #[test]
    fn wants_what_builders_leave() {
        testing::wants(
            &Sbom,
            &[
                BITNAMI,
                LAUNCH,
                "opt/bitnami/common/.spdx-wait-for-port.spdx",
                "cnb/layers/sbom/launch/a/sbom.spdx.json",
                "layers/sbom/launch/a/b/sbom.syft.json",
                "usr/local/share/sbom/app.cdx.json",
                "usr/share/sbom/tools/app.spdx.json",
            ],
            &[
                "srv/.spdx-redis.spdx",
                "layers/sbom/build/a/sbom.cdx.json",
                "layers/launch/a/sbom.cdx.json",
                "srv/usr/share/sbom/app.cdx.json",
                "usr/share/sbom/README.json",
                "layers/sbom/launch/a/bom.cdx.json",
                "var/lib/db/sbom/glibc-2.38-r1.spdx.json",
            ],
        );
    }

    #[test]
    fn applications_of_bitnami_are_installed_and_what_they_hold_is_named() {
        let purl = |text: &str| {
            format!(
                r#"{{"name":"a","externalRefs":[{{"referenceType":"cpe23Type","referenceLocator":"cpe:2.3:x"}},
                {{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"{text}"}}]}}"#
            )
        };
        let text = format!(
            r#"{{"spdxVersion":"SPDX-2.3","packages":[{},{},{},{{"name":"no purl"}}]}}"#,
            purl("pkg:bitnami/redis@7.0.10-2?arch=arm64&distro=debian-11"),
            purl("pkg:golang/golang.org/x/net@v0.1.0"),
            purl("pkg:github/redis/redis@7.0.10"),
        );
        let redis = Package {
            arch: Some("arm64".to_owned()),
            ..Package::new(PackageKind::Bitnami, "redis", "7.0.10-2")
        };
        let found = extract(BITNAMI, &text).unwrap();
        let expected = [redis, named(PackageKind::Golang, "golang.org/x/net", "v0.1.0")];
        assert_eq!((found.packages(), found.damage.len()), (expected.to_vec(), 0));
    }

    #[test]
    fn components_of_buildpacks_and_those_inside_them() {
        let text = r#"{"bomFormat":"CycloneDX","components":[{"purl":"pkg:npm/%40s/a@1.0.0","components":[
            {"purl":"pkg:npm/b@2"},{"name":"c"}]},{"purl":"pkg:pypi/d@3"}]}"#;
        let npm = |name, version| named(PackageKind::Npm, name, version);
        let expected = [npm("@s/a", "1.0.0"), npm("b", "2"), named(PackageKind::Pypi, "d", "3")];
        assert_eq!(extract(LAUNCH, text).unwrap().packages(), expected);
        let syft = r#"{"artifacts":[{"id":"x","name":"b","version":"2","purl":"pkg:npm/b@2"}]}"#;
        let found = extract("layers/sbom/launch/a/sbom.syft.json", syft).unwrap();
        assert_eq!(found.packages(), [npm("b", "2")]);
    }

    #[test]
    fn a_bad_component_is_lost_alone() {
        for (bad, problem) in [
            ("1", "record 1 is no component"),
            (r#"{"purl":"npm/a"}"#, "record 1 has a purl that is none: npm/a"),
            (r#"{"purl":"pkg:npm/a"}"#, "record 1 has no version: pkg:npm/a"),
        ] {
            let text = format!(r#"{{"components":[{bad},{{"purl":"pkg:npm/b@2"}}]}}"#);
            let found = extract(LAUNCH, &text).unwrap();
            assert_eq!(found.packages().len(), 1, "{bad}");
            assert_eq!(found.damage[0].detail(), format!("bill of materials: {problem}"));
        }
        for text in ["", "{", "[]", r#"{"components":1}"#] {
            assert!(extract(LAUNCH, text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"components\"|\"purl\"|\"pkg:npm/a@1\")*") {
            let _ = extract(LAUNCH, &text);
        }
    }
}
