//! A member of a zip archive (PKWARE, APPNOTE.TXT, 4.3.7 and 4.4): stored or deflated, read only as far as it is asked for.

use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};

use crate::{
    block::{self, ReadAt, Slice, Source},
    bytes::{is_sound, le16},
    error::FormatError,
    num,
};

const LOCAL: &str = "zip local header";
const MEMBER: &str = "zip member";
const LOCAL_LENGTH: usize = 30;
const ENCRYPTED: u16 = 1;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Bytes that are read at once of what is compressed.
const STEP: u64 = 32 * 1024;

/// What a directory says of a member, which is not yet believed.
#[derive(Debug, Clone, Copy)]
pub(in crate::inventory) struct Member {
    /// 4.4.4.
    pub flags: u16,
    /// How it is compressed.
    pub method: u16,
    /// Its CRC-32.
    pub sum: u32,
    /// Bytes in the archive.
    pub packed: u64,
    /// Bytes when unpacked.
    pub size: u64,
    /// Where its header is in the source.
    pub at: u64,
}

impl Member {
    /// Its bytes in place, if they are stored as they are.
    pub(in crate::inventory) fn stored(&self, source: &Source) -> Result<Option<Source>, FormatError> {
        if self.method != STORED {
            return Ok(None);
        }
        let at = self.data(source)?;
        if self.packed != self.size || at.checked_add(self.size).is_none_or(|end| end > source.size()) {
            let problem = format!("{} stored bytes for {}", self.packed, self.size);
            return Err(FormatError::corrupt(MEMBER, self.at, problem));
        }
        Ok(Some(Arc::new(Slice::new(Arc::clone(source), at, self.size))))
    }

    /// Its bytes, refused if they are not as many as the directory says or not those of its checksum. The caller bounds
    /// [`size`](Self::size).
    pub(in crate::inventory) fn read(&self, source: &Source) -> Result<Vec<u8>, FormatError> {
        // A byte more than there should be, to see whether it is there.
        let room = num::to_usize(self.size).saturating_add(1);
        let bytes = self.unpack(source, room, &|_| false)?;
        if num::to_u64(bytes.len()) != self.size {
            let more = if num::to_u64(bytes.len()) > self.size { "more" } else { "fewer" };
            return Err(FormatError::corrupt(MEMBER, self.at, format!("{more} than {} bytes", self.size)));
        }
        let sum = crc32fast::hash(&bytes);
        if !is_sound(sum == self.sum) {
            let problem = format!("checksum {sum:#010x}, the directory says {:#010x}", self.sum);
            return Err(FormatError::corrupt(MEMBER, self.at, problem));
        }
        Ok(bytes)
    }

    /// Its first bytes, at most about `limit`, and no more than are needed for `is_enough`.
    pub(in crate::inventory) fn begin(
        &self,
        source: &Source,
        limit: usize,
        is_enough: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, FormatError> {
        self.unpack(source, limit, is_enough)
    }

    fn unpack(
        &self,
        source: &Source,
        room: usize,
        is_enough: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, FormatError> {
        let mut unpacking = Unpacking::new(source, self)?;
        let mut bytes = Vec::new();
        while !unpacking.ended && bytes.len() < room && !is_enough(&bytes) {
            // Grows as it is filled: a size that is a lie takes no memory.
            let step = num::to_usize(STEP).max(bytes.len()).min(room.saturating_sub(bytes.len()));
            bytes.try_reserve_exact(step).map_err(|_| {
                FormatError::limit(format!("{MEMBER} of {room} bytes does not fit in memory"))
            })?;
            unpacking.more(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// Where its bytes begin: behind a header whose fields may be longer than those of the directory.
    fn data(&self, source: &Source) -> Result<u64, FormatError> {
        if self.flags & ENCRYPTED != 0 {
            return Err(FormatError::unsupported("encrypted members of archives"));
        }
        let mut header = [0; LOCAL_LENGTH];
        source.read_at(&mut header, self.at).map_err(FormatError::reading(LOCAL, self.at))?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(FormatError::corrupt(LOCAL, self.at, "no signature"));
        }
        let fields = [26, 28].map(|at| u64::from(le16(&header, at).unwrap_or(0)));
        let length = fields.iter().fold(num::to_u64(LOCAL_LENGTH), |sum, field| sum.saturating_add(*field));
        self.at.checked_add(length).ok_or_else(|| FormatError::corrupt(LOCAL, self.at, "past all offsets"))
    }
}

/// A member that is being unpacked.
struct Unpacking<'a> {
    source: &'a Source,
    /// Where its header is, for errors.
    at: u64,
    /// What is to be read next, and how much there is.
    next: u64,
    left: u64,
    stream: Option<Decompress>,
    input: Vec<u8>,
    /// Bytes of `input` that were used.
    used: usize,
    ended: bool,
}

impl<'a> Unpacking<'a> {
    fn new(source: &'a Source, member: &Member) -> Result<Self, FormatError> {
        let stream = match member.method {
            STORED => None,
            DEFLATED => Some(Decompress::new(false)),
            other => return Err(FormatError::unsupported(format!("zip compression method {other}"))),
        };
        let next = member.data(source)?;
        Ok(Self {
            source,
            at: member.at,
            next,
            left: member.packed,
            stream,
            input: Vec::new(),
            used: 0,
            ended: false,
        })
    }

    /// Appends bytes as far as there is room in `out`.
    fn more(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        if self.used == self.input.len() && self.left > 0 {
            let step = self.left.min(STEP);
            self.input = block::read_vec(self.source, MEMBER, self.next, num::to_usize(step))?;
            self.used = 0;
            self.next = self.next.saturating_add(step);
            self.left = self.left.saturating_sub(step);
        }
        let unread = self.input.get(self.used..).unwrap_or_default();
        let before = out.len();
        let used = match &mut self.stream {
            None => {
                let room = out.capacity().saturating_sub(before);
                let taken = unread.get(..room).unwrap_or(unread);
                out.extend_from_slice(taken);
                self.ended = self.left == 0 && taken.len() == unread.len();
                taken.len()
            }
            Some(stream) => {
                let start = stream.total_in();
                let status = stream
                    .decompress_vec(unread, out, FlushDecompress::None)
                    .map_err(|error| FormatError::corrupt(MEMBER, self.at, error.to_string()))?;
                self.ended = status == Status::StreamEnd;
                num::to_usize(stream.total_in().saturating_sub(start))
            }
        };
        self.used = self.used.saturating_add(used);
        if !self.ended && used == 0 && out.len() == before && self.left == 0 {
            return Err(FormatError::corrupt(MEMBER, self.at, "compressed data ends too early"));
        }
        Ok(())
    }
}
