//! A volume that is made of pieces of others: what LVM and MD call linear, striped and mirrored, and RAID.

use std::{io, sync::Arc};

use super::{
    raid::{Copies, Parity, by_pages},
    runs,
};
use crate::{
    block::{ReadAt, Source, check_range},
    error::FormatError,
    gap::Code,
    num,
};

/// Bytes of a volume, from front to back.
pub(super) struct Mapped {
    size: u64,
    /// By where they begin; each ends where the next begins.
    runs: Vec<(u64, Run)>,
}

/// How a run of bytes is stored.
pub(super) enum Run {
    /// Chunks of `size` bytes, one part after the other.
    Striped { parts: Vec<Part>, size: u64 },
    /// Every part holds everything: the first that can be read serves.
    Mirrored { parts: Vec<Part> },
    /// RAID 4, 5 or 6.
    Parity(Parity),
    /// RAID 10.
    Copies(Copies),
    /// Zeros.
    Zero,
}

/// Where a part of a run begins: on a source, or nowhere, and then why.
pub(super) enum Part {
    At(Source, u64),
    Missing(String),
}

impl Mapped {
    /// A volume of these runs, each with its length in bytes.
    pub(super) fn new(lengths: impl IntoIterator<Item = (u64, Run)>) -> Self {
        let mut size = 0u64;
        let mut runs = Vec::new();
        for (length, run) in lengths {
            runs.push((size, run));
            size = size.saturating_add(length);
        }
        Self { size, runs }
    }

    /// Calls `visit` with each run that holds bytes of the range: the run, the offset in it, and the part of the range.
    fn each(
        &self,
        offset: u64,
        length: u64,
        mut visit: impl FnMut(&Run, u64, std::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut done = 0u64;
        let first = self.runs.partition_point(|(start, _)| *start <= offset).saturating_sub(1);
        let ends = self.runs.iter().skip(1).map(|(start, _)| *start).chain([self.size]).skip(first);
        for ((start, run), end) in self.runs.iter().skip(first).zip(ends) {
            let at = offset.saturating_add(done);
            let here = end.saturating_sub(at).min(length.saturating_sub(done));
            if here == 0 {
                break;
            }
            let next = done.saturating_add(here);
            visit(run, at.saturating_sub(*start), num::to_usize(done)..num::to_usize(next))?;
            done = next;
        }
        Ok(())
    }
}

impl ReadAt for Mapped {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size, offset, buf.len())?;
        self.each(offset, num::to_u64(buf.len()), |run, at, range| {
            run.read(buf.get_mut(range).unwrap_or_default(), at)
        })
    }

    fn will_need(&self, offset: u64, length: u64) {
        let length = length.min(self.size.saturating_sub(offset));
        // A hint cannot fail.
        let _ = self.each(offset, length, |run, at, range| {
            run.will_need(at, num::to_u64(range.len()));
            Ok(())
        });
    }
}

impl Run {
    fn read(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        match self {
            Self::Zero => {
                buf.fill(0);
                Ok(())
            }
            Self::Parity(parity) => parity.read(buf, at),
            Self::Copies(copies) => copies.read(buf, at),
            Self::Mirrored { parts } => by_pages(buf, at, |buf, at| {
                let mut failure = None;
                for part in parts {
                    match part.read(buf, at) {
                        Ok(()) => return Ok(()),
                        // A copy that is there tells more than one that is not.
                        Err(error) if failure.is_none() || part.is_there() => failure = Some(error),
                        Err(_) => {}
                    }
                }
                Err(failure.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()))
            }),
            Self::Striped { parts, size } => {
                let run = |at, length| {
                    let (part, inside, left) = stripe(parts, *size, at)?;
                    Ok(((part, inside), left.min(length)))
                };
                runs::read(buf, at, run, |(part, inside), piece, _| part.read(piece, inside))
            }
        }
    }

    fn will_need(&self, at: u64, length: u64) {
        match self {
            Self::Zero => {}
            Self::Parity(parity) => parity.will_need(at, length),
            Self::Copies(copies) => copies.will_need(at, length),
            Self::Mirrored { parts } => {
                if let Some(part) = parts.iter().find(|part| part.is_there()) {
                    part.will_need(at, length);
                }
            }
            Self::Striped { parts, size } => {
                runs::hint(at, length, |at, wanted| {
                    let (part, inside, left) = stripe(parts, *size, at).ok()?;
                    let here = left.min(wanted).max(1);
                    part.will_need(inside, here);
                    Some(here)
                });
            }
        }
    }
}

/// The part that holds a byte of a striped run, the byte's place in it, and how many bytes follow there.
fn stripe(parts: &[Part], size: u64, at: u64) -> io::Result<(&Part, u64, u64)> {
    if let [only] = parts {
        return Ok((only, at, u64::MAX));
    }
    let count = num::to_u64(parts.len());
    let found = at.checked_div(size).zip(at.checked_rem(size)).and_then(|(chunk, inside)| {
        let row = chunk.checked_div(count)?.checked_mul(size)?;
        let part = parts.get(num::to_usize(chunk.checked_rem(count)?))?;
        Some((part, row.checked_add(inside)?, size.saturating_sub(inside)))
    });
    found.ok_or_else(|| {
        FormatError::corrupt("striped volume", at, format!("{count} stripes of {size} bytes")).into()
    })
}

impl Part {
    /// Whether it is on a source.
    pub(super) fn is_there(&self) -> bool {
        matches!(self, Self::At(..))
    }

    /// The same without its first bytes.
    pub(super) fn behind(&self, bytes: u64) -> Self {
        match self {
            Self::At(source, start) => Self::At(Arc::clone(source), start.saturating_add(bytes)),
            Self::Missing(what) => Self::Missing(what.clone()),
        }
    }

    pub(super) fn will_need(&self, at: u64, length: u64) {
        if let Self::At(source, start) = self {
            source.will_need(start.saturating_add(at), length);
        }
    }

    pub(super) fn read(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        match self {
            Self::At(source, start) => source.read_at(buf, start.saturating_add(at)),
            Self::Missing(what) => {
                Err(FormatError::Unsupported { code: Code::MissingDisk, what: what.clone() }.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    fn part(bytes: &[u8], start: u64) -> Part {
        Part::At(Arc::new(Memory::new(bytes.to_vec())), start)
    }

    fn read(volume: &Mapped, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut buf = vec![0; length];
        volume.read_at(&mut buf, offset).map(|()| buf)
    }

    fn volume() -> Mapped {
        let missing = || Part::Missing("a disk".to_owned());
        Mapped::new([
            (4, Run::Striped { parts: vec![part(b"xabcd", 1)], size: 0 }),
            (8, Run::Striped { parts: vec![part(b"efij", 0), part(b"ghkl", 0)], size: 2 }),
            (2, Run::Zero),
            (2, Run::Mirrored { parts: vec![missing(), part(b"mn", 0)] }),
            (2, Run::Striped { parts: vec![missing()], size: 0 }),
        ])
    }

    #[test]
    fn runs_follow_each_other() {
        let volume = volume();
        assert_eq!(read(&volume, 0, 16).unwrap(), b"abcdefghijkl\0\0mn");
        for (offset, length) in [(0, 1), (3, 2), (5, 6), (11, 5), (14, 2)] {
            let whole = b"abcdefghijkl\0\0mn";
            let at = usize::try_from(offset).unwrap();
            assert_eq!(read(&volume, offset, length).unwrap(), whole[at..at + length], "{offset}");
        }
    }

    #[test]
    fn what_is_missing_is_told_where_it_is_read() {
        let error = FormatError::reading("x", 0)(read(&volume(), 15, 2).unwrap_err());
        assert_eq!((error.code(), error.detail().as_str()), (Code::MissingDisk, "a disk"));
        assert!(read(&volume(), 17, 2).is_err());
        volume().will_need(0, 100);
    }
}
