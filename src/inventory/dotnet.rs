//! .NET packages: what an application was published with, `NAME.deps.json` (.NET's "Runtime configuration files"), and the
//! shared frameworks, `shared/NAME/VERSION/NAME.deps.json`, under the names of the packages that hold the same files: that is
//! how advisories call them (`Microsoft.NETCore.App.Runtime.linux-x64`). Lock files and project files say what is to be
//! restored, not what is there.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::Value;

use super::{Extraction, Extractor, File, Package, PackageKind, Requirement};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const DEPS: &str = "deps.json";
const SUFFIX: &str = ".deps.json";

/// NuGet's packages that came with applications, and the runtimes.
pub(super) struct Dotnet;

impl Extractor for Dotnet {
    fn name(&self) -> &'static str {
        "dotnet"
    }

    fn version(&self) -> u32 {
        2
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        let name = path.name().strip_suffix(SUFFIX.as_bytes());
        kind == FileKind::Regular && name.is_some_and(|name| !name.is_empty())
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(DEPS, limits::DEPS_JSON_BYTES)?;
        let mut found = Extraction::default();
        for package in packages(&bytes, file.path(), &mut found)? {
            if !found.add(package) {
                break;
            }
        }
        found.finish()
    }
}

/// The packages that a `deps.json` at a path names; a bad record is lost in `found`.
pub(super) fn packages(
    bytes: &[u8],
    path: &GuestPath,
    found: &mut Extraction,
) -> Result<Vec<Package>, FormatError> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let corrupt = |problem: String| FormatError::malformed(DEPS, problem);
    let deps: Deps = serde_json::from_slice(text).map_err(|error| corrupt(error.to_string()))?;
    // Another program's file.
    let Some(target) = deps.runtime_target.map(Target::name) else { return Ok(Vec::new()) };
    let Some(assets) = deps.targets.get(&target) else {
        let target: String = target.chars().take(80).collect();
        return Err(corrupt(format!("no target {target:?}")));
    };
    let mut framework = framework(path, &target);
    let mut packages = Vec::new();
    for (key, library) in &deps.libraries {
        let Some(prefix) = library.prefix() else { continue };
        // What was needed to compile only has no file here.
        let Some(assets) = assets.get(key).filter(|assets| assets.any()) else { continue };
        let Some((name, version)) =
            key.split_once('/').filter(|(name, version)| !name.is_empty() && !version.is_empty())
        else {
            let key: String = key.chars().take(80).collect();
            found.lose(corrupt(format!("library {key:?} has no name or no version")));
            continue;
        };
        let name = name.strip_prefix(prefix).unwrap_or(name);
        framework = framework.filter(|framework| !framework.name.eq_ignore_ascii_case(name));
        let mut package = Package::new(PackageKind::Nuget, name, version);
        package.requires = assets.dependencies.keys().map(Requirement::named).collect();
        packages.push(package);
    }
    packages.extend(framework);
    Ok(packages)
}

/// The package of a shared framework, if the file is one's: until .NET Core 2 its own name, then one for each platform.
fn framework(path: &GuestPath, target: &str) -> Option<Package> {
    let mut above = path.components().rev();
    let file = above.next()?.strip_suffix(SUFFIX.as_bytes())?;
    let version = std::str::from_utf8(above.next()?).ok()?;
    let name = above.next().filter(|name| *name == file)?;
    above.next().filter(|shared| *shared == b"shared")?;
    let name = std::str::from_utf8(name).ok()?;
    let major: u32 = version.split('.').next()?.parse().ok()?;
    let name = match target.split_once('/') {
        _ if major < 3 => name.to_owned(),
        Some((_, platform)) => format!("{name}.Runtime.{platform}"),
        None => return None,
    };
    Some(Package::new(PackageKind::Nuget, name, version))
}

/// What is read of the file.
#[derive(Deserialize)]
struct Deps {
    #[serde(rename = "runtimeTarget")]
    runtime_target: Option<Target>,
    #[serde(default)]
    targets: BTreeMap<String, BTreeMap<String, Assets>>,
    #[serde(default)]
    libraries: BTreeMap<String, Library>,
}

/// The target that is run: its name, in the first releases without more.
#[derive(Deserialize)]
#[serde(untagged)]
enum Target {
    Object { name: String },
    Name(String),
}

impl Target {
    fn name(self) -> String {
        match self {
            Self::Object { name } | Self::Name(name) => name,
        }
    }
}

/// Whether a library has files of each sort.
#[derive(Deserialize)]
struct Assets {
    #[serde(default, deserialize_with = "any_file")]
    runtime: bool,
    #[serde(default, deserialize_with = "any_file")]
    native: bool,
    #[serde(default, deserialize_with = "any_file")]
    resources: bool,
    #[serde(default, rename = "runtimeTargets", deserialize_with = "any_file")]
    platforms: bool,
    /// Versions by names.
    #[serde(default)]
    dependencies: BTreeMap<String, Value>,
}

impl Assets {
    fn any(&self) -> bool {
        self.runtime || self.native || self.resources || self.platforms
    }
}

/// Whether there is a file, other than the one that stands for none.
fn any_file<'de, D: Deserializer<'de>>(json: D) -> Result<bool, D::Error> {
    let files = Option::<BTreeMap<String, IgnoredAny>>::deserialize(json)?;
    Ok(files.is_some_and(|files| files.keys().any(|path| !path.ends_with("_._"))))
}

#[derive(Deserialize)]
struct Library {
    #[serde(rename = "type", default)]
    kind: String,
}

impl Library {
    /// What stands before a package's name; `None` for a library that is no package, such as the application itself.
    fn prefix(&self) -> Option<&'static str> {
        match self.kind.to_ascii_lowercase().as_str() {
            "package" => Some(""),
            // The runtime of an application that brings its own.
            "runtimepack" => Some("runtimepack."),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    const SHARED: &str =
        "usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/Microsoft.NETCore.App.deps.json";

    fn names(path: &str, text: &str) -> Result<Vec<String>, FormatError> {
        let found = testing::extract(&Dotnet, path, text.as_bytes(), &[])?;
        Ok(found.packages().iter().map(|package| format!("{} {}", package.name, package.version)).collect())
    }

    #[test]
    fn wants_files_of_dependencies() {
        testing::wants(
            &Dotnet,
            &["app/Shop.deps.json", SHARED],
            &[
                "app/.deps.json",
                "app/deps.json",
                "app/Shop.runtimeconfig.json",
                "app/obj/project.assets.json",
            ],
        );
    }

    #[test]
    fn packages_with_files_in_the_target_that_is_run() {
        let text = r#"{
            "runtimeTarget": {"name": ".NETCoreApp,Version=v8.0/linux-x64", "signature": ""},
            "compilationOptions": {},
            "targets": {
                ".NETCoreApp,Version=v8.0": {"Compile.Only/2.0.0": {"runtime": {"lib/a.dll": {}}}},
                ".NETCoreApp,Version=v8.0/linux-x64": {
                    "Shop/1.0.0": {"dependencies": {"A": "1.0.0"}, "runtime": {"Shop.dll": {}}},
                    "Newtonsoft.Json/13.0.1": {"dependencies": {"Libuv": "1.9.0", "SQLite": "3.4.0"}, "runtime": {"lib/net6.0/Newtonsoft.Json.dll": {"fileVersion": "13.0.1.0"}}},
                    "Libuv/1.9.0": {"runtimeTargets": {"runtimes/osx/native/libuv.dylib": {"rid": "osx"}}},
                    "SQLite/3.4.0": {"native": {"libsqlite3.so": {}}},
                    "Words.fr/2.0.0": {"resources": {"lib/fr/Words.resources.dll": {"locale": "fr"}}},
                    "Compile.Only/2.0.0": {"compile": {"lib/a.dll": {}}},
                    "Placeholder/1.0.0": {"runtime": {"lib/netstandard1.0/_._": {}}, "native": null},
                    "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"native": {"libcoreclr.so": {}}}
                }
            },
            "libraries": {
                "Shop/1.0.0": {"type": "project", "serviceable": false, "sha512": ""},
                "Newtonsoft.Json/13.0.1": {"type": "package", "serviceable": true, "sha512": "sha512-x"},
                "Libuv/1.9.0": {"type": "package"},
                "SQLite/3.4.0": {"type": "Package"},
                "Words.fr/2.0.0": {"type": "package"},
                "Compile.Only/2.0.0": {"type": "package"},
                "Placeholder/1.0.0": {"type": "package"},
                "Absent/1.0.0": {"type": "package"},
                "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"type": "runtimepack"}
            }
        }"#;
        let expected = [
            "Libuv 1.9.0",
            "Newtonsoft.Json 13.0.1",
            "SQLite 3.4.0",
            "Words.fr 2.0.0",
            "Microsoft.NETCore.App.Runtime.linux-x64 8.0.1",
        ];
        let path = "app/Shop.deps.json";
        assert_eq!(names(path, &format!("\u{feff}{text}")).unwrap(), expected);
        let found = testing::extract(&Dotnet, path, text.as_bytes(), &[]).unwrap();
        assert_eq!(testing::requirements(&found).get(1).unwrap(), "Newtonsoft.Json: Libuv SQLite");
    }

    #[test]
    fn shared_frameworks_are_told_once() {
        let text = |target: &str, library: &str| {
            format!(
                r#"{{"runtimeTarget":{{"name":"{target}"}},"targets":{{"{target}":{{"{library}":{{"native":{{"a":{{}}}}}}}}}},
                "libraries":{{"{library}":{{"type":"package"}}}}}}"#
            )
        };
        let new = "Microsoft.NETCore.App.Runtime.linux-x64";
        let old = "usr/share/dotnet/shared/Microsoft.NETCore.App/2.1.30/Microsoft.NETCore.App.deps.json";
        let asp = "opt/shared/Microsoft.AspNetCore.App/9.0.0-rc.1/Microsoft.AspNetCore.App.deps.json";
        for (path, target, library, expected) in [
            (SHARED, "v8.0/linux-x64", format!("{new}/8.0.1"), vec![format!("{new} 8.0.1")]),
            (SHARED, "v8.0/linux-x64", "A/1".into(), vec!["A 1".into(), format!("{new} 8.0.1")]),
            (SHARED, "v8.0", "A/1".into(), vec!["A 1".into()]),
            (
                old,
                "v2.1/debian.9-x64",
                "A/1".into(),
                vec!["A 1".into(), "Microsoft.NETCore.App 2.1.30".into()],
            ),
            (
                asp,
                "v9.0/linux-musl-arm64",
                "A/1".into(),
                vec!["A 1".into(), "Microsoft.AspNetCore.App.Runtime.linux-musl-arm64 9.0.0-rc.1".into()],
            ),
            ("app/B/8.0.1/B.deps.json", "v8.0/linux-x64", "A/1".into(), vec!["A 1".into()]),
        ] {
            assert_eq!(names(path, &text(target, &library)).unwrap(), expected, "{path} {target}");
        }
    }

    #[test]
    fn what_is_not_of_dotnet_or_damaged() {
        let path = "app/a.deps.json";
        assert_eq!(names(path, r#"{"dependencies":["a"]}"#).unwrap(), [""; 0]);
        assert_eq!(names(path, r#"{"runtimeTarget":"t","targets":{"t":{}}}"#).unwrap(), [""; 0]);
        for text in ["", "[]", "{", r#"{"runtimeTarget":{"name":"t"}}"#, r#"{"runtimeTarget":1}"#] {
            assert!(names(path, text).is_err(), "{text}");
        }
        let file = r#"{"runtime":{"a.dll":{}}}"#;
        let text = format!(
            r#"{{"runtimeTarget":"t","targets":{{"t":{{"a":{file},"b/1":{file}}}}},
            "libraries":{{"a":{{"type":"package"}},"b/1":{{"type":"package"}}}}}}"#
        );
        let found = testing::extract(&Dotnet, path, text.as_bytes(), &[]).unwrap();
        assert_eq!(found.packages(), [Package::new(PackageKind::Nuget, "b", "1")]);
        assert_eq!(found.damage[0].detail(), "deps.json: library \"a\" has no name or no version");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"runtimeTarget\"|\"targets\"|\"libraries\"|\"type\"|\"package\"|\"a/1\")*") {
            let _ = names("app/a.deps.json", &text);
            let _ = names(SHARED, &text);
        }
    }
}
