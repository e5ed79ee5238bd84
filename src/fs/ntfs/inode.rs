//! A file: its record with all attributes, and what `stat(2)` tells of it.

use super::{
    attribute::{
        ATTRIBUTE_LIST, Attribute, DATA, FILE_NAME, INDEX_ALLOCATION, REPARSE_POINT, STANDARD_INFORMATION,
    },
    index::{self, I30},
    list,
    record::Record,
    reparse::{self, Reparse},
    volume::Volume,
};
use crate::{
    bytes::{le32, le64},
    error::FormatError,
    fs::{Device, FileKind, Ino, Stat, Timestamp},
    num,
};

/// Flags of a file ("File Attribute flags").
pub(super) const SYSTEM: u32 = 0x4;
pub(super) const REPARSE: u32 = 0x400;

/// Between 1601 and 1970, in units of 100 ns.
const EPOCH: i64 = 116_444_736_000_000_000;

/// A file, directory or link.
pub(super) struct Inode {
    pub(super) record: Record,
    attributes: Vec<Attribute>,
}

impl Inode {
    /// The file that a reference names.
    pub(super) fn load(volume: &Volume, reference: u64) -> Result<Self, FormatError> {
        let record = volume.record(reference)?;
        if record.base != 0 {
            return Err(record.corrupt("it is a part of another file"));
        }
        let entries = list::read(&volume.cached, &volume.boot, &record)?;
        let attributes = list::gather(&record, &entries, |reference| volume.record(reference))?;
        Ok(Self { record, attributes })
    }

    /// The attribute of this type and name.
    pub(super) fn attribute(&self, kind: u32, name: &[u16]) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.is(kind, name))
    }

    /// Its attributes of one type.
    pub(super) fn attributes(&self, kind: u32) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(move |attribute| attribute.kind == kind)
    }

    pub(super) fn corrupt(&self, problem: impl std::fmt::Display) -> FormatError {
        self.record.corrupt(problem)
    }

    fn information(&self) -> Result<&[u8], FormatError> {
        let information = self.attribute(STANDARD_INFORMATION, &[]).and_then(Attribute::here);
        let information = information.filter(|bytes| bytes.len() >= 36);
        information.ok_or_else(|| self.corrupt("it has no standard information"))
    }

    /// What stands in for the file's data, if something does.
    pub(super) fn reparse(&self, volume: &Volume) -> Result<Option<Reparse>, FormatError> {
        if let Some(point) = self.attribute(REPARSE_POINT, &[]) {
            return reparse::read(volume, self, point).map(Some);
        }
        let flags = le32(self.information()?, 32).unwrap_or(0);
        let data = self.attribute(DATA, &[]).filter(|_| flags & SYSTEM != 0 && !self.record.is_directory);
        match data {
            Some(data) => reparse::interix(volume, data),
            None => Ok(None),
        }
    }

    /// What it is.
    pub(super) fn kind(&self, volume: &Volume) -> Result<FileKind, FormatError> {
        Ok(self.reparse(volume)?.and_then(|reparse| reparse.kind()).unwrap_or(self.own_kind()))
    }

    fn own_kind(&self) -> FileKind {
        if self.record.is_directory { FileKind::Directory } else { FileKind::Regular }
    }

    /// Its attributes as `stat(2)` gives them.
    pub(super) fn stat(&self, volume: &Volume) -> Result<Stat, FormatError> {
        let reparse = self.reparse(volume)?;
        let kind = reparse.as_ref().and_then(Reparse::kind).unwrap_or(self.own_kind());
        let device = match &reparse {
            Some(Reparse::Special(_, device)) => device.clone().map_err(FormatError::unsupported)?,
            _ => Device::default(),
        };
        let size = match (kind, &reparse) {
            // Of a target that is told to be elsewhere, none can be read.
            (FileKind::Symlink, Some(reparse)) => {
                reparse.target(volume).map_or(0, |target| num::to_u64(target.len()))
            }
            (FileKind::Directory, _) => self.attribute(INDEX_ALLOCATION, &I30).map_or(0, Attribute::size),
            _ => self.attribute(DATA, &[]).map_or(0, Attribute::size),
        };
        let modified = le64(self.information()?, 8).unwrap_or(0);
        // Directories have one link, so that `find` does not count by them.
        let names = self.attributes(FILE_NAME).filter(|name| name.here().is_some_and(index::is_no_dos_name));
        let links = if kind == FileKind::Directory { 1 } else { num::to_u64(names.count()) };
        Ok(Stat {
            ino: Ino(self.record.reference()),
            kind,
            mode: 0o777,
            uid: 0,
            gid: 0,
            links,
            size,
            rdev: device,
            mtime: timestamp(modified),
        })
    }
}

/// What a file is by its first record alone: `None` if something may stand in for it, or it is a part of another.
pub(super) fn plain_kind(record: &Record) -> Option<FileKind> {
    let has = |kind| record.attributes.iter().any(|attribute| attribute.kind == kind);
    let own = record.attributes.iter().find(|attribute| attribute.is(STANDARD_INFORMATION, &[]));
    let flags = own.and_then(Attribute::here).and_then(|bytes| le32(bytes, 32))?;
    let is_plain = record.base == 0 && !has(ATTRIBUTE_LIST) && !has(REPARSE_POINT);
    let kind = if record.is_directory { FileKind::Directory } else { FileKind::Regular };
    (is_plain && flags & SYSTEM == 0).then_some(kind)
}

/// The value of an attribute of at most `limit` bytes that is no file's data, and so not compressed.
pub(super) fn value(volume: &Volume, attribute: &Attribute, limit: u64) -> Result<Vec<u8>, FormatError> {
    let packed = || attribute.is_compressed().then(|| "NTFS compression of metadata".to_owned());
    if let Some(what) = attribute.refused().or_else(packed) {
        return Err(FormatError::unsupported(what));
    }
    if attribute.size() > limit {
        return Err(FormatError::limit(format!("NTFS attribute of {} bytes", attribute.size())));
    }
    let mut bytes = vec![0; num::to_usize(attribute.size())];
    super::data::read_plain(&volume.cached, &volume.boot, attribute, &mut bytes, 0)?;
    Ok(bytes)
}

/// A time in units of 100 ns since 1601.
fn timestamp(time: u64) -> Timestamp {
    let since = i64::try_from(time).unwrap_or(i64::MAX).saturating_sub(EPOCH);
    let nanos = since.rem_euclid(10_000_000).saturating_mul(100);
    Timestamp { seconds: since.div_euclid(10_000_000), nanos: u32::try_from(nanos).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_and_after_the_epoch() {
        let at = |time| {
            let Timestamp { seconds, nanos } = timestamp(time);
            (seconds, nanos)
        };
        assert_eq!(at(116_444_736_000_000_001), (0, 100));
        assert_eq!(at(116_444_735_999_999_999), (-1, 999_999_900));
        assert_eq!(at(0), (-11_644_473_600, 0));
    }
}
