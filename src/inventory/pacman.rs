//! pacman's database of installed packages: `var/lib/pacman/local/NAME-VERSION/desc` (libalpm, "be_local"), sections of a
//! `%KEY%` line and the lines below it; the files that the package installed are in `files` beside it.

use std::collections::BTreeMap;

use super::{
    Extraction, Extractor, File, Owner, Package, PackageKind, Requirement, SourcePackage, lines::Lines,
    package::web_address,
};
use crate::{
    block::ReadAt,
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const DESC: &str = "pacman desc";
const LOCAL: &[u8] = b"var/lib/pacman/local/";
const FILES: &str = "files";

/// Arch Linux's and its relatives' packages.
pub(super) struct Pacman;

impl Extractor for Pacman {
    fn name(&self) -> &'static str {
        "pacman"
    }

    fn version(&self) -> u32 {
        3
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        let below = path.as_bytes().strip_prefix(LOCAL);
        let entry = below.and_then(|below| below.strip_suffix(b"/desc"));
        kind == FileKind::Regular && entry.is_some_and(|entry| !entry.is_empty() && !entry.contains(&b'/'))
    }

    fn companions(&self) -> &'static [&'static str] {
        &[FILES]
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut sections = BTreeMap::new();
        read(file.content(), &mut |key, value| {
            let value = String::from_utf8_lossy(value).into_owned();
            sections.entry(key.to_owned()).or_insert_with(Vec::new).push(value);
        })?;
        let mut take =
            |key: &str| sections.remove(key).and_then(|values: Vec<String>| values.into_iter().next());
        let (Some(name), Some(version)) = (take("NAME"), take("VERSION")) else {
            return Err(FormatError::malformed(DESC, "no NAME or no VERSION"));
        };
        let mut package = Package::new(PackageKind::Alpm, name, version);
        package.arch = take("ARCH");
        package.vendor = take("PACKAGER");
        package.url = take("URL").as_deref().and_then(web_address);
        let version = &package.version;
        package.source = take("BASE").map(|name| SourcePackage { name, version: version.clone() });
        package.license = sections.remove("LICENSE").map(|all| all.join(" AND "));
        let names = sections.remove("DEPENDS").unwrap_or_default();
        let names = names.iter().filter_map(|text| text.split(['<', '>', '=']).next());
        package.requires = names.map(Requirement::named).collect();
        let mut found = Extraction::default();
        let mut owner = Owner::new(&package.name);
        match file.companion(FILES) {
            Ok(Some(files)) => {
                let done = read(&files, &mut |key, path| {
                    // A directory is everybody's.
                    if key == "FILES" && !path.ends_with(b"/") {
                        owner.take(path);
                    }
                });
                done.unwrap_or_else(|error| found.lose(error));
                found.own(owner);
            }
            Ok(None) => {}
            Err(error) => found.lose(error),
        }
        found.add(package);
        Ok(found)
    }
}

/// Hands each value with its section's key to `take`.
fn read(source: &dyn ReadAt, take: &mut dyn FnMut(&str, &[u8])) -> Result<(), FormatError> {
    let mut lines = Lines::new(source, DESC, 16 * 1024, limits::TEXT_DATABASE_BYTES);
    let mut key = String::new();
    while let Some(line) = lines.next()? {
        match line.bytes {
            [] => key.clear(),
            [b'%', name @ .., b'%'] if key.is_empty() => key = String::from_utf8_lossy(name).into_owned(),
            value if !key.is_empty() && !line.cut => take(&key, value),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{owned::key, testing};

    const AT: &str = "var/lib/pacman/local/gcc-libs-13.2.1-3/desc";

    #[test]
    fn wants_descriptions_only() {
        testing::wants(
            &Pacman,
            &[AT],
            &["var/lib/pacman/local/a-1/files", "var/lib/pacman/local/desc", "var/lib/pacman/local/a/b/desc"],
        );
    }

    #[test]
    fn a_package_its_source_and_its_files() {
        let desc = b"%NAME%\ngcc-libs\n\n%VERSION%\n13.2.1-3\n\n%BASE%\ngcc\n\n%ARCH%\nx86_64\n\n%LICENSE%\nGPL\nLGPL\n\n%DEPENDS%\nglibc>=2.27\nlibx.so=1-64\n\n\
                     %PACKAGER%\nA <a@x>\n";
        let files = b"%FILES%\nusr/\nusr/lib/libgcc_s.so.1\n\n%BACKUP%\netc/x\tsum\n";
        let found = testing::extract(&Pacman, AT, desc, &[(FILES, files)]).unwrap();
        let package = Package {
            arch: Some("x86_64".into()),
            source: Some(SourcePackage { name: "gcc".into(), version: "13.2.1-3".into() }),
            license: Some("GPL AND LGPL".into()),
            vendor: Some("A <a@x>".into()),
            requires: ["glibc", "libx.so"].map(Requirement::named).into(),
            ..Package::new(PackageKind::Alpm, "gcc-libs", "13.2.1-3")
        };
        assert_eq!(found.packages(), [package]);
        let file = key(&GuestPath::new("usr/lib/libgcc_s.so.1"));
        assert_eq!(found.owners, [Owner { files: vec![file], ..Owner::new("gcc-libs") }]);
        assert!(testing::extract(&Pacman, AT, b"%NAME%\na\n", &[]).is_err());
        assert!(testing::extract(&Pacman, AT, b"", &[]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(%|NAME|VERSION|\n|a|/)*", files: Vec<u8>) {
            let _ = testing::extract(&Pacman, AT, text.as_bytes(), &[(FILES, &files)]);
        }
    }
}
