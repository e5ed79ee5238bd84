//! The footer: what kind of disk it is and how large (Hard Disk Footer Format).

use zerocopy::FromBytes;

use super::format::{COOKIE, FOOTER_CHECKSUM, FOOTER_LENGTHS, RawFooter, VERSION, checksum};
use crate::{
    block::{ReadAt, read_vec},
    bytes::is_sound,
    error::FormatError,
    num,
};

/// The structure's name in errors.
pub(super) const NAME: &str = "VHD footer";
/// The format's largest disk.
const DISK_BYTES: u64 = 2040 << 30;
/// The largest geometry: disks of that and more do not tell their size in it.
const LARGEST_GEOMETRY: u64 = 65_535 * 16 * 255;

/// How the disk's bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One after the other, before the footer.
    Fixed,
    /// In blocks that exist once they were written.
    Dynamic,
    /// The same, on a parent.
    Differencing,
}

/// A checked footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Footer {
    /// How the disk's bytes are stored.
    pub(super) kind: Kind,
    /// Bytes of the virtual disk.
    pub(super) size: u64,
    /// Where the dynamic disk's header is.
    pub(super) header: u64,
    /// By which a differencing disk knows its parent.
    pub(super) id: [u8; 16],
}

impl Footer {
    /// Parses a footer of 512 or 511 bytes that was read at `at`; `summed` if its checksum must be right.
    fn parse(bytes: &[u8], at: u64, summed: bool) -> Result<Self, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(NAME, at, problem);
        let (raw, _) = RawFooter::ref_from_prefix(bytes).map_err(|_| corrupt("it is cut".to_owned()))?;
        if raw.cookie != COOKIE {
            return Err(corrupt(format!("cookie {:02x?}", raw.cookie)));
        }
        let (stored, computed) = (raw.checksum.get(), checksum(bytes, FOOTER_CHECKSUM));
        if summed && !is_sound(stored == computed) {
            return Err(corrupt(format!("checksum {stored:#010x}, not {computed:#010x}")));
        }
        if raw.file_format_version.get() != VERSION {
            let version = raw.file_format_version.get();
            return Err(FormatError::unsupported(format!("a VHD of file format version {version:#x}")));
        }
        let kind = match raw.disk_type.get() {
            2 => Kind::Fixed,
            3 => Kind::Dynamic,
            4 => Kind::Differencing,
            other => return Err(FormatError::unsupported(format!("a VHD of disk type {other}"))),
        };
        let size = size(raw);
        if size > DISK_BYTES {
            return Err(corrupt(format!("a disk of {size} bytes; the format ends at 2040 GiB")));
        }
        Ok(Self { kind, size, header: raw.data_offset.get(), id: raw.unique_id })
    }
}

/// Virtual PC, and qemu unless it was told otherwise, make disks of whole cylinders; all others mean the size
/// that they write.
fn size(raw: &RawFooter) -> u64 {
    let geometry = u64::from(raw.cylinders.get())
        .saturating_mul(u64::from(raw.heads))
        .saturating_mul(u64::from(raw.sectors_per_track));
    let cylinders = matches!(&raw.creator_application, b"vpc " | b"qemu");
    match cylinders && geometry != 0 && geometry != LARGEST_GEOMETRY {
        true => geometry.saturating_mul(512),
        false => raw.current_size.get() & !511,
    }
}

/// The footer of a file, where it is, and what must be told of it. Where the one at the end is not right, the
/// copy that a dynamic disk has at its beginning is used; if both have the same wrong checksum and are alike, it
/// was their writer that was wrong.
pub(super) fn find(file: &dyn ReadAt) -> Result<(Footer, u64, Option<FormatError>), FormatError> {
    let mut wrong = None;
    for length in FOOTER_LENGTHS {
        let Some(at) = file.size().checked_sub(length) else { continue };
        match read(file, at, length).and_then(|bytes| Footer::parse(&bytes, at, true)) {
            Ok(footer) => return Ok((footer, at, None)),
            Err(error @ FormatError::Unsupported { .. }) => return Err(error),
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    let wrong = wrong.unwrap_or_else(|| FormatError::corrupt(NAME, 0, "the file is too short for one"));
    let Ok(copy) = read(file, 0, 512) else { return Err(wrong) };
    let last = file.size().saturating_sub(512);
    let told =
        |problem: &str| Some(FormatError::corrupt(NAME, last, format!("{problem}: {}", wrong.detail())));
    // A fixed disk has its own first bytes there.
    let dynamic = |footer: &Footer| footer.kind != Kind::Fixed;
    if let Some(footer) = Footer::parse(&copy, 0, true).ok().filter(dynamic) {
        return Ok((footer, 0, told("its copy at the beginning is used")));
    }
    let alike = read(file, last, 512).is_ok_and(|bytes| last > 0 && bytes == copy);
    match Footer::parse(&copy, 0, false).ok().filter(dynamic) {
        Some(footer) if alike => Ok((footer, last, told("its copy is the same, so it is used"))),
        _ => Err(wrong),
    }
}

fn read(file: &dyn ReadAt, at: u64, length: u64) -> Result<Vec<u8>, FormatError> {
    read_vec(file, NAME, at, num::to_usize(length))
}
