//! The door to the files of a directory of feeds: each is whole or not there. Beside it lie, hidden, what is known
//! of its version, and while it is downloaded a part of it with what is known of that.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the door to the feeds that the caller named"
)]

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::block::{Sink, Version};

/// Makes the directory if it is not there.
pub(super) fn directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// What is known of a file.
#[derive(Default, PartialEq, Eq, Serialize, Deserialize)]
struct Facts {
    url: String,
    bytes: u64,
    #[serde(default)]
    etag: Option<String>,
    #[serde(default)]
    modified: Option<String>,
}

impl Facts {
    fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let beside = with(path, "", ".new");
        fs::write(&beside, serde_json::to_vec(self).map_err(io::Error::other)?)?;
        fs::rename(&beside, path)
    }

    fn version(&self) -> Version {
        Version { etag: self.etag.clone(), modified: self.modified.clone() }
    }
}

/// Where a file and what lies beside it are.
pub(super) struct Place {
    whole: PathBuf,
    facts: PathBuf,
    part: PathBuf,
    part_facts: PathBuf,
}

/// A name with something before and behind it, in the same folder.
fn with(path: &Path, before: &str, behind: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{before}{name}{behind}"))
}

impl Place {
    pub(super) fn new(directory: &Path, file: &str) -> io::Result<Self> {
        let whole = directory.join(file);
        fs::create_dir_all(whole.parent().unwrap_or(directory))?;
        Ok(Self {
            facts: with(&whole, ".", ".version"),
            part: with(&whole, ".", ".part"),
            part_facts: with(&whole, ".", ".part.version"),
            whole,
        })
    }

    /// The version of the file, if it is as it was downloaded from there.
    pub(super) fn known(&self, url: &str) -> Option<Version> {
        let facts = Facts::read(&self.facts)?;
        let length = fs::metadata(&self.whole).ok()?.len();
        let version = facts.version();
        (facts.url == url && facts.bytes == length && version != Version::default()).then_some(version)
    }

    /// A part of the file, which may hold something from the last time.
    pub(super) fn part(&self, url: &str) -> io::Result<Part> {
        let facts = Facts::read(&self.part_facts).filter(|facts| facts.url == url);
        let file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&self.part)?;
        let mut part = Part {
            held: file.metadata()?.len(),
            version: facts.as_ref().map(Facts::version).unwrap_or_default(),
            file,
            url: url.to_owned(),
            path: self.part.clone(),
            facts: self.part_facts.clone(),
            whole: (self.whole.clone(), self.facts.clone()),
        };
        if part.version == Version::default() {
            part.begin(&Version::default())?;
        }
        part.file.seek(SeekFrom::End(0))?;
        Ok(part)
    }

    /// The SHA-256 sum of the part, or of what is in it.
    pub(super) fn checksum(&self, unpacked: bool) -> io::Result<[u8; 32]> {
        let file = io::BufReader::with_capacity(1 << 16, File::open(&self.part)?);
        let mut reader: Box<dyn Read> = match unpacked {
            true => Box::new(flate2::read::MultiGzDecoder::new(file)),
            false => Box::new(file),
        };
        let mut hash = Sha256::new();
        let mut buffer = vec![0_u8; 1 << 16];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(hash.finalize().into()),
                count => hash.update(buffer.get(..count).unwrap_or_default()),
            }
        }
    }
}

/// A file that is being downloaded.
pub(super) struct Part {
    file: File,
    held: u64,
    version: Version,
    url: String,
    path: PathBuf,
    facts: PathBuf,
    /// The file that it becomes, and what is known of that.
    whole: (PathBuf, PathBuf),
}

impl Sink for Part {
    fn held(&self) -> (u64, Version) {
        (self.held, self.version.clone())
    }

    fn begin(&mut self, version: &Version) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.held = 0;
        self.version = version.clone();
        self.known().write(&self.facts)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.held = self.held.saturating_add(crate::num::to_u64(bytes.len()));
        Ok(())
    }
}

impl Part {
    fn known(&self) -> Facts {
        let Version { etag, modified } = self.version.clone();
        Facts { url: self.url.clone(), bytes: self.held, etag, modified }
    }

    /// Makes it the file, in place of the old one, and tells its bytes.
    pub(super) fn keep(self, url: &str) -> io::Result<u64> {
        self.file.sync_all()?;
        let (whole, facts) = &self.whole;
        // The old facts are of no use for the new file, whatever happens between.
        let _ = fs::remove_file(facts);
        fs::rename(&self.path, whole)?;
        Facts { url: url.to_owned(), ..self.known() }.write(facts)?;
        let _ = fs::remove_file(&self.facts);
        Ok(self.held)
    }

    /// Leaves nothing of it.
    pub(super) fn forget(self) {
        // What cannot be removed is overwritten the next time.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.facts);
    }
}
