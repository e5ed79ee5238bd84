//! What stands in for the data of a file: reparse points ([MS-FSCC] 2.1.2) and the files by which Interix, and what writes
//! NTFS on Linux, keep links and devices.

use super::{
    attribute::Attribute,
    inode::{Inode, value},
    lookup,
    volume::{ROOT, Volume},
};
use crate::{
    bytes::{le16, le32, le64, part, units},
    error::FormatError,
    fs::{Device, FileKind, utf16},
    limits, num,
};

/// Tags that lead to another name.
const MOUNT_POINT: u32 = 0xa000_0003;
const SYMLINK: u32 = 0xa000_000c;
const LX_SYMLINK: u32 = 0xa000_001d;
/// Special files of the Windows Subsystem for Linux.
const AF_UNIX: u32 = 0x8000_0023;
const LX_FIFO: u32 = 0x8000_0024;
const LX_CHR: u32 = 0x8000_0025;
const LX_BLK: u32 = 0x8000_0026;

/// Bytes of a reparse point's header.
const HEADER: usize = 8;
/// The largest reparse point (`MAXIMUM_REPARSE_DATA_BUFFER_SIZE`).
const LARGEST: u64 = 16 << 10;

/// Tags whose files' data is kept in another way or elsewhere.
const OTHERS: &[(u32, &str)] = &[
    (0x8000_0017, "WOF (compressed by the system)"),
    (0x8000_0013, "DEDUP (deduplicated)"),
    (0x8000_0018, "WCI (a container's layer)"),
    (0x9000_1018, "WCI_1 (a container's layer)"),
    (0xa000_001f, "WCI_TOMBSTONE (deleted in a container's layer)"),
    (0xa000_0027, "WCI_LINK (a container's layer)"),
    (0xa000_1027, "WCI_LINK_1 (a container's layer)"),
    (0x8000_001b, "APPEXECLINK (an application's alias)"),
    (0x9000_001c, "PROJFS (projected)"),
    (0xc000_0004, "HSM (moved to other storage)"),
    (0x8000_0006, "HSM2 (moved to other storage)"),
    (0x8000_0007, "SIS (one copy of several files)"),
    (0x8000_0008, "WIM (in a mounted image)"),
    (0x8000_000a, "DFS"),
    (0x8000_0012, "DFSR"),
    (0x8000_0014, "NFS"),
    (0x8000_0021, "ONEDRIVE"),
];

/// What stands in for a file's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reparse {
    /// A symbolic link or junction.
    Link(Target),
    /// A file of another kind, with its device number or why it is not known.
    Special(FileKind, Result<Device, String>),
    /// A file or directory whose data is kept in another way, by its tag.
    Other(u32),
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Here, as a path of this file system.
    Path(Vec<u8>),
    /// To a name of Windows that begins with a drive or device.
    Absolute(Vec<u16>),
}

impl Reparse {
    /// What the file is because of it; `None` if that does not depend on it.
    pub(super) fn kind(&self) -> Option<FileKind> {
        match self {
            Self::Link(_) => Some(FileKind::Symlink),
            Self::Special(kind, _) => Some(*kind),
            Self::Other(_) => None,
        }
    }

    /// A link's target. Drive `C:` is this volume if Windows is on it; what is on others cannot be said.
    pub(super) fn target(&self, volume: &Volume) -> Result<Vec<u8>, FormatError> {
        let absolute = match self {
            Self::Link(Target::Path(path)) => return Ok(path.clone()),
            Self::Link(Target::Absolute(name)) => String::from_utf16_lossy(name),
            _ => return Err(FormatError::corrupt("NTFS reparse point", 0, "it is no link")),
        };
        let path = absolute.strip_prefix(r"\??\").unwrap_or(&absolute);
        let below = path.strip_prefix("C:").or(path.strip_prefix("c:"));
        let below = below.filter(|below| below.is_empty() || below.starts_with('\\'));
        match below {
            Some(below) if lookup::look_up(volume, ROOT, b"Windows")?.is_some() => {
                Ok(format!("/{}", slashes(below).trim_matches('/')).into_bytes())
            }
            _ => Err(FormatError::unsupported(format!("NTFS link to {absolute}, another volume's name"))),
        }
    }
}

fn slashes(path: &str) -> String {
    path.replace('\\', "/")
}

/// The refusal of a file whose data is kept in another way.
pub(super) fn refused(tag: u32, record: u64) -> FormatError {
    let name = OTHERS.iter().find(|(known, _)| *known == tag).map(|(_, name)| *name);
    // The tags of cloud files differ in four bits.
    let cloud = (tag & 0xffff_0fff == 0x9000_001a).then_some("CLOUD (kept in a cloud)");
    let name = name.or(cloud).unwrap_or("unknown");
    FormatError::unsupported(format!("NTFS reparse tag {tag:#010x}, {name}, of record {record}"))
}

/// What the reparse point of a file says.
pub(super) fn read(volume: &Volume, inode: &Inode, point: &Attribute) -> Result<Reparse, FormatError> {
    let bytes = value(volume, point, LARGEST)?;
    let corrupt = || inode.corrupt("its reparse point contradicts itself");
    parse(&bytes).ok_or_else(corrupt)
}

fn parse(bytes: &[u8]) -> Option<Reparse> {
    let tag = le32(bytes, 0)?;
    let data = part(bytes, HEADER, usize::from(le16(bytes, 4)?))?;
    Some(match tag {
        SYMLINK => {
            let name = substitute(data, 12)?;
            let is_relative = le32(data, 8)? & 1 == 1;
            Reparse::Link(match is_relative {
                true => Target::Path(slashed(&name)?),
                false => Target::Absolute(name),
            })
        }
        MOUNT_POINT => Reparse::Link(Target::Absolute(substitute(data, 8)?)),
        // A version and UTF-8.
        LX_SYMLINK => Reparse::Link(Target::Path(sound(data.get(4..)?.to_vec())?)),
        LX_FIFO => Reparse::Special(FileKind::Fifo, Ok(Device::default())),
        AF_UNIX => Reparse::Special(FileKind::Socket, Ok(Device::default())),
        LX_CHR => Reparse::Special(FileKind::CharDevice, Err(no_number("LX_CHR"))),
        LX_BLK => Reparse::Special(FileKind::BlockDevice, Err(no_number("LX_BLK"))),
        other => Reparse::Other(other),
    })
}

/// The number is in the extended attributes of OS/2, which are not read.
fn no_number(tag: &str) -> String {
    format!("NTFS reparse tag {tag}: the device's number is not read")
}

/// The name that Windows goes to, of names from `names` on.
fn substitute(data: &[u8], names: usize) -> Option<Vec<u16>> {
    let at = names.checked_add(usize::from(le16(data, 0)?))?;
    Some(units(part(data, at, usize::from(le16(data, 2)?))?))
}

fn slashed(name: &[u16]) -> Option<Vec<u8>> {
    let mut path = utf16::to_bytes(name);
    path.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
    sound(path)
}

fn sound(path: Vec<u8>) -> Option<Vec<u8>> {
    let is_long = num::to_u64(path.len()) > limits::SYMLINK_BYTES;
    (!path.is_empty() && !path.contains(&0) && !is_long).then_some(path)
}

/// What the data of a system file says, if it is one of those that Interix makes: eight bytes that tell its kind, then the
/// target of a link in UTF-16 or the numbers of a device.
pub(super) fn interix(volume: &Volume, data: &Attribute) -> Result<Option<Reparse>, FormatError> {
    const LONGEST: u64 = 2 * 4096 + 8;
    if !(8..=LONGEST).contains(&data.size()) || data.is_compressed() || data.refused().is_some() {
        return Ok(None);
    }
    let bytes = value(volume, data, LONGEST)?;
    let rest = bytes.get(8..).unwrap_or_default();
    let device = |kind| {
        let number = |at| le64(rest, at).and_then(|number| u32::try_from(number).ok());
        let device = Device { major: number(0)?, minor: number(8)? };
        (rest.len() == 16).then_some(Reparse::Special(kind, Ok(device)))
    };
    Ok(match bytes.get(..8) {
        Some(b"IntxLNK\x01") => {
            sound(utf16::to_bytes(&units(rest))).map(|path| Reparse::Link(Target::Path(path)))
        }
        Some(b"IntxCHR\0") => device(FileKind::CharDevice),
        Some(b"IntxBLK\0") => device(FileKind::BlockDevice),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(tag: u32, flags: &[u8], name: &str) -> Vec<u8> {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = u16::try_from(name.len()).unwrap().to_le_bytes();
        let data = [&[0, 0][..], &length, &[0; 4], flags, &name].concat();
        let size = u16::try_from(data.len()).unwrap().to_le_bytes();
        [&tag.to_le_bytes()[..], &size, &[0, 0], &data].concat()
    }

    #[test]
    fn links_and_what_is_none() {
        let relative = parse(&link(SYMLINK, &[1, 0, 0, 0], r"..\a\b"));
        assert_eq!(relative, Some(Reparse::Link(Target::Path(b"../a/b".to_vec()))));
        let absolute = parse(&link(SYMLINK, &[0; 4], r"\??\D:\x"));
        assert!(matches!(absolute, Some(Reparse::Link(Target::Absolute(_)))));
        assert_eq!(parse(&link(SYMLINK, &[1, 0, 0, 0], "")), None);
        assert_eq!(parse(&link(MOUNT_POINT, &[], "x")[..12]), None);
        let wof = parse(&link(0x8000_0017, &[], "")).unwrap();
        assert_eq!((wof.kind(), wof), (None, Reparse::Other(0x8000_0017)));
        assert!(refused(0x9000_701a, 1).detail().contains("CLOUD"));
    }
}
