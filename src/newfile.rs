//! New files that are whole or not there: one gets its name when all of it is on the disk, so that whatever ends the process
//! before leaves nothing, where the file system can make a file without a name; elsewhere it is removed unless the process is
//! killed.

use std::{
    io::{self, Write},
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags},
    io::Errno,
};

#[expect(clippy::disallowed_types, reason = "the door to outputs that the caller named")]
type HostFile = std::fs::File;

/// A device or pipe, which is written as it is.
pub fn device(path: &Path) -> io::Result<impl Write + use<>> {
    HostFile::options().write(true).open(path)
}

/// A file without a name, or with one of its own.
pub struct NewFile(Kind);

enum Kind {
    Nameless(HostFile),
    Temporary(tempfile::NamedTempFile),
}

/// What the umask leaves of it is the file's mode, as for any new file.
const MODE: u32 = 0o666;

impl NewFile {
    /// A new, empty file in a directory.
    pub fn new(dir: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open(dir, flags, Mode::from_raw_mode(MODE)) {
            Ok(file) => Ok(Self(Kind::Nameless(file.into()))),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {
                let permissions = std::fs::Permissions::from_mode(MODE);
                let file = tempfile::Builder::new().permissions(permissions).tempfile_in(dir)?;
                Ok(Self(Kind::Temporary(file)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Where its content is written.
    pub fn writer(&mut self) -> &mut dyn Write {
        match &mut self.0 {
            Kind::Nameless(file) => file,
            Kind::Temporary(file) => file,
        }
    }

    /// Syncs the file and gives it its name, in place of what had it before. A name in the same directory.
    pub fn persist(self, path: &Path) -> io::Result<()> {
        match self.0 {
            Kind::Nameless(file) => {
                file.sync_all()?;
                // A link never replaces: the file is renamed from a name that no other file has, be it of this process.
                let mut beside = path.as_os_str().to_owned();
                beside.push(format!(".{}.{}.part", std::process::id(), file.as_raw_fd()));
                let own = format!("/proc/self/fd/{}", file.as_raw_fd());
                rustix::fs::linkat(CWD, &own, CWD, &beside, AtFlags::SYMLINK_FOLLOW)?;
                rustix::fs::rename(&beside, path).inspect_err(|_| {
                    // The first error is the one to tell.
                    let _ = rustix::fs::unlink(&beside);
                })?;
            }
            Kind::Temporary(file) => {
                file.as_file().sync_all()?;
                file.persist(path)?;
            }
        }
        Ok(())
    }
}
