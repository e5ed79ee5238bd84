//! .NET applications that are one file: a host, the application's files behind it, and last a list of them (dotnet/runtime,
//! "Single-file Bundle Design"; the host's own `bundle` directory). The host has a variable with the place of that list,
//! known by the mark behind it.

use std::sync::Arc;

use memchr::memmem;

use super::program::Program;
use crate::{
    bytes::le32,
    error::FormatError,
    fs::GuestPath,
    inventory::{Extraction, dotnet, zip},
    limits,
};

const HOST: &str = ".NET host";
const BUNDLE: &str = ".NET bundle";
/// The SHA-256 of ".net core bundle".
const MARK: [u8; 32] = [
    0x8b, 0x12, 0x02, 0xb9, 0x6a, 0x61, 0x20, 0x38, 0x72, 0x7b, 0x93, 0x02, 0x14, 0xd7, 0xa0, 0x32, 0x13,
    0xf5, 0xb9, 0xe6, 0xef, 0xae, 0x33, 0x18, 0xee, 0x3b, 0x2d, 0xce, 0x24, 0xb3, 0x6a, 0xae,
];
/// The versions of lists: .NET Core 3, .NET 5, and all since.
const VERSIONS: [u32; 3] = [1, 2, 6];
/// The type of an entry that is what the application was published with.
const DEPS: u8 = 3;
/// Bytes of where two of the files are, which are in the list too, and of flags.
const PLACES_BYTES: usize = 40;

/// Adds the packages of the application that a program is.
pub(super) fn read(program: &Program, found: &mut Extraction) -> Result<(), FormatError> {
    let Some(start) = list(program)? else { return Ok(()) };
    let length = program.size().saturating_sub(start).min(limits::BUNDLE_LIST_BYTES);
    let list = program.bytes(BUNDLE, start, length)?;
    let Some(Deps { offset, size, path }) = List(&list).deps(start)? else {
        return Err(FormatError::unsupported("a .NET bundle without deps.json"));
    };
    if size > limits::DEPS_JSON_BYTES {
        let bound = limits::DEPS_JSON_BYTES;
        return Err(FormatError::limit(format!(
            "deps.json of {size} bytes in a {BUNDLE}, more than {bound}"
        )));
    }
    let json = program.bytes(BUNDLE, offset, size)?;
    let member: Arc<str> = String::from_utf8_lossy(path).into();
    let packages =
        dotnet::packages(&json, &GuestPath::new(path), found).map_err(|error| zip::within(error, &member))?;
    for package in packages {
        if !found.add_inside(package, &member) {
            break;
        }
    }
    Ok(())
}

/// Where the list begins, `None` if the program is no host of .NET's, or one of an application that lies beside it.
fn list(program: &Program) -> Result<Option<u64>, FormatError> {
    let Some(data) = program.section(&[b".data"]).filter(|_| program.has_more()) else { return Ok(None) };
    let bytes = program.piece(data, HOST, 0, limits::BUNDLE_HOST_BYTES)?;
    let before = memmem::find(&bytes, &MARK).and_then(|mark| bytes.get(..mark)?.last_chunk());
    Ok(before.map(|place| u64::from_le_bytes(*place)).filter(|place| *place != 0))
}

/// Where in the program the application's `deps.json` is.
struct Deps<'a> {
    offset: u64,
    size: u64,
    path: &'a [u8],
}

/// What is left of a list.
struct List<'a>(&'a [u8]);

impl<'a> List<'a> {
    fn deps(mut self, start: u64) -> Result<Option<Deps<'a>>, FormatError> {
        let cut = || FormatError::corrupt(BUNDLE, start, "a list of files that ends within one");
        let (version, files) = self.header().ok_or_else(cut)?;
        if !VERSIONS.contains(&version) {
            return Err(FormatError::unsupported(format!("a {BUNDLE} of version {version}")));
        }
        if version > 1 {
            self.take(PLACES_BYTES).ok_or_else(cut)?;
        }
        for _ in 0..files {
            let (kind, packed, deps) = self.entry(version).ok_or_else(cut)?;
            if kind == DEPS {
                // The host reads it where it is.
                return match packed {
                    0 => Ok(Some(deps)),
                    _ => Err(FormatError::unsupported("a compressed deps.json in a .NET bundle")),
                };
            }
        }
        Ok(None)
    }

    /// The version, and the number of files.
    fn header(&mut self) -> Option<(u32, u32)> {
        let numbers = self.take(12)?;
        self.text()?;
        Some((le32(numbers, 0)?, le32(numbers, 8)?))
    }

    /// A file's type, its size if it is compressed, and its place.
    fn entry(&mut self, version: u32) -> Option<(u8, u64, Deps<'a>)> {
        let (offset, size) = (self.number()?, self.number()?);
        let packed = if version >= 6 { self.number()? } else { 0 };
        let kind = *self.take(1)?.first()?;
        Some((kind, packed, Deps { offset, size, path: self.text()? }))
    }

    fn number(&mut self) -> Option<u64> {
        self.take(8)?.first_chunk().map(|raw| u64::from_le_bytes(*raw))
    }

    /// A text behind its length, which has seven bits in each of one or two bytes.
    fn text(&mut self) -> Option<&'a [u8]> {
        let low = *self.take(1)?.first()?;
        let high = if low & 0x80 == 0 { 0 } else { *self.take(1)?.first()? };
        if high & 0x80 != 0 {
            return None;
        }
        self.take(usize::from(low & 0x7f) | usize::from(high) << 7)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::{
        gap::Code,
        inventory::{self, binary::Binary},
    };

    const JSON: &str = r#"{"runtimeTarget":{"name":"t"},
        "targets":{"t":{"A/1.0.0":{"runtime":{"a.dll":{}}}}},"libraries":{"A/1.0.0":{"type":"package"}}}"#;

    /// A host with an application of two files; `list` may change the list of them.
    fn application(version: u32, list: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let host = |place: u64| {
            let data = [&[7; 16][..], &place.to_le_bytes(), &MARK, &[7; 16]].concat();
            testing::elf(false, true, &[(".text", b"x"), (".data", &data)])
        };
        let assembly = [0; 8000];
        let at = host(0).len() as u64;
        let end = at + assembly.len() as u64;
        let mut bytes = host(end + JSON.len() as u64);
        bytes.extend(assembly);
        bytes.extend(JSON.bytes());
        let mut files = [version.to_le_bytes(), 0u32.to_le_bytes(), 2u32.to_le_bytes()].concat();
        files.extend(b"\x02id");
        if version > 1 {
            files.extend([0; PLACES_BYTES]);
        }
        for (offset, size, kind, path) in
            [(at, assembly.len(), 1, "A.dll"), (end, JSON.len(), DEPS, "App.deps.json")]
        {
            files.extend([offset.to_le_bytes(), (size as u64).to_le_bytes()].concat());
            files.extend(if version >= 6 { &[0; 8][..] } else { &[] });
            // Lengths of two bytes are of paths that are longer; those of shorter ones are the same.
            files.extend([kind, path.len() as u8 | 0x80, 0]);
            files.extend(path.bytes());
        }
        list(&mut files);
        bytes.extend(files);
        bytes
    }

    fn extract(bytes: &[u8]) -> Result<Extraction, FormatError> {
        inventory::testing::extract(&Binary, "app/App", bytes, &[])
    }

    #[test]
    fn packages_of_an_application_in_one_file() {
        for version in VERSIONS {
            let found = extract(&application(version, |_| {})).unwrap();
            let shown: Vec<_> = found
                .shown
                .iter()
                .map(|shown| (shown.package.name.as_str(), shown.inside.as_deref()))
                .collect();
            assert_eq!((shown, found.damage.len()), (vec![("A", Some("App.deps.json"))], 0), "{version}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let error = |version, list: fn(&mut Vec<u8>)| {
            let error = extract(&application(version, list)).map(|found| found.shown.len()).unwrap_err();
            (error.code(), error.detail())
        };
        let unsupported = |what: &str| (Code::UnsupportedFeature, what.to_owned());
        assert_eq!(error(7, |_| {}), unsupported("a .NET bundle of version 7"));
        assert_eq!(error(1, |list| list[8] = 1), unsupported("a .NET bundle without deps.json"));
        let packed = unsupported("a compressed deps.json in a .NET bundle");
        assert_eq!(error(6, |list| list[12 + 3 + 40 + 25 + 7 + 16] = 1), packed);
        for end in [0, 11, 13, 20, 40] {
            let mut bytes = application(1, |_| {});
            let list = bytes.len() - 56;
            bytes.truncate(list + end);
            assert_eq!(extract(&bytes).unwrap_err().code(), Code::CorruptStructure, "{end}");
        }
        let long = error(1, |list| list[12 + 3 + 17 + 7 + 12] = 1);
        assert_eq!(long.0, Code::LimitReached);
        let past = error(1, |list| list[12 + 3 + 17 + 7 + 4] = 1);
        assert_eq!(past.0, Code::CorruptStructure);
        // Where the second file is, and its size.
        let place = 12 + 3 + 17 + 7;
        for (range, code) in [(0..8, Code::CorruptStructure), (8..16, Code::LimitReached)] {
            let bytes = application(1, |list| list[place..][range.clone()].fill(0xff));
            assert_eq!(extract(&bytes).unwrap_err().code(), code, "{range:?}");
        }
    }

    #[test]
    fn a_host_without_an_application_has_no_packages() {
        let data = [&[0; 8][..], &MARK].concat();
        let mut host = testing::elf(false, true, &[(".data", &data)]);
        assert_eq!(extract(&host).unwrap().packages(), []);
        host.extend([0; 8000]);
        assert_eq!(extract(&host).unwrap().packages(), []);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(version in 1u32..8, at in 0usize..100, byte: u8, cut in 0usize..100) {
            let _ = extract(&application(version, |list| {
                if let Some(place) = list.get_mut(at) {
                    *place = byte;
                }
                list.truncate(list.len().saturating_sub(cut));
            }));
        }
    }
}
