//! PHP applications in one archive (php.net, "What makes a phar a phar and not a tar or a zip?"): a stub of PHP up to
//! `__HALT_COMPILER();`, a manifest with a record for each file, then the files. What Composer installed into an application
//! is in an `installed.json` in it.

use std::{io::Read, sync::Arc};

use flate2::read::DeflateDecoder;
use memchr::memmem;

use super::{Extraction, Extractor, File, binary::Binary, composer, zip};
use crate::{
    block::{self, ReadAt, Source},
    bytes::le32,
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits, num,
};

const PHAR: &str = "phar archive";
const SUFFIX: &[u8] = b".phar";
/// Programs that are installed under names without it.
const PROGRAMS: &[&[u8]] = &[b"composer", b"phpunit", b"wp"];
const MARK: &[u8] = b"__HALT_COMPILER();";
/// Bytes before what is in the manifest: its length.
const LENGTH_BYTES: usize = 4;
/// Bytes of what follows a file's name in its record.
const RECORD_BYTES: usize = 24;
/// How a file is compressed.
const DEFLATED: u32 = 0x1000;
const BZIP2: u32 = 0x2000;

/// Packages of PHP applications that are one file.
pub(super) struct Phar;

impl Extractor for Phar {
    fn name(&self) -> &'static str {
        "phar"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        let name = path.name();
        kind == FileKind::Regular && (name.ends_with(SUFFIX) || PROGRAMS.contains(&name))
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let source = file.content();
        // Another program may have such a name.
        let Some(start) = manifest(source)? else { return Binary.extract(file) };
        let length = block::read_vec(source, PHAR, start, LENGTH_BYTES)?;
        let length = u64::from(le32(&length, 0).unwrap_or(0));
        if length > limits::PHAR_MANIFEST_BYTES {
            let bound = limits::PHAR_MANIFEST_BYTES;
            return Err(FormatError::limit(format!(
                "a manifest of {length} bytes in a {PHAR}, more than {bound}"
            )));
        }
        let start = start.saturating_add(num::to_u64(LENGTH_BYTES));
        let manifest = block::read_vec(source, PHAR, start, num::to_usize(length))?;
        let members = Manifest(&manifest).installed(start.saturating_add(length));
        let members = members
            .ok_or_else(|| FormatError::corrupt(PHAR, start, "a manifest that ends within a record"))?;
        let mut budget = limits::COMPOSER_INSTALLED_BYTES;
        for member in members {
            let name: Arc<str> = String::from_utf8_lossy(member.name).into();
            match member.read(source, &mut budget).and_then(|bytes| composer::read(&bytes)) {
                Ok(inside) => {
                    for shown in inside.shown {
                        found.add_inside(Arc::unwrap_or_clone(shown.package), &name);
                    }
                    for error in inside.damage {
                        found.lose(zip::within(error, &name));
                    }
                }
                Err(error) => found.lose(zip::within(error, &name)),
            }
        }
        found.finish()
    }
}

/// Where the manifest begins, `None` if the file is no phar, or one in the form of another archive.
fn manifest(source: &Source) -> Result<Option<u64>, FormatError> {
    let length = source.size().min(limits::PHAR_STUB_BYTES);
    let head = block::read_vec(source, PHAR, 0, num::to_usize(length))?;
    let Some(mark) = memmem::find(&head, MARK) else {
        let is_other = head.starts_with(b"PK\x03\x04") || head.get(257..262) == Some(b"ustar");
        return match is_other {
            true => Err(FormatError::unsupported("a phar archive that is a tar or a zip archive")),
            false => Ok(None),
        };
    };
    let end = mark.saturating_add(MARK.len());
    let mut rest = head.get(end..).unwrap_or_default();
    for ends in [&[&b" ?>"[..], b"\n?>"][..], &[b"\r\n", b"\n"]] {
        rest = ends.iter().find_map(|end| rest.strip_prefix(*end)).unwrap_or(rest);
    }
    Ok(Some(num::to_u64(head.len().saturating_sub(rest.len()))))
}

/// What is left of a manifest.
struct Manifest<'a>(&'a [u8]);

impl<'a> Manifest<'a> {
    /// The files that Composer wrote; those of all begin at `start`, one behind the other.
    fn installed(mut self, start: u64) -> Option<Vec<Member<'a>>> {
        let head = self.take(10)?;
        // What the archive calls itself, and what its maker notes of it.
        self.text()?;
        self.text()?;
        let (mut offset, mut members) = (start, Vec::new());
        for _ in 0..le32(head, 0)? {
            let name = self.text()?;
            let record = self.take(RECORD_BYTES)?;
            let (size, packed, flags) = (le32(record, 0)?, le32(record, 8)?, le32(record, 16)?);
            self.take(num::index(le32(record, 20)?))?;
            if composer::is_installed(&GuestPath::new(name)) {
                members.push(Member { name, offset, size, packed, flags });
            }
            offset = offset.checked_add(u64::from(packed))?;
        }
        Some(members)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = le32(self.take(4)?, 0)?;
        self.take(num::index(length))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

/// A file in an archive.
struct Member<'a> {
    name: &'a [u8],
    offset: u64,
    size: u32,
    packed: u32,
    flags: u32,
}

impl Member<'_> {
    /// Its content; `budget` is what is left of the bytes of all that are read.
    fn read(&self, source: &Source, budget: &mut u64) -> Result<Vec<u8>, FormatError> {
        let size = u64::from(self.size.max(self.packed));
        *budget = budget.checked_sub(size).ok_or_else(|| {
            let bound = limits::COMPOSER_INSTALLED_BYTES;
            FormatError::limit(format!("installed.json files of more than {bound} bytes in a {PHAR}"))
        })?;
        if self.flags & BZIP2 != 0 {
            return Err(FormatError::unsupported("a phar archive that bzip2 compressed"));
        }
        let packed = block::read_vec(source, PHAR, self.offset, num::index(self.packed))?;
        if self.flags & DEFLATED == 0 {
            return Ok(packed);
        }
        let mut bytes = Vec::new();
        DeflateDecoder::new(packed.as_slice())
            .take(u64::from(self.size).saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| FormatError::corrupt(PHAR, self.offset, error.to_string()))?;
        match bytes.len() == num::index(self.size) {
            true => Ok(bytes),
            false => Err(FormatError::corrupt(
                PHAR,
                self.offset,
                format!("a file that has not {} bytes", self.size),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::{
        gap::Code,
        inventory::{binary::testing::elf, testing},
    };

    const NAME: &str = "vendor/composer/installed.json";
    const JSON: &[u8] = br#"{"packages":[{"name":"a/b","version":"v1"},{}]}"#;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    /// An archive of a file, and another before it.
    fn phar(stub_end: &str, flags: u32, packed: &[u8]) -> Vec<u8> {
        let number = |value: usize| (value as u32).to_le_bytes();
        let mut manifest = [&number(2)[..], &[0x11, 0, 0, 0, 1, 0], &number(1), b"x", &number(0)].concat();
        for (name, size, packed, flags) in [("a.php", 3, 3, 0o644), (NAME, JSON.len(), packed.len(), flags)] {
            manifest.extend(number(name.len()));
            manifest.extend(name.bytes());
            manifest.extend([number(size), [0; 4], number(packed), [0; 4]].concat());
            manifest.extend([flags.to_le_bytes(), number(0)].concat());
        }
        let stub = format!("#!/usr/bin/env php\n<?php __HALT_COMPILER();{stub_end}");
        [stub.as_bytes(), &number(manifest.len()), &manifest, b"<?p", packed].concat()
    }

    fn extract(bytes: &[u8]) -> Result<Extraction, FormatError> {
        testing::extract(&Phar, "usr/local/bin/composer", bytes, &[])
    }

    #[test]
    fn wants_archives() {
        testing::wants(
            &Phar,
            &["usr/bin/composer", "opt/phpunit-9.phar", "usr/local/bin/wp"],
            &["app/composer.json", "app/phar", "app/a.phar.php"],
        );
    }

    #[test]
    fn another_program_of_that_name_is_one() {
        let list = br#"{"packages":[{"name":"a","version":"1.0.0","source":"crates.io"}]}"#;
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(list).unwrap();
        let elf = elf(false, true, &[(".dep-v0", &packed.finish().unwrap())]);
        assert_eq!(extract(&elf).unwrap().packages()[0].name, "a");
    }

    #[test]
    fn what_composer_installed_in_an_archive() {
        let packed = deflated(JSON);
        for bytes in [
            phar(" ?>\r\n", 0o644, JSON),
            phar("\n?>\n", DEFLATED, &packed),
            phar(" ?>", DEFLATED, &packed),
            phar("", 0, JSON),
        ] {
            let found = extract(&bytes).unwrap();
            let shown: Vec<_> = found
                .shown
                .iter()
                .map(|shown| {
                    (shown.package.name.as_str(), shown.package.version.as_str(), shown.inside.as_deref())
                })
                .collect();
            assert_eq!(shown, [("a/b", "v1", Some(NAME))]);
            let expected = format!("installed.json: record 2 has no name or no version ({NAME})");
            assert_eq!(found.damage[0].detail(), expected);
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let code = |bytes: &[u8]| extract(bytes).map(|found| found.shown.len()).map_err(|error| error.code());
        let whole = phar("", 0, JSON);
        assert_eq!(code(b"<?php echo 1;"), Ok(0));
        assert_eq!(code(b"PK\x03\x04"), Err(Code::UnsupportedFeature));
        assert_eq!(code(&phar("", BZIP2, JSON)), Err(Code::UnsupportedFeature));
        assert_eq!(code(&phar("", DEFLATED, JSON)), Err(Code::CorruptStructure));
        assert_eq!(code(&phar("", DEFLATED, &deflated(b"{}"))), Err(Code::CorruptStructure));
        assert_eq!(code(&whole[..whole.len() - 1]), Err(Code::Truncated));
        let mut short = whole.clone();
        let length = memmem::find(&whole, MARK).unwrap() + MARK.len();
        short[length] = 40;
        assert_eq!(code(&short), Err(Code::CorruptStructure));
        short[length + 3] = 0xff;
        assert_eq!(code(&short), Err(Code::LimitReached));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(at in 0usize..300, byte: u8, cut in 0usize..300) {
            let mut bytes = phar(" ?>\n", DEFLATED, &deflated(JSON));
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            let _ = extract(&bytes);
        }
    }
}
