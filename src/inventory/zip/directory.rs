//! The central directory of a zip archive and the records that lead to it (PKWARE, APPNOTE.TXT, 4.3.12 to 4.3.16), found
//! as Java finds them: from the end, so that an archive may have anything before it.

use std::sync::Arc;

use super::{Budget, Member};
use crate::{
    block::{self, Source},
    bytes::{le16, le32, le64, part},
    error::FormatError,
    inventory::Extraction,
    limits, num,
};

const END: &str = "zip end record";
const DIRECTORY: &str = "zip central directory";
const HEADER: &[u8] = b"PK\x01\x02";
const END_LENGTH: usize = 22;
const LOCATOR_LENGTH: u64 = 20;
const END64_LENGTH: usize = 56;
/// The first read from the end: the records of an archive without a comment, and the directory of a small one.
const SHORT_TAIL: u64 = 4096;
/// What the longest comment leaves room for.
const LONG_TAIL: u64 = 22 + 65_535;

/// A central directory.
pub(in crate::inventory) struct Directory {
    bytes: Vec<u8>,
    /// Where it begins in the source.
    at: u64,
    /// Bytes before the archive: what it says of offsets is counted from there.
    before: u64,
}

impl Directory {
    /// The directory of the archive that ends where the source ends; `None` if nothing there ends an archive.
    pub(in crate::inventory) fn read(
        source: &Source,
        budget: &mut Budget,
    ) -> Result<Option<Self>, FormatError> {
        let mut tail = Tail::default();
        for length in [SHORT_TAIL, LONG_TAIL] {
            let length = length.min(source.size());
            if length <= num::to_u64(tail.bytes.len()) {
                break;
            }
            budget.list(length)?;
            let at = source.size().saturating_sub(length);
            tail = Tail { at, bytes: block::read_vec(source, END, at, num::to_usize(length))? };
            if let Some(end) = tail.end(source)? {
                return Self::before(&end, source, &tail, budget).map(Some);
            }
        }
        Ok(None)
    }

    fn before(end: &End, source: &Source, tail: &Tail, budget: &mut Budget) -> Result<Self, FormatError> {
        let bad = |problem: String| FormatError::corrupt(END, end.at, problem);
        let End { until, size, offset, .. } = *end;
        if size > limits::ZIP_DIRECTORY_BYTES {
            let bound = limits::ZIP_DIRECTORY_BYTES;
            return Err(FormatError::limit(format!("{DIRECTORY} of {size} bytes, more than {bound}")));
        }
        let at = until.checked_sub(size).ok_or_else(|| bad(format!("a directory of {size} bytes")))?;
        let before = at.checked_sub(offset);
        let before =
            before.ok_or_else(|| bad(format!("a directory at {offset:#x} that begins at {at:#x}")))?;
        let length = num::to_usize(size);
        let bytes = match at.checked_sub(tail.at) {
            Some(start) => part(&tail.bytes, num::to_usize(start), length).map(<[u8]>::to_vec),
            None => None,
        };
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => {
                budget.list(size)?;
                block::read_vec(source, DIRECTORY, at, length)?
            }
        };
        Ok(Self { bytes, at, before })
    }

    /// The names and places of its members, in its order; an error is the last.
    pub(in crate::inventory) fn members(&self) -> impl Iterator<Item = Result<(&[u8], Member), FormatError>> {
        let mut at = 0usize;
        std::iter::from_fn(move || {
            let rest = self.bytes.get(at..).filter(|rest| rest.starts_with(HEADER) || !is_end(rest))?;
            let member = self.member(rest);
            at = match &member {
                Ok((_, _, length)) => at.saturating_add(*length),
                Err(_) => self.bytes.len(),
            };
            let place = self.at.saturating_add(num::to_u64(self.bytes.len().saturating_sub(rest.len())));
            Some(match member {
                Ok((name, member, _)) => Ok((name, member)),
                Err(problem) => Err(FormatError::corrupt(DIRECTORY, place, problem)),
            })
        })
    }

    /// The members with a name that is wanted, in the order of the disk; what stands between them and the others is lost, and
    /// told.
    pub(in crate::inventory) fn choose(
        &self,
        is_wanted: &dyn Fn(&[u8]) -> bool,
        found: &mut Extraction,
    ) -> Vec<(Arc<str>, Member)> {
        let mut chosen = Vec::new();
        for member in self.members() {
            let (name, member) = match member {
                Ok(member) => member,
                Err(error) => {
                    found.lose(error);
                    break;
                }
            };
            if !is_wanted(name) {
                continue;
            }
            let problem = if name.len() > limits::PATH_BYTES {
                format!("a member's name of more than {} bytes", limits::PATH_BYTES)
            } else if chosen.len() >= limits::ZIP_MEMBERS {
                format!("more than {} members of one archive that name packages", limits::ZIP_MEMBERS)
            } else {
                chosen.push((String::from_utf8_lossy(name).into(), member));
                continue;
            };
            found.lose(FormatError::limit(problem));
            break;
        }
        chosen.sort_by_key(|(_, member)| member.at);
        chosen
    }

    /// Whether the name of a member begins so.
    pub(in crate::inventory) fn has(&self, start: &str) -> bool {
        self.members().flatten().any(|(name, _)| name.starts_with(start.as_bytes()))
    }

    /// The first member of `rest`, and the length of its header.
    fn member<'a>(&self, rest: &'a [u8]) -> Result<(&'a [u8], Member, usize), &'static str> {
        if !rest.starts_with(HEADER) {
            return Err("no header of a member");
        }
        let header: &[u8; 46] = rest.first_chunk().ok_or("a header that is cut")?;
        let (half, word) = (|at| le16(header, at).unwrap_or(0), |at| le32(header, at).unwrap_or(0));
        let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(half(at)));
        let fields = name.saturating_add(extra);
        let (name, extra) = part(rest, header.len(), fields)
            .and_then(|fields| fields.split_at_checked(name))
            .ok_or("a name that is cut")?;
        let (mut size, mut packed, mut offset) =
            (u64::from(word(24)), u64::from(word(20)), u64::from(word(42)));
        // Each of these is there only if it does not fit in the header (4.5.3).
        let mut long = wide(extra);
        for field in [&mut size, &mut packed, &mut offset] {
            if *field == u64::from(u32::MAX) && !long.is_empty() {
                *field = le64(long, 0).ok_or("a number of 64 bits that is cut")?;
                long = long.get(8..).unwrap_or_default();
            }
        }
        let at = self.before.checked_add(offset).ok_or("an offset of more than 64 bits")?;
        let member = Member { flags: half(8), method: half(10), sum: word(16), packed, size, at };
        Ok((name, member, header.len().saturating_add(fields).saturating_add(comment)))
    }
}

/// Whether a directory is over: at its end, or at its signature (4.3.13).
fn is_end(rest: &[u8]) -> bool {
    rest.is_empty() || rest.starts_with(b"PK\x05\x05")
}

/// The extra field with numbers of 64 bits, empty if there is none.
fn wide(mut extra: &[u8]) -> &[u8] {
    while let (Some(kind), Some(length)) = (le16(extra, 0), le16(extra, 2)) {
        let Some(field) = part(extra, 4, usize::from(length)) else { break };
        if kind == 1 {
            return field;
        }
        extra = extra.get(field.len().saturating_add(4)..).unwrap_or_default();
    }
    &[]
}

/// The last bytes of a source.
#[derive(Default)]
struct Tail {
    at: u64,
    bytes: Vec<u8>,
}

/// What the end record says of the directory.
struct End {
    /// Where the record is.
    at: u64,
    /// Where the directory ends.
    until: u64,
    size: u64,
    offset: u64,
}

impl Tail {
    /// The end record. A comment may hold what looks like one: that with nothing behind its comment is taken, or one
    /// that a directory lies before.
    fn end(&self, source: &Source) -> Result<Option<End>, FormatError> {
        let mut tried = 0;
        let mut bytes = self.bytes.as_slice();
        while let Some(start) = last(bytes) {
            let record = self.bytes.get(start..).unwrap_or_default();
            let at = self.at.saturating_add(num::to_u64(start));
            let comment = le16(record, 20).unwrap_or(0);
            let end = self.record(source, at, record)?;
            if record.len() == END_LENGTH.saturating_add(usize::from(comment)) || end.is_behind(source) {
                return Ok(Some(end));
            }
            tried = u64::saturating_add(tried, 1);
            if tried > limits::ZIP_END_RECORDS {
                let bound = limits::ZIP_END_RECORDS;
                return Err(FormatError::limit(format!("more than {bound} places that look like a {END}")));
            }
            bytes = bytes.get(..start.saturating_add(END_LENGTH.saturating_sub(1))).unwrap_or_default();
        }
        Ok(None)
    }

    fn record(&self, source: &Source, at: u64, record: &[u8]) -> Result<End, FormatError> {
        let word = |at| le32(record, at).unwrap_or(0);
        let (size, offset) = (word(12), word(16));
        let long = size == u32::MAX || offset == u32::MAX || le16(record, 10) == Some(u16::MAX);
        if long && let Some(end) = long_end(source, at)? {
            return Ok(end);
        }
        Ok(End { at, until: at, size: u64::from(size), offset: u64::from(offset) })
    }
}

impl End {
    /// Whether a directory begins where this record says.
    fn is_behind(&self, source: &Source) -> bool {
        let mut header = [0; 4];
        let start = self.until.checked_sub(self.size).filter(|start| *start >= self.offset);
        start.is_some_and(|start| source.read_at(&mut header, start).is_ok() && header == HEADER)
    }
}

/// The record of an archive whose numbers need 64 bits, if there is one (4.3.14 and 4.3.15). What stands before an archive
/// may not be counted in the place that the locator tells.
fn long_end(source: &Source, end: u64) -> Result<Option<End>, FormatError> {
    let Some(locator) = end.checked_sub(LOCATOR_LENGTH) else { return Ok(None) };
    let bytes = block::read_vec(source, END, locator, num::to_usize(LOCATOR_LENGTH))?;
    if !bytes.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let near = locator.checked_sub(num::to_u64(END64_LENGTH));
    for at in [le64(&bytes, 8), near].into_iter().flatten() {
        if at.checked_add(num::to_u64(END64_LENGTH)).is_none_or(|end| end > locator) {
            continue;
        }
        let record = block::read_vec(source, END, at, END64_LENGTH)?;
        if let (true, Some(size), Some(offset)) =
            (record.starts_with(b"PK\x06\x06"), le64(&record, 40), le64(&record, 48))
        {
            return Ok(Some(End { at, until: at, size, offset }));
        }
    }
    Ok(None)
}

/// Where the last end record of some bytes begins.
fn last(bytes: &[u8]) -> Option<usize> {
    bytes.windows(END_LENGTH).rposition(|record| record.starts_with(b"PK\x05\x06"))
}
