//! The entries of the log ([MS-VHDX] 2.3.1): a ring in which each entry has a checksum, descriptors and sectors.

use zerocopy::FromBytes;

use super::{
    checksum::checksum,
    format::{RawDescriptor, RawEntry},
    header::Log,
};
use crate::{
    block::{ReadAt, read_vec},
    bytes::{is_sound, le32},
    error::FormatError,
    limits, num,
};

/// The structure's name in errors.
pub(super) const NAME: &str = "VHDX log";
/// What entries consist of.
pub(super) const SECTOR: u64 = 4096;
/// Bytes that are looked through at once.
const PART: u64 = 1 << 20;

/// A valid entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where in the log it begins.
    pub(super) at: u64,
    /// Its bytes.
    pub(super) length: u64,
    /// Where the sequence that it ends begins.
    pub(super) tail: u64,
    pub(super) sequence: u64,
    pub(super) descriptors: u32,
    /// The file had at least so many bytes when it was written, …
    pub(super) flushed: u64,
    /// … and needs so many when it is replayed.
    pub(super) last: u64,
}

/// The log of a file as a ring.
pub(super) struct Ring<'a> {
    pub(super) file: &'a dyn ReadAt,
    pub(super) log: Log,
}

impl Ring<'_> {
    /// Bytes of the log from `at`, where what passes the end goes on at the beginning.
    pub(super) fn read(&self, at: u64, length: u64) -> Result<Vec<u8>, FormatError> {
        let Log { offset, length: whole, .. } = self.log;
        let first = length.min(whole.saturating_sub(at));
        let start = offset.saturating_add(at);
        let mut bytes = read_vec(self.file, NAME, start, num::to_usize(first))?;
        let rest = length.saturating_sub(first);
        if rest > 0 {
            bytes.extend(read_vec(self.file, NAME, offset, num::to_usize(rest))?);
        }
        Ok(bytes)
    }

    /// Where a place of the log is that is `by` bytes behind `at`.
    pub(super) fn behind(&self, at: u64, by: u64) -> u64 {
        at.saturating_add(by).checked_rem(self.log.length).unwrap_or(0)
    }

    /// All valid entries of this session, by place.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, FormatError> {
        let whole = self.log.length;
        let mut entries = Vec::new();
        let (mut next, mut wasted) = (0, 0u64);
        let mut start = 0;
        while start < whole {
            let part = self.read(start, PART.min(whole.saturating_sub(start)))?;
            for (sector, at) in part.chunks(num::to_usize(SECTOR)).zip((start..).step_by(4096)) {
                let Some(entry) = self.candidate(sector, at).filter(|_| at >= next) else { continue };
                if self.is_whole(&entry, sector)? {
                    next = at.saturating_add(entry.length);
                    entries.push(entry);
                    continue;
                }
                wasted = wasted.saturating_add(entry.length);
                if wasted > whole.saturating_mul(limits::VHDX_LOG_WASTED) {
                    return Err(FormatError::limit("a VHDX log whose entries overlap each other"));
                }
            }
            start = start.saturating_add(PART);
        }
        Ok(entries)
    }

    /// The entry that a sector begins, as far as its header tells.
    fn candidate(&self, sector: &[u8], at: u64) -> Option<Entry> {
        let (raw, _) = RawEntry::ref_from_prefix(sector).ok()?;
        let (length, tail) = (u64::from(raw.entry_length.get()), u64::from(raw.tail.get()));
        let aligned = (length | tail) & SECTOR.wrapping_sub(1) == 0;
        let fits = (SECTOR..=self.log.length).contains(&length) && tail < self.log.length;
        let ours = raw.signature == *b"loge" && raw.log_guid == self.log.guid.0;
        let descriptors = raw.descriptor_count.get();
        let room = descriptor_bytes(descriptors) <= length;
        (ours && aligned && fits && room && raw.sequence_number.get() != 0).then(|| Entry {
            at,
            length,
            tail,
            sequence: raw.sequence_number.get(),
            descriptors,
            flushed: raw.flushed_file_offset.get(),
            last: raw.last_file_offset.get(),
        })
    }

    /// Whether an entry's checksum is right; `sector` is its first.
    fn is_whole(&self, entry: &Entry, sector: &[u8]) -> Result<bool, FormatError> {
        let stored = le32(sector, 4);
        let mut sum = checksum(sector);
        let mut done = SECTOR;
        while done < entry.length {
            let part = PART.min(entry.length.saturating_sub(done));
            sum = crc32c::crc32c_append(sum, &self.read(self.behind(entry.at, done), part)?);
            done = done.saturating_add(part);
        }
        Ok(is_sound(stored == Some(sum)))
    }

    /// What an entry does, in order.
    pub(super) fn changes(&self, entry: &Entry) -> Result<Vec<Change>, FormatError> {
        let corrupt =
            |problem: String| FormatError::corrupt(NAME, self.log.offset.saturating_add(entry.at), problem);
        let head = descriptor_bytes(entry.descriptors);
        if num::index(entry.descriptors) > limits::VHDX_LOG_DESCRIPTORS {
            return Err(too_many());
        }
        let bytes = self.read(entry.at, head)?;
        let descriptors = bytes.get(size_of::<RawEntry>()..).unwrap_or_default();
        let descriptors = descriptors.chunks_exact(size_of::<RawDescriptor>());
        let mut changes = Vec::new();
        let mut data = head;
        for bytes in descriptors.take(num::index(entry.descriptors)) {
            let Ok(raw) = RawDescriptor::ref_from_bytes(bytes) else { break };
            let start = raw.file_offset.get();
            if raw.sequence_number.get() != entry.sequence || start & SECTOR.wrapping_sub(1) != 0 {
                return Err(corrupt(format!("a descriptor of entry {} for {start:#x}", entry.sequence)));
            }
            let (length, patch) = match &raw.signature {
                b"zero" => (u64::from_le_bytes(raw.leading_bytes), Patch::Zero),
                b"desc" => {
                    let at = self.behind(entry.at, data);
                    data = data.saturating_add(SECTOR);
                    if data > entry.length {
                        return Err(corrupt(format!("entry {} has too few sectors", entry.sequence)));
                    }
                    self.check_sector(at, entry.sequence)?;
                    let host = self.log.offset.saturating_add(at);
                    (SECTOR, Patch::Data { host, first: raw.leading_bytes, last: raw.trailing_bytes })
                }
                other => return Err(corrupt(format!("a descriptor of kind {other:02x?}"))),
            };
            if length & SECTOR.wrapping_sub(1) != 0 || start.checked_add(length).is_none() {
                return Err(corrupt(format!("{length} bytes of zeros at {start:#x}")));
            }
            changes.push(Change { start, end: start.saturating_add(length), patch });
        }
        Ok(changes)
    }

    /// A data sector carries its entry's sequence number in two halves (2.3.1.4).
    fn check_sector(&self, at: u64, sequence: u64) -> Result<(), FormatError> {
        let bytes = self.read(at, SECTOR)?;
        let [low, high] =
            [sequence, sequence.unbounded_shr(32)].map(|half| u32::try_from(half & 0xffff_ffff).ok());
        if !bytes.starts_with(b"data") || le32(&bytes, 4) != high || le32(&bytes, 4092) != low {
            let at = self.log.offset.saturating_add(at);
            return Err(FormatError::corrupt(
                NAME,
                at,
                format!("a data sector that is not of entry {sequence}"),
            ));
        }
        Ok(())
    }
}

/// What a descriptor does to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) patch: Patch,
}

/// What is to be read instead of the file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patch {
    /// Zeros.
    Zero,
    /// A sector: its first and last bytes, and where in the file's log the sector with all others is.
    Data { host: u64, first: [u8; 8], last: [u8; 4] },
}

/// Bytes of an entry's header and descriptors: whole sectors.
fn descriptor_bytes(count: u32) -> u64 {
    let bytes = num::index(count).saturating_mul(size_of::<RawDescriptor>());
    num::to_u64(bytes.saturating_add(size_of::<RawEntry>())).next_multiple_of(SECTOR)
}

/// The error for a log that does too much.
pub(super) fn too_many() -> FormatError {
    FormatError::limit(format!("a VHDX log of more than {} descriptors", limits::VHDX_LOG_DESCRIPTORS))
}
