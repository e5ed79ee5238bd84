//! The descriptor: a text that names the extents and the parent (The Descriptor File).

use crate::{
    block::{ReadAt, read_vec},
    error::FormatError,
    limits, num,
};

const NAME: &str = "VMDK descriptor";
/// What may precede UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// `parentCID` of a disk without a parent.
const NO_PARENT: u32 = u32::MAX;

/// A checked descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// The identity of the disk's content.
    pub(super) cid: u32,
    /// What a delta disk lies on.
    pub(super) parent: Option<Parent>,
    /// What the disk consists of, in order.
    pub(super) extents: Vec<Extent>,
}

/// The parent of a delta disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parent {
    /// The identity of the content on which the child was made.
    pub(super) cid: u32,
    /// Its path where the child was made.
    pub(super) name: String,
}

/// A line of the extent description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extent {
    /// Its sectors of the disk.
    pub(super) sectors: u64,
    /// How they are stored.
    pub(super) kind: Kind,
    /// The file, as the descriptor spells it.
    pub(super) name: String,
}

/// How an extent's sectors are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One after the other, from a sector on.
    Flat(u64),
    /// In grains; which form it is, its file says.
    Sparse,
    /// They are zeros.
    Zero,
}

/// Whether a file begins as a descriptor does. Editors change the letters of its first line, and put a byte order mark or
/// empty lines before it, which changes nothing of what it says.
pub(super) fn begins(file: &dyn ReadAt) -> bool {
    const FIRST_LINE: &[u8] = b"# disk descriptorfile";
    let Ok(head) = read_vec(file, NAME, 0, num::to_usize(file.size().min(512))) else { return false };
    let text = head.strip_prefix(MARK).unwrap_or(&head).trim_ascii_start();
    text.get(..FIRST_LINE.len()).is_some_and(|first| first.eq_ignore_ascii_case(FIRST_LINE))
}

impl Descriptor {
    /// Parses a descriptor that was read at `at`; zeros may follow it.
    pub(super) fn parse(bytes: &[u8], at: u64) -> Result<Self, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(NAME, at, problem);
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let bytes = bytes.get(..end).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes.strip_prefix(MARK).unwrap_or(bytes));
        let mut extents = Vec::new();
        let (mut cid, mut parent_cid, mut hint) = (None, None, None);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(extent) = extent(line) {
                extents.push(extent?);
                if extents.len() > limits::VMDK_EXTENTS {
                    let what = format!("a VMDK of more than {} extents", limits::VMDK_EXTENTS);
                    return Err(FormatError::limit(what));
                }
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            let hex = || {
                let digits = value.trim_start_matches("0x");
                u32::from_str_radix(digits, 16).map_err(|_| corrupt(format!("{:?}", shortened(line))))
            };
            match key.trim().to_ascii_lowercase().as_str() {
                "version" if !matches!(value, "1" | "2" | "3") => {
                    let version = shortened(value);
                    return Err(FormatError::unsupported(format!(
                        "a VMDK descriptor of version {version:?}"
                    )));
                }
                "encoding" => known_encoding(value)?,
                "cid" => cid = Some(hex()?),
                "parentcid" => parent_cid = Some(hex()?),
                "parentfilenamehint" => hint = Some(value.to_owned()),
                _ => {}
            }
        }
        let parent = match (parent_cid.filter(|cid| *cid != NO_PARENT), hint) {
            (None, _) => None,
            (Some(cid), Some(name)) if !name.is_empty() => Some(Parent { cid, name }),
            (Some(cid), _) => {
                return Err(corrupt(format!("it has a parent, {cid:08x}, which it does not name")));
            }
        };
        Ok(Self { cid: cid.ok_or_else(|| corrupt("it has no CID".to_owned()))?, parent, extents })
    }
}

/// Names are the same bytes in these.
fn known_encoding(value: &str) -> Result<(), FormatError> {
    let value = value.to_ascii_lowercase();
    match value.as_str() {
        "utf-8" | "us-ascii" => Ok(()),
        // One byte is one letter: ASCII names are right, others are not found.
        value if value.starts_with("windows-") || value.starts_with("iso-8859") => Ok(()),
        "gbk" | "gb18030" | "shift_jis" | "big5" | "euc-kr" | "euc-jp" => Ok(()),
        other => {
            let other = shortened(other);
            Err(FormatError::unsupported(format!("a VMDK descriptor in the encoding {other:?}")))
        }
    }
}

/// The extent that a line describes, if it describes one: access, sectors, type, "file", first sector.
fn extent(line: &str) -> Option<Result<Extent, FormatError>> {
    let (access, rest) = line.split_once(char::is_whitespace)?;
    let access = access.to_ascii_uppercase();
    if !matches!(access.as_str(), "RW" | "RDONLY" | "NOACCESS") {
        return None;
    }
    let corrupt = || FormatError::corrupt(NAME, 0, format!("extent {:?}", shortened(line)));
    let parse = || {
        let (sectors, rest) = rest.trim_start().split_once(char::is_whitespace)?;
        let sectors: u64 = sectors.parse().ok().filter(|sectors| *sectors > 0)?;
        let rest = rest.trim_start();
        let (kind, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let (name, rest) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => ("", ""),
        };
        let offset = rest.split_whitespace().next().map_or(Some(0), |offset| offset.parse().ok())?;
        Some((sectors, kind, name, offset))
    };
    let Some((sectors, kind, name, offset)) = parse() else { return Some(Err(corrupt())) };
    let kind = match kind.to_ascii_uppercase().as_str() {
        _ if access == "NOACCESS" => {
            return Some(Err(FormatError::unsupported("a VMDK extent that must not be read (NOACCESS)")));
        }
        "FLAT" | "VMFS" => Kind::Flat(offset),
        "SPARSE" | "VMFSSPARSE" | "SESPARSE" => Kind::Sparse,
        "ZERO" => Kind::Zero,
        _ => {
            let what = format!("a VMDK extent of type {:?}", shortened(kind));
            return Some(Err(FormatError::unsupported(what)));
        }
    };
    if name.is_empty() && kind != Kind::Zero {
        return Some(Err(corrupt()));
    }
    Some(Ok(Extent { sectors, kind, name: name.to_owned() }))
}

/// What of a hostile text an error shows.
fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# Disk DescriptorFile\nversion=1\nCID=0000beef\nparentCID=ffffffff\r\n";

    fn parse(more: &str) -> Result<Descriptor, String> {
        let text = format!("{HEAD}{more}\n\0\0RW garbage");
        Descriptor::parse(text.as_bytes(), 512).map_err(|error| error.detail())
    }

    #[test]
    fn extents_of_every_kind() {
        let found = parse(
            "createType=\"custom\"\nRW 63 FLAT \"a b-flat.vmdk\" 7\r\nRDONLY 100 SPARSE \"s001.vmdk\"\n\
             RW 5 VMFS \"x-flat.vmdk\"\nRW 8 VMFSSPARSE \"d.vmdk\"\nRW 9 SESPARSE \"e.vmdk\"\nRW 1 ZERO\n\
             ddb.adapterType = \"ide\"",
        )
        .unwrap();
        let extent = |sectors, kind, name: &str| Extent { sectors, kind, name: name.to_owned() };
        let expected = [
            extent(63, Kind::Flat(7), "a b-flat.vmdk"),
            extent(100, Kind::Sparse, "s001.vmdk"),
            extent(5, Kind::Flat(0), "x-flat.vmdk"),
            extent(8, Kind::Sparse, "d.vmdk"),
            extent(9, Kind::Sparse, "e.vmdk"),
            extent(1, Kind::Zero, ""),
        ];
        assert_eq!((found.cid, found.parent, &found.extents[..]), (0xbeef, None, &expected[..]));
    }

    #[test]
    fn what_editors_leave_is_a_descriptor() {
        for head in
            ["# disk descriptorfile\n", "\u{feff}# Disk DescriptorFile\r\n", "\n \r\n# DISK DESCRIPTORFILE\n"]
        {
            let text = format!("{head}Version=1\ncid=1\nRw 5 flat \"A.vmdk\" 7\nrw 6 Zero\n");
            assert!(begins(&crate::block::Memory::new(text.clone().into_bytes())), "{head:?}");
            let found = Descriptor::parse(text.as_bytes(), 0).unwrap();
            let expected = [
                Extent { sectors: 5, kind: Kind::Flat(7), name: "A.vmdk".to_owned() },
                Extent { sectors: 6, kind: Kind::Zero, name: String::new() },
            ];
            assert_eq!((found.cid, &found.extents[..]), (1, &expected[..]));
        }
        let marked = "\u{feff}CID=2\nRW 1 ZERO";
        assert_eq!(Descriptor::parse(marked.as_bytes(), 0).unwrap().cid, 2);
        for text in ["", "# Disk", "x# Disk DescriptorFile", "# Disk Descriptor File"] {
            assert!(!begins(&crate::block::Memory::new(text.as_bytes().to_vec())), "{text:?}");
        }
    }

    #[test]
    fn parents() {
        let found = parse("parentCID=0000cafe\nparentFileNameHint=\"/x/base.vmdk\"").unwrap();
        assert_eq!(found.parent, Some(Parent { cid: 0xcafe, name: "/x/base.vmdk".to_owned() }));
        assert!(parse("parentCID=0000cafe").unwrap_err().contains("does not name"));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let rows = [
            ("version=4", "version \"4\""),
            ("CID=xyz", "\"CID=xyz\""),
            ("encoding=\"UTF-16\"", "utf-16"),
            ("RW 0 SPARSE \"a\"", "extent"),
            ("RW 99999999999999999999 SPARSE \"a\"", "extent"),
            ("RW 1 SPARSE \"a", "extent"),
            ("RW 1 SPARSE", "extent"),
            ("RW 1 FLAT \"a\" x", "extent"),
            ("RW 1 VMFSRAW \"a\"", "VMFSRAW"),
            ("RW 1 VMFSRDM \"a\"", "VMFSRDM"),
            ("NOACCESS 1 FLAT \"a\"", "NOACCESS"),
        ];
        for (line, words) in rows {
            let error = parse(line).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
        assert!(parse(&"RW 1 ZERO\n".repeat(limits::VMDK_EXTENTS + 1)).unwrap_err().contains("extents"));
        assert!(Descriptor::parse(b"version=1", 0).is_err());
    }
}
