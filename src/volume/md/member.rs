//! A member's data without what the array knows to be bad there.

use std::{io, ops::Range, sync::Arc};

use super::superblock::Superblock;
use crate::{
    block::{ReadAt, Source, check_range, read_vec},
    error::FormatError,
    num,
};

const LIST: &str = "MD bad block list";
const SECTOR: u64 = 512;
/// A list ends with an entry of ones.
const END: u64 = u64::MAX;

/// The data of one member.
pub(super) struct Member {
    /// How errors name it, with its array.
    name: String,
    source: Source,
    /// Where its data begins.
    start: u64,
    /// Bytes of data.
    size: u64,
    /// What must not be read.
    bad: Bad,
}

impl ReadAt for Member {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size, offset, buf.len()).map_err(|error| self.failed(error))?;
        let begin = self.start.saturating_add(offset);
        let end = begin.saturating_add(num::to_u64(buf.len()));
        let bad = self.bad.iter().find(|(bad, _)| bad.start < end && bad.end > begin);
        if let Some((bad, why)) = bad {
            let problem = format!("{why}, on {}", self.name);
            return Err(FormatError::corrupt("MD member", bad.start, problem).into());
        }
        self.source.read_at(buf, begin).map_err(|error| self.failed(error))
    }

    fn will_need(&self, offset: u64, length: u64) {
        self.source.will_need(self.start.saturating_add(offset), length);
    }
}

impl Member {
    /// The data of a member that begins at `start`; `bad` is what its list names.
    pub(super) fn new(name: String, source: &Source, superblock: &Superblock, start: u64, bad: &Bad) -> Self {
        let mut bad = bad.clone();
        if superblock.recovered < superblock.data_size {
            bad.push((start.saturating_add(superblock.recovered)..u64::MAX, "not recovered yet"));
        }
        // It ends where it did.
        let end = superblock.data.saturating_add(superblock.data_size);
        Self { name, source: Arc::clone(source), start, size: end.saturating_sub(start), bad }
    }

    /// The same error with the member's name.
    fn failed(&self, error: io::Error) -> io::Error {
        let kind = error.kind();
        let name = &self.name;
        match error.downcast::<FormatError>() {
            Ok(FormatError::Corrupt { structure, offset, problem }) => {
                FormatError::Corrupt { structure, offset, problem: format!("{problem}, on {name}") }.into()
            }
            Ok(FormatError::Unsupported { code, what }) => {
                FormatError::Unsupported { code, what: format!("{what}, on {name}") }.into()
            }
            Ok(FormatError::Read { structure, offset, source }) => {
                let source = io::Error::new(source.kind(), format!("{source}, on {name}"));
                FormatError::Read { structure, offset, source }.into()
            }
            Err(error) => io::Error::new(kind, format!("{error}, on {name}")),
        }
    }
}

/// What of a member must not be read, in bytes of `source`, and why.
pub(super) type Bad = Vec<(Range<u64>, &'static str)>;

/// The blocks that a member's list names.
pub(super) fn bad(source: &dyn ReadAt, superblock: &Superblock) -> Result<Bad, FormatError> {
    let mut bad = Vec::new();
    if let Some((at, length, shift)) = superblock.bad_blocks {
        let list = read_vec(source, LIST, at, num::to_usize(length))?;
        let entries = list.chunks_exact(8).filter_map(|entry| entry.first_chunk());
        for entry in entries.map(|entry| u64::from_le_bytes(*entry)).take_while(|entry| *entry != END) {
            // Ten bits of length, above them the first sector of the device.
            let bytes =
                |units: u64| units.checked_mul(1u64.checked_shl(u32::from(shift))?)?.checked_mul(SECTOR);
            let range = bytes(entry >> 10).zip(bytes(entry & 0x3ff));
            let range = range.and_then(|(start, length)| Some(start..start.checked_add(length)?));
            let range = range.ok_or_else(|| FormatError::corrupt(LIST, at, format!("entry {entry:#x}")))?;
            bad.push((range, "a bad block"));
        }
    }
    Ok(bad)
}
