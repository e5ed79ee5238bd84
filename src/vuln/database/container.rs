//! The database file: a header that names its sections.
//!
//! ```text
//! 0   magic `icecore\0`
//! 8   format version (u32 LE)
//! 12  length of the header (u32 LE)
//! 16  XXH3-64 of the header (u64 LE)
//! 24  header: JSON, a list of sections {name, required, offset, length, root}
//! …   sections
//! ```
//! Every further byte is covered by the checksum of a piece (see `packed`), whose place the header or an
//! index gives. A reader passes over sections that it does not know unless they are marked required.

use serde::{Deserialize, Serialize};

use super::{packed::Piece, table::checksum};
use crate::{
    block::{self, ReadAt},
    error::FormatError,
    limits, num,
};

const MAGIC: [u8; 8] = *b"icecore\0";
/// Raised when older readers could not read the file at all; what they may pass over is a new section.
const VERSION: u32 = 2;
const PREFIX: usize = 24;

/// A section as the header lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Section {
    pub(super) name: String,
    /// Whether a reader that does not know it must refuse the file.
    pub(super) required: bool,
    /// From the end of the header, in bytes.
    pub(super) offset: u64,
    pub(super) length: u64,
    /// The piece to read first: a table's index, or all there is.
    pub(super) root: Piece,
}

/// The sections' bytes with their names, whether they are required, and their roots.
pub(super) type Part = (&'static str, bool, Vec<u8>, Piece);

/// The file.
pub(super) fn write(parts: Vec<Part>) -> Result<Vec<u8>, FormatError> {
    let mut offset = 0_u64;
    let mut sections = Vec::new();
    for (name, required, bytes, root) in &parts {
        let length = num::to_u64(bytes.len());
        sections.push(Section { name: (*name).to_owned(), required: *required, offset, length, root: *root });
        offset = offset.saturating_add(length);
    }
    let header = serde_json::to_vec(&sections)
        .map_err(|error| FormatError::malformed("database header", error.to_string()))?;
    let length = u32::try_from(header.len())
        .map_err(|_| FormatError::limit(format!("database header of {} bytes", header.len())))?;
    let mut file = Vec::new();
    file.extend(MAGIC);
    file.extend(VERSION.to_le_bytes());
    file.extend(length.to_le_bytes());
    file.extend(checksum(&header).to_le_bytes());
    file.extend(header);
    for (_, _, bytes, _) in parts {
        file.extend(bytes);
    }
    Ok(file)
}

/// The sections that `known` names, with offsets from the start of the file. A required section of another
/// name is an error, and so is a file that is shorter than its sections.
pub(super) fn read(source: &dyn ReadAt, known: &[&str]) -> Result<Vec<Section>, FormatError> {
    let structure = "database header";
    let prefix = block::read_vec(source, structure, 0, PREFIX)?;
    let (magic, rest) = take::<8>(&prefix)?;
    if magic != MAGIC {
        return Err(FormatError::corrupt(structure, 0, format!("magic {magic:02x?}")));
    }
    let (version, rest) = take::<4>(rest)?;
    let version = u32::from_le_bytes(version);
    if version != VERSION {
        return Err(FormatError::unsupported(format!("database format {version}, this reads {VERSION}")));
    }
    let (length, rest) = take::<4>(rest)?;
    let length = u64::from(u32::from_le_bytes(length));
    let (sum, _) = take::<8>(rest)?;
    if length > limits::DATABASE_HEADER_BYTES {
        return Err(FormatError::limit(format!("{structure} of {length} bytes")));
    }
    let start = num::to_u64(PREFIX);
    let header = block::read_vec(source, structure, start, num::to_usize(length))?;
    if checksum(&header) != u64::from_le_bytes(sum) {
        return Err(FormatError::corrupt(structure, start, "checksum does not match"));
    }
    let sections: Vec<Section> = serde_json::from_slice(&header)
        .map_err(|error| FormatError::corrupt(structure, start, error.to_string()))?;
    let base = start.saturating_add(length);
    let mut found = Vec::new();
    for mut section in sections {
        section.offset = base.saturating_add(section.offset);
        if section.offset.saturating_add(section.length) > source.size() {
            return Err(FormatError::corrupt(structure, start, format!("{} passes the end", section.name)));
        }
        match (known.contains(&section.name.as_str()), section.required) {
            (true, _) => found.push(section),
            (false, true) => {
                return Err(FormatError::unsupported(format!("database section `{}`", section.name)));
            }
            (false, false) => {}
        }
    }
    Ok(found)
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), FormatError> {
    let (first, rest) = bytes
        .split_first_chunk::<N>()
        .ok_or_else(|| FormatError::malformed("database header", "cut short"))?;
    Ok((*first, rest))
}

#[cfg(test)]
mod tests {
    use super::{super::packed, *};
    use crate::block::Memory;

    fn part(name: &'static str, required: bool) -> Part {
        let mut bytes = Vec::new();
        let root = packed::append(
            &mut bytes,
            &packed::pack(name.as_bytes(), packed::Packing::QUICK).unwrap(),
            name.len(),
        );
        (name, required, bytes, root)
    }

    #[test]
    fn unknown_sections_are_passed_over_unless_required() {
        let file = Memory::new(write(vec![part("a", true), part("b", false), part("c", true)]).unwrap());
        let sections = read(&file, &["a", "c"]).unwrap();
        assert_eq!(sections.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        for section in sections {
            let bytes = packed::read(&file, "section", section.offset, &section.root, 100).unwrap();
            assert_eq!(bytes, section.name.as_bytes());
        }
        assert_eq!(read(&file, &["a"]).unwrap_err().to_string(), "database section `c`");
    }

    #[test]
    fn every_changed_or_missing_byte_is_an_error() {
        let file = write(vec![part("section", true)]).unwrap();
        let open = |bytes: Vec<u8>| {
            let file = Memory::new(bytes);
            let sections = read(&file, &["section"])?;
            packed::read(&file, "section", sections[0].offset, &sections[0].root, 100)
        };
        assert_eq!(open(file.clone()).unwrap(), b"section");
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 0x40;
            assert!(open(changed).is_err(), "byte {at}");
            assert!(open(file[..at].to_vec()).is_err(), "cut at {at}");
        }
    }
}
