//! A physical volume: its label in one of the first four sectors, its areas, and the text of the metadata in them
//! (lvm2, `lib/format_text/layout.h`).

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U32, U64},
};

use super::checksum::crc;
use crate::{
    block::{ReadAt, read_vec},
    bytes::is_sound,
    error::FormatError,
    limits, num,
};

const SECTOR: usize = 512;
const LABEL: &str = "LVM2 label";
const AREA: &str = "LVM2 metadata area";
const AREA_MAGIC: [u8; 16] = *b" LVM2 x[5A%r0N*>";
/// Bytes of a metadata area's header; the text goes round behind it.
const AREA_HEADER: u64 = 512;
/// The flag of a location that is not the newest on purpose.
const IGNORED: u32 = 1;

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawLabel {
    id: [u8; 8],
    sector: U64,
    /// Of what follows it in the sector.
    crc: U32,
    /// Of the physical volume's header, from the label on.
    offset: U32,
    kind: [u8; 8],
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawArea {
    offset: U64,
    size: U64,
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawAreaHeader {
    crc: U32,
    magic: [u8; 16],
    version: U32,
    start: U64,
    size: U64,
    locations: [RawLocation; 4],
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawLocation {
    offset: U64,
    size: U64,
    crc: U32,
    flags: U32,
}

/// A physical volume.
pub(super) struct Label {
    /// Its identifier, without dashes.
    pub(super) uuid: String,
    /// Where its metadata areas are, in bytes, and how large.
    areas: Vec<(u64, u64)>,
}

impl Label {
    /// Finds the label; `None` if there is none.
    pub(super) fn read(source: &dyn ReadAt) -> Result<Option<Self>, FormatError> {
        let mut failure = None;
        for number in 0..4u64 {
            let at = number.saturating_mul(num::to_u64(SECTOR));
            if at.saturating_add(num::to_u64(SECTOR)) > source.size() {
                break;
            }
            let sector = match read_vec(source, LABEL, at, SECTOR) {
                Ok(sector) => sector,
                Err(error) => {
                    failure = failure.or(Some(error));
                    continue;
                }
            };
            let Ok((raw, _)) = RawLabel::ref_from_prefix(&sector) else { continue };
            if raw.id != *b"LABELONE" {
                continue;
            }
            match Self::parse(raw, &sector, number, at) {
                Ok(label) => return Ok(Some(label)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    fn parse(raw: &RawLabel, sector: &[u8], number: u64, at: u64) -> Result<Self, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(LABEL, at, problem);
        let sum = crc(&[sector.get(20..).unwrap_or_default()]);
        if !is_sound(sum == raw.crc.get()) {
            return Err(corrupt(format!("checksum {:#010x}, computed {sum:#010x}", raw.crc)));
        }
        if raw.sector.get() != number {
            return Err(corrupt(format!("says that it is in sector {}", raw.sector)));
        }
        if raw.kind != *b"LVM2 001" {
            let kind = String::from_utf8_lossy(&raw.kind);
            return Err(FormatError::unsupported(format!("LVM label of kind {kind:?}")));
        }
        let header = sector.get(num::index(raw.offset.get())..).unwrap_or_default();
        let (uuid, rest) = header.split_at_checked(32).ok_or_else(|| corrupt("no header".to_owned()))?;
        let mut lists = rest.get(8..).unwrap_or_default();
        // Data areas, then metadata areas, each list ended by zeros.
        let _data = areas(&mut lists);
        Ok(Self { uuid: String::from_utf8_lossy(uuid).into_owned(), areas: areas(&mut lists) })
    }

    /// The texts in its metadata areas, and why others could not be read. A volume without areas has none; its
    /// group is described on the others.
    pub(super) fn texts(&self, source: &dyn ReadAt) -> Vec<Result<Vec<u8>, FormatError>> {
        self.areas.iter().filter_map(|(offset, size)| text(source, *offset, *size).transpose()).collect()
    }
}

/// The offsets and sizes of a list in the label's sector, which has room for few.
fn areas(list: &mut &[u8]) -> Vec<(u64, u64)> {
    let mut areas = Vec::new();
    while let Ok((area, rest)) = RawArea::read_from_prefix(list) {
        *list = rest;
        if area.offset.get() == 0 {
            break;
        }
        areas.push((area.offset.get(), area.size.get()));
    }
    areas
}

/// The newest text of an area, which may go round from its end to behind its header; `None` if it has none.
fn text(source: &dyn ReadAt, at: u64, size: u64) -> Result<Option<Vec<u8>>, FormatError> {
    let corrupt = |problem: String| FormatError::corrupt(AREA, at, problem);
    let bytes = read_vec(source, AREA, at, num::to_usize(AREA_HEADER))?;
    let header = RawAreaHeader::ref_from_prefix(&bytes).map_err(|_| corrupt("too short".to_owned()))?.0;
    if header.magic != AREA_MAGIC {
        return Err(corrupt("no magic".to_owned()));
    }
    let sum = crc(&[bytes.get(4..).unwrap_or_default()]);
    if !is_sound(sum == header.crc.get()) {
        return Err(corrupt(format!("checksum {:#010x}, computed {sum:#010x}", header.crc)));
    }
    if header.version.get() != 1 {
        return Err(FormatError::unsupported(format!("LVM metadata area of version {}", header.version)));
    }
    if header.start.get() != at {
        return Err(corrupt(format!("says that it begins at {:#x}", header.start)));
    }
    // The first location is the committed text; the second one is of a transaction that has not ended.
    let [location, ..] = header.locations;
    let (offset, length) = (location.offset.get(), location.size.get());
    if offset == 0 || length == 0 || location.flags.get() & IGNORED != 0 {
        return Ok(None);
    }
    let size = header.size.get().min(size);
    if length > limits::LVM_METADATA_BYTES {
        let bound = limits::LVM_METADATA_BYTES;
        return Err(FormatError::limit(format!("LVM metadata of {length} bytes, more than {bound}")));
    }
    if !(AREA_HEADER..size).contains(&offset) || length > size.saturating_sub(AREA_HEADER) {
        return Err(corrupt(format!("{length} bytes of text at {offset} of {size}")));
    }
    let first = length.min(size.saturating_sub(offset));
    let mut text = read_vec(source, AREA, at.saturating_add(offset), num::to_usize(first))?;
    let rest = length.saturating_sub(first);
    text.extend(read_vec(source, AREA, at.saturating_add(AREA_HEADER), num::to_usize(rest))?);
    let sum = crc(&[&text]);
    if !is_sound(sum == location.crc.get()) {
        return Err(corrupt(format!("checksum of the text {:#010x}, computed {sum:#010x}", location.crc)));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::{super::group::Group, *};
    use crate::block::Memory;

    /// `scripts/judge-lvm.sh`; the text of one of them goes round in its area.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the repository's own disks")]
    fn the_newest_text_is_the_one_that_pvck_shows() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/disk-fixtures/lvm");
        let said = std::fs::read_to_string(format!("{folder}/pvck.tsv")).unwrap();
        assert_eq!(said.lines().count(), 27);
        for line in said.lines() {
            let [name, uuid, sum, length, digest, group, seqno] = line.split('\t').collect::<Vec<_>>()[..]
            else {
                panic!("{line}")
            };
            let packed = std::fs::read(format!("{folder}/{name}.img.zst")).unwrap();
            let source = Memory::new(zstd::decode_all(&*packed).unwrap());
            let label = Label::read(&source).unwrap().unwrap();
            assert_eq!(label.uuid, uuid, "{name}");
            let [text] = &label.texts(&source).into_iter().map(Result::unwrap).collect::<Vec<_>>()[..] else {
                panic!("{name}: not one text")
            };
            assert_eq!(format!("{:#x}", crc(&[text])), sum, "{name}");
            // The zero at its end is none of the text.
            let (end, text) = text.split_last().unwrap();
            assert_eq!((*end, text.len().to_string()), (0, length.to_owned()), "{name}");
            let ours: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(ours, digest, "{name}");
            let found = Group::parse(text).unwrap();
            assert_eq!((found.name, found.seqno.to_string()), (group.to_owned(), seqno.to_owned()), "{name}");
        }
    }
}
