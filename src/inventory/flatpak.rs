//! Flatpak's applications and runtimes: `flatpak/{app,runtime}/ID/ARCH/BRANCH/COMMIT/metadata` (flatpak-metadata(5)) of a
//! system's or a user's installation. In `deploy` beside it is a GVariant `(ssasta{sv})`: remote, commit, parts, size, and what
//! the AppStream data said (flatpak, `flatpak-dir.c`; GVariant specification, section 2.4).
//!
//! The version is the one that `flatpak list` prints; for runtimes and others that have none it is the branch.

use memchr::memmem;

use super::{Extraction, Extractor, File, Package, PackageKind};
use crate::{
    block,
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const METADATA: &[u8] = b"metadata";
const DEPLOY: &str = "deploy";
/// The remote that nearly all come from.
const FLATHUB: &str = "flathub";

/// Flatpak's applications and runtimes.
pub(super) struct Flatpak;

impl Extractor for Flatpak {
    fn name(&self) -> &'static str {
        "flatpak"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && place(path).is_some()
    }

    fn companions(&self) -> &'static [&'static str] {
        &[DEPLOY]
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some([id, arch, branch]) = place(file.path()) else { return Ok(found) };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let bytes = deployed(file).unwrap_or_else(|error| {
            found.lose(error);
            Vec::new()
        });
        let version = value(&bytes, "appdata-version").unwrap_or_else(|| text(branch));
        let mut package = Package::new(PackageKind::Flatpak, text(id), version);
        package.arch = Some(text(arch));
        package.license = value(&bytes, "appdata-license");
        let remote = bytes.split(|byte| *byte == 0).next().map(text);
        package.origin = remote.filter(|remote| remote != FLATHUB && !remote.is_empty());
        found.add(package);
        Ok(found)
    }
}

/// What is noted of a deployment, nothing if there is no such file.
fn deployed(file: &File<'_>) -> Result<Vec<u8>, FormatError> {
    let Some(source) = file.companion(DEPLOY)? else { return Ok(Vec::new()) };
    let bytes = block::read_all(&source, DEPLOY, limits::FLATPAK_DEPLOY_BYTES)?;
    // Remote and commit come first.
    match bytes.split(|byte| *byte == 0).nth(1).is_some_and(is_commit) {
        true => Ok(bytes),
        false => Err(FormatError::malformed(DEPLOY, "no remote or no commit")),
    }
}

/// The identifier, the architecture and the branch of what is deployed at a path.
fn place(path: &GuestPath) -> Option<[&[u8]; 3]> {
    let mut above = path.components().rev();
    let is_deployed = above.next()? == METADATA && is_commit(above.next()?);
    let (branch, arch, id) = (above.next()?, above.next()?, above.next()?);
    let is_kind = matches!(above.next()?, b"app" | b"runtime");
    (is_deployed && is_kind && above.next()? == b"flatpak").then_some([id, arch, branch])
}

fn is_commit(text: &[u8]) -> bool {
    text.len() == 64 && text.iter().all(u8::is_ascii_hexdigit)
}

/// The string that a dictionary has for a key: the key's end, zeros up to the next multiple of eight, the string and its
/// end, and the type of the value behind another zero.
fn value(bytes: &[u8], key: &str) -> Option<String> {
    memmem::find_iter(bytes, key).find_map(|at| {
        let rest = bytes.get(at.checked_add(key.len())?..)?;
        let rest = rest.strip_prefix(b"\0")?;
        let start = rest.iter().take(8).position(|byte| *byte != 0)?;
        let rest = rest.get(start..)?;
        let text = rest.get(..memchr::memchr(0, rest)?)?;
        let is_string = rest.get(text.len()..)?.starts_with(b"\0\0s");
        (is_string && !text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    const COMMIT: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

    fn at(kind: &str, branch: &str) -> String {
        format!("var/lib/flatpak/{kind}/org.example.App/x86_64/{branch}/{COMMIT}/metadata")
    }

    /// What a deployment has, its dictionary aligned as GVariant does.
    fn deploy(remote: &str, entries: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = format!("{remote}\0{COMMIT}\0").into_bytes();
        let align = |bytes: &mut Vec<u8>| bytes.resize(bytes.len().next_multiple_of(8), 0);
        align(&mut bytes);
        bytes.extend([0; 8]);
        for (key, value) in entries {
            align(&mut bytes);
            bytes.extend(format!("{key}\0").bytes());
            align(&mut bytes);
            bytes.extend(format!("{value}\0\0s").bytes());
            bytes.push(u8::try_from(key.len()).unwrap());
        }
        bytes
    }

    #[test]
    fn wants_what_is_deployed() {
        testing::wants(
            &Flatpak,
            &[
                &at("app", "stable"),
                &at("runtime", "23.08"),
                &format!("home/u/.local/share/flatpak/app/a/x86_64/stable/{COMMIT}/metadata"),
            ],
            &[
                "var/lib/flatpak/app/a/x86_64/stable/active/metadata",
                &format!("var/lib/flatpak/app/a/x86_64/stable/{COMMIT}/deploy"),
                &format!("srv/app/a/x86_64/stable/{COMMIT}/metadata"),
            ],
        );
    }

    #[test]
    fn versions_of_applications_and_branches_of_runtimes() {
        let extract =
            |path: &str, deploy: &[u8]| testing::extract(&Flatpak, path, b"", &[(DEPLOY, deploy)]).unwrap();
        let entries =
            [("appdata-name", "App"), ("appdata-version", "2.10.38"), ("appdata-license", "GPL-3.0+")];
        let app = Package {
            arch: Some("x86_64".into()),
            license: Some("GPL-3.0+".into()),
            origin: Some("own".into()),
            ..Package::new(PackageKind::Flatpak, "org.example.App", "2.10.38")
        };
        assert_eq!(extract(&at("app", "stable"), &deploy("own", &entries)).packages(), [app]);
        let runtime = Package {
            arch: Some("x86_64".into()),
            ..Package::new(PackageKind::Flatpak, "org.example.App", "23.08")
        };
        for entries in [&[][..], &[("appdata-version", "")], &[("x", "appdata-version")]] {
            let found = extract(&at("runtime", "23.08"), &deploy("flathub", entries));
            assert_eq!((found.packages(), found.damage.len()), (vec![runtime.clone()], 0), "{entries:?}");
        }
        let damaged = extract(&at("runtime", "23.08"), b"x");
        assert_eq!((damaged.packages(), damaged.damage.len()), (vec![runtime.clone()], 1));
        let alone = testing::extract(&Flatpak, &at("runtime", "23.08"), b"", &[]).unwrap();
        assert_eq!((alone.packages(), alone.damage.len()), (vec![runtime], 0));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(appdata-version|\0|s|1)*", bytes: Vec<u8>) {
            let deploy = [text.as_bytes(), &bytes].concat();
            let _ = value(&deploy, "appdata-version");
            let _ = testing::extract(&Flatpak, &at("app", "x"), b"", &[(DEPLOY, &deploy)]);
        }
    }
}
