//! The headers: two, of which the valid one with the larger sequence number is current ([MS-VHDX] 2.2.2).

use zerocopy::FromBytes;

use super::{
    checksum::checksum,
    format::{HEADER_BYTES, HEADERS, MIB, RawHeader},
};
use crate::{
    block::{ReadAt, read_vec},
    bytes::is_sound,
    disk::guid::Guid,
    error::FormatError,
};

const NAME: &str = "VHDX header";

/// The current header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Where it is.
    pub(super) offset: u64,
    sequence: u64,
    version: u16,
    /// By which a child knows the content on which it was made.
    pub(super) data_write: Guid,
    /// The log, if it holds what is not in its place yet.
    pub(super) log: Option<Log>,
    /// Where the log is, whether it is empty or not: start and end.
    pub(super) log_region: (u64, u64),
}

/// Where the log is, and which of its entries are of this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) guid: Guid,
    pub(super) version: u16,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// The current header, and what must be told of the other one.
pub(super) fn current(file: &dyn ReadAt) -> Result<(Header, Option<FormatError>), FormatError> {
    let [first, second] = HEADERS.map(|at| Header::read(file, at));
    let (header, note) = match (first, second) {
        (Ok(first), Ok(second)) if first.sequence == second.sequence => {
            let same = Header { offset: second.offset, ..first.clone() } == second;
            let problem = format!("both have the sequence number {}", first.sequence);
            (first, (!same).then(|| FormatError::corrupt(NAME, second.offset, problem)))
        }
        (Ok(first), Ok(second)) => (if first.sequence > second.sequence { first } else { second }, None),
        // A writer that was stopped leaves one of them torn; what else damaged it may have lost the log.
        (Ok(header), Err(error)) | (Err(error), Ok(header)) => {
            let problem = format!("the other one is used: {}", error.detail());
            let at = HEADERS.into_iter().find(|at| *at != header.offset).unwrap_or(0);
            (header, Some(FormatError::corrupt(NAME, at, problem)))
        }
        (Err(error), Err(_)) => return Err(error),
    };
    if header.version != 1 {
        return Err(FormatError::unsupported(format!("a VHDX of version {}", header.version)));
    }
    Ok((header, note))
}

impl Header {
    fn read(file: &dyn ReadAt, at: u64) -> Result<Self, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(NAME, at, problem);
        let bytes = read_vec(file, NAME, at, HEADER_BYTES)?;
        let (raw, _) = RawHeader::ref_from_prefix(&bytes).map_err(|_| corrupt("it is cut".to_owned()))?;
        if raw.signature != *b"head" {
            return Err(corrupt(format!("signature {:02x?}", raw.signature)));
        }
        let (stored, computed) = (raw.checksum.get(), checksum(&bytes));
        if !is_sound(stored == computed) {
            return Err(corrupt(format!("checksum {stored:#010x}, not {computed:#010x}")));
        }
        let (offset, length) = (raw.log_offset.get(), u64::from(raw.log_length.get()));
        let end = offset.checked_add(length);
        let end = end.filter(|_| offset >= MIB && (offset | length) & MIB.wrapping_sub(1) == 0);
        let end = end.ok_or_else(|| corrupt(format!("a log of {length} bytes at {offset:#x}")))?;
        let version = raw.log_version.get();
        let log = Log { guid: Guid(raw.log_guid), version, offset, length };
        Ok(Self {
            offset: at,
            sequence: raw.sequence_number.get(),
            version: raw.version.get(),
            data_write: Guid(raw.data_write_guid),
            log: (raw.log_guid != [0; 16]).then_some(log),
            log_region: (offset, end),
        })
    }
}
