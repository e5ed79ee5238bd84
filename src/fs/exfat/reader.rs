//! The driver: opens a volume and answers for its files.

use std::sync::{Arc, OnceLock};

use super::{
    boot,
    directory::{self, Contents, ENTRY, File},
    upcase::{self, Upcase},
};
use crate::{
    block::{ReadAt, Source, read_all, read_vec},
    bytes::is_sound,
    error::FormatError,
    fs::{
        Device, DirEntry, FileKind, FileSystem, Ino, Listing, Opened, Stat, Timestamp, Xattr,
        clusters::{Chain, Clusters},
        map::Data,
        utf16,
    },
    gap::Code,
    limits, num,
};

/// The root's inode: no entry lies there.
const ROOT: u64 = 0;
/// Flags of a volume: it was in use, a medium failed.
const DIRTY: u16 = 0x2;
const FAILED: u16 = 0x4;
/// Bytes of the table of upper case.
const UPCASE: u64 = 2 << 16;

/// Whether the source begins like an exFAT volume.
pub fn probe(source: &dyn ReadAt) -> bool {
    boot::is_there(source)
}

/// Opens an exFAT volume.
pub fn open(source: Source) -> Result<Opened, FormatError> {
    let mut notes = Vec::new();
    let boot = match boot::read(&source, 0) {
        Err(error) if !matches!(error, FormatError::Unsupported { .. }) => {
            let copy = boot::copies().find_map(|at| boot::read(&source, at).ok().map(|boot| (boot, at)));
            let Some((copy, at)) = copy else { return Err(error) };
            let problem = format!("damaged, the copy at {at:#x} is used: {}", error.detail());
            notes.push(FormatError::corrupt(boot::STRUCTURE, 0, problem));
            copy
        }
        boot => boot?,
    };
    let states = [(DIRTY, "the volume was not unmounted"), (FAILED, "the medium had errors")];
    for (_, what) in states.iter().filter(|(flag, _)| boot.flags & flag != 0) {
        notes.push(FormatError::Unsupported { code: Code::DirtyImage, what: format!("exFAT: {what}") });
    }
    notes.extend(crate::fs::cut("exFAT", boot.layout.end(), source.size()));
    let clusters = Arc::new(Clusters::new(&source, &boot.layout));
    let exfat = ExFat { clusters, root: boot.root, upcase: OnceLock::new() };
    let label = exfat.contents(Ino(ROOT)).ok().and_then(|root| root.label);
    Ok(Opened {
        kind: "exfat",
        uuid: Some(format!("{:04X}-{:04X}", boot.serial >> 16, boot.serial & 0xffff)),
        label: label.filter(|label| !label.is_empty()),
        notes,
        fs: Arc::new(exfat),
    })
}

struct ExFat {
    clusters: Arc<Clusters>,
    root: u32,
    upcase: OnceLock<Upcase>,
}

impl ExFat {
    /// What the set of an inode says. It may go on in the next cluster of its directory, which was read to find the inode.
    fn file(&self, ino: Ino) -> Result<File, FormatError> {
        let offset = ino.0.saturating_mul(num::to_u64(ENTRY));
        let first = read_vec(self.clusters.cached(), "exFAT directory entry", offset, 2)?;
        let count = first.get(1).map_or(1, |more| usize::from(*more).saturating_add(1));
        let set = self.clusters.across(offset, count.saturating_mul(ENTRY))?;
        File::parse(&set).map_err(|problem| corrupt(ino, &problem))
    }

    fn contents(&self, ino: Ino) -> Result<Contents, FormatError> {
        let chain = match ino.0 {
            ROOT => Chain::new(self.root, None, false),
            _ => {
                let file = self.file(ino)?;
                match file.kind() {
                    FileKind::Directory => file.chain(),
                    _ => return Err(corrupt(ino, "it is not a directory")),
                }
            }
        };
        Ok(directory::read(&self.clusters, &chain, ino.0))
    }

    fn upcase(&self) -> Result<&Upcase, FormatError> {
        if let Some(upcase) = self.upcase.get() {
            return Ok(upcase);
        }
        let missing = |problem: &str| FormatError::corrupt("exFAT table of upper case", 0, problem);
        let table = self.contents(Ino(ROOT))?.upcase.ok_or_else(|| missing("the root has none"))?;
        let chain = Chain::new(table.first, Some(table.size), false);
        let bytes =
            read_all(&Data::new(Arc::clone(&self.clusters), chain), "exFAT table of upper case", UPCASE)?;
        if !is_sound(upcase::checksum(&bytes) == table.checksum) {
            return Err(missing("its checksum is wrong"));
        }
        let upcase = Upcase::parse(&bytes).ok_or_else(|| missing("it has too many units"))?;
        Ok(self.upcase.get_or_init(|| upcase))
    }
}

fn corrupt(ino: Ino, problem: &str) -> FormatError {
    FormatError::corrupt("exFAT directory entry", ino.0.saturating_mul(num::to_u64(ENTRY)), problem)
}

impl FileSystem for ExFat {
    fn root(&self) -> Ino {
        Ino(ROOT)
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        let (kind, mode, mtime, size) = match ino.0 {
            ROOT => {
                let size = self
                    .clusters
                    .length(&Chain::new(self.root, None, false), limits::EXFAT_DIRECTORY_BYTES)?;
                (FileKind::Directory, 0o755, Timestamp::default(), size)
            }
            _ => {
                let file = self.file(ino)?;
                (file.kind(), file.mode(), file.modified, file.size)
            }
        };
        Ok(Stat { ino, kind, mode, uid: 0, gid: 0, links: 1, size, rdev: Device::default(), mtime })
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        let contents = self.contents(dir)?;
        let Some(name) = utf16::from_bytes(name) else { return Ok(None) };
        let mut found = contents.files.iter().find(|(_, file)| file.name == name);
        if found.is_none() {
            let upcase = self.upcase()?;
            let wanted = upcase.fold(&name);
            found = contents.files.iter().find(|(_, file)| upcase.fold(&file.name) == wanted);
        }
        match (found, contents.damage.into_iter().next()) {
            (Some((place, _)), _) => Ok(Some(Ino(*place))),
            // It may be among what could not be read.
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        let Contents { files, damage, .. } = self.contents(dir)?;
        let entries = files.into_iter().map(|(place, file)| DirEntry {
            name: utf16::to_bytes(&file.name),
            ino: Ino(place),
            kind: file.kind(),
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
        Ok(self.clusters.file(file.chain(), file.written))
    }
}
