//! Disk images: the bytes of an image file in, the virtual disk's bytes out.
//!
//! What an image refers to (a backing file, an extent, a parent) is opened through [`Siblings`], which
//! refuses everything that the caller did not name.

mod cache;
mod qcow2;

use std::io;

use crate::{
    block::{ReadAt, Source},
    error::FormatError,
    gap::Code,
};

/// Opens what a disk image refers to; the default refuses everything.
pub trait Siblings {
    /// The file that the image calls `name`.
    fn open(&self, name: &str) -> io::Result<Source> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("{name:?} was not named by the caller")))
    }
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
    /// Whether the file begins (or ends) like one of these.
    pub probe: fn(&dyn ReadAt) -> bool,
    /// Opens it.
    pub open: fn(Source, &Options<'_>) -> Result<Disk, FormatError>,
}

/// How an image is opened.
pub struct Options<'a> {
    /// For what it refers to.
    pub siblings: &'a dyn Siblings,
    /// The internal snapshot to read instead of the current state, by id or name.
    pub snapshot: Option<&'a str>,
}

/// The formats that icecore reads; what is none of them is a raw disk.
pub static DRIVERS: &[Driver] = &[qcow2::DRIVER];

/// Formats that are recognised and refused by name: their bytes are not a disk's.
const REFUSED: &[(&[u8], u64, &str)] = &[
    (b"vhdxfile", 0, "VHDX"),
    (b"conectix", 0, "VHD"),
    (b"KDMV", 0, "VMDK"),
    (b"COWD", 0, "VMDK (COWD)"),
    (b"# Disk DescriptorFile", 0, "VMDK descriptor"),
    (b"\x7f\x10\xda\xbe", 0x40, "VDI"),
    (b"QED\0", 0, "QED"),
    (b"WithoutFreeSpace", 0, "Parallels"),
    (b"WithouFreSpacExt", 0, "Parallels"),
    (b"\x1f\x8b", 0, "gzip"),
    (b"\x28\xb5\x2f\xfd", 0, "zstd"),
    (b"\xfd7zXZ\0", 0, "xz"),
    (b"BZh", 0, "bzip2"),
    (b"PK\x03\x04", 0, "zip"),
];

/// Opens a disk image. Its format is `forced`, or the one it looks like.
pub fn open(source: Source, forced: Option<&str>, options: &Options<'_>) -> Result<Disk, FormatError> {
    let driver = match forced {
        Some("raw") => None,
        Some(name) => {
            let known = DRIVERS.iter().find(|driver| driver.name == name);
            Some(known.ok_or_else(|| unsupported(format!("no disk format {name:?} is read")))?)
        }
        None => DRIVERS.iter().find(|driver| (driver.probe)(&source)),
    };
    if let Some(driver) = driver {
        return (driver.open)(source, options);
    }
    if forced.is_none()
        && let Some((.., name)) = REFUSED.iter().find(|(magic, at, _)| begins(&source, magic, *at))
    {
        return Err(unsupported(format!("a disk image of format {name}, which is not read")));
    }
    if let Some(wanted) = options.snapshot {
        return Err(FormatError::unsupported(format!("no snapshot {wanted:?}: a raw disk has none")));
    }
    Ok(Disk { source, format: "raw", notes: Vec::new() })
}

fn begins(source: &dyn ReadAt, magic: &[u8], at: u64) -> bool {
    let mut bytes = vec![0; magic.len()];
    source.read_at(&mut bytes, at).is_ok() && bytes == magic
}

fn unsupported(what: String) -> FormatError {
    FormatError::Unsupported { code: Code::UnsupportedDiskFormat, what }
}
