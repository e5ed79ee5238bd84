//! Hosted sparse extents and streams (Hosted Sparse Extents, Stream-Optimized Compressed).

use zerocopy::FromBytes;

use super::{
    format::{
        COMPRESSED, GD_AT_END, HOSTED, LINE_ENDS, LINE_ENDS_WHOLE, MARKERS, REDUNDANT, RawHosted,
        ZEROED_GRAINS,
    },
    layout::{Entries, Layout, SECTOR, bytes},
};
use crate::{
    block::{ReadAt, read_vec},
    bytes::le32,
    error::FormatError,
    limits, num,
};

const NAME: &str = "VMDK header";
const FOOTER: &str = "VMDK footer";
/// What the marker before a footer says that it is.
const FOOTER_MARKER: u32 = 3;

/// A checked header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// How the extent is divided.
    pub(super) layout: Layout,
    /// Where the descriptor within the extent is, and its bytes.
    pub(super) descriptor: Option<(u64, u64)>,
    /// The extent was not closed.
    pub(super) dirty: bool,
}

impl Header {
    /// Reads the header, or the footer that the header points to.
    pub(super) fn read(file: &dyn ReadAt) -> Result<Self, FormatError> {
        let first = read_vec(file, NAME, 0, num::to_usize(SECTOR))?;
        let raw = raw(&first, NAME, 0)?;
        let descriptor = descriptor(raw)?;
        if raw.gd_offset.get() != GD_AT_END {
            return Self::parse(raw, NAME, 0, descriptor);
        }
        // The footer lies between its marker and the one that ends the stream.
        let end = file.size() & !SECTOR.wrapping_sub(1);
        let at = end.checked_sub(SECTOR.saturating_mul(3));
        let at = at.ok_or_else(|| FormatError::corrupt(FOOTER, 0, "the file is too short for one"))?;
        let last = read_vec(file, FOOTER, at, num::to_usize(SECTOR.saturating_mul(3)))?;
        let [marker, footer, end] = [0, 512, 1024].map(|from: usize| last.get(from..).unwrap_or_default());
        if kind(marker) != Some((0, FOOTER_MARKER)) || kind(end) != Some((0, 0)) {
            return Err(FormatError::corrupt(FOOTER, at, "there is none: the stream was cut"));
        }
        let at = at.saturating_add(SECTOR);
        let raw = self::raw(footer, FOOTER, at)?;
        if raw.gd_offset.get() == GD_AT_END {
            return Err(FormatError::corrupt(FOOTER, at, "the grain directory is said to be at the end"));
        }
        Self::parse(raw, FOOTER, at, descriptor)
    }

    fn parse(
        raw: &RawHosted,
        name: &'static str,
        at: u64,
        descriptor: Option<(u64, u64)>,
    ) -> Result<Self, FormatError> {
        let flags = raw.flags.get();
        let unknown = flags & !(LINE_ENDS | REDUNDANT | ZEROED_GRAINS | COMPRESSED | MARKERS);
        if unknown != 0 {
            return Err(FormatError::unsupported(format!("a VMDK with the flags {unknown:#x}")));
        }
        if flags & LINE_ENDS != 0 && raw.line_ends != LINE_ENDS_WHOLE {
            let problem = format!("line ends {:02x?}: it was transferred as text", raw.line_ends);
            return Err(FormatError::corrupt(name, at.saturating_add(73), problem));
        }
        let zeroed = flags & ZEROED_GRAINS != 0;
        let entries = match (raw.compress_algorithm.get(), flags & COMPRESSED != 0) {
            (0, false) => Entries::Sectors { zeroed },
            (1, _) => Entries::Compressed { zeroed, markers: flags & MARKERS != 0 },
            (algorithm, flag) => {
                let what = format!("VMDK compression algorithm {algorithm} with its flag {flag}");
                return Err(FormatError::unsupported(what));
            }
        };
        let redundant = (flags & REDUNDANT != 0 && raw.rgd_offset.get() != 0).then_some(raw.rgd_offset.get());
        let layout = Layout {
            capacity: bytes(name, "a capacity", raw.capacity.get())?,
            grain: bytes(name, "grains", raw.grain_size.get())?,
            per_table: u64::from(raw.gtes_per_gt.get()),
            directory: bytes(name, "a grain directory at the end", raw.gd_offset.get())?,
            redundant: redundant.map(|at| bytes(name, "a redundant directory at the end", at)).transpose()?,
            entries,
        };
        Ok(Self { layout: layout.checked(name)?, descriptor, dirty: raw.unclean_shutdown != 0 })
    }
}

fn raw<'a>(bytes: &'a [u8], name: &'static str, at: u64) -> Result<&'a RawHosted, FormatError> {
    let parsed = RawHosted::ref_from_prefix(bytes);
    let (raw, _) = parsed.map_err(|_| FormatError::corrupt(name, at, "it is cut"))?;
    if raw.magic != HOSTED {
        return Err(FormatError::corrupt(name, at, format!("magic {:02x?}", raw.magic)));
    }
    match raw.version.get() {
        1..=3 => Ok(raw),
        version => Err(FormatError::unsupported(format!("a VMDK of version {version}; 1 to 3 are read"))),
    }
}

fn descriptor(raw: &RawHosted) -> Result<Option<(u64, u64)>, FormatError> {
    let (offset, size) = (raw.descriptor_offset.get(), raw.descriptor_size.get());
    if offset == 0 || size == 0 {
        return Ok(None);
    }
    let size = bytes(NAME, "a descriptor", size)?;
    if size > limits::VMDK_DESCRIPTOR_BYTES {
        let limit = limits::VMDK_DESCRIPTOR_BYTES;
        return Err(FormatError::limit(format!("a VMDK descriptor of {size} bytes, more than {limit}")));
    }
    Ok(Some((bytes(NAME, "a descriptor at the end", offset)?, size)))
}

/// The size and type of a marker that is no grain's.
fn kind(bytes: &[u8]) -> Option<(u32, u32)> {
    Some((le32(bytes, 8)?, le32(bytes, 12)?))
}
