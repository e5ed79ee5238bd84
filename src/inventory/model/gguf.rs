//! Models in GGUF ("GGUF", the specification of ggml): a header with metadata, key by key, then the tensors. What a model says
//! of itself is under the keys `general.…` ("General Metadata"). All integers are in the order of the machine that the model
//! is for, which the version shows.

use std::io::{BufReader, Read};

use super::{super::package::web_address, naming};
use crate::{
    block::Stream,
    error::FormatError,
    fs::{FileKind, GuestPath},
    inventory::{Extraction, Extractor, File},
    limits, num,
};

const GGUF: &str = "GGUF header";
const SUFFIX: &str = ".gguf";
/// What Git leaves in the place of a large file that was not fetched.
const POINTER: &[u8; 4] = b"vers";
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=3;
/// The types of values that are not of a fixed size.
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Models of llama.cpp and its relatives.
pub(in crate::inventory) struct Gguf;

impl Extractor for Gguf {
    fn name(&self) -> &'static str {
        "gguf"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && naming::is_first(path, SUFFIX)
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some(mut header) = Header::open(file)? else { return Ok(found) };
        let mut about = About::default();
        // What stands before the damage holds, and the model is there.
        if let Err(error) = about.read(&mut header) {
            found.lose(error);
        }
        let name = about.name.or_else(|| {
            let base = about.basename?;
            Some(about.size.map_or_else(|| base.clone(), |size| format!("{base}-{size}")))
        });
        let name = name.unwrap_or_else(|| naming::by_path(file.path(), SUFFIX));
        let mut package = naming::package(&name, about.version);
        package.license = about.license;
        package.url = [about.repository, about.source].iter().flatten().find_map(|url| web_address(url));
        found.add(package);
        Ok(found)
    }
}

/// What a model says of itself.
#[derive(Default)]
struct About {
    name: Option<String>,
    basename: Option<String>,
    size: Option<String>,
    version: Option<String>,
    license: Option<String>,
    repository: Option<String>,
    source: Option<String>,
}

impl About {
    fn read(&mut self, header: &mut Header) -> Result<(), FormatError> {
        // How many tensors there are.
        header.skip(8)?;
        for _ in 0..header.long()? {
            let key = header.string()?;
            let kind = header.word()?;
            let field = match key.as_deref() {
                Some("general.name") => &mut self.name,
                Some("general.basename") => &mut self.basename,
                Some("general.size_label") => &mut self.size,
                Some("general.version") => &mut self.version,
                Some("general.license") => &mut self.license,
                Some("general.repo_url") => &mut self.repository,
                Some("general.source.repo_url" | "general.source.url") => &mut self.source,
                _ => {
                    header.skip_value(kind, 0)?;
                    continue;
                }
            };
            match kind {
                STRING => *field = header.string()?.filter(|text| !text.trim().is_empty()),
                _ => header.skip_value(kind, 0)?,
            }
        }
        Ok(())
    }
}

/// The header, from front to back.
struct Header {
    source: BufReader<Stream>,
    at: u64,
    end: u64,
    big_endian: bool,
}

impl Header {
    /// The header behind its magic and version; `None` if only what stands for a model is there.
    fn open(file: &File<'_>) -> Result<Option<Self>, FormatError> {
        let source = BufReader::new(Stream::new(file.content().clone()));
        let mut header = Self { source, at: 0, end: file.size(), big_endian: false };
        let magic = header.take()?;
        if magic == *POINTER {
            return Ok(None);
        }
        if magic != *b"GGUF" {
            let problem = format!("no model begins with {}", magic.escape_ascii());
            return Err(FormatError::corrupt(GGUF, 0, problem));
        }
        let version: [u8; 4] = header.take()?;
        header.big_endian = VERSIONS.contains(&u32::from_be_bytes(version));
        let version = header.in_order(version);
        if !VERSIONS.contains(&version) {
            return Err(FormatError::unsupported(format!("version {version} of GGUF")));
        }
        Ok(Some(header))
    }

    fn in_order(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// Goes on by some bytes and tells where they begin.
    fn pass(&mut self, length: u64) -> Result<u64, FormatError> {
        let start = self.at;
        self.at = start.saturating_add(length);
        if self.at > self.end {
            let problem = format!("{length} bytes pass the end at {:#x}", self.end);
            return Err(FormatError::corrupt(GGUF, start, problem));
        }
        if self.at > limits::GGUF_METADATA_BYTES {
            let bound = limits::GGUF_METADATA_BYTES;
            return Err(FormatError::limit(format!("metadata in a {GGUF} of more than {bound} bytes")));
        }
        Ok(start)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let start = self.pass(num::to_u64(N))?;
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(FormatError::reading(GGUF, start))?;
        Ok(bytes)
    }

    fn word(&mut self) -> Result<u32, FormatError> {
        let bytes = self.take()?;
        Ok(self.in_order(bytes))
    }

    fn long(&mut self) -> Result<u64, FormatError> {
        let bytes = self.take()?;
        Ok(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// A string; `None` if it is longer than any that is asked for.
    fn string(&mut self) -> Result<Option<String>, FormatError> {
        let length = self.long()?;
        if length > num::to_u64(limits::PACKAGE_NAME_BYTES) {
            self.skip(length)?;
            return Ok(None);
        }
        let start = self.pass(length)?;
        let mut bytes = vec![0; num::to_usize(length)];
        self.source.read_exact(&mut bytes).map_err(FormatError::reading(GGUF, start))?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn skip(&mut self, length: u64) -> Result<(), FormatError> {
        let start = self.pass(length)?;
        // Within the bound of the metadata, which is far below the largest offset.
        let by = i64::try_from(length).unwrap_or(i64::MAX);
        self.source.seek_relative(by).map_err(FormatError::reading(GGUF, start))
    }

    /// Passes a value of a type; arrays may hold arrays.
    fn skip_value(&mut self, kind: u32, depth: usize) -> Result<(), FormatError> {
        if let Some(size) = size(kind) {
            return self.skip(size);
        }
        match kind {
            STRING => {
                let length = self.long()?;
                self.skip(length)
            }
            ARRAY if depth < limits::GGUF_ARRAY_DEPTH => {
                let (kind, length) = (self.word()?, self.long()?);
                if let Some(size) = size(kind) {
                    return self.skip(size.saturating_mul(length));
                }
                (0..length).try_for_each(|_| self.skip_value(kind, depth.saturating_add(1)))
            }
            ARRAY => Err(FormatError::limit(format!(
                "more than {} arrays in each other",
                limits::GGUF_ARRAY_DEPTH
            ))),
            other => Err(FormatError::corrupt(GGUF, self.at, format!("a value of type {other}"))),
        }
    }
}

/// The bytes of a value of a type, if all have as many.
fn size(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Package, PackageKind, testing};

    const AT: &str = "srv/models/tiny-Q8_0.gguf";

    fn extract(bytes: &[u8]) -> Result<Extraction, FormatError> {
        testing::extract(&Gguf, AT, bytes, &[])
    }

    fn string(text: &str) -> Vec<u8> {
        [&u64::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat()
    }

    fn pair(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
        [&string(key), &kind.to_le_bytes()[..], value].concat()
    }

    fn text(key: &str, value: &str) -> Vec<u8> {
        pair(key, STRING, &string(value))
    }

    fn model(pairs: &[Vec<u8>]) -> Vec<u8> {
        let counts = [7, u64::try_from(pairs.len()).unwrap()].map(u64::to_le_bytes).concat();
        [b"GGUF\x03\0\0\0", &counts[..], &pairs.concat(), b"tensors"].concat()
    }

    fn tiny(version: &str) -> Package {
        Package::new(PackageKind::Generic, "model/Tiny Chat", version)
    }

    #[test]
    fn wants_models_and_the_first_of_their_parts() {
        testing::wants(
            &Gguf,
            &[AT, "big-00001-of-00003.gguf"],
            &["big-00002-of-00003.gguf", "tiny.bin", "tiny.gguf.part"],
        );
    }

    #[test]
    fn metadata_by_their_keys_wherever_they_stand() {
        let words = [&STRING.to_le_bytes()[..], &2_u64.to_le_bytes(), &string("a"), &string("b")].concat();
        let nested = [&ARRAY.to_le_bytes()[..], &1_u64.to_le_bytes(), &words].concat();
        let floats = [&6_u32.to_le_bytes()[..], &3_u64.to_le_bytes(), &[0; 12]].concat();
        let pairs = [
            text("general.architecture", "llama"),
            text("general.name", "Tiny Chat"),
            pair("general.file_type", 4, &[7, 0, 0, 0]),
            pair("tokenizer.ggml.tokens", ARRAY, &words),
            pair("tokenizer.ggml.scores", ARRAY, &floats),
            pair("x.nested", ARRAY, &nested),
            text("x.template", &"long".repeat(1000)),
            text("general.version", "v1.1"),
            text("general.license", "apache-2.0"),
            text("general.source.url", "https://example.com/tiny"),
        ];
        let expected = Package {
            license: Some("apache-2.0".to_owned()),
            url: Some("https://example.com/tiny".to_owned()),
            ..tiny("v1.1")
        };
        let found = extract(&model(&pairs)).unwrap();
        assert_eq!((found.packages(), found.damage.len()), (vec![expected], 0));
    }

    #[test]
    fn a_model_without_a_name_or_a_version_is_there() {
        let name = |pairs: &[Vec<u8>]| extract(&model(pairs)).unwrap().packages().remove(0).name;
        assert_eq!(name(&[]), "model/tiny-Q8_0");
        assert_eq!(name(&[pair("general.name", 4, &[0; 4])]), "model/tiny-Q8_0");
        let base = text("general.basename", "tiny");
        assert_eq!(name(std::slice::from_ref(&base)), "model/tiny");
        assert_eq!(name(&[base, text("general.size_label", "1B")]), "model/tiny-1B");
        assert_eq!(extract(&model(&[text("general.name", "Tiny Chat")])).unwrap().packages(), [tiny("")]);
    }

    #[test]
    fn the_other_order_of_bytes() {
        let string =
            |text: &str| [&u64::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
        let pair = [&string("general.name"), &STRING.to_be_bytes()[..], &string("Tiny Chat")].concat();
        let counts = [0, 1].map(u64::to_be_bytes).concat();
        let model = [b"GGUF\0\0\0\x03", &counts[..], &pair].concat();
        assert_eq!(extract(&model).unwrap().packages(), [tiny("")]);
    }

    #[test]
    fn what_stands_before_damage_holds() {
        let huge = [&STRING.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
        let mut deep = string("a");
        for _ in 0..6 {
            deep = [&ARRAY.to_le_bytes()[..], &1_u64.to_le_bytes(), &deep].concat();
        }
        for (bad, problem) in [
            (pair("x", 99, &[]), "a value of type 99"),
            (pair("x", STRING, &u64::MAX.to_le_bytes()), "pass the end"),
            (pair("x", ARRAY, &huge), "GGUF header"),
            (pair("x", ARRAY, &deep), "arrays in each other"),
        ] {
            let found = extract(&model(&[text("general.name", "Tiny Chat"), bad])).unwrap();
            assert_eq!(found.packages(), [tiny("")]);
            assert!(found.damage[0].detail().contains(problem), "{}", found.damage[0].detail());
        }
    }

    #[test]
    fn what_is_no_model_is_an_error_but_for_what_stands_for_one() {
        for bytes in [&b""[..], b"GGU", b"GGML\x03\0\0\0", b"GGUF\x01\0\0\0", b"GGUF\x09\0\0\0"] {
            assert!(extract(bytes).is_err());
        }
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
        assert!(extract(pointer).unwrap().shown.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = extract(&[b"GGUF\x03\0\0\0", &bytes[..]].concat());
        }
    }
}
