//! Entries of directories: sets of 32 bytes each, the first of which says how many follow, for a file its data and its name.

use crate::{
    bytes::{is_sound, le16, le32, le64, units},
    error::{self, FormatError},
    fs::{
        FileKind, Timestamp, calendar,
        clusters::{Chain, Clusters},
        utf16,
    },
    limits, num,
};

pub(super) const ENTRY: usize = 32;
const STRUCTURE: &str = "exFAT directory entry";

/// Types of entries; without the first bit, one is not in use.
const FILE: u8 = 0x85;
const UPCASE: u8 = 0x82;
const LABEL: u8 = 0x83;
const STREAM: u8 = 0xc0;
const NAME: u8 = 0xc1;
const IN_USE: u8 = 0x80;
/// It goes with the one before.
const SECONDARY: u8 = 0x40;
/// It may be passed over by who does not know it.
const BENIGN: u8 = 0x20;

/// Attributes of a file.
const READ_ONLY: u16 = 0x01;
const DIRECTORY: u16 = 0x10;
/// The clusters lie side by side.
const CONTIGUOUS: u8 = 0x2;

/// What a set of entries says of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    attributes: u16,
    pub(super) modified: Timestamp,
    pub(super) first: u32,
    pub(super) contiguous: bool,
    pub(super) size: u64,
    /// Bytes from the start that were written.
    pub(super) written: u64,
    pub(super) name: Vec<u16>,
}

impl File {
    pub(super) fn kind(&self) -> FileKind {
        if self.attributes & DIRECTORY != 0 { FileKind::Directory } else { FileKind::Regular }
    }

    pub(super) fn mode(&self) -> u32 {
        if self.attributes & READ_ONLY != 0 { 0o555 } else { 0o755 }
    }

    /// Its clusters.
    pub(super) fn chain(&self) -> Chain {
        Chain::new(self.first, Some(self.size), self.contiguous)
    }

    /// The file of a set, or what is wrong with it.
    pub(super) fn parse(set: &[u8]) -> Result<Self, String> {
        let entry = |at: usize| set.get(at.saturating_mul(ENTRY)..).filter(|rest| rest.len() >= ENTRY);
        let (file, stream) = (entry(0).unwrap_or_default(), entry(1).unwrap_or_default());
        let said = le16(file, 2).unwrap_or(0);
        let summed = set.iter().enumerate().filter(|(at, _)| !matches!(at, 2 | 3));
        let sum = summed.fold(0u16, |sum, (_, byte)| sum.rotate_right(1).wrapping_add(u16::from(*byte)));
        if !is_sound(said == sum) {
            return Err(format!("checksum {said:#06x}, computed {sum:#06x}"));
        }
        let byte = |of: &[u8], at: usize| of.get(at).copied().unwrap_or(0);
        if byte(stream, 0) != STREAM {
            return Err("no entry says where its data is".to_owned());
        }
        let length = usize::from(byte(stream, 3));
        let names = set.chunks_exact(ENTRY).skip(2).take(length.div_ceil(15));
        let parts = names
            .filter(|part| byte(part, 0) == NAME)
            .flat_map(|part| units(part.get(2..).unwrap_or_default()));
        let name: Vec<u16> = parts.take(length).collect();
        if length == 0 || name.len() != length {
            return Err(format!("{} of {length} units of its name", name.len()));
        }
        let (size, written) = (le64(stream, 24).unwrap_or(0), le64(stream, 8).unwrap_or(0));
        if written > size {
            return Err(format!("{written} bytes of {size} were written"));
        }
        Ok(Self {
            attributes: le16(file, 4).unwrap_or(0),
            modified: time(le32(file, 12).unwrap_or(0), byte(file, 21), byte(file, 23)),
            first: le32(stream, 20).unwrap_or(0),
            contiguous: byte(stream, 1) & CONTIGUOUS != 0,
            size,
            written,
            name,
        })
    }
}

/// A time of two seconds, the hundredths since, and the zone: quarters of an hour in seven bits, if the eighth is set.
fn time(raw: u32, hundredths: u8, zone: u8) -> Timestamp {
    let half = |shift: u32| u16::try_from(raw >> shift & 0xffff).unwrap_or(0);
    let quarters = i64::from((zone << 1).cast_signed() >> 1);
    let east = if zone & 0x80 != 0 { quarters.saturating_mul(900) } else { 0 };
    calendar::timestamp(calendar::seconds(half(16), half(0)).saturating_sub(east), hundredths)
}

/// Where a volume has its table of upper case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) first: u32,
    pub(super) size: u64,
    pub(super) checksum: u32,
}

impl Table {
    fn parse(entry: &[u8]) -> Option<Self> {
        Some(Self { checksum: le32(entry, 4)?, first: le32(entry, 20)?, size: le64(entry, 24)? })
    }
}

/// What a directory holds.
#[derive(Default)]
pub(super) struct Contents {
    /// Where each file's set lies in the volume, in entries, and what it says.
    pub(super) files: Vec<(u64, File)>,
    /// What only the root has.
    pub(super) label: Option<String>,
    pub(super) upcase: Option<Table>,
    pub(super) damage: Vec<FormatError>,
}

/// A set that is being read: where it begins, its bytes, and how many it will have.
struct Set {
    at: u64,
    bytes: Vec<u8>,
    wanted: usize,
}

/// Reads a directory that belongs to `owner`.
pub(super) fn read(clusters: &Clusters, chain: &Chain, owner: u64) -> Contents {
    let mut contents = Contents::default();
    let mut set: Option<Set> = None;
    let mut ended = false;
    let damage = clusters.directory(chain, owner, limits::EXFAT_DIRECTORY_BYTES, |place, bytes| {
        if bytes.is_empty() {
            set = None;
        }
        let (entries, _) = bytes.as_chunks::<ENTRY>();
        for (entry, at) in entries.iter().zip((place..).step_by(ENTRY)) {
            ended |= entry[0] == 0;
            if ended {
                return;
            }
            contents.take(&mut set, entry, at);
        }
    });
    contents.cut(&set);
    damage.into_iter().for_each(|error| contents.damaged(error));
    contents
}

impl Contents {
    fn damaged(&mut self, error: FormatError) {
        error::note(&mut self.damage, error);
    }

    /// Tells of a set that ends before its last entry.
    fn cut(&mut self, set: &Option<Set>) {
        if let Some(set) = set {
            let problem = format!("{} of {} bytes of it", set.bytes.len(), set.wanted);
            self.damaged(FormatError::corrupt(STRUCTURE, set.at, problem));
        }
    }

    fn take(&mut self, set: &mut Option<Set>, entry: &[u8; ENTRY], at: u64) {
        let kind = entry[0];
        if let Some(open) = set
            && kind & (IN_USE | SECONDARY) == IN_USE | SECONDARY
        {
            open.bytes.extend_from_slice(entry);
            if open.bytes.len() == open.wanted {
                let file = File::parse(&open.bytes).and_then(|file| {
                    let refused = utf16::refused(&utf16::to_bytes(&file.name));
                    refused.map_or(Ok(file), |problem| Err(format!("its name {problem}")))
                });
                match file {
                    Ok(file) => self.files.push((open.at.checked_div(num::to_u64(ENTRY)).unwrap_or(0), file)),
                    Err(problem) => self.damaged(FormatError::corrupt(STRUCTURE, open.at, problem)),
                }
                *set = None;
            }
            return;
        }
        self.cut(&set.take());
        match kind {
            FILE => {
                let wanted = usize::from(entry[1]).saturating_add(1).saturating_mul(ENTRY);
                if (3..=19).contains(&entry[1].saturating_add(1)) {
                    *set = Some(Set { at, bytes: entry.to_vec(), wanted });
                } else {
                    let problem = format!("{} entries follow it", entry[1]);
                    self.damaged(FormatError::corrupt(STRUCTURE, at, problem));
                }
            }
            LABEL => {
                let length = usize::from(entry[1]).saturating_mul(2);
                let label = entry.get(2..).and_then(|rest| rest.get(..length)).unwrap_or_default();
                self.label = Some(String::from_utf16_lossy(&units(label)));
            }
            UPCASE => {
                self.upcase = Table::parse(entry);
            }
            // Of further kinds, those that are not benign must be known to whoever reads the directory.
            kind if kind & (IN_USE | SECONDARY | BENIGN) == IN_USE && kind != 0x81 => {
                self.damaged(FormatError::unsupported(format!("exFAT directory entry of type {kind:#04x}")));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_zone_if_they_tell_one() {
        let date = 46u32 << 25 | 11 << 21 | 27 << 16;
        let at = |zone| time(date, 150, zone).seconds;
        assert_eq!(at(0), 1_795_737_601);
        assert_eq!(at(0x80 | 4), 1_795_737_601 - 3600);
        assert_eq!(at(0x80 | 0x7c), 1_795_737_601 + 3600);
    }
}
