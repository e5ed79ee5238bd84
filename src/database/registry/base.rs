//! The base block: the first 4096 bytes of a hive.

use crate::{
    block::{ReadAt, read_vec},
    bytes::is_sound,
    database::order::Order,
    error::FormatError,
    gap::Code,
};

const STRUCTURE: &str = "registry base block";
/// Bytes of it that say something, the last four of them their checksum.
const LENGTH: usize = 512;
/// Where the bins begin.
pub(super) const BINS: u64 = 4096;

/// What a base block says.
pub(super) struct Base {
    /// The cell of the root key.
    pub(super) root: u32,
    /// Bytes of all bins.
    pub(super) length: u64,
    pub(super) notes: Vec<FormatError>,
}

pub(super) fn read(source: &dyn ReadAt) -> Result<Base, FormatError> {
    let bytes = read_vec(source, STRUCTURE, 0, LENGTH)?;
    let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, 0, problem);
    let field = |at| Order::Little.u32(&bytes, at).unwrap_or(0);
    if !bytes.starts_with(b"regf") {
        return Err(corrupt(format!("magic {:02x?}", bytes.get(..4).unwrap_or_default())));
    }
    let (words, _) = bytes.get(..LENGTH.saturating_sub(4)).unwrap_or_default().as_chunks::<4>();
    let sum = match words.iter().fold(0, |sum, word| sum ^ u32::from_le_bytes(*word)) {
        0 => 1,
        u32::MAX => u32::MAX.saturating_sub(1),
        sum => sum,
    };
    if !is_sound(sum == field(508)) {
        return Err(corrupt(format!("checksum {:#010x}, computed {sum:#010x}", field(508))));
    }
    let (version, kind, format) = ((field(20), field(24)), field(28), field(32));
    if !matches!(version, (1, 3..=6)) {
        return Err(FormatError::unsupported(format!("registry hive version {}.{}", version.0, version.1)));
    }
    if kind != 0 || format != 1 {
        return Err(FormatError::unsupported(format!("registry file of type {kind}, format {format}")));
    }
    let mut notes = Vec::new();
    if field(4) != field(8) {
        let what = "registry hive: it was in use, and its transaction logs are not replayed".to_owned();
        notes.push(FormatError::Unsupported { code: Code::JournalNotReplayed, what });
    }
    Ok(Base { root: field(36), length: field(40).into(), notes })
}
