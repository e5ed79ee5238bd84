//! PHP packages of PEAR and PECL: the registry that its installer keeps in the directory of libraries,
//! `.registry/PACKAGE.reg`, or `.registry/.channel.CHANNEL/PACKAGE.reg` of other channels than its own (PEAR's `PEAR_Registry`):
//! what a package says of itself, in either version of `package.xml`, as a serialized array.

use super::{Extraction, Extractor, File, Package, PackageKind, serialized};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const RECORD: &str = "PEAR registry";
const SUFFIX: &[u8] = b".reg";
const CHANNEL: &[u8] = b".channel.";
/// The channel of packages that name none.
const OWN: &[u8] = b"pear.php.net";

/// Packages of PEAR's channels, their versions as `pear list` prints them.
pub(super) struct Pear;

impl Extractor for Pear {
    fn name(&self) -> &'static str {
        "pear"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        let mut above = path.components().rev();
        let is_record = above.next().is_some_and(|name| name.ends_with(SUFFIX));
        is_record
            && kind == FileKind::Regular
            && match above.next() {
                Some(dir) if dir.starts_with(CHANNEL) => above.next() == Some(b".registry"),
                dir => dir == Some(b".registry"),
            }
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(RECORD, limits::PEAR_RECORD_BYTES)?;
        let (mut name, mut version, mut license) = (None, None, None);
        let mut channel = file.path().components().rev().nth(1).and_then(|dir| dir.strip_prefix(CHANNEL));
        serialized::strings(RECORD, &bytes, &mut |keys, text| match keys {
            [b"name" | b"package"] => name = Some(text),
            [b"channel"] => channel = Some(text),
            [b"version", b"release"] | [b"version"] => version = Some(text),
            [b"license", b"_content"] | [b"license" | b"release_license"] => license = Some(text),
            _ => {}
        })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let is_some = |bytes: &&[u8]| !bytes.is_empty();
        let (Some(name), Some(version)) = (name.filter(is_some), version.filter(is_some)) else {
            return Err(FormatError::malformed(RECORD, "no name or no version"));
        };
        let name = format!("{}/{}", text(channel.filter(is_some).unwrap_or(OWN)), text(name));
        let mut found = Extraction::default();
        let license = license.filter(is_some).map(text);
        found.add(Package { license, ..Package::new(PackageKind::Pear, name, text(version)) });
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    const AT: &str = "usr/share/php/.registry/xml_util.reg";

    fn extract(path: &str, text: &str) -> Result<Vec<Package>, FormatError> {
        testing::extract(&Pear, path, text.as_bytes(), &[]).map(|found| found.packages())
    }

    fn pear(name: &str, version: &str, license: &str) -> Package {
        Package { license: Some(license.into()), ..Package::new(PackageKind::Pear, name, version) }
    }

    #[test]
    fn wants_the_registry() {
        testing::wants(
            &Pear,
            &[AT, "usr/local/lib/php/.registry/.channel.pecl.php.net/redis.reg"],
            &[
                "usr/share/php/.channels/pear.php.net.reg",
                "usr/share/php/.channels/.alias/pecl.txt",
                "usr/share/php/.registry/.channel.__uri/x/a.reg",
                ".channel.pecl.php.net/redis.reg",
            ],
        );
    }

    #[test]
    fn both_versions_of_records() {
        let two = r#"a:4:{s:4:"name";s:8:"XML_Util";s:7:"channel";s:12:"pear.php.net";s:7:"version";
            a:2:{s:7:"release";s:5:"1.4.5";s:3:"api";s:5:"1.4.0";}
            s:7:"license";a:2:{s:7:"attribs";a:1:{s:3:"uri";s:4:"http";}s:8:"_content";s:11:"BSD License";}}"#;
        let two = two.replace("\n            ", "");
        assert_eq!(extract(AT, &two).unwrap(), [pear("pear.php.net/XML_Util", "1.4.5", "BSD License")]);
        let one = r#"a:4:{s:7:"package";s:5:"redis";s:15:"release_license";s:3:"PHP";s:7:"version";s:5:"6.0.2";s:9:"changelog";a:1:{i:0;a:1:{s:7:"version";s:3:"5.0";}}}"#;
        let at = "usr/local/lib/php/.registry/.channel.pecl.php.net/redis.reg";
        assert_eq!(extract(at, one).unwrap(), [pear("pecl.php.net/redis", "6.0.2", "PHP")]);
        assert_eq!(extract(AT, one).unwrap(), [pear("pear.php.net/redis", "6.0.2", "PHP")]);
    }

    #[test]
    fn a_record_without_name_or_version_is_an_error() {
        for text in [
            "",
            "a:0:{}",
            r#"a:1:{s:4:"name";s:1:"a";}"#,
            r#"a:2:{s:4:"name";s:0:"";s:7:"version";s:1:"1";}"#,
        ] {
            assert!(extract(AT, text).is_err(), "{text}");
        }
    }
}
