//! Disk images: the bytes of an image file in, the virtual disk's bytes out.
//!
//! What an image refers to (a backing file, an extent, a parent) is opened through [`Siblings`], which
//! refuses everything that the caller did not name.

mod chain;
mod guid;
mod inflate;
mod pages;
mod qcow2;
mod runs;
#[cfg(test)]
mod testing;
mod vdi;
mod vhd;
mod vhdx;
mod vmdk;

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    block::{ReadAt, Source},
    error::FormatError,
    gap::Code,
};

/// Opens what a disk image refers to; the default refuses everything.
pub trait Siblings {
    /// The file that the image which lies at `from` (the disk itself, if that is `None`) calls `name`.
    fn open(&self, name: &str, _from: Option<&Path>) -> io::Result<Sibling> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("{name:?} was not named by the caller")))
    }

    /// All files that the caller named, for an image that knows another by its identity only.
    fn named(&self) -> io::Result<Vec<Sibling>> {
        Ok(Vec::new())
    }
}

/// A file that an image refers to.
pub struct Sibling {
    /// Its bytes.
    pub source: Source,
    /// Where it lies: no two files have the same place.
    pub place: PathBuf,
}

/// Refuses every reference.
pub struct NoSiblings;

impl Siblings for NoSiblings {}

/// An opened disk image.
pub struct Disk {
    /// The virtual disk.
    pub source: Source,
    /// The format's name, as `qemu-img -f` spells it.
    pub format: &'static str,
    /// What does not stop the reading but must be told.
    pub notes: Vec<FormatError>,
}

/// A disk image format: one row of [`DRIVERS`].
pub struct Driver {
    /// As `qemu-img -f` spells it.
    pub name: &'static str,
    /// Whether the file begins like one of these.
    pub begins: fn(&dyn ReadAt) -> bool,
    /// Whether it ends like one, for a format that may begin with the disk's own bytes.
    pub ends: Option<fn(&dyn ReadAt) -> bool>,
    /// Opens it.
    pub open: fn(Source, &Options<'_>) -> Result<Disk, FormatError>,
}

impl Driver {
    fn fits(&self, source: &dyn ReadAt) -> bool {
        (self.begins)(source) || self.ends.is_some_and(|ends| ends(source))
    }
}

/// How an image is opened.
pub struct Options<'a> {
    /// For what it refers to.
    pub siblings: &'a dyn Siblings,
    /// The internal snapshot to read instead of the current state, by id or name.
    pub snapshot: Option<&'a str>,
}

/// The formats that icecore reads; what is none of them is a raw disk.
pub static DRIVERS: &[Driver] = &[qcow2::DRIVER, vhdx::DRIVER, vmdk::DRIVER, vdi::DRIVER, vhd::DRIVER];

/// Formats that are recognised and refused by name, with what helps: their bytes are not a disk's.
const REFUSED: &[(&[u8], u64, &str, &str)] = &[
    (b"QED\0", 0, "QED", CONVERT),
    (b"Bochs Virtual HD Image", 0, "Bochs", CONVERT),
    (b"WithoutFreeSpace", 0, "Parallels", CONVERT),
    (b"WithouFreSpacExt", 0, "Parallels", CONVERT),
    (b"\x1f\x8b", 0, "gzip", "`gunzip -k`, or `tar -xSzf` if it is an archive, makes a raw disk of it"),
    (b"\x28\xb5\x2f\xfd", 0, "zstd", "`zstd -d` makes a raw disk of it"),
    (b"\xfd7zXZ\0", 0, "xz", "`xz -dk` makes a raw disk of it"),
    (b"BZh", 0, "bzip2", "`bunzip2 -k` makes a raw disk of it"),
    (b"PK\x03\x04", 0, "zip", "`unzip` it first"),
    (b"7z\xbc\xaf\x27\x1c", 0, "7z", "`7z x` unpacks it"),
    (b"\x04\x22\x4d\x18", 0, "lz4", "`lz4 -dk` makes a raw disk of it"),
    (b"\x02\x21\x4c\x18", 0, "lz4", "`lz4 -dk` makes a raw disk of it"),
    // xz's and LZMA Utils' own settings for dictionaries of 8 and of 64 MiB.
    (b"\x5d\0\0\x80\0", 0, "lzma", "`unlzma -k` makes a raw disk of it"),
    (b"\x5d\0\0\0\x04", 0, "lzma", "`unlzma -k` makes a raw disk of it"),
    (b"EVF\x09\x0d\x0a\xff\0", 0, "EnCase (E01)", "`ewfexport -f raw` makes a raw disk of it"),
    (b"EVF2\x0d\x0a\x81\0", 0, "EnCase (Ex01)", "`ewfexport -f raw` makes a raw disk of it"),
    (b"ustar", 257, "tar (an OVA is one, too)", "`tar -xSf` unpacks it"),
];

/// The same, in the last 512 bytes: an Apple disk image begins with data.
const REFUSED_AT_END: &[(&[u8], &str, &str)] = &[(b"koly", "Apple disk image", CONVERT)];

const CONVERT: &str = "`qemu-img convert -O qcow2` makes a disk of it that is";

/// Opens a disk image. Its format is `forced`, or the one it looks like.
pub fn open(source: Source, forced: Option<&str>, options: &Options<'_>) -> Result<Disk, FormatError> {
    let driver = match forced {
        Some("raw") => None,
        Some(name) => {
            let known = DRIVERS.iter().find(|driver| driver.name == name);
            Some(known.ok_or_else(|| unsupported(format!("no disk format {name:?} is read")))?)
        }
        None => DRIVERS.iter().find(|driver| driver.fits(&source)),
    };
    if let Some(driver) = driver.filter(|_| forced.is_none())
        && (driver.begins)(&source)
        && is_partitioned(&source)
    {
        // A guest owns the first sector of a raw disk, and can write there what an image begins with; the tool that
        // makes an image does not write a partition table there.
        let problem =
            format!("it begins like a {} image and holds a partition table: read as raw", driver.name);
        let note = FormatError::corrupt("disk image", 0, problem);
        no_snapshots("a raw disk", options)?;
        return Ok(Disk { source, format: "raw", notes: vec![note] });
    }
    if let Some(driver) = driver {
        return (driver.open)(source, options);
    }
    if forced.is_none()
        && let Some((name, advice)) = refused(&source)
    {
        return Err(unsupported(format!("a disk image of format {name}, which is not read; {advice}")));
    }
    no_snapshots("a raw disk", options)?;
    Ok(Disk { source, format: "raw", notes: Vec::new() })
}

/// Whether the file itself is a disk: an MBR with an entry in use, or a GPT behind the first sector.
fn is_partitioned(source: &dyn ReadAt) -> bool {
    let mut head = [0; 520];
    if source.read_at(&mut head, 0).is_err() {
        return false;
    }
    let entries = head.get(446..510).unwrap_or_default();
    let in_use = |entry: &[u8]| {
        let boot = entry.first().is_some_and(|flag| matches!(flag, 0 | 0x80));
        let kind = entry.get(4).is_some_and(|kind| *kind != 0);
        boot && kind && entry.get(8..16).is_some_and(|place| place.iter().any(|byte| *byte != 0))
    };
    let is_mbr = head.get(510..512) == Some(&[0x55, 0xaa]) && entries.chunks(16).any(in_use);
    is_mbr || head.get(512..520) == Some(b"EFI PART")
}

/// The name of a format that is refused, and what helps.
fn refused(source: &dyn ReadAt) -> Option<(&'static str, &'static str)> {
    let first = REFUSED.iter().find(|(magic, at, ..)| begins(source, magic, *at));
    let first = first.map(|(_, _, name, advice)| (*name, *advice));
    let footer = source.size().checked_sub(512);
    let at_end = |at| REFUSED_AT_END.iter().find(|(magic, ..)| begins(source, magic, at));
    first.or_else(|| footer.and_then(at_end).map(|(_, name, advice)| (*name, *advice)))
}

/// An internal snapshot cannot be read of what has none.
fn no_snapshots(what: &str, options: &Options<'_>) -> Result<(), FormatError> {
    match options.snapshot {
        Some(wanted) => Err(snapshot_missing(format!("no snapshot {wanted:?}: {what} has none"))),
        None => Ok(()),
    }
}

fn snapshot_missing(what: String) -> FormatError {
    FormatError::Unsupported { code: Code::DiskSnapshotMissing, what }
}

fn begins(source: &dyn ReadAt, magic: &[u8], at: u64) -> bool {
    let mut bytes = vec![0; magic.len()];
    source.read_at(&mut bytes, at).is_ok() && bytes == magic
}

fn unsupported(what: String) -> FormatError {
    FormatError::Unsupported { code: Code::UnsupportedDiskFormat, what }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::Memory;

    fn format(bytes: Vec<u8>, forced: Option<&str>) -> Result<&'static str, String> {
        let options = Options { siblings: &NoSiblings, snapshot: None };
        let disk = open(Arc::new(Memory::new(bytes)), forced, &options);
        disk.map(|disk| disk.format).map_err(|error| error.detail())
    }

    #[test]
    fn what_is_not_read_is_refused_by_its_name_unless_it_is_called_raw() {
        for (magic, at, name, advice) in REFUSED {
            let mut bytes = vec![0; 1024];
            let at = usize::try_from(*at).unwrap();
            bytes[at..at + magic.len()].copy_from_slice(magic);
            let expected = format!("a disk image of format {name}, which is not read; {advice}");
            assert_eq!(format(bytes.clone(), None), Err(expected));
            assert_eq!(format(bytes, Some("raw")), Ok("raw"));
        }
        for (magic, name, _) in REFUSED_AT_END {
            let mut bytes = vec![0; 4096];
            bytes[3584..3584 + magic.len()].copy_from_slice(magic);
            assert!(format(bytes, None).unwrap_err().contains(name));
        }
        assert_eq!(format(vec![0; 1024], None), Ok("raw"));
        assert_eq!(format(vec![], None), Ok("raw"));
        assert!(format(vec![0; 1024], Some("qed")).is_err());
    }

    #[test]
    fn what_a_guest_writes_before_its_partitions_makes_no_image_of_a_raw_disk() {
        let mut bytes = vec![0; 1 << 20];
        bytes[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
        bytes[446..462].copy_from_slice(&[0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0]);
        assert!(format(bytes.clone(), None).is_err(), "an image of no size");
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        let options = Options { siblings: &NoSiblings, snapshot: None };
        let disk = open(Arc::new(Memory::new(bytes)), None, &options).unwrap();
        assert_eq!((disk.format, disk.notes.len()), ("raw", 1));
    }

    #[test]
    fn a_raw_disk_has_no_snapshots() {
        let options = Options { siblings: &NoSiblings, snapshot: Some("a") };
        assert!(open(Arc::new(Memory::new(vec![0; 512])), None, &options).is_err());
    }
}
