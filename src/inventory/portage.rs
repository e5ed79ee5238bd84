//! Portage's database of installed packages (PMS, "Installed package database"; portage(5)): `var/db/pkg/CATEGORY/PF` is a
//! directory a package, whose `CONTENTS` lists what it installed.

use super::{Extraction, Extractor, File, Owner, Package, PackageKind, lines::Lines};
use crate::{
    block,
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const CONTENTS: &str = "portage CONTENTS";
const LICENSE: &str = "LICENSE";
const REPOSITORY: &str = "repository";
const PLACE: &[u8] = b"var/db/pkg/";

/// Gentoo's and its relatives' packages.
pub(super) struct Portage;

impl Extractor for Portage {
    fn name(&self) -> &'static str {
        "portage"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && place(path).is_some()
    }

    /// A virtual package installs nothing, and has an empty list.
    fn companions(&self) -> &'static [&'static str] {
        &[LICENSE, REPOSITORY]
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let Some((category, full)) = place(file.path()) else { return Ok(Extraction::default()) };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let full = text(full);
        let Some((name, version)) = split(&full) else {
            return Err(FormatError::malformed(CONTENTS, format!("no version in {full:?}")));
        };
        let mut found = Extraction::default();
        let mut package = Package::new(PackageKind::Ebuild, format!("{}/{name}", text(category)), version);
        let mut companion = |name| match read(file, name) {
            Ok(text) => text,
            Err(error) => {
                found.lose(error);
                None
            }
        };
        package.license = companion(LICENSE);
        package.origin = companion(REPOSITORY).filter(|name| name != "gentoo");
        let mut owner = Owner::new(&package.name);
        let mut lines = Lines::new(file.content(), CONTENTS, 16 * 1024, limits::TEXT_DATABASE_BYTES);
        loop {
            match lines.next() {
                // `obj PATH MD5 MTIME`; paths may have blanks.
                Ok(Some(line)) => {
                    let fields = line.bytes.strip_prefix(b"obj ").filter(|_| !line.cut);
                    let mut back =
                        fields.into_iter().flat_map(|fields| fields.rsplitn(3, |byte| *byte == b' '));
                    if let Some(path) = back.nth(2) {
                        owner.take(path);
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    found.lose(error);
                    break;
                }
            }
        }
        found.own(owner);
        found.add(package);
        Ok(found)
    }
}

/// The category and the package with its version whose list is at a path.
fn place(path: &GuestPath) -> Option<(&[u8], &[u8])> {
    let mut parts = path.as_bytes().strip_prefix(PLACE)?.split(|byte| *byte == b'/');
    let (category, full, file) = (parts.next()?, parts.next()?, parts.next()?);
    // What is being merged has a name that no package has.
    let known = file == b"CONTENTS" && parts.next().is_none() && !full.starts_with(b"-MERGING-");
    known.then_some((category, full))
}

/// A name and its version: the version begins after the last hyphen that a digit follows, and may end in a revision (PMS,
/// "Names" and "Version Specifications").
fn split(full: &str) -> Option<(&str, &str)> {
    let begins = |at: &usize| full.as_bytes().get(at.saturating_add(1)).is_some_and(u8::is_ascii_digit);
    let at = full.match_indices('-').map(|(at, _)| at).rfind(begins)?;
    Some((full.get(..at)?, full.get(at.checked_add(1)?..)?)).filter(|(name, _)| !name.is_empty())
}

fn read(file: &File<'_>, name: &'static str) -> Result<Option<String>, FormatError> {
    let Some(source) = file.companion(name)? else { return Ok(None) };
    let text = block::read_all(&source, CONTENTS, limits::TEXT_FILE_BYTES)?;
    Ok(Some(String::from_utf8_lossy(&text).trim().to_owned()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{owned::key, testing};

    #[test]
    fn wants_lists_of_installed_packages() {
        testing::wants(
            &Portage,
            &["var/db/pkg/dev-libs/openssl-3.0.9-r1/CONTENTS"],
            &[
                "var/db/pkg/dev-libs/openssl-3.0.9-r1/LICENSE",
                "var/db/pkg/dev-libs/-MERGING-openssl-3/CONTENTS",
                "var/db/pkg/CONTENTS",
            ],
        );
    }

    #[test]
    fn versions_begin_after_the_last_hyphen_before_a_digit() {
        assert_eq!(split("openssl-3.0.9-r1"), Some(("openssl", "3.0.9-r1")));
        assert_eq!(split("gtk+-2.24.33-r3"), Some(("gtk+", "2.24.33-r3")));
        assert_eq!(split("font-100-dpi-1.0"), Some(("font-100-dpi", "1.0")));
        assert_eq!(split("nothing"), None);
    }

    #[test]
    fn a_package_and_its_files() {
        let contents = b"dir /usr\nobj /usr/bin/a b 0123456789abcdef 1700000000\nsym /usr/bin/c -> a 17\n";
        let found = testing::extract(
            &Portage,
            "var/db/pkg/dev-libs/openssl-3.0.9-r1/CONTENTS",
            contents,
            &[(LICENSE, b"Apache-2.0\n"), (REPOSITORY, b"gentoo\n")],
        )
        .unwrap();
        let package = Package {
            license: Some("Apache-2.0".into()),
            ..Package::new(PackageKind::Ebuild, "dev-libs/openssl", "3.0.9-r1")
        };
        assert_eq!(found.packages(), [package]);
        let file = key(&GuestPath::new("usr/bin/a b"));
        assert_eq!(found.owners, [Owner { files: vec![file], ..Owner::new("dev-libs/openssl") }]);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(name in "[a-z0-9.+-]{1,20}", bytes: Vec<u8>) {
            let _ = testing::extract(&Portage, &format!("var/db/pkg/a/{name}/CONTENTS"), &bytes, &[]);
            let _ = split(&name);
        }
    }
}
