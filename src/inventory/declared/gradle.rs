//! Gradle's files (Gradle User Manual): locks, `gradle.lockfile` and its like ("Locking Versions"); the artifacts whose digests
//! are to be verified, `verification-metadata.xml`; the versions of a catalogue that are no ranges, `libs.versions.toml`.

use std::collections::HashMap;

use serde_json::Value;

use super::{document::Document, named::Named, pom, records::text};
use crate::error::FormatError;

/// Reads a lock: `GROUP:ARTIFACT:VERSION=CONFIGURATIONS` a line.
pub(super) fn read_lock(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    let text = lock.text();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("empty=") {
            continue;
        }
        let coordinates: Vec<&str> = line.split('=').next().unwrap_or_default().split(':').collect();
        match coordinates.as_slice() {
            [group, artifact, version] => named.add(pom::package(group, artifact, version)),
            _ => named.lose(&format!("line {number} has no coordinates")),
        }
    }
    Ok(())
}

/// Reads the artifacts that are to be verified.
pub(super) fn read_verification(file: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    file.xml("component", |component| {
        let part = |name| component.attribute(name);
        match (part("group"), part("name"), part("version")) {
            (Some(group), Some(name), Some(version)) => named.add(pom::package(group, name, version)),
            _ => named.lose("a component has no group, name or version"),
        }
    })
}

/// Reads a catalogue; a library's version may be one that has a name.
pub(super) fn read_catalogue(catalogue: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    let mut versions = HashMap::new();
    let mut libraries = Vec::new();
    catalogue.toml(&[&["versions"], &["libraries"]], |record| match record.root() {
        "versions" => {
            if let Some(version) = version(&record.value) {
                versions.insert(record.key().to_owned(), version.to_owned());
            }
        }
        _ => libraries.push((record.place(), record.value)),
    })?;
    for (place, library) in libraries {
        let written = library.as_str().or(text(&library, "module"));
        let parts: Vec<&str> = written.unwrap_or_default().split(':').collect();
        let (group, artifact, inline) =
            match (parts.as_slice(), text(&library, "group"), text(&library, "name")) {
                ([group, artifact], ..) => (*group, *artifact, None),
                ([group, artifact, version], ..) => (*group, *artifact, Some(*version)),
                (_, Some(group), Some(artifact)) => (group, artifact, None),
                _ => {
                    named.lose(&format!("{place} has no module"));
                    continue;
                }
            };
        let asked = library.get("version").unwrap_or(&Value::Null);
        let known = text(asked, "ref").and_then(|name| versions.get(name)).map(String::as_str);
        if let Some(version) = inline.or_else(|| version(asked)).or(known).and_then(pom::pinned) {
            named.add(pom::package(group, artifact, version));
        }
    }
    Ok(())
}

/// A version, or the one that a rich version demands.
fn version(value: &Value) -> Option<&str> {
    let strictly = || text(value, "strictly").and_then(pom::pinned);
    value.as_str().or_else(strictly).or_else(|| text(value, "require")).or_else(|| text(value, "prefer"))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    fn check(path: &str, text: &str, expected: &[&str], damage: usize) {
        let expected = expected.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(testing::named(PackageKind::Maven, path, text), (expected, damage), "{path}");
    }

    #[test]
    fn locks() {
        let text = "# This is a Gradle generated file for dependency locking.\norg.a:b:1.0.0=compileClasspath,runtimeClasspath\n\
                    bad=x\nempty=annotationProcessor\n";
        for path in ["gradle.lockfile", "buildscript-gradle.lockfile", "settings-gradle.lockfile"] {
            check(path, text, &["org.a:b 1.0.0"], 1);
        }
    }

    #[test]
    fn artifacts_to_verify() {
        let text = r#"<verification-metadata xmlns="x"><configuration/><components><component group="org.a" name="b" version="1.0">
            <artifact name="b-1.0.jar"><sha256 value="0"/></artifact></component><component name="c"/></components></verification-metadata>"#;
        check("gradle/verification-metadata.xml", text, &["org.a:b 1.0"], 1);
    }

    #[test]
    fn catalogues() {
        let text = r#"[versions]
a = "1.0"
rich = { strictly = "[1,2[", prefer = "1.5" }
[libraries]
one = { module = "org.a:one", version.ref = "a" }
two = { group = "org.a", name = "two", version = "2.0" }
three = "org.a:three:3.0"
four = { module = "org.a:four", version = { strictly = "4.0" } }
five = { module = "org.a:five", version.ref = "rich" }
range = { module = "org.a:range", version = "[1,2)" }
dynamic = "org.a:dynamic:1.+"
managed = { module = "org.a:managed" }
bad = {}
[plugins]
p = { id = "p", version = "1" }
"#;
        let expected =
            ["org.a:one 1.0", "org.a:two 2.0", "org.a:three 3.0", "org.a:four 4.0", "org.a:five 1.5"];
        let mut named = testing::named(PackageKind::Maven, "gradle/libs.versions.toml", text);
        named.0.sort();
        let mut expected = expected.map(str::to_owned).to_vec();
        expected.sort();
        assert_eq!(named, (expected, 1));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(\\[libraries\\]\n|\\[versions\\]\n|a|:|=|\"|[{}]|\n|module|version|<component |é)*") {
            for path in ["gradle.lockfile", "verification-metadata.xml", "libs.versions.toml"] {
                testing::read(path, &text);
            }
        }
    }
}
