//! A host file or block device, opened read-only. The one door to the host's inputs.

use std::{
    io::{self, Seek, SeekFrom},
    num::NonZeroU64,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

use rustix::fs::{Advice, Mode, OFlags, fadvise};

use super::{ReadAt, Source, check_range};

#[expect(clippy::disallowed_types, reason = "the door to inputs that the caller named")]
type HostFile = std::fs::File;

struct File {
    file: HostFile,
    size: u64,
}

/// Opens a regular file or block device that the caller named. Works on files without write permission;
/// a directory, pipe or character device is refused.
pub fn open(path: &Path) -> io::Result<Source> {
    shared(HostFile::open(path)?)
}

/// The same for a name that a directory's listing gave: a link is refused, and nothing is waited for.
pub fn open_no_follow(path: &Path) -> io::Result<Source> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    shared(HostFile::from(rustix::fs::open(path, flags, Mode::empty())?))
}

fn shared(mut file: HostFile) -> io::Result<Source> {
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !std::os::unix::fs::FileTypeExt::is_block_device(&kind) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a regular file nor a block device"));
    }
    // A block device's metadata says 0 bytes; its end is where seeking finds it.
    let size = file.seek(SeekFrom::End(0))?;
    Ok(Arc::new(File { file, size }))
}

impl ReadAt for File {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size, offset, buf.len())?;
        self.file.read_exact_at(buf, offset)
    }

    fn will_need(&self, offset: u64, length: u64) {
        if let Some(length) = NonZeroU64::new(length) {
            // Only a hint: a device that does not take it is read all the same.
            let _ = fadvise(&self.file, offset, Some(length), Advice::WillNeed);
        }
    }
}
