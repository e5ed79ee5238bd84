//! NuGet's packages: what was restored (`packages.lock.json`, `project.assets.json`), and what projects ask for
//! (`packages.config`; `PackageReference` and `PackageVersion` of MSBuild's project files, NuGet's "Package versioning").
//! A plain version of a project is the least that is restored, which is what NuGet takes unless another package asks for
//! more; it is taken as `[1.2.3]` is, ranges and floating versions are not.

use std::collections::HashMap;

use super::{document::Document, named::Named, properties};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
    xml::Element,
};

/// Reads `packages.lock.json`: packages by framework.
pub(super) fn read_lock(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    lock.json(&[&["dependencies", "*"]], |record| match record.text("resolved") {
        _ if record.text("type").is_some_and(|kind| kind.eq_ignore_ascii_case("project")) => {}
        Some(version) => named.add(package(record.key(), version)),
        None => named.lose(&format!("{} has no version", record.place())),
    })
}

/// Reads `project.assets.json`: libraries by `NAME/VERSION`.
pub(super) fn read_assets(assets: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    assets.json(&[&["libraries"]], |record| {
        if record.text("type") != Some("package") {
            return;
        }
        match record.key().split_once('/') {
            Some((name, version)) => named.add(package(name, version)),
            None => named.lose(&format!("{} has no version", record.place())),
        }
    })
}

/// Reads `packages.config`.
pub(super) fn read_config(config: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    config.xml("package", |element| match (element.attribute("id"), element.attribute("version")) {
        (Some(name), Some(version)) => named.add(package(name, version)),
        _ => named.lose("a package has no id or no version"),
    })
}

/// Reads a project file, or `Directory.Packages.props`, which has the versions of many projects. Conditions are not looked at.
pub(super) fn read_project(project: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    project.root("Project", |project| {
        let mut known = HashMap::new();
        for property in project.children("PropertyGroup").flat_map(|group| &group.children) {
            known.insert(property.name.as_str(), property.text());
        }
        for item in project.children("ItemGroup").flat_map(|group| &group.children) {
            if !matches!(item.name.as_str(), "PackageReference" | "PackageVersion" | "GlobalPackageReference")
            {
                continue;
            }
            let name = item.attribute("Include").or_else(|| item.attribute("Update"));
            let version = ["VersionOverride", "Version"].iter().find_map(|key| told(item, key));
            let version = version.and_then(|version| properties::resolve("$(", ")", version, &known));
            if let (Some(name), Some(version)) = (name, version.as_deref().and_then(pinned)) {
                named.add(package(name, version));
            }
        }
    })
}

fn package(name: &str, version: &str) -> Package {
    Package::new(PackageKind::Nuget, name, version)
}

/// Metadata of an item, which is an attribute or an element.
fn told<'a>(item: &'a Element, key: &str) -> Option<&'a str> {
    item.attribute(key).or_else(|| item.text_of(key))
}

/// The version of `1.2.3` or `[1.2.3]`.
fn pinned(version: &str) -> Option<&str> {
    let version = version.trim();
    let exact = version.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(version);
    let is_version = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    (exact.starts_with(|c: char| c.is_ascii_digit()) && exact.chars().all(is_version)).then_some(exact)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    fn check(path: &str, text: &str, expected: &[&str], damage: usize) {
        let expected = expected.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(testing::named(PackageKind::Nuget, path, text), (expected, damage), "{path}");
    }

    #[test]
    fn what_was_restored() {
        let lock = r#"{"version":1,"dependencies":{"net8.0":{
            "Serilog":{"type":"Direct","requested":"[3.1.1, )","resolved":"3.1.1","contentHash":"x"},
            "lib":{"type":"Project","dependencies":{}},"Bad":{"type":"Transitive"}},
            "net8.0/linux-x64":{"Serilog":{"type":"Transitive","resolved":"3.1.1"},"B":{"type":"CentralTransitive","resolved":"1.0.0-rc.1"}}}}"#;
        check("packages.lock.json", lock, &["Serilog 3.1.1", "B 1.0.0-rc.1"], 1);
        let assets = r#"{"version":3,"targets":{"net8.0":{"Serilog/3.1.1":{"type":"package"}}},
            "libraries":{"Serilog/3.1.1":{"type":"package","path":"serilog/3.1.1"},"lib/1.0.0":{"type":"project"},"Bad":{"type":"package"}}}"#;
        check("obj/project.assets.json", assets, &["Serilog 3.1.1"], 1);
    }

    #[test]
    fn what_projects_ask_for() {
        let config = r#"<?xml version="1.0"?><packages><package id="jQuery" version="3.1.1" targetFramework="net46" /><package id="x"/></packages>"#;
        check("packages.config", config, &["jQuery 3.1.1"], 1);
        let project = r#"<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><V>2.0.$(Patch)</V><Patch>4</Patch></PropertyGroup><ItemGroup>
            <PackageReference Include="A" Version="1.2.3" /><PackageReference Include="B"><Version>[1.0.0-rc.1]</Version></PackageReference>
            <PackageReference Include="C" Version="$(V)" /><PackageReference Include="D" Version="1.*" />
            <PackageReference Include="E" Version="[1.0,2.0)" /><PackageReference Include="F" Version="$(Unknown)" />
            <PackageReference Include="G" /><PackageReference Update="H" VersionOverride="3.0" /><Reference Include="I" Version="1.0" />
            </ItemGroup></Project>"#;
        check("app/Shop.csproj", project, &["A 1.2.3", "B 1.0.0-rc.1", "C 2.0.4", "H 3.0"], 0);
        let props = r#"<Project><ItemGroup><PackageVersion Include="A" Version="1.2.3" /><GlobalPackageReference Include="B" Version="1.0" />
            </ItemGroup></Project>"#;
        check("Directory.Packages.props", props, &["A 1.2.3", "B 1.0"], 0);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(<Project>|</Project>|<ItemGroup>|<PackageReference Include=\"a\" Version=\"|[$()a]|\"/>|[é{}\":])*") {
            for path in ["a.csproj", "packages.config", "packages.lock.json", "project.assets.json"] {
                testing::read(path, &text);
            }
        }
    }
}
