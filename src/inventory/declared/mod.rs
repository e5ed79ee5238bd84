//! Packages that lock files and manifests name; they may not be installed. A range is not a version: of manifests only what
//! they pin is taken. The project itself, members of its workspace and packages at local paths are left out of every
//! format: no registry has them.

mod bun;
mod bundler;
mod cargo;
mod cocoapods;
mod composer;
mod conan;
mod conda;
mod deno;
mod document;
mod gomod;
mod gradle;
mod haskell;
mod hex;
mod julia;
mod luarocks;
mod named;
mod npm;
mod nuget;
mod opam;
mod paket;
mod pipfile;
mod pnpm;
mod pom;
mod properties;
mod pubspec;
mod pylock;
mod records;
mod renv;
mod requirements;
mod swift;
mod tables;
#[cfg(test)]
mod testing;
mod yarn;

use super::{Extraction, Extractor, File};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};
use document::Document;
use named::Named;

/// Takes the packages that a file names. An error means that the rest of the file could not be read.
type Read = fn(&Document<'_>, &mut Named) -> Result<(), FormatError>;

/// A format that is known by its files' names.
struct Format {
    /// How errors call it: the name of its files, or of the usual one.
    name: &'static str,
    read: Read,
}

/// Formats whose files have one name, in the order of these.
static EXACT: &[Format] = &[
    format("Cargo.lock", cargo::read),
    format("Directory.Packages.props", nuget::read_project),
    format("Gemfile.lock", bundler::read),
    format("Manifest.toml", julia::read),
    format("Package.resolved", swift::read),
    format("Pipfile.lock", pipfile::read),
    format("Podfile.lock", cocoapods::read),
    format("buildscript-gradle.lockfile", gradle::read_lock),
    format("bun.lock", bun::read),
    format("cabal.project.freeze", haskell::read_cabal),
    format("composer.lock", composer::read),
    format("conan.lock", conan::read),
    format("conda-lock.yml", conda::read_lock),
    format("deno.lock", deno::read),
    format("environment.yaml", conda::read_environment),
    format("environment.yml", conda::read_environment),
    format("gems.locked", bundler::read),
    format("go.mod", gomod::read),
    format("gradle.lockfile", gradle::read_lock),
    format("libs.versions.toml", gradle::read_catalogue),
    format("luarocks.lock", luarocks::read),
    format("mix.lock", hex::read_mix),
    format("npm-shrinkwrap.json", npm::read),
    format("package-lock.json", npm::read),
    format("packages.config", nuget::read_config),
    format("packages.lock.json", nuget::read_lock),
    format("paket.lock", paket::read),
    format("pdm.lock", pylock::read),
    format("pnpm-lock.yaml", pnpm::read),
    format("poetry.lock", pylock::read),
    format("pom.xml", pom::read),
    format("project.assets.json", nuget::read_assets),
    format("pubspec.lock", pubspec::read),
    format("pylock.toml", pylock::read),
    format("rebar.lock", hex::read_rebar),
    format("renv.lock", renv::read),
    format("settings-gradle.lockfile", gradle::read_lock),
    format("stack.yaml.lock", haskell::read_stack),
    format("uv.lock", pylock::read),
    format("verification-metadata.xml", gradle::read_verification),
    format("yarn.lock", yarn::read),
];

/// Formats whose files have names that begin and end alike, or are in directories of one name.
static AFFIXED: &[Affixed] = &[
    affixed("requirements", ".txt", format("requirements.txt", requirements::read)),
    affixed("constraints", ".txt", format("constraints.txt", requirements::read)),
    affixed("", "-requirements.txt", format("requirements.txt", requirements::read)),
    affixed("", "_requirements.txt", format("requirements.txt", requirements::read)),
    below("requirements", ".txt", format("requirements.txt", requirements::read)),
    affixed("pylock.", ".toml", format("pylock.toml", pylock::read)),
    affixed("", ".opam.locked", format("opam.locked", opam::read)),
    affixed("", ".csproj", format("csproj", nuget::read_project)),
    affixed("", ".fsproj", format("fsproj", nuget::read_project)),
    affixed("", ".vbproj", format("vbproj", nuget::read_project)),
];

/// A format whose files' names have a beginning, an end, and anything between the two.
struct Affixed {
    /// The directory that they are in, if they are in one of that name only.
    dir: Option<&'static str>,
    prefix: &'static str,
    suffix: &'static str,
    format: Format,
}

const fn format(name: &'static str, read: Read) -> Format {
    Format { name, read }
}

const fn affixed(prefix: &'static str, suffix: &'static str, format: Format) -> Affixed {
    Affixed { dir: None, prefix, suffix, format }
}

const fn below(dir: &'static str, suffix: &'static str, format: Format) -> Affixed {
    Affixed { dir: Some(dir), prefix: "", suffix, format }
}

impl Affixed {
    fn has(&self, path: &GuestPath) -> bool {
        let name = path.name();
        name.ends_with(self.suffix.as_bytes())
            && name.starts_with(self.prefix.as_bytes())
            && name.len() >= self.prefix.len().saturating_add(self.suffix.len())
            && self.dir.is_none_or(|dir| path.components().rev().nth(1) == Some(dir.as_bytes()))
    }
}

impl Format {
    /// The format of the file at a path.
    fn of(path: &GuestPath) -> Option<&'static Self> {
        match EXACT.binary_search_by(|format| format.name.as_bytes().cmp(path.name())) {
            Ok(at) => EXACT.get(at),
            Err(_) => AFFIXED.iter().find(|affixed| affixed.has(path)).map(|affixed| &affixed.format),
        }
    }
}

/// What lock files and manifests name.
pub(super) struct Declared;

impl Extractor for Declared {
    fn name(&self) -> &'static str {
        "declared"
    }

    fn version(&self) -> u32 {
        2
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular
            && Format::of(path).is_some()
            // What built a Java archive lies in it, and says what was installed.
            && !(path.name() == b"pom.xml" && path.components().any(|dir| dir == b"META-INF"))
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let Some(format) = Format::of(file.path()) else { return Ok(Extraction::default()) };
        let bytes = file.read(format.name, limits::LOCK_FILE_BYTES)?;
        let (document, mut named) = (Document::new(format.name, &bytes), Named::new(format.name));
        if !document.is_empty()
            && let Err(error) = (format.read)(&document, &mut named)
        {
            named.fail(error);
        }
        named.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory;

    #[test]
    fn no_name_is_wanted_twice() {
        assert!(EXACT.is_sorted_by(|one, other| one.name < other.name));
        let made = |affixed: &Affixed| {
            [affixed.dir.unwrap_or("a"), "/", affixed.prefix, "x", affixed.suffix].concat()
        };
        let paths = EXACT.iter().map(|format| format.name.to_owned()).chain(AFFIXED.iter().map(made));
        for path in paths {
            let path = GuestPath::new(&path);
            let exact = EXACT.iter().filter(|format| format.name.as_bytes() == path.name()).count();
            let affixed = AFFIXED.iter().filter(|affixed| affixed.has(&path)).count();
            assert_eq!(exact + affixed, 1, "{path}");
        }
    }

    #[test]
    fn wants_lock_files_and_manifests_by_name() {
        inventory::testing::wants(
            &Declared,
            &[
                "package-lock.json",
                "usr/lib/node_modules/npm/npm-shrinkwrap.json",
                "app/requirements.txt",
                "app/requirements-dev.txt",
                "app/dev-requirements.txt",
                "app/constraints.txt",
                "app/requirements/base.txt",
                "app/pylock.toml",
                "app/pylock.dev.toml",
                "app/Shop.csproj",
                "app/pom.xml",
                "root/go/pkg/mod/example.com/a@v1.0.0/go.mod",
            ],
            &[
                "app/node_modules/.package-lock.json",
                "app/package.json",
                "app/requirements.txt.bak",
                "app/requirements/base.in",
                "app/other/base.txt",
                "app/pylock.tomlx",
                "app/pylock.json",
                "app/META-INF/maven/g/a/pom.xml",
                "app/go.sum",
                "app/cargo.lock",
            ],
        );
    }

    #[test]
    fn an_empty_file_names_nothing() {
        for format in EXACT {
            for text in ["", "\u{feff}\n"] {
                let found =
                    inventory::testing::extract(&Declared, format.name, text.as_bytes(), &[]).unwrap();
                assert_eq!((found.packages(), found.damage.len()), (vec![], 0), "{}", format.name);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            for format in EXACT {
                let _ = inventory::testing::extract(&Declared, format.name, &bytes, &[]);
            }
        }
    }
}
