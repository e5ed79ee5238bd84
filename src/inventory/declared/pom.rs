//! Maven's project files, `pom.xml` (Maven's "POM Reference"): the dependencies whose versions are literal, or told by the
//! properties, the parent's coordinates or the managed dependencies of the same file. Parents are other files and are not
//! read; plugins are no part of what is built.

use std::collections::HashMap;

use super::{document::Document, named::Named, properties};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
    xml::Element,
};

/// Reads a project file.
pub(super) fn read(file: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    file.root("project", |project| {
        let known = known(&project);
        let value =
            |element: &Element, key: &str| properties::resolve("${", "}", element.text_of(key)?, &known);
        let coordinates =
            |element: &Element| Some((value(element, "groupId")?, value(element, "artifactId")?));
        let managed = project.child("dependencyManagement").and_then(|managed| managed.child("dependencies"));
        let managed: HashMap<_, _> = dependencies(managed)
            .filter_map(|element| Some((coordinates(element)?, value(element, "version")?)))
            .collect();
        let profiles =
            project.child("profiles").into_iter().flat_map(|profiles| profiles.children("profile"));
        let lists = [&project].into_iter().chain(profiles).map(|part| part.child("dependencies"));
        for element in lists.flat_map(dependencies) {
            if element.text_of("groupId").is_none() || element.text_of("artifactId").is_none() {
                named.lose("a dependency has no groupId or no artifactId");
                continue;
            }
            // Another module of the same build, or a file of the machine.
            let is_own = element.text_of("version").is_some_and(|version| OWN.contains(&version));
            if is_own || element.text_of("scope") == Some("system") {
                continue;
            }
            let Some((group, artifact)) = coordinates(element) else { continue };
            let key = (group, artifact);
            let version = match element.text_of("version") {
                Some(_) => value(element, "version"),
                None => managed.get(&key).cloned(),
            };
            if let Some(version) = version.as_deref().and_then(pinned) {
                named.add(package(&key.0, &key.1, version));
            }
        }
    })
}

/// How the version of the project itself is written.
const OWN: [&str; 3] = ["${project.version}", "${pom.version}", "${version}"];

fn dependencies(list: Option<&Element>) -> impl Iterator<Item = &Element> {
    list.into_iter().flat_map(|list| list.children("dependency"))
}

/// The properties of a project: its own, and those that Maven gives it. Group and version are the parent's unless told.
fn known(project: &Element) -> HashMap<&str, &str> {
    let mut known = HashMap::new();
    let parent = project.child("parent");
    for (key, names) in [
        ("groupId", ["project.groupId", "pom.groupId", "groupId"]),
        ("artifactId", ["project.artifactId", "pom.artifactId", "artifactId"]),
        ("version", ["project.version", "pom.version", "version"]),
    ] {
        let of_parent = parent.and_then(|parent| parent.text_of(key));
        if let Some(value) = project.text_of(key).or(of_parent) {
            known.extend(names.map(|name| (name, value)));
        }
    }
    for (key, name) in [("version", "project.parent.version"), ("groupId", "project.parent.groupId")] {
        known.extend(parent.and_then(|parent| parent.text_of(key)).map(|value| (name, value)));
    }
    let own = project.child("properties").into_iter().flat_map(|properties| &properties.children);
    known.extend(own.map(|property| (property.name.as_str(), property.text())));
    known
}

/// A package of Maven's.
pub(super) fn package(group: &str, artifact: &str, version: &str) -> Package {
    Package::new(PackageKind::Maven, format!("{group}:{artifact}"), version)
}

/// The version of `1.2.3` or `[1.2.3]`; none of a range or of one that changes.
pub(super) fn pinned(version: &str) -> Option<&str> {
    let exact = version.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(version);
    let is_range = exact.contains(['[', ']', '(', ')', ',', '+', '$']);
    let is_moving = ["LATEST", "RELEASE"].contains(&exact) || exact.starts_with("latest.");
    (!exact.is_empty() && !is_range && !is_moving).then_some(exact)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn versions_that_the_file_tells() {
        let text = r#"<?xml version="1.0"?><project xmlns="http://maven.apache.org/POM/4.0.0">
            <parent><groupId>org.p</groupId><artifactId>parent</artifactId><version>7.0</version></parent><artifactId>app</artifactId>
            <properties><v>1.${minor}</v><minor>2</minor></properties>
            <dependencyManagement><dependencies>
              <dependency><groupId>org.a</groupId><artifactId>managed</artifactId><version>3.0</version></dependency>
              <dependency><groupId>org.a</groupId><artifactId>unused</artifactId><version>3.0</version></dependency>
            </dependencies></dependencyManagement>
            <dependencies>
              <dependency><groupId>org.a</groupId><artifactId>literal</artifactId><version>1.0</version><scope>test</scope></dependency>
              <dependency><groupId>org.a</groupId><artifactId>property</artifactId><version>${v}</version></dependency>
              <dependency><groupId>${project.groupId}</groupId><artifactId>parents</artifactId><version>${project.parent.version}</version></dependency>
              <dependency><groupId>org.a</groupId><artifactId>managed</artifactId></dependency>
              <dependency><groupId>${project.groupId}</groupId><artifactId>sibling</artifactId><version>${project.version}</version></dependency>
              <dependency><groupId>org.a</groupId><artifactId>range</artifactId><version>[1,2)</version></dependency>
              <dependency><groupId>org.a</groupId><artifactId>exact</artifactId><version>[2.0]</version></dependency>
              <dependency><groupId>org.a</groupId><artifactId>elsewhere</artifactId></dependency>
              <dependency><groupId>org.a</groupId><artifactId>unknown</artifactId><version>${x}</version></dependency>
              <dependency><artifactId>bad</artifactId></dependency>
            </dependencies>
            <profiles><profile><dependencies>
              <dependency><groupId>org.a</groupId><artifactId>profile</artifactId><version>4</version></dependency>
            </dependencies></profile></profiles>
            <build><plugins><plugin><groupId>org.a</groupId><artifactId>plugin</artifactId><version>1</version></plugin></plugins></build>
            </project>"#;
        let expected = [
            "org.a:literal 1.0",
            "org.a:property 1.2",
            "org.p:parents 7.0",
            "org.a:managed 3.0",
            "org.a:exact 2.0",
            "org.a:profile 4",
        ];
        let named = testing::named(PackageKind::Maven, "app/pom.xml", text);
        assert_eq!(named, (expected.map(str::to_owned).to_vec(), 1));
        assert!(testing::fails("pom.xml", "<project>"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(<project>|</project>|<dependencies>|</dependencies>|<dependency>|</dependency>|<version>[$][{]a[}]</version>|é)*") {
            testing::read("pom.xml", &text);
        }
    }
}
