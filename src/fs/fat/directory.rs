//! Entries of directories: 32 bytes for each file, behind those that hold its long name.

use super::{
    boot::Root,
    names::{self, Long},
};
use crate::{
    block::read_vec,
    bytes::{le16, le32},
    error::{self, FormatError},
    fs::{
        FileKind, Timestamp, calendar,
        clusters::{Chain, Clusters},
        utf16,
    },
    limits, num,
};

/// Bytes of an entry.
pub(super) const ENTRY: usize = 32;

/// Attributes.
const READ_ONLY: u8 = 0x01;
const VOLUME: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
const LONG_NAME: u8 = 0x0f;
/// First bytes: of no entry, and of one that was deleted.
///
/// By Microsoft's specification there is none behind the first of no entry either. Linux passes over it as over one that was
/// deleted and reads on to the end of the chain, so what lies behind it is there on a node, and is listed here. Where the
/// end is meant, all is zeros: who makes a directory fills its clusters with them.
const NONE: u8 = 0;
const DELETED: u8 = 0xe5;

/// What an entry says of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct File {
    attributes: u8,
    pub(super) first: u32,
    pub(super) size: u32,
    pub(super) modified: Timestamp,
}

impl File {
    pub(super) fn parse(entry: &[u8; ENTRY], is_32: bool) -> Self {
        let word = |at| le16(entry, at).unwrap_or(0);
        let high = if is_32 { u32::from(word(20)) << 16 } else { 0 };
        Self {
            attributes: entry[11],
            first: high | u32::from(word(26)),
            size: le32(entry, 28).unwrap_or(0),
            modified: calendar::timestamp(calendar::seconds(word(24), word(22)), 0),
        }
    }

    pub(super) fn kind(self) -> FileKind {
        if self.attributes & DIRECTORY != 0 { FileKind::Directory } else { FileKind::Regular }
    }

    pub(super) fn mode(self) -> u32 {
        if self.attributes & READ_ONLY != 0 { 0o555 } else { 0o755 }
    }
}

/// An entry of a directory.
pub(super) struct Entry {
    /// Where it lies in the volume, in entries.
    pub(super) place: u64,
    pub(super) name: Vec<u8>,
    /// The name of eight and three letters.
    pub(super) short: String,
    pub(super) file: File,
}

/// What a directory holds.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) entries: Vec<Entry>,
    /// The volume's label, which is in the root.
    pub(super) label: Option<String>,
    pub(super) damage: Vec<FormatError>,
    long: Long,
}

/// Reads a directory: the root, or one that begins with a cluster and belongs to `owner`.
pub(super) fn read(clusters: &Clusters, dir: Root, owner: u64, is_32: bool) -> Contents {
    let mut contents = Contents::default();
    match dir {
        Root::Fixed { offset, length } => {
            let bytes = read_vec(clusters.cached(), "root directory", offset, num::to_usize(length));
            match bytes {
                Ok(bytes) => contents.take(offset, &bytes, is_32),
                Err(_) => contents.piecewise(clusters, offset, length, is_32),
            }
        }
        Root::Chain(first) => {
            let chain = Chain::new(first, None, false);
            let damage = clusters.directory(&chain, owner, limits::FAT_DIRECTORY_BYTES, |place, bytes| {
                contents.take(place, bytes, is_32);
            });
            damage.into_iter().for_each(|error| contents.damaged(error));
        }
    }
    contents
}

impl Contents {
    /// Sectors that can be read, of a root that cannot be read at once.
    fn piecewise(&mut self, clusters: &Clusters, offset: u64, length: u64, is_32: bool) {
        const SECTOR: u64 = 512;
        for at in (0..length).step_by(num::to_usize(SECTOR)) {
            let place = offset.saturating_add(at);
            let part = num::to_usize(SECTOR.min(length.saturating_sub(at)));
            match read_vec(clusters.cached(), "root directory", place, part) {
                Ok(bytes) => self.take(place, &bytes, is_32),
                Err(error) => {
                    self.long = Long::default();
                    self.damaged(error);
                }
            }
        }
    }

    fn damaged(&mut self, error: FormatError) {
        error::note(&mut self.damage, error);
    }

    /// Takes the entries of some bytes at `offset` of the volume; none where they could not be read.
    fn take(&mut self, offset: u64, bytes: &[u8], is_32: bool) {
        if bytes.is_empty() {
            self.long = Long::default();
        }
        let (entries, _) = bytes.as_chunks::<ENTRY>();
        for (entry, at) in entries.iter().zip((offset..).step_by(ENTRY)) {
            match (entry[0], entry[11]) {
                (NONE | DELETED, _) => self.long = Long::default(),
                (_, attributes) if attributes & 0x3f == LONG_NAME => self.long.take(entry),
                (_, attributes) if attributes & VOLUME != 0 => {
                    self.long = Long::default();
                    if let Some(raw) = entry.first_chunk::<11>() {
                        self.label.get_or_insert(names::decode(raw).trim_end().to_owned());
                    }
                }
                (b'.', _) if is_dots(entry) => self.long = Long::default(),
                _ => self.entry(entry, at, is_32),
            }
        }
    }

    fn entry(&mut self, entry: &[u8; ENTRY], at: u64, is_32: bool) {
        let Some(raw) = entry.first_chunk::<11>().copied() else { return };
        let short = names::short(raw, entry[12]);
        let long = std::mem::take(&mut self.long).finish(raw);
        let corrupt = |problem: &str| {
            FormatError::corrupt("directory entry", at, format!("\"{}\": {problem}", short.escape_default()))
        };
        let name = match long {
            Ok(name) => name.unwrap_or_else(|| short.clone().into_bytes()),
            // As for the kernel, the short name remains.
            Err(problem) => {
                self.damaged(corrupt(problem));
                short.clone().into_bytes()
            }
        };
        if let Some(problem) = utf16::refused(&name) {
            return self.damaged(corrupt(&format!("its name {problem}")));
        }
        let place = at.checked_div(num::to_u64(ENTRY)).unwrap_or(0);
        self.entries.push(Entry { place, name, short, file: File::parse(entry, is_32) });
    }
}

/// The entries of a directory for itself and the one above.
fn is_dots(entry: &[u8; ENTRY]) -> bool {
    entry.starts_with(b".          ") || entry.starts_with(b"..         ")
}
