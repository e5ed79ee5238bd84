//! What Go's linker tells of a build, as `cmd/go` reads it back (`debug/buildinfo`): a mark in a section of its own or, without
//! sections, in the data; then the toolchain's version and the text of modules, in place since Go 1.18, behind pointers before.

use memchr::memmem;

use super::program::{Part, Program};
use crate::{error::FormatError, limits, num};

const BLOB: &str = "Go build information";
const MAGIC: &[u8] = b"\xff Go buildinf:";
const HEADER_BYTES: u64 = 32;
/// The mark lies at a multiple of so many bytes in memory.
const ALIGN: u64 = 16;
/// Bytes that are searched at once: a multiple of [`ALIGN`], so that no mark lies across.
const CHUNK: u64 = 1 << 20;
/// Bytes that are read with the mark; most texts end before.
const FIRST: u64 = 16 << 10;
/// Strings are in place, not behind pointers.
const INLINE: u8 = 2;
const BIG: u8 = 1;
/// Sixteen bytes frame the text of modules on both sides.
const FRAME: usize = 16;

/// What a Go program says of its build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BuildInfo {
    /// The toolchain, as `go version` prints it.
    pub(super) version: String,
    /// Lines of modules and settings; empty if the program was built outside of any.
    pub(super) modules: String,
}

/// The build information of a program, `None` if Go did not link it.
pub(super) fn read(program: &Program) -> Result<Option<BuildInfo>, FormatError> {
    let is_go = program.section(&[b".gopclntab", b"__gopclntab", b".note.go.buildid"]).is_some();
    let place = match program.section(&[b".go.buildinfo", b"__go_buildinfo"]) {
        Some(section) => mark(program, section)?,
        // Programs for Windows have no section of it, and the sections of others may have been taken away.
        None if is_go || program.sections.is_empty() || is_windows(program) => {
            match program.segments.iter().find(|part| part.writable && part.size > 0) {
                Some(data) => mark(program, data)?,
                None => None,
            }
        }
        None => None,
    };
    match place {
        Some((address, header)) => decode(program, address, &header).map(Some),
        None if is_go => Err(FormatError::unsupported("a Go program without build information")),
        None => Ok(None),
    }
}

fn is_windows(program: &Program) -> bool {
    program.section(&[b".idata", b".rdata"]).is_some()
}

/// The address of the mark in a part, and what was read from there on.
fn mark(program: &Program, part: &Part) -> Result<Option<(u64, Vec<u8>)>, FormatError> {
    let skew = part.address.wrapping_neg() & ALIGN.saturating_sub(1);
    let mut at = skew;
    while at < part.size {
        if at >= limits::GO_SEARCH_BYTES {
            let bound = limits::GO_SEARCH_BYTES;
            return Err(FormatError::limit(format!("{BLOB} not within {bound} bytes of a program's data")));
        }
        // It is near the beginning if it is there at all.
        let length = if at == skew { FIRST } else { CHUNK };
        let chunk = program.piece(part, BLOB, at, length)?;
        let found =
            memmem::find_iter(&chunk, MAGIC).map(num::to_u64).find(|found| found.is_multiple_of(ALIGN));
        if let Some(found) = found {
            let address = part.address.wrapping_add(at).wrapping_add(found);
            let rest = chunk.get(num::to_usize(found)..).unwrap_or_default().to_vec();
            return Ok(Some((address, rest)));
        }
        at = at.saturating_add(length);
    }
    Ok(None)
}

fn decode(program: &Program, address: u64, known: &[u8]) -> Result<BuildInfo, FormatError> {
    let bad = |problem: String| FormatError::corrupt(BLOB, address, problem);
    let flags = *known.get(15).ok_or_else(|| bad("no header".to_owned()))?;
    let (version, modules) = if flags & INLINE != 0 {
        let mut place = Place { program, start: address, known, next: address.wrapping_add(HEADER_BYTES) };
        (place.string()?, place.string()?)
    } else {
        let size = known.get(14).copied();
        let size = size
            .filter(|size| matches!(size, 4 | 8))
            .ok_or_else(|| bad(format!("pointers of {size:?} bytes")))?;
        let pointers = Pointers { program, size: usize::from(size), big: flags & BIG != 0 };
        let pointer = |at: usize| pointers.number(known, at).ok_or_else(|| bad("no header".to_owned()));
        (pointers.string(pointer(16)?)?, pointers.string(pointer(16usize.saturating_add(pointers.size))?)?)
    };
    if version.is_empty() {
        return Err(bad("no version".to_owned()));
    }
    let framed = modules.len().checked_sub(FRAME).and_then(|end| modules.get(FRAME..end));
    let modules = framed.filter(|text| text.ends_with(b"\n")).unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(BuildInfo { version: text(&version), modules: text(modules) })
}

fn bounded(length: u64) -> Result<u64, FormatError> {
    if length > limits::GO_BUILDINFO_BYTES {
        return Err(FormatError::limit(format!(
            "{BLOB} of {length} bytes, more than {}",
            limits::GO_BUILDINFO_BYTES
        )));
    }
    Ok(length)
}

/// Bytes that an address leads to.
fn bytes(program: &Program, address: u64, length: u64) -> Result<Vec<u8>, FormatError> {
    let found = program.at(BLOB, address, bounded(length)?)?.unwrap_or_default();
    if num::to_u64(found.len()) < length {
        let problem = format!("{length} bytes at address {address:#x}, of which {} are loaded", found.len());
        return Err(FormatError::malformed(BLOB, problem));
    }
    Ok(found)
}

/// Strings one after another, each behind its length.
struct Place<'a> {
    program: &'a Program,
    /// The address of what was read already.
    start: u64,
    known: &'a [u8],
    next: u64,
}

impl Place<'_> {
    fn string(&mut self) -> Result<Vec<u8>, FormatError> {
        let prefix = match self.known(10) {
            Some(known) => known.to_vec(),
            None => self.program.at(BLOB, self.next, 10)?.unwrap_or_default(),
        };
        let (length, digits) =
            uvarint(&prefix).ok_or_else(|| FormatError::corrupt(BLOB, self.next, "a length without end"))?;
        self.next = self.next.wrapping_add(digits);
        let string = match self.known(bounded(length)?) {
            Some(known) => known.to_vec(),
            None => bytes(self.program, self.next, length)?,
        };
        self.next = self.next.wrapping_add(length);
        Ok(string)
    }

    fn known(&self, length: u64) -> Option<&[u8]> {
        let at = num::to_usize(self.next.wrapping_sub(self.start));
        self.known.get(at..)?.get(..num::to_usize(length))
    }
}

/// Seven bits a byte, the least significant first; the number, and its bytes.
fn uvarint(bytes: &[u8]) -> Option<(u64, u64)> {
    let mut number = 0u64;
    for (byte, place) in bytes.iter().zip(0u32..9) {
        number |= u64::from(byte & 0x7f).checked_shl(place.saturating_mul(7))?;
        if byte & 0x80 == 0 {
            return Some((number, u64::from(place).saturating_add(1)));
        }
    }
    None
}

/// Strings as Go has them in memory: the header points to a pointer and a length.
struct Pointers<'a> {
    program: &'a Program,
    size: usize,
    big: bool,
}

impl Pointers<'_> {
    fn number(&self, bytes: &[u8], at: usize) -> Option<u64> {
        let digits = bytes.get(at..at.checked_add(self.size)?)?;
        let add = |number: u64, digit: &u8| number.wrapping_shl(8) | u64::from(*digit);
        Some(if self.big { digits.iter().fold(0, add) } else { digits.iter().rev().fold(0, add) })
    }

    /// Empty where nothing points to one.
    fn string(&self, header: u64) -> Result<Vec<u8>, FormatError> {
        let Some(header) = self.program.at(BLOB, header, num::to_u64(self.size).saturating_mul(2))? else {
            return Ok(Vec::new());
        };
        let (Some(address), Some(length)) = (self.number(&header, 0), self.number(&header, self.size)) else {
            return Err(FormatError::malformed(BLOB, "a string without an address"));
        };
        bytes(self.program, address, length)
    }
}
