//! Buffers in the log (XFS Algorithms & Data Structures, "Buffer Log Item"): chunks of 128 bytes of blocks of metadata.

use super::{STRUCTURE, replay::Replay, transaction::Item};
use crate::{
    block::read_vec,
    bytes::{be64, le16, le32, le64, part},
    error::FormatError,
    fs::xfs::{
        checksum,
        format::{
            BMAP, BMAP_V5, DA, DIRECTORY, DIRECTORY_BLOCK_V5, DIRECTORY_DATA_V5, Header, INODE_CRC,
            LONG_BTREE, REMOTE, REMOTE_VALUE, SHORT_BTREE, SUPERBLOCK_CRC, SYMLINK,
        },
        inode,
        overlay::SECTOR,
        superblock,
    },
    num,
};

const CHUNK: usize = 128;
const MAP: usize = 20;
/// Bytes of the largest buffer.
const LARGEST: usize = 64 << 10;

/// Flags: only the chain of deleted inodes, of which nothing is needed; freed; of quotas.
const INODES: u16 = 0x1;
const CANCEL: u16 = 0x2;
const QUOTAS: u16 = 0x4 | 0x8 | 0x10;

/// B-trees of an allocation group: of free space, also in version 4, inodes, reverse maps and reference counts.
const TREES: [&[u8; 4]; 8] = [b"AB3B", b"AB3C", b"ABTB", b"ABTC", b"IAB3", b"FIB3", b"RMB3", b"R3FC"];

/// A buffer's description and its changed chunks.
pub(super) struct Buffer<'a> {
    flags: u16,
    sector: u64,
    sectors: u32,
    map: &'a [u8],
    item: &'a Item,
}

impl<'a> Buffer<'a> {
    pub(super) fn parse(item: &'a Item) -> Result<Self, FormatError> {
        let bytes = item.region(0);
        let parsed = le16(bytes, 4).zip(le16(bytes, 6)).and_then(|(flags, sectors)| {
            let sector = le64(bytes, 8)?;
            let map = part(bytes, MAP, num::index(le32(bytes, 16)?).checked_mul(4)?)?;
            Some(Self { flags, sector, sectors: sectors.into(), map, item })
        });
        parsed.ok_or_else(|| {
            FormatError::corrupt(STRUCTURE, 0, format!("buffer item of {} bytes", bytes.len()))
        })
    }

    pub(super) fn cancels(&self) -> bool {
        self.flags & CANCEL != 0
    }

    /// Its first sector and their number.
    pub(super) fn place(&self) -> (u64, u32) {
        (self.sector, self.sectors)
    }

    fn offset(&self) -> u64 {
        self.sector.saturating_mul(SECTOR)
    }

    fn length(&self) -> usize {
        num::index(self.sectors).saturating_mul(num::to_usize(SECTOR))
    }

    /// Whether nothing that is read lies in it: headers and space of allocation groups, indices of directories, quotas,
    /// the realtime device (`enum xfs_blft`).
    fn is_of_no_use(&self) -> bool {
        self.flags & (INODES | QUOTAS) != 0 || matches!(self.flags >> 11, 1..=3 | 5..=7 | 12..=14 | 19..)
    }

    /// Whether it is a block of a tree of free space, inodes, reverse maps or reference counts, none of which is read.
    /// Which tree a block is of, its type does not say.
    fn is_index(&self, bytes: &[u8]) -> bool {
        const TREES_V4: [&[u8; 4]; 2] = [b"IABT", b"FIBT"];
        let is_tree = |magic| TREES.contains(&magic) || TREES_V4.contains(&magic);
        matches!(self.flags >> 11, 0 | 4) && bytes.first_chunk().is_some_and(is_tree)
    }

    fn is_changed(&self, chunk: usize) -> bool {
        self.map.get(chunk / 8).is_some_and(|byte| byte >> (chunk % 8) & 1 == 1)
    }

    /// Hands over the changed bytes with their places in the buffer. A region holds one run of chunks or the beginning of
    /// it.
    fn changes(&self) -> Result<Vec<(usize, &'a [u8])>, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, self.offset(), problem);
        let chunks = self.map.len().saturating_mul(8);
        let mut regions = self.item.regions.iter().skip(1);
        let mut changes = Vec::new();
        let mut chunk = 0;
        while chunk < chunks {
            if !self.is_changed(chunk) {
                chunk = chunk.saturating_add(1);
                continue;
            }
            let run = (chunk..chunks).take_while(|chunk| self.is_changed(*chunk)).count();
            let region =
                regions.next().ok_or_else(|| corrupt("fewer regions than changed runs".to_owned()))?;
            let run = run.min(region.len() / CHUNK);
            let at = chunk.saturating_mul(CHUNK);
            let length = run.saturating_mul(CHUNK);
            let fits = run > 0 && at.saturating_add(length) <= self.length();
            let Some(bytes) = region.get(..length).filter(|_| fits) else {
                return Err(corrupt(format!("a region of {} bytes at {at} of a buffer", region.len())));
            };
            changes.push((at, bytes));
            chunk = chunk.saturating_add(run);
        }
        Ok(changes)
    }
}

/// Replays a buffer that is not freed later.
pub(super) fn replay(replay: &mut Replay<'_>, buffer: &Buffer<'_>, lsn: u64) -> Result<(), FormatError> {
    let (offset, length) = (buffer.offset(), buffer.length());
    if buffer.is_of_no_use() {
        return Ok(());
    }
    let end = offset.checked_add(num::to_u64(length));
    if length == 0 || length > LARGEST || end.is_none_or(|end| end > replay.superblock.bytes().max(SECTOR)) {
        return Err(FormatError::corrupt(STRUCTURE, offset, format!("a buffer of {length} bytes")));
    }
    // What a block is, it says at its beginning: the rest need not be read for a small change of it.
    let mut first = read_vec(&replay.overlay, STRUCTURE, offset, num::to_usize(SECTOR))?;
    if replay.superblock.features.crc() && is_newer(&first, &replay.superblock.meta_uuid, lsn) {
        return Ok(());
    }
    let changes = buffer.changes()?;
    for (at, bytes) in &changes {
        first.iter_mut().skip(*at).zip(*bytes).for_each(|(byte, changed)| *byte = *changed);
    }
    if changes.is_empty() || buffer.is_index(&first) {
        return Ok(());
    }
    for (at, bytes) in changes {
        replay.overlay.write(offset.saturating_add(num::to_u64(at)), bytes)?;
    }
    if replay.superblock.features.crc() {
        replay.changed.insert(offset, length);
    }
    Ok(())
}

/// Whether a block, as it lies on the disk, has the changes of a transaction of `lsn` already. What it was before does not
/// matter: the block may have been another's.
fn is_newer(bytes: &[u8], uuid: &[u8; 16], lsn: u64) -> bool {
    let (header, is_superblock) = match bytes.first_chunk() {
        Some(b"XFSB") => (Header { crc: SUPERBLOCK_CRC, blkno: 0, lsn: 240, uuid: 248, owner: 0 }, true),
        _ => match header(bytes).or_else(|| index_header(bytes)) {
            // Values of attributes are written at once, not with the log: they say nothing of it.
            Some(header) if !bytes.starts_with(&REMOTE_VALUE) => (header, false),
            _ => return false,
        },
    };
    let ours = bytes.get(header.uuid..).is_some_and(|rest| rest.starts_with(uuid))
        || (is_superblock && bytes.get(32..).is_some_and(|rest| rest.starts_with(uuid)));
    let seen = be64(bytes, header.lsn).unwrap_or(0);
    ours && seen != 0 && seen != u64::MAX && seen >= lsn
}

/// The header of a block of version 5 that is read.
fn header(bytes: &[u8]) -> Option<Header> {
    match *bytes.first_chunk()? {
        BMAP_V5 | BMAP => return Some(LONG_BTREE),
        DIRECTORY_BLOCK_V5 | DIRECTORY_DATA_V5 => return Some(DIRECTORY),
        SYMLINK | REMOTE_VALUE => return Some(REMOTE),
        _ => {}
    }
    // Leaves and nodes of attributes; the nodes of directories look the same.
    matches!(bytes.get(8..10)?, [0x3b, 0xee] | [0x3e, 0xbe]).then_some(DA)
}

/// The same of one that is not.
fn index_header(bytes: &[u8]) -> Option<Header> {
    let magic = bytes.first_chunk()?;
    if TREES.contains(&magic) {
        return Some(SHORT_BTREE);
    }
    let leaf = matches!(bytes.get(8..10)?, [0x3d, 0xf1] | [0x3d, 0xff]);
    if magic == b"XDF3" { Some(DIRECTORY) } else { leaf.then_some(DA) }
}

/// Makes the checksums of a changed buffer anew, which the kernel does when it writes one: in the log they are older.
pub(super) fn seal(replay: &mut Replay<'_>, offset: u64, length: usize) -> Result<(), FormatError> {
    let bytes = read_vec(&replay.overlay, STRUCTURE, offset, length)?;
    let header = header(&bytes).map(|header| header.crc);
    // Each inode of a block has its own, as each block of a value of an attribute.
    let (unit, at) = if bytes.starts_with(&superblock::MAGIC) {
        (length, SUPERBLOCK_CRC)
    } else if bytes.starts_with(&inode::MAGIC) {
        (num::index(replay.superblock.inode_size), INODE_CRC)
    } else if bytes.starts_with(&REMOTE_VALUE) {
        (num::index(replay.superblock.block_size), REMOTE.crc)
    } else if let Some(at) = header {
        (length, at)
    } else {
        return Ok(());
    };
    for (unit, start) in bytes.chunks(unit).zip((offset..).step_by(unit)) {
        if let Some(sum) = checksum::of(unit, at) {
            replay.overlay.write(start.saturating_add(num::to_u64(at)), &sum.to_le_bytes())?;
        }
    }
    Ok(())
}
