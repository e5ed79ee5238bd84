//! Members of a tar (POSIX pax interchange format; GNU long names). The header's fields are read by the
//! `tar` crate; the sequence is read here, so that every extension header is bounded.

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::pax;
use crate::{
    error::FormatError,
    fs::Ino,
    fs::{Device, FileKind, GuestPath, Stat, Timestamp, Xattr},
    limits, num,
};

const BLOCK: u64 = 512;
const NAME: &str = "tar header";

/// What a member is.
pub(super) enum Member {
    /// A file, directory, link or device, with its data.
    Entry { path: GuestPath, stat: Stat, target: Vec<u8>, xattrs: Vec<Xattr>, data: Data },
    /// Another name of an earlier member.
    HardLink { path: GuestPath, existing: GuestPath },
}

/// Where a file's bytes are in the archive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    /// In one piece at this offset.
    At(u64),
    /// In pieces, as a sparse member stores them, which are not put together.
    Sparse,
}

/// Reads members from front to back.
pub(super) struct Members<R> {
    inner: R,
    /// Bytes read so far.
    position: u64,
    /// Where the next header is.
    next: u64,
}

/// What extension headers said about the member that follows them.
#[derive(Default)]
struct Extensions {
    /// GNU's long names, which hold against those of a pax header, whichever comes first.
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    pax: Pax,
}

/// The records of a pax header that are used. An empty value keeps what the member's own header says.
#[derive(Default)]
struct Pax {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<Timestamp>,
    /// A sparse member, and its whole size where that is told.
    sparse: Option<Option<u64>>,
    xattrs: Vec<Xattr>,
}

/// Whether this is the stream's end, and not that of a source which is shorter than it should be: that is told with its place.
fn is_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof && error.get_ref().is_none()
}

impl<R: Read> Members<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, position: 0, next: 0 }
    }

    /// What is left of the stream.
    pub(super) fn into_inner(self) -> R {
        self.inner
    }

    /// The next member, `None` at the end of the archive.
    pub(super) fn next(&mut self) -> Result<Option<Member>, FormatError> {
        let mut extensions = Extensions::default();
        loop {
            let at = self.next;
            self.skip_to(at)?;
            let mut block = [0; 512];
            match self.fill(&mut block) {
                Ok(()) => {}
                // Archives without their two empty blocks are common.
                Err(error) if is_end(&error) && self.position == at => return Ok(None),
                Err(error) => return Err(FormatError::reading(NAME, at)(error)),
            }
            if block.iter().all(|byte| *byte == 0) {
                return self.end(at);
            }
            let header = checked(&block, at)?;
            let corrupt = |error: io::Error| FormatError::corrupt(NAME, at, error.to_string());
            let kind = header.entry_type();
            // A pax size is the member's, not that of an extension header on the way to it.
            let size = match extensions.pax.size {
                Some(size) if !is_extension(kind) => size,
                _ => blank_is_zero(&header.as_old().size, header.entry_size()).map_err(corrupt)?,
            };
            if kind == EntryType::GNUSparse {
                self.skip_sparse_map(&block, at)?;
                extensions.pax.sparse = Some(octal(block.get(483..495).unwrap_or_default()));
            }
            let stored = if has_data(kind) { size } else { 0 };
            let padded =
                stored.checked_next_multiple_of(BLOCK).and_then(|length| length.checked_add(self.position));
            self.next = padded.ok_or_else(|| FormatError::corrupt(NAME, at, format!("size {size}")))?;
            match kind {
                EntryType::GNULongName => extensions.long_path = Some(until_nul(&self.extension(at, size)?)),
                EntryType::GNULongLink => extensions.long_link = Some(until_nul(&self.extension(at, size)?)),
                // Of several, the last one alone holds.
                EntryType::XHeader => extensions.pax = Pax::read(&self.extension(at, size)?, at)?,
                EntryType::XGlobalHeader => {}
                _ => match self.member(&header, extensions, stored, at)? {
                    Some(member) => return Ok(Some(member)),
                    None => extensions = Extensions::default(),
                },
            }
        }
    }

    /// After a block of zeros: the archive's end are two. What follows a single one no runtime reads.
    fn end(&mut self, at: u64) -> Result<Option<Member>, FormatError> {
        let mut block = [0; 512];
        match self.fill(&mut block) {
            Ok(()) if block.iter().any(|byte| *byte != 0) => {
                Err(FormatError::corrupt(NAME, at, "a single block of zeros, and more after it"))
            }
            Ok(()) => Ok(None),
            Err(error) if is_end(&error) => Ok(None),
            Err(error) => Err(FormatError::reading(NAME, at)(error)),
        }
    }

    /// The blocks that continue the map of an old GNU sparse member lie between its header and its data.
    fn skip_sparse_map(&mut self, header: &[u8; 512], at: u64) -> Result<(), FormatError> {
        let mut more = header.get(482).is_some_and(|flag| *flag != 0);
        let mut block = [0; 512];
        while more {
            self.fill(&mut block).map_err(FormatError::reading("GNU sparse map", at))?;
            more = block.get(504).is_some_and(|flag| *flag != 0);
        }
        Ok(())
    }

    /// The data of the member that was returned last, of `size` bytes.
    pub(super) fn data(&mut self, size: u64) -> Result<Vec<u8>, FormatError> {
        let at = self.position;
        let mut data = Vec::new();
        data.try_reserve_exact(num::to_usize(size.min(limits::TAR_KEPT_BYTES))).map_err(|_| {
            FormatError::limit(format!("a tar member of {size} bytes does not fit in memory"))
        })?;
        let read = self.inner.by_ref().take(size).read_to_end(&mut data);
        self.position = self.position.saturating_add(num::to_u64(data.len()));
        read.map_err(FormatError::reading("tar member", at))?;
        if num::to_u64(data.len()) < size {
            let problem = format!("{} of {size} bytes, then the archive ends", data.len());
            return Err(FormatError::corrupt("tar member", at, problem));
        }
        Ok(data)
    }

    fn member(
        &self,
        header: &Header,
        extensions: Extensions,
        size: u64,
        at: u64,
    ) -> Result<Option<Member>, FormatError> {
        let corrupt = |error: io::Error| FormatError::corrupt(NAME, at, error.to_string());
        let Extensions { long_path, long_link, pax } = extensions;
        let name = long_path.or(pax.path).unwrap_or_else(|| header.path_bytes().into_owned());
        let link = long_link.or(pax.link).or_else(|| header.link_name_bytes().map(|name| name.into_owned()));
        let target = link.unwrap_or_default();
        let path = GuestPath::new(&name);
        let kind = match header.entry_type() {
            EntryType::Link => return Ok(Some(Member::HardLink { path, existing: GuestPath::new(target) })),
            EntryType::Symlink => FileKind::Symlink,
            EntryType::Directory => FileKind::Directory,
            EntryType::Char => FileKind::CharDevice,
            EntryType::Block => FileKind::BlockDevice,
            EntryType::Fifo => FileKind::Fifo,
            // Version 7 had no type for directories: a slash at the end of the name made one.
            EntryType::Regular if header.as_old().linkflag == [0] && name.ends_with(b"/") => {
                FileKind::Directory
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => FileKind::Regular,
            // An unknown type is passed over, as POSIX lets readers treat it; it has no name in a layer.
            _ => return Ok(None),
        };
        let seconds = i64::try_from(blank_is_zero(&header.as_old().mtime, header.mtime()).map_err(corrupt)?)
            .unwrap_or(i64::MAX);
        let number = |value: io::Result<Option<u32>>| value.ok().flatten().unwrap_or(0);
        let id =
            |value: io::Result<u64>| value.ok().and_then(|id| u32::try_from(id).ok()).unwrap_or(u32::MAX);
        let stat = Stat {
            ino: Ino(0),
            kind,
            mode: blank_is_zero(&header.as_old().mode, header.mode()).map_err(corrupt)? & 0o7777,
            uid: pax.uid.unwrap_or_else(|| id(blank_is_zero(&header.as_old().uid, header.uid()))),
            gid: pax.gid.unwrap_or_else(|| id(blank_is_zero(&header.as_old().gid, header.gid()))),
            links: 1,
            size: match kind {
                FileKind::Symlink => num::to_u64(target.len()),
                _ => pax.sparse.flatten().unwrap_or(size),
            },
            rdev: Device { major: number(header.device_major()), minor: number(header.device_minor()) },
            mtime: pax.mtime.unwrap_or(Timestamp { seconds, nanos: 0 }),
        };
        let data = if pax.sparse.is_some() { Data::Sparse } else { Data::At(self.position) };
        Ok(Some(Member::Entry { path, stat, target, xattrs: pax.xattrs, data }))
    }

    fn extension(&mut self, at: u64, size: u64) -> Result<Vec<u8>, FormatError> {
        if size > limits::TAR_EXTENSION_BYTES {
            let bound = limits::TAR_EXTENSION_BYTES;
            return Err(FormatError::limit(format!(
                "a tar extension header of {size} bytes at {at:#x}, more than {bound}"
            )));
        }
        self.data(size)
    }

    fn skip_to(&mut self, target: u64) -> Result<(), FormatError> {
        let length = target.saturating_sub(self.position);
        let at = self.position;
        let skipped = io::copy(&mut self.inner.by_ref().take(length), &mut io::sink());
        let skipped = skipped.map_err(FormatError::reading("tar member", at))?;
        self.position = self.position.saturating_add(skipped);
        if skipped < length {
            let problem = format!("{skipped} of {length} bytes, then the archive ends");
            return Err(FormatError::corrupt("tar member", at, problem));
        }
        Ok(())
    }

    fn fill(&mut self, buf: &mut [u8]) -> io::Result<()> {
        while let Some(rest) =
            buf.get_mut(num::to_usize(self.position % BLOCK)..).filter(|rest| !rest.is_empty())
        {
            let length = self.inner.read(rest)?;
            self.position = self.position.saturating_add(num::to_u64(length));
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if self.position.is_multiple_of(BLOCK) {
                break;
            }
        }
        Ok(())
    }
}

impl Pax {
    fn read(bytes: &[u8], at: u64) -> Result<Self, FormatError> {
        let mut read = Self::default();
        let corrupt = |problem: String| FormatError::corrupt("pax header", at, problem);
        for (key, value) in pax::records(bytes, at)? {
            if value.is_empty() && !key.starts_with(b"SCHILY.xattr.") {
                continue;
            }
            let text = || str::from_utf8(value).ok();
            let number = || text().and_then(|value| value.parse::<u64>().ok());
            match key {
                b"path" => read.path = Some(value.to_vec()),
                b"linkpath" => read.link = Some(value.to_vec()),
                // Where the next member begins hangs on it.
                b"size" => {
                    let problem = || corrupt(format!("size {:?}", String::from_utf8_lossy(value)));
                    read.size = Some(number().ok_or_else(problem)?);
                }
                b"uid" => read.uid = text().and_then(|value| value.parse().ok()),
                b"gid" => read.gid = text().and_then(|value| value.parse().ok()),
                b"mtime" => read.mtime = text().and_then(timestamp),
                b"GNU.sparse.name" => read.path = Some(value.to_vec()),
                b"GNU.sparse.size" | b"GNU.sparse.realsize" => read.sparse = Some(number()),
                key if key.starts_with(b"GNU.sparse.") => _ = read.sparse.get_or_insert(None),
                key => {
                    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        read.xattrs.push(Xattr { name: name.to_vec(), value: value.to_vec() });
                    }
                }
            }
        }
        Ok(read)
    }
}

/// A number of the old GNU sparse header.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.split(|byte| matches!(byte, 0 | b' ')).next()?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// `seconds[.fraction]`, possibly negative.
fn timestamp(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let (seconds, nanos) = (seconds.parse::<i64>().ok()?, digits.parse::<u32>().ok()?);
    if text.starts_with('-') && nanos > 0 {
        return Some(Timestamp {
            seconds: seconds.checked_sub(1)?,
            nanos: 1_000_000_000u32.checked_sub(nanos)?,
        });
    }
    Some(Timestamp { seconds, nanos })
}

fn is_extension(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader
    )
}

fn has_data(kind: EntryType) -> bool {
    !matches!(
        kind,
        EntryType::Link
            | EntryType::Symlink
            | EntryType::Directory
            | EntryType::Char
            | EntryType::Block
            | EntryType::Fifo
    )
}

/// A number field that was left blank is 0, as runtimes read it.
fn blank_is_zero<T: Default>(field: &[u8], value: io::Result<T>) -> io::Result<T> {
    if field.iter().all(|byte| matches!(byte, 0 | b' ')) { Ok(T::default()) } else { value }
}

fn until_nul(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// A header whose checksum holds: the sum of its bytes, those of the checksum itself taken as spaces.
fn checked(block: &[u8; 512], at: u64) -> Result<Header, FormatError> {
    let header = Header::from_byte_slice(block).clone();
    let field = 148..156;
    let sum = block.iter().enumerate().fold(0u32, |sum, (number, byte)| {
        sum.saturating_add(if field.contains(&number) { 32 } else { u32::from(*byte) })
    });
    match header.cksum() {
        Ok(stored) if stored == sum => Ok(header),
        Ok(stored) => Err(FormatError::corrupt(NAME, at, format!("checksum {stored}, computed {sum}"))),
        Err(error) => Err(FormatError::corrupt(NAME, at, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_and_fractions() {
        assert_eq!(timestamp("1.5"), Some(Timestamp { seconds: 1, nanos: 500_000_000 }));
        assert_eq!(timestamp("-1.25"), Some(Timestamp { seconds: -2, nanos: 750_000_000 }));
        assert_eq!(timestamp("7"), Some(Timestamp { seconds: 7, nanos: 0 }));
        assert_eq!(timestamp("x"), None);
    }
}
