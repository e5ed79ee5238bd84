//! A Java runtime by the file `release` in its directory: `KEY="value"` lines, as all builds of OpenJDK write them (JEP 223).

use crate::{
    block::ReadAt,
    error::FormatError,
    fs::{FileKind, GuestPath, Stat},
    inventory::{Extraction, Extractor, File, Package, PackageKind, java::properties},
    limits,
};

const RELEASE: &str = "release";

/// The builds by what they say of who made them; the others go by the name of the project.
const BUILDS: [(&str, &str); 10] = [
    ("AdoptOpenJDK", "adoptopenjdk"),
    ("Alibaba", "dragonwell"),
    ("Amazon", "corretto"),
    ("Azul", "zulu"),
    ("BellSoft", "liberica"),
    ("Eclipse", "temurin"),
    ("GraalVM", "graalvm"),
    ("IBM", "semeru"),
    ("Microsoft", "microsoft-openjdk"),
    ("SAP", "sapmachine"),
];
/// Oracle's own builds say the same of their maker as those of the project, and are told by how they are called.
const ORACLE: (&str, &str) = ("Oracle", "oracle-jdk");

/// Runtimes: JDK and JRE, whoever built them.
pub(in crate::inventory) struct Runtime;

impl Extractor for Runtime {
    fn name(&self) -> &'static str {
        "java-runtime"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && path.name() == RELEASE.as_bytes() && path.components().nth(1).is_some()
    }

    /// Many files have this name; a runtime's has some hundred bytes.
    fn accepts(&self, _: &GuestPath, stat: &Stat) -> bool {
        stat.size <= limits::JAVA_RELEASE_BYTES
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        if file.content().size() > limits::JAVA_RELEASE_BYTES {
            return Ok(found);
        }
        let bytes = file.read(RELEASE, limits::JAVA_RELEASE_BYTES)?;
        if let Some(package) = runtime(&String::from_utf8_lossy(&bytes)) {
            found.add(package);
        }
        Ok(found)
    }
}

/// The runtime, if a file is about one.
fn runtime(text: &str) -> Option<Package> {
    let pairs = properties::pairs(text);
    let value = |key: &str| {
        let found = pairs.iter().find(|(known, _)| known == key).map(|(_, value)| value.trim_matches('"'));
        found.filter(|value| !value.is_empty())
    };
    let java = value("JAVA_VERSION")?;
    let version = value("JAVA_RUNTIME_VERSION").unwrap_or(java);
    let implementor = value("IMPLEMENTOR");
    let mut package = Package::new(PackageKind::Generic, name(&value), version);
    package.arch = value("OS_ARCH").map(str::to_owned);
    package.vendor = implementor.map(str::to_owned);
    Some(package)
}

fn name<'a>(value: &dyn Fn(&str) -> Option<&'a str>) -> &'static str {
    if value("GRAALVM_VERSION").is_some() {
        return "graalvm";
    }
    let maker = value("IMPLEMENTOR").unwrap_or_default();
    let is_oracle = maker.starts_with(ORACLE.0) && value("BUILD_TYPE") == Some("commercial");
    match BUILDS.iter().find(|(known, _)| maker.starts_with(known)) {
        Some((_, name)) => name,
        None if is_oracle => ORACLE.1,
        None => "openjdk",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn names(text: &str) -> Vec<String> {
        let found = testing::extract(&Runtime, "opt/jdk/release", text.as_bytes(), &[]).unwrap();
        found.packages().iter().map(|package| format!("{}@{}", package.name, package.version)).collect()
    }

    #[test]
    fn the_build_and_its_version() {
        for (text, expected) in [
            (
                "IMPLEMENTOR=\"Eclipse Adoptium\"\nJAVA_RUNTIME_VERSION=\"17.0.9+9\"\nJAVA_VERSION=\"17.0.9\"\n",
                "temurin@17.0.9+9",
            ),
            ("JAVA_VERSION=\"1.8.0_392\"\nOS_NAME=\"Linux\"\n", "openjdk@1.8.0_392"),
            ("IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.14\"\n", "openjdk@17.0.14"),
            ("IMPLEMENTOR=\"Amazon.com Inc.\"\nJAVA_VERSION=\"21\"\n", "corretto@21"),
            ("IMPLEMENTOR=\"Oracle Corporation\"\nJAVA_VERSION=\"21\"\n", "openjdk@21"),
            (
                "IMPLEMENTOR=\"Oracle Corporation\"\nBUILD_TYPE=\"commercial\"\nJAVA_VERSION=\"21\"\n",
                "oracle-jdk@21",
            ),
            (
                "IMPLEMENTOR=\"Oracle Corporation\"\nGRAALVM_VERSION=\"23\"\nJAVA_VERSION=\"21\"\n",
                "graalvm@21",
            ),
        ] {
            assert_eq!(names(text), [expected], "{text}");
        }
    }

    #[test]
    fn other_files_of_the_name_are_none() {
        assert_eq!(names("Fedora release 40\n"), [""; 0]);
        assert_eq!(names("JAVA_VERSION=\n"), [""; 0]);
        testing::wants(&Runtime, &["usr/lib/jvm/a/release", "opt/release"], &["release", "opt/a.release"]);
    }
}
