//! The driver: opens a volume and answers for its files.

use std::sync::Arc;

use super::{
    boot::{self, Boot, Root},
    directory::{self, Contents, ENTRY, File},
    names,
};
use crate::{
    block::{ReadAt, Source, read_vec},
    error::FormatError,
    fs::{
        Device, DirEntry, FileKind, FileSystem, Ino, Listing, Opened, Stat, Timestamp, Xattr,
        clusters::{Chain, Clusters, Width},
    },
    gap::Code,
    limits, num,
};

/// The root's inode: no entry lies there.
const ROOT: u64 = 0;
/// Where FAT32 has its copy of the boot sector, by custom.
const COPY: u64 = 6 * 512;

/// Whether the source begins like a FAT volume.
pub fn probe(source: &dyn ReadAt) -> bool {
    boot::is_there(source)
}

/// Opens a FAT volume.
pub fn open(source: Source) -> Result<Opened, FormatError> {
    let mut notes = Vec::new();
    let boot = match boot::read(&source, 0) {
        Err(error @ FormatError::Corrupt { .. }) => match boot::read(&source, COPY) {
            Ok(copy) => {
                let problem = format!("damaged, the copy at {COPY:#x} is used: {}", error.detail());
                notes.push(FormatError::corrupt(boot::STRUCTURE, 0, problem));
                copy
            }
            Err(_) => return Err(error),
        },
        boot => boot?,
    };
    let clusters = Arc::new(Clusters::new(&source, &boot.layout));
    let is_32 = boot.layout.width == Width::TwentyEight;
    let fat = Fat { clusters, root: boot.root, is_32 };
    notes.extend(fat.state(&boot));
    notes.extend(crate::fs::cut("FAT", boot.layout.end(), source.size()));
    let own = boot.label.map(|label| names::decode(&label).trim_end().to_owned());
    let label = fat.contents(Ino(ROOT)).ok().and_then(|root| root.label).or(own);
    Ok(Opened {
        kind: "vfat",
        uuid: boot.serial.map(|serial| format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff)),
        label: label.filter(|label| !label.is_empty() && label != "NO NAME"),
        notes,
        fs: Arc::new(fat),
    })
}

struct Fat {
    clusters: Arc<Clusters>,
    root: Root,
    is_32: bool,
}

impl Fat {
    /// A note if the volume was in use: a byte of the boot sector or two bits of the table say so.
    fn state(&self, boot: &Boot) -> Option<FormatError> {
        let (clean, sound) = match boot.layout.width {
            Width::TwentyEight => (1 << 27, 1 << 26),
            Width::Sixteen => (1 << 15, 1 << 14),
            _ => (0, 0),
        };
        let entry = match self.clusters.entry(1) {
            Ok(entry) => entry,
            Err(error) => return Some(error),
        };
        let what = match boot.state & 3 {
            0 if entry & clean != clean => "FAT: the volume was not unmounted, by its table",
            0 if entry & sound != sound => "FAT: the medium had errors, by the volume's table",
            0 => return None,
            1 => "FAT: the volume was not unmounted",
            _ => "FAT: the medium had errors",
        };
        Some(FormatError::Unsupported { code: Code::DirtyImage, what: what.to_owned() })
    }

    /// What the entry of an inode says.
    fn file(&self, ino: Ino) -> Result<File, FormatError> {
        let offset = ino.0.saturating_mul(num::to_u64(ENTRY));
        let bytes = read_vec(self.clusters.cached(), "directory entry", offset, ENTRY)?;
        let entry = bytes.first_chunk().map(|entry| File::parse(entry, self.is_32));
        entry.ok_or_else(|| corrupt(ino, "it is cut"))
    }

    fn contents(&self, ino: Ino) -> Result<Contents, FormatError> {
        let dir = match ino.0 {
            ROOT => self.root,
            _ => {
                let file = self.file(ino)?;
                match (file.kind(), file.first) {
                    (FileKind::Directory, 0) => return Err(corrupt(ino, "a directory without clusters")),
                    (FileKind::Directory, first) => Root::Chain(first),
                    _ => return Err(corrupt(ino, "it is not a directory")),
                }
            }
        };
        Ok(directory::read(&self.clusters, dir, ino.0, self.is_32))
    }
}

fn corrupt(ino: Ino, problem: &str) -> FormatError {
    FormatError::corrupt("directory entry", ino.0.saturating_mul(num::to_u64(ENTRY)), problem)
}

impl FileSystem for Fat {
    fn root(&self) -> Ino {
        Ino(ROOT)
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        let (kind, mode, mtime, size) = match ino.0 {
            ROOT => {
                let size = match self.root {
                    Root::Fixed { length, .. } => length,
                    Root::Chain(first) => {
                        self.clusters.length(&Chain::new(first, None, false), limits::FAT_DIRECTORY_BYTES)?
                    }
                };
                (FileKind::Directory, 0o755, Timestamp::default(), size)
            }
            _ => {
                let file = self.file(ino)?;
                let size = match file.kind() {
                    FileKind::Directory => self
                        .clusters
                        .length(&Chain::new(file.first, None, false), limits::FAT_DIRECTORY_BYTES)?,
                    _ => file.size.into(),
                };
                (file.kind(), file.mode(), file.modified, size)
            }
        };
        Ok(Stat { ino, kind, mode, uid: 0, gid: 0, links: 1, size, rdev: Device::default(), mtime })
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        let contents = self.contents(dir)?;
        let is = |a: &str, b: &str| {
            a.chars().flat_map(char::to_uppercase).eq(b.chars().flat_map(char::to_uppercase))
        };
        let text = std::str::from_utf8(name).ok();
        let close = |entry: &&directory::Entry| {
            let long = std::str::from_utf8(&entry.name).ok();
            text.is_some_and(|text| long.is_some_and(|long| is(long, text)) || is(&entry.short, text))
        };
        let exact = contents.entries.iter().find(|entry| entry.name == name);
        let found = exact.or_else(|| contents.entries.iter().find(close));
        match (found, contents.damage.into_iter().next()) {
            (Some(entry), _) => Ok(Some(Ino(entry.place))),
            // It may be among what could not be read.
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        let Contents { entries, damage, .. } = self.contents(dir)?;
        let entries = entries.into_iter().map(|entry| DirEntry {
            name: entry.name,
            ino: Ino(entry.place),
            kind: entry.file.kind(),
        });
        Ok(Listing { entries: entries.collect(), damage, directories: None })
    }

    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        Err(corrupt(ino, "it is not a symbolic link"))
    }

    fn xattrs(&self, _ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        Ok(Vec::new())
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        let entry = if ino.0 == ROOT { None } else { Some(self.file(ino)?) };
        let file = entry.filter(|file| file.kind() == FileKind::Regular);
        let file = file.ok_or_else(|| corrupt(ino, "it is not a regular file"))?;
        let size = u64::from(file.size);
        Ok(self.clusters.file(Chain::new(file.first, Some(size), false), size))
    }
}
