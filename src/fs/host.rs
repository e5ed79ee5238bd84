//! A directory of the host as a file system: a mounted or copied root that the caller named.
//!
//! Paths are walked component by component in [`super::Root`], and a file that is opened may not be a link, so a
//! directory that holds still is never left. What a root that is in use changes meanwhile is not guarded against.

use std::{
    collections::HashMap,
    ffi::OsStr,
    io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::MetadataExt,
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use walkdir::WalkDir;

use super::{Device, DirEntry, FileKind, FileSystem, Ino, Listing, Stat, Timestamp, Xattr};
use crate::{
    block::{self, Counted, Counter, Source},
    error::FormatError,
    num,
};

/// Opens a directory that the caller named; `counter` is told what is read of its files.
pub fn open(path: &Path, counter: Arc<Counter>) -> io::Result<Arc<dyn FileSystem>> {
    #[expect(clippy::disallowed_methods, reason = "the door to a directory that the caller named")]
    let path = std::fs::canonicalize(path)?;
    if !path.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(Arc::new(HostDirectory { paths: Mutex::new(Paths::new(path)), counter }))
}

/// What is to be told of a directory: the kernel shows `trusted.` attributes, by which overlayfs marks opaque
/// directories, to root alone.
pub fn notes() -> Vec<FormatError> {
    if rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    vec![FormatError::unsupported("trusted.* extended attributes of a directory, which only root is shown")]
}

/// Numbers are given to paths as they are met: the host's own inode numbers repeat across its mounts.
struct HostDirectory {
    paths: Mutex<Paths>,
    counter: Arc<Counter>,
}

struct Paths {
    by_number: Vec<PathBuf>,
    numbers: HashMap<PathBuf, u64>,
}

impl Paths {
    fn new(root: PathBuf) -> Self {
        Self { by_number: vec![root.clone()], numbers: HashMap::from([(root, 0)]) }
    }

    fn number(&mut self, path: PathBuf) -> Ino {
        if let Some(number) = self.numbers.get(&path) {
            return Ino(*number);
        }
        let number = num::to_u64(self.by_number.len());
        self.by_number.push(path.clone());
        self.numbers.insert(path, number);
        Ino(number)
    }
}

impl HostDirectory {
    fn path(&self, ino: Ino) -> Result<PathBuf, FormatError> {
        let paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        let path = paths.by_number.get(num::to_usize(ino.0)).cloned();
        path.ok_or_else(|| FormatError::corrupt("inode", ino.0, "no such inode"))
    }

    fn number(&self, path: PathBuf) -> Ino {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner).number(path)
    }
}

impl FileSystem for HostDirectory {
    fn root(&self) -> Ino {
        Ino(0)
    }

    #[expect(clippy::disallowed_methods, reason = "the door to a directory that the caller named")]
    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        let meta = std::fs::symlink_metadata(self.path(ino)?).map_err(FormatError::reading("inode", 0))?;
        let kind = FileKind::from_mode(meta.mode())
            .ok_or_else(|| FormatError::corrupt("inode", 0, format!("mode {:o}", meta.mode())))?;
        let rdev = Device { major: rustix::fs::major(meta.rdev()), minor: rustix::fs::minor(meta.rdev()) };
        let nanos = u32::try_from(meta.mtime_nsec()).unwrap_or(0);
        Ok(Stat {
            ino,
            kind,
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            links: meta.nlink(),
            size: meta.size(),
            rdev,
            mtime: Timestamp { seconds: meta.mtime(), nanos },
        })
    }

    #[expect(clippy::disallowed_methods, reason = "the door to a directory that the caller named")]
    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        let path = self.path(dir)?.join(OsStr::from_bytes(name));
        match std::fs::symlink_metadata(&path) {
            Ok(_) => Ok(Some(self.number(path))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FormatError::reading("directory entry", 0)(error)),
        }
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        let mut listing = Listing::default();
        for entry in WalkDir::new(self.path(dir)?).min_depth(1).max_depth(1) {
            let kind = match &entry {
                Ok(entry) => kind_of(entry.file_type()),
                Err(_) => None,
            };
            match (entry, kind) {
                (Ok(entry), Some(kind)) => {
                    let name = entry.file_name().as_bytes().to_vec();
                    listing.entries.push(DirEntry { name, ino: self.number(entry.into_path()), kind });
                }
                (Ok(entry), None) => {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    listing.damage.push(FormatError::corrupt(
                        "directory entry",
                        0,
                        format!("kind of {name}"),
                    ));
                }
                (Err(error), _) => {
                    listing.damage.push(FormatError::reading("directory", 0)(error.into()));
                }
            }
        }
        Ok(listing)
    }

    #[expect(clippy::disallowed_methods, reason = "the door to a directory that the caller named")]
    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        let target = std::fs::read_link(self.path(ino)?);
        Ok(target.map_err(FormatError::reading("symbolic link", 0))?.into_os_string().into_vec())
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        let path = self.path(ino)?;
        read_xattrs(&path).map_err(|error| FormatError::reading("extended attributes", 0)(error.into()))
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        let path = self.path(ino)?;
        if self.stat(ino)?.kind != FileKind::Regular {
            return Err(FormatError::corrupt("file", 0, "not a regular file"));
        }
        let file = block::open_no_follow(&path).map_err(FormatError::reading("file", 0))?;
        Ok(Arc::new(Counted::new(file, Arc::clone(&self.counter))))
    }
}

fn kind_of(file_type: std::fs::FileType) -> Option<FileKind> {
    use std::os::unix::fs::FileTypeExt;
    Some(match () {
        () if file_type.is_file() => FileKind::Regular,
        () if file_type.is_dir() => FileKind::Directory,
        () if file_type.is_symlink() => FileKind::Symlink,
        () if file_type.is_char_device() => FileKind::CharDevice,
        () if file_type.is_block_device() => FileKind::BlockDevice,
        () if file_type.is_fifo() => FileKind::Fifo,
        () if file_type.is_socket() => FileKind::Socket,
        () => return None,
    })
}

fn read_xattrs(path: &Path) -> rustix::io::Result<Vec<Xattr>> {
    // The kernel's own bounds: XATTR_LIST_MAX and XATTR_SIZE_MAX.
    let mut names = vec![0; 65_536];
    let length = match rustix::fs::llistxattr(path, &mut names[..]) {
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        other => other?,
    };
    names.truncate(length);
    let mut xattrs = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 65_536];
        match rustix::fs::lgetxattr(path, OsStr::from_bytes(name), &mut value[..]) {
            Ok(length) => value.truncate(length),
            // `trusted.` attributes are root's; an attribute may go between the two calls.
            Err(rustix::io::Errno::NODATA | rustix::io::Errno::PERM) => continue,
            Err(error) => return Err(error),
        }
        xattrs.push(Xattr { name: name.to_vec(), value });
    }
    Ok(xattrs)
}
