//! xbps' database of installed packages: `var/db/xbps/pkgdb-0.38.plist` (xbps-pkgdb(1), FILES), a dictionary of packages by
//! their names; beside it `.NAME-files.plist` lists the files of each. A package's version is behind the last hyphen of its
//! `pkgver`, and its source that of the first of its `source-revisions`.

use super::{Extraction, Extractor, File, Owner, Package, PackageKind, SourcePackage, plist};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const PKGDB: &str = "xbps pkgdb";
const FILES: &str = "xbps list of files";
const PLACE: &str = "var/db/xbps/pkgdb-0.38.plist";
/// Not a package: what `xbps-alternatives` chose.
const ALTERNATIVES: &str = "_XBPS_ALTERNATIVES_";

/// Void's packages.
pub(super) struct Xbps;

/// Lists of files of Void's packages.
pub(super) struct XbpsFiles;

impl Extractor for Xbps {
    fn name(&self) -> &'static str {
        "xbps"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && path.as_bytes() == PLACE.as_bytes()
    }

    fn places(&self) -> &'static [&'static str] {
        &[PLACE]
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(PKGDB, limits::PROPERTY_LIST_BYTES)?;
        let mut found = Extraction::default();
        let mut entry = Entry::default();
        let read = plist::strings(&bytes, &mut |keys, value| {
            let [name, field] = keys else { return true };
            let goes_on = entry.name == *name || std::mem::take(&mut entry).end(&mut found);
            entry.name.clone_from(name);
            entry.take(field, value);
            goes_on
        });
        entry.end(&mut found);
        if let Err(problem) = read {
            found.lose(FormatError::malformed(PKGDB, problem));
        }
        found.finish()
    }
}

impl Extractor for XbpsFiles {
    fn name(&self) -> &'static str {
        "xbps-files"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && listed(path).is_some()
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some(name) = listed(file.path()) else { return Ok(found) };
        let mut owner = Owner::new(String::from_utf8_lossy(name));
        let bytes = file.read(FILES, limits::PROPERTY_LIST_BYTES)?;
        let read = plist::strings(&bytes, &mut |keys, value| {
            if matches!(keys, [list, file] if file == "file" && list != "dirs") {
                owner.take(value.as_bytes());
            }
            true
        });
        found.own(owner);
        if let Err(problem) = read {
            found.lose(FormatError::malformed(FILES, problem));
        }
        Ok(found)
    }
}

/// The package whose list of files is at a path.
fn listed(path: &GuestPath) -> Option<&[u8]> {
    let name = path.as_bytes().strip_prefix(b"var/db/xbps/.")?.strip_suffix(b"-files.plist")?;
    (!name.is_empty() && !name.contains(&b'/')).then_some(name)
}

/// What is read of a package.
#[derive(Default)]
struct Entry {
    name: String,
    pkgver: String,
    state: String,
    arch: Option<String>,
    license: Option<String>,
    maintainer: Option<String>,
    sources: String,
}

impl Entry {
    fn take(&mut self, field: &str, value: &str) {
        let value = value.to_owned();
        match field {
            "pkgver" => self.pkgver = value,
            "state" => self.state = value,
            "architecture" => self.arch = Some(value),
            "license" => self.license = Some(value),
            "maintainer" => self.maintainer = Some(value),
            "source-revisions" => self.sources = value,
            _ => {}
        }
    }

    /// Adds the package; false if no more are to be read.
    fn end(self, found: &mut Extraction) -> bool {
        if self.name.is_empty() || self.name == ALTERNATIVES || self.state == "not-installed" {
            return true;
        }
        let Some((name, version)) = self.pkgver.rsplit_once('-').filter(|(name, _)| !name.is_empty()) else {
            found.lose(FormatError::malformed(PKGDB, format!("{} has no pkgver", self.name)));
            return true;
        };
        let mut package = Package::new(PackageKind::Xbps, name, version);
        let source = self.sources.split_ascii_whitespace().next().and_then(|first| first.split(':').next());
        package.source =
            source.map(|name| SourcePackage { name: name.to_owned(), version: version.to_owned() });
        package.arch = self.arch;
        package.license = self.license;
        package.vendor = self.maintainer;
        found.add(package)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{owned::key, testing};

    const LIST: &str = "var/db/xbps/.libcrypto3-files.plist";

    fn plist(body: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">\n<dict>{body}</dict>\n</plist>\n"
        )
    }

    #[test]
    fn wants_the_database_and_the_lists() {
        testing::wants(&Xbps, &[PLACE], &["var/db/xbps/pkgdb-0.38.plist.new", LIST]);
        testing::wants(
            &XbpsFiles,
            &[LIST],
            &[PLACE, "var/db/xbps/-files.plist", "var/db/xbps/.-files.plist"],
        );
    }

    #[test]
    fn packages_by_their_states() {
        let entry = |name: &str, fields: &[(&str, &str)]| {
            let fields: String = fields
                .iter()
                .map(|(key, value)| format!("<key>{key}</key><string>{value}</string>\n"))
                .collect();
            format!("<key>{name}</key>\n<dict>\n<key>automatic-install</key><true/>\n{fields}</dict>\n")
        };
        let text = plist(
            &[
                "<key>_XBPS_ALTERNATIVES_</key><dict><key>sh</key><array><string>dash</string></array></dict>\n"
                    .to_owned(),
                entry(
                    "libcrypto3",
                    &[
                        ("architecture", "x86_64"),
                        ("license", "Apache-2.0"),
                        ("maintainer", "J &lt;j@x&gt;"),
                        ("pkgver", "libcrypto3-3.1.4_1"),
                        ("source-revisions", "openssl:0b1c2d"),
                        ("state", "installed"),
                    ],
                ),
                entry("gone", &[("pkgver", "gone-1_1"), ("state", "not-installed")]),
                entry("half", &[("pkgver", "half-1.2_3"), ("state", "unpacked")]),
                entry("bad", &[("state", "installed")]),
            ]
            .concat(),
        );
        let found = testing::extract(&Xbps, PLACE, text.as_bytes(), &[]).unwrap();
        let crypto = Package {
            arch: Some("x86_64".into()),
            license: Some("Apache-2.0".into()),
            vendor: Some("J <j@x>".into()),
            source: Some(SourcePackage { name: "openssl".into(), version: "3.1.4_1".into() }),
            ..Package::new(PackageKind::Xbps, "libcrypto3", "3.1.4_1")
        };
        assert_eq!(found.packages(), [crypto, Package::new(PackageKind::Xbps, "half", "1.2_3")]);
        assert_eq!(found.damage[0].detail(), "xbps pkgdb: bad has no pkgver");
        let cut = text.get(..text.len() - 20).unwrap();
        assert_eq!(testing::extract(&Xbps, PLACE, cut.as_bytes(), &[]).unwrap().damage.len(), 2);
        assert!(testing::extract(&Xbps, PLACE, b"<dict>", &[]).is_err());
    }

    #[test]
    fn files_of_a_package() {
        let text = plist(
            "<key>dirs</key><array><dict><key>file</key><string>/usr</string></dict></array>\
             <key>files</key><array><dict><key>file</key><string>/usr/lib/libcrypto.so.3</string>\
             <key>sha256</key><string>00</string></dict></array>\
             <key>links</key><array><dict><key>file</key><string>/usr/lib/x</string><key>target</key><string>y</string>\
             </dict></array>",
        );
        let found = testing::extract(&XbpsFiles, LIST, text.as_bytes(), &[]).unwrap();
        let files = ["usr/lib/libcrypto.so.3", "usr/lib/x"].map(|path| key(&GuestPath::new(path))).to_vec();
        assert_eq!(found.owners, [Owner { files, ..Owner::new("libcrypto3") }]);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(</?(dict|key|string|array)>|pkgver|a-1|file)*") {
            let _ = testing::extract(&Xbps, PLACE, text.as_bytes(), &[]);
            let _ = testing::extract(&XbpsFiles, LIST, text.as_bytes(), &[]);
        }
    }
}
