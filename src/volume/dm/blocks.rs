//! Blocks of 4096 bytes that carry their checksum and number (kernel, `dm-block-manager.c`).

use std::sync::Arc;

use zerocopy::little_endian::U32;

use super::kept::Kept;
use crate::{
    block::{Key, Source, read_vec},
    bytes::{self, is_sound},
    error::FormatError,
    num,
};

/// Bytes of a block of metadata; there is no other size.
pub(super) const BLOCK: usize = 4096;

/// A kind of block.
pub(super) struct Kind {
    /// How errors name it.
    pub(super) name: &'static str,
    /// What is added to its checksum, so that one kind is not taken for another.
    pub(super) salt: u32,
    /// Where its own number is.
    pub(super) number: usize,
    /// What else must be true of it, whoever refers to it.
    pub(super) check: fn(&[u8]) -> Result<(), String>,
}

/// The metadata of one device, of which some blocks are kept.
pub(super) struct Blocks {
    source: Source,
    kept: Arc<Kept>,
    device: u64,
}

impl Blocks {
    pub(super) fn new(source: Source, kept: &Arc<Kept>) -> Self {
        Self { source, kept: Arc::clone(kept), device: kept.device() }
    }

    /// A block that is what it should be.
    pub(super) fn read(&self, number: u64, kind: &Kind) -> Result<Arc<Vec<u8>>, FormatError> {
        let key = Key { image: self.device << 32 | u64::from(kind.salt), block: number };
        if let Some(block) = self.kept.find(key) {
            return Ok(block);
        }
        let corrupt = |problem: String| FormatError::corrupt(kind.name, start(number), problem);
        if start(number).saturating_add(num::to_u64(BLOCK)) > self.source.size() {
            let size = self.source.size();
            return Err(corrupt(format!("block {number} of metadata that has {size} bytes")));
        }
        let block = read_vec(&self.source, kind.name, start(number), BLOCK)?;
        let (said, sum) = (le32(&block, 0), sum(&block, kind.salt));
        if !is_sound(said == sum) {
            return Err(corrupt(format!("checksum {said:#010x}, computed {sum:#010x}")));
        }
        let said = le64(&block, kind.number);
        if said != number {
            return Err(corrupt(format!("block {number} says that it is block {said}")));
        }
        (kind.check)(&block).map_err(corrupt)?;
        let block = Arc::new(block);
        self.kept.keep(key, Arc::clone(&block));
        Ok(block)
    }
}

/// Refuses by name what a superblock says that is not known: its version, features, and flags other than these.
pub(super) fn check_known(
    name: &str,
    version: U32,
    [compatible, compatible_read_only, incompatible]: [U32; 3],
    (flags, known): (U32, u32),
) -> Result<(), FormatError> {
    let refused = |what: String| Err(FormatError::unsupported(format!("{name} {what}")));
    if !(1..=2).contains(&version.get()) {
        return refused(format!("of version {version}"));
    }
    let features = [
        ("compatible", compatible),
        ("read-only compatible", compatible_read_only),
        ("incompatible", incompatible),
    ];
    if let Some((kind, bits)) = features.iter().find(|(_, bits)| bits.get() != 0) {
        return refused(format!("with {kind} features {bits:#x}"));
    }
    match flags.get() & !known {
        0 => Ok(()),
        unknown => refused(format!("with flags {unknown:#x}")),
    }
}

/// Where a block begins.
pub(super) fn start(number: u64) -> u64 {
    number.saturating_mul(num::to_u64(BLOCK))
}

/// The checksum of a block, which begins with it: crc32c without the final inversion.
fn sum(block: &[u8], salt: u32) -> u32 {
    !crc32c::crc32c(block.get(4..).unwrap_or_default()) ^ salt
}

/// The number at a place of a block; zero behind its end.
pub(super) fn le32(block: &[u8], at: usize) -> u32 {
    bytes::le32(block, at).unwrap_or(0)
}

/// As [`le32`].
pub(super) fn le64(block: &[u8], at: usize) -> u64 {
    bytes::le64(block, at).unwrap_or(0)
}
