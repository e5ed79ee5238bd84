//! The driver: opens a volume and answers for its files.

use std::sync::{Arc, OnceLock};

use super::{
    attribute::{Attribute, DATA, VOLUME_INFORMATION, VOLUME_NAME},
    boot::{self, Boot},
    data::Data,
    listing, log, lookup,
    mft::Mft,
    reparse::{self, Reparse},
    volume::{ROOT, VOLUME, Volume},
    xattr,
};
use crate::{
    block::{Cached, Memory, ReadAt, Source},
    bytes::{le16, units},
    error::FormatError,
    fs::{FileKind, FileSystem, Ino, Listing, Opened, Stat, Xattr},
    gap::Code,
    limits,
};

/// The volume is to be checked.
const DIRTY: u16 = 0x1;
/// Bytes that the cache reads at once.
const CHUNK: u32 = 4096;

/// Whether the source begins like an NTFS volume.
pub fn probe(source: &dyn ReadAt) -> bool {
    boot::is_there(source) || boot::is_wiped(source)
}

/// Opens an NTFS volume.
pub fn open(source: Source) -> Result<Opened, FormatError> {
    let mut notes = Vec::new();
    let cached: Source = Arc::new(Cached::new(Arc::clone(&source), CHUNK, limits::NTFS_CACHE_BYTES));
    let (boot, mft) = table(&cached, &mut notes)?;
    notes.extend(crate::fs::cut("NTFS", boot.clusters.saturating_mul(boot.cluster), source.size()));
    let volume = Volume { boot, source, cached, mft, upcase: OnceLock::new() };
    let label = describe(&volume, &mut notes)?;
    let root = volume.record(ROOT).map_or(ROOT, |record| record.reference());
    Ok(Opened {
        kind: "ntfs",
        uuid: Some(format!("{:016X}", boot.serial)),
        label: label.filter(|label| !label.is_empty()),
        notes,
        fs: Arc::new(Ntfs { volume: Arc::new(volume), root }),
    })
}

/// The geometry and the table of files by the boot sector; if it or what it leads to is damaged, by its copy, with a note.
fn table(source: &Source, notes: &mut Vec<FormatError>) -> Result<(Boot, Mft), FormatError> {
    let by =
        |boot: Boot, notes: &mut Vec<FormatError>| Mft::open(source, &boot, notes).map(|mft| (boot, mft));
    let first = boot::read(source, 0);
    match first.and_then(|boot| by(boot, notes)) {
        Err(error) if !matches!(error, FormatError::Unsupported { .. }) => {
            let Some((copy, offset)) = boot::copy(source) else { return Err(error) };
            let Ok(found) = by(copy, notes) else { return Err(error) };
            let problem = format!("damaged, the copy at {offset:#x} is used: {}", error.detail());
            notes.push(FormatError::corrupt(boot::STRUCTURE, 0, problem));
            Ok(found)
        }
        found => found,
    }
}

/// The label; whether the version is one that is read, and notes of a volume that was in use.
fn describe(volume: &Volume, notes: &mut Vec<FormatError>) -> Result<Option<String>, FormatError> {
    let mut dirty = Vec::new();
    let mut label = None;
    match volume.inode(VOLUME) {
        Ok(inode) => {
            let name = inode.attribute(VOLUME_NAME, &[]).and_then(Attribute::here);
            label = name.map(|name| String::from_utf16_lossy(&units(name)));
            let information = inode.attribute(VOLUME_INFORMATION, &[]).and_then(Attribute::here);
            match information.and_then(|bytes| Some(((*bytes.get(8)?, *bytes.get(9)?), le16(bytes, 10)?))) {
                Some((version, flags)) => {
                    if !matches!(version, (1, 2) | (3, 0 | 1)) {
                        let what = format!("NTFS version {}.{}", version.0, version.1);
                        return Err(FormatError::unsupported(what));
                    }
                    if flags & DIRTY != 0 {
                        dirty.push("the volume is marked to be checked");
                    }
                }
                None => notes.push(inode.corrupt("the volume has no version")),
            }
        }
        Err(error) => notes.push(error),
    }
    match log::is_closed(volume) {
        Ok(true) => {}
        Ok(false) => dirty.push("its log was not closed and is not replayed"),
        Err(error) => notes.push(FormatError::Unsupported {
            code: Code::JournalNotReplayed,
            what: format!("NTFS: whether its log was closed cannot be read: {}", error.detail()),
        }),
    }
    if !dirty.is_empty() {
        let what = format!("NTFS: {}", dirty.join(", "));
        notes.push(FormatError::Unsupported { code: Code::JournalNotReplayed, what });
    }
    Ok(label)
}

struct Ntfs {
    volume: Arc<Volume>,
    root: u64,
}

impl FileSystem for Ntfs {
    fn root(&self) -> Ino {
        Ino(self.root)
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        self.volume.inode(ino.0)?.stat(&self.volume)
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        Ok(lookup::look_up(&self.volume, dir.0, name)?.map(Ino))
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        listing::read(&self.volume, dir.0)
    }

    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        let inode = self.volume.inode(ino.0)?;
        match inode.reparse(&self.volume)? {
            Some(reparse @ Reparse::Link(_)) => reparse.target(&self.volume),
            _ => Err(inode.corrupt("it is not a symbolic link")),
        }
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        xattr::read(&self.volume, &self.volume.inode(ino.0)?)
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Option<Vec<u8>>, FormatError> {
        xattr::read_one(&self.volume, &self.volume.inode(ino.0)?, name)
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        let inode = self.volume.inode(ino.0)?;
        if let Some(Reparse::Other(tag)) = inode.reparse(&self.volume)? {
            return Err(reparse::refused(tag, inode.record.number));
        }
        if inode.kind(&self.volume)? != FileKind::Regular {
            return Err(inode.corrupt("it is not a regular file"));
        }
        match inode.attribute(DATA, &[]) {
            Some(data) => {
                Ok(Arc::new(Data::new(Arc::clone(&self.volume), data.clone(), inode.record.number)?))
            }
            None => Ok(Arc::new(Memory::default())),
        }
    }
}
